"""The query parameter that names several devices or users."""

from __future__ import annotations

from collections.abc import Iterable

from timeseries_project.api.fields import KeyField, refuse

#: Most devices or users in one chart.
MOST = 8


class KeysField(KeyField):
    """Up to `MOST` names of devices or users: a parameter that may be repeated. One that is given twice counts once."""

    def from_texts(self, texts: Iterable[str]) -> list[str]:
        """Read the values of the parameter, in their order; raises ValidationError if one is invalid."""
        different = dict.fromkeys(texts)
        if len(different) > MOST:
            refuse(f"is given {len(different):,} times; one chart shows at most {MOST}.")
        return [self.from_text(text) for text in different]
