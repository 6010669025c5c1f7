"""What a snapshot consists of: an app registers a part for each stream of rows that brings its store back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pyarrow as pa


class RestoreError(Exception):
    """The rows cannot be taken back; the message is the end of one line: "holds more than MAX_DATAPOINTS …"."""


class Part(Protocol):
    """One stream of rows of a store in memory."""

    @property
    def name(self) -> str:
        """The name of the stream in the file and in answers."""

    @property
    def schema(self) -> pa.Schema:
        """The columns of the stream."""

    def settled(self) -> AbstractContextManager[None]:
        """Let no large write be under way meanwhile. May wait for the one that is; small ones go on."""

    def held(self) -> AbstractContextManager[None]:
        """Let nobody change the store meanwhile, at once. Entered while it is settled, for the moment of a fork."""

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield all that is stored. Takes no lock, because it runs where nobody else is: see `held`."""

    def restore(self, batches: Iterable[pa.RecordBatch], *, now: int) -> None:
        """Store the rows of the batches in the empty store, at start. Raises RestoreError."""


_parts: dict[str, Part] = {}


def register(part: Part) -> None:
    """Add a part, or replace the one of the same name."""
    _parts[part.name] = part


def registered() -> list[Part]:
    """Return the parts, in the order in which they were registered."""
    return list(_parts.values())
