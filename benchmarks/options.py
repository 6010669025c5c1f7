"""The options of a run: how thoroughly to measure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Options:
    """A quick, a usual or a full run."""

    quick: bool = False
    full: bool = False

    def choose(self, quick: T, usual: T, full: T) -> T:
        """Return the value for this run."""
        return quick if self.quick else full if self.full else usual
