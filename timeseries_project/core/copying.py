"""Stores in memory that can be copied whole while nobody changes them. Knows no framework."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from threading import Lock

from timeseries_project.core.busy import BusySeries


class Copyable(ABC):
    """The part of a store that tells everything, to whoever sees to it that nobody changes it meanwhile."""

    _lock: Lock
    _busy: BusySeries

    def settled(self) -> AbstractContextManager[None]:
        """Let no large write be under way meanwhile, so that each is there whole or not. Waits for the one that is."""
        return self._busy.large_write()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let nobody change the store meanwhile; entered while it is settled."""
        with self._lock:
            next(self.portions(1), None)  # what is looked up at the first call of a kernel is not left to a fork
            yield

    @abstractmethod
    def portions(self, size: int) -> Iterator[object]:
        """Yield everything, `size` rows at a time.

        Takes no lock, since it is for a process that was forked while the store was held, where nobody gives back the
        locks of others, and for one that is about to end.
        """
