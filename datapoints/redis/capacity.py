"""The free capacity, in points and series, of a Redis or Valkey to which any number of processes add.

Plain Python; knows no framework.
"""

from __future__ import annotations

from typing import NamedTuple

from datapoints.interface import FullError
from datapoints.redis.layout import Layout
from timeseries_project.core import clock

#: Seconds for which counts of the other stripes of a cluster are used before they are read again.
FRESH_SECONDS = 1.0


class BaseCounts(NamedTuple):
    """Numbers of points and series under one base or more."""

    points: int
    series: int


class Room:
    """The counts of each base as this process knows them: its own additions at once, those of others within a second.

    On one node there is only one base, whose functions count exactly, and nothing has to be known beforehand.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._held: dict[bytes, BaseCounts] = {}
        self._looked = 0.0

    def look(self) -> None:
        """Read the counts of all bases. One exchange. Those of a server that is failing stay as they were.

        Raises StorageUnavailableError if they were never read.
        """
        begun = clock.elapsed()
        if len(self._held) == len(self._layout.bases):
            totals: list[list[int] | None] = self._layout.totals_in_reach()
        else:
            totals = [*self._layout.totals()]
        for base, counts in zip(self._layout.bases, totals, strict=True):
            if counts is not None:
                _, _, series, points, _ = counts
                self._held[base] = BaseCounts(points, series)
        self._looked = begun

    def learn(self, base: bytes, points: int, series: int) -> None:
        """Note the counts of a base."""
        self._held[base] = BaseCounts(points, series)

    def beside(self, base: bytes) -> BaseCounts:
        """Return the counts of all other bases together; if older than FRESH_SECONDS, they are read again."""
        if len(self._layout.bases) == 1:
            return BaseCounts(0, 0)
        if len(self._held) < len(self._layout.bases) or clock.elapsed() - self._looked > FRESH_SECONDS:
            self.look()
        others = [held for other, held in list(self._held.items()) if other != base]
        return BaseCounts(sum(held.points for held in others), sum(held.series for held in others))

    def refuse_too_many(self, most: BaseCounts, more: BaseCounts) -> None:
        """Raise FullError if there is no room for `more` within the limits `most`. One exchange."""
        self.look()
        held = list(self._held.values())
        if sum(one.points for one in held) + more.points > most.points:
            raise FullError("points", most.points)
        if more.series and sum(one.series for one in held) + more.series > most.series:
            raise FullError("series", most.series)
