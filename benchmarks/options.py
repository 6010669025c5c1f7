"""How thoroughly to measure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Options:
    """A quick look, the usual, or everything."""

    quick: bool = False
    full: bool = False

    def choose(self, quick: T, usual: T, full: T) -> T:
        """Return what is meant for this run."""
        return quick if self.quick else full if self.full else usual
