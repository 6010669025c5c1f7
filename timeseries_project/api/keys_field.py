"""The query parameter that names several devices or users."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from timeseries_project.api.fields import KeyField, refuse


class KeysField(KeyField):
    """Up to `most` names of devices or users: a parameter that may be repeated. One that is given twice counts once."""

    def __init__(self, *, most: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.most = most

    def from_texts(self, texts: Iterable[str]) -> list[str]:
        """Read the values of the parameter, in their order; raises ValidationError if one is invalid."""
        different = dict.fromkeys(texts)
        if len(different) > self.most:
            refuse(f"is given {len(different):,} times; one chart shows at most {self.most}.")
        return [self.from_text(text) for text in different]
