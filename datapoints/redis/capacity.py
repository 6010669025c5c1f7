"""How many points and series there may still be in a Redis or Valkey that any number of processes add to.

Plain Python; knows no framework.
"""

from __future__ import annotations

from typing import NamedTuple

from datapoints.interface import FullError
from datapoints.redis.layout import Layout
from timeseries_project.core import clock

#: Seconds for which is believed what other stripes of a cluster held.
FRESH_SECONDS = 1.0


class BaseCounts(NamedTuple):
    """What is held under one base or more."""

    points: int
    series: int


class Room:
    """What each base holds, as far as this process knows: what it added itself at once, the rest within a second.

    On one node there is one base, whose functions count exactly, and nothing has to be known beforehand.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._held: dict[bytes, BaseCounts] = {}
        self._looked = 0.0

    def look(self) -> None:
        """Ask all bases what they hold. One exchange."""
        begun = clock.elapsed()
        self._held = {
            base: BaseCounts(points, series)
            for base, (_, _, series, points, _) in zip(self._layout.bases, self._layout.totals(), strict=True)
        }
        self._looked = begun

    def learn(self, base: bytes, points: int, series: int) -> None:
        """Take note of what a base holds now."""
        self._held[base] = BaseCounts(points, series)

    def beside(self, base: bytes) -> BaseCounts:
        """Return what all other bases hold; what was known a second ago is asked again."""
        if len(self._layout.bases) == 1:
            return BaseCounts(0, 0)
        if not self._held or clock.elapsed() - self._looked > FRESH_SECONDS:
            self.look()
        others = [held for other, held in list(self._held.items()) if other != base]
        return BaseCounts(sum(held.points for held in others), sum(held.series for held in others))

    def refuse_too_many(self, most: BaseCounts, more: BaseCounts) -> None:
        """Raise FullError if there is no room for so many more. One exchange."""
        self.look()
        held = list(self._held.values())
        if sum(one.points for one in held) + more.points > most.points:
            raise FullError("points", most.points)
        if more.series and sum(one.series for one in held) + more.series > most.series:
            raise FullError("series", most.series)
