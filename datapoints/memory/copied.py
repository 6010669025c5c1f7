"""The copying of a whole store in memory. Plain Python and NumPy; knows no framework."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from threading import Lock

import numpy as np

from datapoints.interface import AXES, PointColumns
from datapoints.memory.names import SeriesNames
from datapoints.memory.series import SeriesPool
from timeseries_project.core.arrays import Keys, run_lengths, run_starts
from timeseries_project.core.busy import BusySeries


class Copied:
    """The part of a store that tells everything, to whoever sees to it that nobody changes it meanwhile."""

    _lock: Lock
    _busy: BusySeries
    _pool: SeriesPool
    _names: SeriesNames

    def settled(self) -> AbstractContextManager[None]:
        """Let no large write be under way meanwhile, so that each is there whole or not. Waits for the one that is."""
        return self._busy.large_write()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let nobody change the store meanwhile; entered while it is settled."""
        with self._lock:
            next(self.portions(1), None)  # what is looked up at the first call of a kernel is not left to a fork
            yield

    def portions(self, size: int) -> Iterator[PointColumns]:
        """Yield all points, `size` at a time: series by series, ascending in each.

        Takes no lock, since it is for a process that was forked while the store was held, where nobody gives back the
        locks of others, and for one that is about to end. O(points + series).
        """
        pairs = self._names.pairs
        for series, times, values in self._pool.portions(size):
            starts = run_starts(series)
            lengths = run_lengths(starts, len(series))
            named = [pairs[number] for number in series[starts].tolist()]
            columns = [Keys([pair[place] for pair in named]) for place in range(len(AXES))]
            devices, users = (Keys.numbered(np.repeat(keys.codes, lengths), keys.names) for keys in columns)
            yield PointColumns(times, values, devices, users)
