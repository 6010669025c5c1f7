"""Listings of datapoints in a Redis or Valkey.

A listing ascends by time, device and user, or descends by all three. Of one that descends every time is negative here,
so that its first points have the least times too. Plain Python and NumPy; knows no framework.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from datapoints import interface
from datapoints.interface import PointColumns, ViewChangedError
from datapoints.redis.layout import KEYS_AT_ONCE, NEVER, Chunk, Layout, Series
from datapoints.redis.reading import table
from timeseries_project.core.summation import Floats, Integers

#: Where there are many series, a listing reads so many of them first, and at least so many rows of each.
SERIES_AT_FIRST = 64
ROWS_AT_LEAST = 16


class Wanted(interface.Wanted):
    """What is wanted, and how it is read of series in a shared storage."""

    def ends(self, series: Series) -> tuple[int, int]:
        """Return when a series begins and ends, in the order of the listing."""
        first, last = series.figures.first, series.figures.last
        return (-last, -first) if self.descending else (first, last)

    def start_of(self, series: Series) -> int:
        """Return the time from which on the points of a series are wanted."""
        if self.after is None or self.after[0] < self.start:
            return self.start
        time, *names = self.after
        passed = [*series[:2]] >= names if self.descending else [*series[:2]] <= names
        return min(time + passed, NEVER)

    def read(self, layout: Layout, wanted: Sequence[tuple[Series, int]], rows: int) -> list[Chunk | None]:
        """Read rows of each series from a time on, as `Layout.read` does; the next chunk begins at `following`."""
        if not self.descending:
            return layout.read("p", wanted, self.stop, rows=rows)
        ends = [(series, 1 - time) for series, time in wanted]
        chunks = layout.read_back("p", ends, 1 - self.stop, rows=rows)
        return [
            chunk and chunk._replace(following=None if chunk.following is None else 1 - chunk.following)
            for chunk in chunks
        ]


class _Found:
    """The points read so far: their times in the order of the listing, their values, and the ranks of their series."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._ranks: Integers = np.empty(0, dtype=np.int64)
        self._times, self._values = np.empty((2, 0))

    def add(self, read: list[tuple[int, bytes]]) -> None:
        """Take in rows of series of these ranks."""
        times, values = table("p", [rows for _, rows in read]).T
        ranks = np.repeat([rank for rank, _ in read], [len(rows) // 16 for _, rows in read])
        times = -times if self._wanted.descending else times
        inside = times < self._wanted.stop
        self._ranks = np.concatenate([self._ranks, ranks[inside]])
        self._times = np.concatenate([self._times, times[inside]])
        self._values = np.concatenate([self._values, values[inside]])

    def newest(self) -> float | None:
        """Return up to which time there are enough points; None while there are not."""
        limit = self._wanted.limit
        return None if len(self._times) < limit else float(np.partition(self._times, limit - 1)[limit - 1])

    def columns(self, ranked: Sequence[Series]) -> PointColumns:
        """Return the points in order, as many as are wanted."""
        order = np.lexsort((self._ranks, self._times))[: self._wanted.limit]
        times: Floats = -self._times[order] if self._wanted.descending else self._times[order]
        pairs = [(series.device, series.user) for series in ranked]
        return PointColumns.owned(times.astype(np.int64), self._values[order], self._ranks[order], pairs)


def read_listing(layout: Layout, device: str | None, user: str | None, wanted: Wanted) -> PointColumns:
    """Return the wanted points of a device, of a user, of both or of all."""
    while True:
        try:
            return _read(layout, _matching(layout, device, user), wanted)
        except ViewChangedError:
            continue


def _matching(layout: Layout, device: str | None, user: str | None) -> list[Series]:
    """Return the series of a device, of a user, of both or of all."""
    if device == "" or user == "":
        return []
    if device is not None and user is not None:
        return layout.one(device, user)
    if device is not None:
        return layout.members("device", [device])[0]
    if user is not None:
        return layout.members("user", [user])[0]
    names = layout.names("device")
    portions = (names[begin : begin + KEYS_AT_ONCE] for begin in range(0, len(names), KEYS_AT_ONCE))
    return [one for some in portions for series in layout.members("device", some) for one in series]


def _read(layout: Layout, series: Sequence[Series], wanted: Wanted) -> PointColumns:
    """Return the wanted points of these series.

    Series are read some rows at a time, those with the earliest possible point first, until no other can contribute.
    ViewChangedError if one was deleted meanwhile, or changed between two of its portions.
    """
    ranked = sorted(series, reverse=wanted.descending)
    starts = [wanted.start_of(one) for one in ranked]
    #: The time from which on each series is still to be read; none of its unread points is earlier.
    bounds: dict[int, int] = {}
    for rank, (one, start) in enumerate(zip(ranked, starts, strict=True)):
        first, last = wanted.ends(one)
        if start <= last and max(start, first) < wanted.stop:
            bounds[rank] = max(start, first)
    rows = max(wanted.limit // len(bounds) + 1, ROWS_AT_LEAST) if bounds else 0
    portion = SERIES_AT_FIRST
    late: dict[int, int] = {}
    found = _Found(wanted)
    while bounds:
        if (newest := found.newest()) is None:
            chosen = sorted(bounds, key=bounds.__getitem__)[:portion]
            portion *= 4
        else:
            chosen = [rank for rank, bound in bounds.items() if bound <= newest]
            if not chosen:
                break
        asked = [(ranked[rank], bounds[rank] if rank in late else starts[rank]) for rank in chosen]
        read: list[tuple[int, bytes]] = []
        for rank, chunk in zip(chosen, wanted.read(layout, asked, rows), strict=True):
            if chunk is None:
                continue
            if chunk.figures is None or chunk.figures.epoch != ranked[rank].figures.epoch:
                raise ViewChangedError
            if chunk.figures.late != late.setdefault(rank, chunk.figures.late):
                raise ViewChangedError
            read.append((rank, chunk.rows))
            del bounds[rank]
            if chunk.following is not None and chunk.following < wanted.stop:
                bounds[rank] = chunk.following
        found.add(read)
    return found.columns(ranked)
