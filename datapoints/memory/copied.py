"""The copying of a whole store in memory. Plain Python and NumPy; knows no framework."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from datapoints.interface import AXES, PointColumns
from datapoints.memory.names import SeriesNames
from datapoints.memory.series import SeriesPool
from timeseries_project.core.arrays import Keys, run_lengths, run_starts
from timeseries_project.core.copying import Copyable


class Copied(Copyable):
    """The part of a store that tells all its points, to whoever sees to it that nobody changes it meanwhile."""

    _pool: SeriesPool
    _names: SeriesNames

    def portions(self, size: int) -> Iterator[PointColumns]:
        """Yield all points, `size` at a time: series by series, ascending in each.

        O(points + series), without a lock.
        """
        pairs = self._names.pairs
        for series, times, values in self._pool.portions(size):
            starts = run_starts(series)
            lengths = run_lengths(starts, len(series))
            named = [pairs[number] for number in series[starts].tolist()]
            columns = [Keys([pair[place] for pair in named]) for place in range(len(AXES))]
            devices, users = (Keys.numbered(np.repeat(keys.codes, lengths), keys.names) for keys in columns)
            yield PointColumns(times, values, devices, users)
