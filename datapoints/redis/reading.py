"""Readers of datapoints in a Redis or Valkey: ranges of the series of one key.

Plain Python and NumPy; knows no framework.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from datapoints.interface import QUARTER_HOUR, BucketSums, KeySummary, Point, ViewChangedError
from datapoints.redis.layout import Chunk, Figures, Layout, Series
from timeseries_project.core.summation import Floats, Integers


class RedisView:
    """The series of one device or user, ordered by the other key, as they were when the view was opened or later.

    A series that takes several portions is read again in one call if it was changed in between other than at its end.
    So its rows show it at one moment.
    """

    def __init__(self, layout: Layout, opened: Sequence[tuple[Series, Chunk]], oldest: int, ahead: range) -> None:
        """Take series, each with the sums that were read together with it, of the quarter-hours in `ahead`."""
        self._layout = layout
        self.series = [series for series, _ in opened]
        self._read_ahead = [chunk for _, chunk in opened]
        self._oldest = oldest
        self._ahead = ahead

    @property
    def first(self) -> int:
        """The time of the oldest point. O(series)."""
        return min(series.figures.first for series in self.series)

    @property
    def last(self) -> int:
        """The time of the newest point. O(series)."""
        return max(series.figures.last for series in self.series)

    def before(self, time: int) -> int | None:
        """Return the time of the last point before `time`, if any. One exchange at most, O(series * log n)."""
        if time > self.last:
            return self.last
        return self._layout.neighbours([one for one in self.series if one.figures.first < time], time)[0]

    def at_or_after(self, time: int) -> int | None:
        """Return the time of the first point not before `time`, if any. One exchange at most, O(series * log n)."""
        if time <= self.first:
            return self.first
        return self._layout.neighbours([one for one in self.series if one.figures.last >= time], time)[1]

    def sums(self, start: int, stop: int) -> BucketSums:
        """Copy the quarter-hours that begin in start <= time < stop, of every series."""
        start, stop = -(-max(start, self._oldest) // QUARTER_HOUR), -(-stop // QUARTER_HOUR)
        parts: list[list[bytes]] = [[] for _ in self.series]
        wanted = [(at, start) for at in range(len(parts))]
        if self._ahead.start <= start and stop <= self._ahead.stop:
            parts = [[chunk.rows] for chunk in self._read_ahead]
            following = [chunk.following for chunk in self._read_ahead]
            wanted = [(at, max(start, key)) for at, key in enumerate(following) if key is not None]
        numbers, counts, highs, lows, errors = self._read("s", QUARTER_HOUR, start, stop, parts, wanted)
        return BucketSums(numbers.astype(np.int64), counts.astype(np.int64), highs, lows, errors)

    def points(self, start: int, stop: int) -> tuple[Integers, Floats]:
        """Copy the points with start <= time < stop: two columns, series by series."""
        start = max(start, self._oldest)
        parts: list[list[bytes]] = [[] for _ in self.series]
        times, values = self._read("p", 1, start, stop, parts, [(at, start) for at in range(len(parts))])
        return times.astype(np.int64), values

    def _read(
        self, letter: str, unit: int, start: int, stop: int, parts: list[list[bytes]], wanted: list[tuple[int, int]]
    ) -> Floats:
        """Return the rows with start <= key < stop of every series, as columns; keys are multiples of `unit` us.

        `parts` holds the rows already read of each series; `wanted` tells from which key on to read which series.
        """
        seen = {at: self.series[at].figures for at, part in enumerate(parts) if part}
        reach = [(one.figures.first // unit, one.figures.last // unit) for one in self.series]
        wanted = [(at, key) for at, key in wanted if max(key, reach[at][0]) < stop and key <= reach[at][1]]
        while wanted:
            chunks = self._layout.read(letter, [(self.series[at], key) for at, key in wanted], stop)
            unread: list[tuple[int, int]] = []
            for (at, key), chunk in zip(wanted, chunks, strict=True):
                if chunk is None:
                    unread.append((at, key))
                    continue
                figures = _unchanged(self.series[at], chunk.figures)
                if figures.late != seen.setdefault(at, figures).late:
                    parts[at] = [self._whole(letter, self.series[at], start, stop)]
                    continue
                parts[at].append(chunk.rows)
                if chunk.following is not None:
                    unread.append((at, chunk.following))
            wanted = unread
        columns = table(letter, [rows for part in parts for rows in part]).T
        inside = (columns[0] >= start) & (columns[0] < stop)
        return columns if inside.all() else columns[:, inside]

    def _whole(self, letter: str, series: Series, start: int, stop: int) -> bytes:
        """Read in one call a series that was changed while it was read in portions."""
        [chunk] = self._layout.read(letter, [(series, start)], stop, whole=True)
        assert chunk is not None
        _unchanged(series, chunk.figures)
        return chunk.rows


def table(letter: str, parts: Sequence[bytes]) -> Floats:
    """Return rows of points (p) or sums (s) from the bytes that the server stores.

    >>> table("p", [np.array([60.0, 1.5]).tobytes(), np.array([120.0, 2.5]).tobytes()]).tolist()
    [[60.0, 1.5], [120.0, 2.5]]
    """
    return np.frombuffer(b"".join(parts), dtype=np.float64).reshape(-1, 2 if letter == "p" else 5)


def _unchanged(series: Series, figures: Figures | None) -> Figures:
    """Return the present figures of a series; ViewChangedError if it is gone, replaced, or begins at another time.

    So no points are missing that sums read before were made of; there may be more of them.
    """
    if figures is None or figures.epoch != series.figures.epoch or figures.first != series.figures.first:
        raise ViewChangedError
    return figures


def summary_of(key: str, series: Sequence[Series]) -> KeySummary:
    """Return the summary of a device or user from all its series, of which there is at least one. O(series)."""
    figures = [one.figures for one in series]
    return KeySummary(
        key, sum(one.points for one in figures), min(one.first for one in figures), max(one.last for one in figures)
    )


def newest_point(layout: Layout, series: Sequence[Series]) -> Point | None:
    """Return the newest point of series that are in order, of several that of the last; None if it has gone meanwhile.

    One exchange, O(series + log n).
    """
    newest = max(one.figures.last for one in series)
    last = [one for one in series if one.figures.last == newest][-1]
    [chunk] = layout.read("p", [(last, newest)], newest + 1, rows=1)
    assert chunk is not None
    if chunk.figures is None or chunk.figures.epoch != last.figures.epoch or not chunk.rows:
        return None
    [time, value] = table("p", [chunk.rows])[0].tolist()
    return Point(newest, last.device, last.user, value) if time == newest else None
