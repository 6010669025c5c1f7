"""The first points of many series in the order of a listing, found without reading most of the series.

Plain Python and NumPy; knows no framework. Times are microseconds since the Unix epoch, negative in a listing that
descends (`Wanted`).
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence

import numpy as np

from datapoints.interface import PointColumns, Wanted
from datapoints.memory.names import Pair
from datapoints.memory.series import SeriesPool
from datapoints.memory.series_view import Guarded
from timeseries_project.core.arrays import stable_order
from timeseries_project.core.block_kernels import BEYOND
from timeseries_project.core.offload import give_way, leave_loop
from timeseries_project.core.summation import Integers

#: Series that are looked into at once: with the store's lock held this takes a few milliseconds.
SERIES_AT_ONCE = 2048
#: How many of many series are looked into first, at least.
SERIES_AT_FIRST = 16


class FirstPoints:
    """The first wanted points of the series read so far; each series is read once, so at one moment.

    `portions` tells which to read next: those with the earliest possible point, until no other can contribute.
    """

    def __init__(self, pool: SeriesPool, pairs: Sequence[Pair], wanted: Wanted) -> None:
        self._pool = pool
        self._pairs = pairs
        self._wanted = wanted
        #: Whether one pair of names comes after another in the listing.
        self._comes_after = operator.lt if wanted.descending else operator.gt
        self._times = np.empty(0, dtype=np.int64)
        self._values = np.empty(0)
        #: The series of each point, as an index of `_names`, which holds the names at the moment of reading.
        self._owners = np.empty(0, dtype=np.int64)
        self._names: list[Pair] = []
        #: Whether the points are in the order of the listing.
        self._ordered = True
        #: There are enough points up to this time; later than every timestamp while there are not.
        self._newest = BEYOND

    def bounds(self, series: Integers | slice) -> tuple[Integers, Integers]:
        """Return the series that may have wanted points, and for each a time before which it has none. O(series).

        The store's lock is held.
        """
        firsts, lasts = self._ends(series)
        some = np.flatnonzero((lasts >= self._wanted.start) & (firsts < self._wanted.stop))
        return some if isinstance(series, slice) else series[some], np.maximum(firsts[some], self._wanted.start)

    def _ends(self, series: Integers | slice) -> tuple[Integers, Integers]:
        """Return when series begin and end, in the order of the listing. The store's lock is held."""
        firsts, lasts = self._pool.firsts[series], self._pool.lasts[series]
        return (-lasts, -firsts) if self._wanted.descending else (firsts, lasts)

    def portions(self, series: Integers, bounds: Integers) -> Iterator[Integers]:
        """Yield portions of the series to read; the caller reads each before it takes the next.

        One pass over the bounds finds the first portion, of as many series as points are wanted if they are not too
        many: most have a point at their bound.
        """
        limit = self._wanted.limit
        if len(series) > limit:
            order = np.argpartition(bounds, limit - 1)
            order[:limit] = order[:limit][np.argsort(bounds[order[:limit]])]
        else:
            order = np.argsort(bounds)
        series, bounds = series[order], bounds[order]
        size = min(max(limit, SERIES_AT_FIRST), SERIES_AT_ONCE)
        while len(series):
            yield series[:size]
            series, bounds = series[size:], bounds[size:]
            if self._newest < BEYOND:
                within = bounds <= self._newest
                series, bounds = series[within], bounds[within]
            size = min(4 * size, SERIES_AT_ONCE)

    def look_into(self, series: Integers) -> None:
        """Take in the wanted points of some series. The store's lock is held.

        O(series * log of them and of their points + points * log series).
        """
        start, stop, after, limit, descending = self._wanted
        if self._newest < BEYOND:
            series, stop = self._of_use(series), min(stop, self._newest + 1)
        pairs = list(map(self._pairs.__getitem__, series.tolist()))
        order = sorted(range(len(pairs)), key=pairs.__getitem__, reverse=descending)
        pairs = [pairs[place] for place in order]
        starts = np.full(len(pairs), start)
        if after is not None and after[0] == start:
            starts[[not self._comes_after(pair, after[1:]) for pair in pairs]] += 1
        owners, times, values = self._pool.merged_points(series[order], starts, stop, limit, backwards=descending)
        self._ordered = not len(self._times)
        self._owners = np.concatenate((self._owners, owners + len(self._names)))
        self._names += pairs
        self._times = np.concatenate((self._times, times))
        self._values = np.concatenate((self._values, values))
        self._forget_the_rest()

    def _of_use(self, series: Integers) -> Integers:
        """Return the series that may have points before the last of those found."""
        bounds = np.maximum(self._ends(series)[0], self._wanted.start)
        use = bounds < self._newest
        equal = np.flatnonzero(bounds == self._newest)
        if len(equal):
            after, last = self._wanted.after, self._last_of_equal()
            least: Pair | None = after[1:] if after is not None and after[0] == self._newest else None
            pairs = map(self._pairs.__getitem__, series[equal].tolist())
            comes_after = self._comes_after
            use[equal] = [comes_after(last, pair) and (least is None or comes_after(pair, least)) for pair in pairs]
        return series[use]

    def _last_of_equal(self) -> Pair:
        """Return device and user of the last wanted point among those of the newest time."""
        before = np.count_nonzero(self._times < self._newest)
        equal = self._owners[self._times == self._newest]
        names = sorted(map(self._names.__getitem__, equal.tolist()), reverse=self._wanted.descending)
        return names[self._wanted.limit - before - 1]

    def _forget_the_rest(self) -> None:
        """Drop points after the wanted ones, but keep all of the newest wanted time while they are not too many."""
        limit = self._wanted.limit
        if len(self._times) < limit:
            return
        self._newest = int(np.partition(self._times, limit - 1)[limit - 1])
        kept = np.flatnonzero(self._times <= self._newest)
        self._keep(kept)
        if len(kept) > 2 * limit + SERIES_AT_ONCE:
            self._keep(self._order()[:limit])

    def _keep(self, places: Integers) -> None:
        self._times, self._values, self._owners = self._times[places], self._values[places], self._owners[places]

    def _order(self) -> Integers:
        """Return the places of the points in the order of the listing."""
        if self._ordered:
            return np.arange(len(self._times))
        used = np.flatnonzero(np.bincount(self._owners)).tolist()
        used.sort(key=self._names.__getitem__, reverse=self._wanted.descending)
        ranks = np.empty(len(self._names), dtype=np.int64)
        ranks[used] = np.arange(len(used))
        return stable_order(ranks[self._owners], self._times)

    def columns(self) -> PointColumns:
        """Return the points in order, as many as are wanted."""
        self._keep(self._order()[: self._wanted.limit])
        times = -self._times if self._wanted.descending else self._times
        return PointColumns.owned(times, self._values, self._owners, self._names)


def read_listing(guarded: Guarded, device: str | None, user: str | None, wanted: Wanted) -> PointColumns:
    """Return the wanted points of a device, a user, both or all, those of a few series at one moment.

    O(series that match + limit, and what the series have that begin before the last of these points).
    """
    lock, pool, names, busy = guarded
    with lock:
        series = names.matching(device, user)
        while busy.wait_until_free(None if isinstance(series, slice) else series):
            series = names.matching(device, user)
        found = FirstPoints(pool, names.pairs, wanted)
        few = (len(names.numbers) if isinstance(series, slice) else len(series)) <= SERIES_AT_ONCE
        if not few:
            leave_loop()
        matching, bounds = found.bounds(series)
        if few:
            for portion in found.portions(matching, bounds):
                found.look_into(portion)
    if not few:
        for portion in found.portions(matching, bounds):
            with lock:
                busy.wait_until_free(portion)
                found.look_into(portion)
            give_way()
    return found.columns()
