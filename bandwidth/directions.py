"""The directions of bytes, and which of them a chart shows."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from bandwidth.interface import Window

_TO, _FROM = "to the server", "from the server"


class Direction(StrEnum):
    """Which lines a chart has for each device."""

    BOTH = "both"
    TO = "to"
    FROM = "from"
    SUM = "sum"


class Counts(NamedTuple):
    """The bytes of windows in one direction; `dash` tells it from the other one in the same chart."""

    name: str
    dash: str | None
    numbers: list[int]


def counts_of(windows: list[Window], direction: Direction) -> list[Counts]:
    """Return the bytes of windows as the lines of a chart.

    >>> windows = [Window(60, 1, 5, 7)]
    >>> [counts.name for counts in counts_of(windows, Direction.BOTH)]
    ['to the server', 'from the server']
    >>> counts_of(windows, Direction.SUM)
    [Counts(name='to and from the server', dash=None, numbers=[12])]
    """
    both = direction is Direction.BOTH
    if direction is Direction.SUM:
        return [Counts("to and from the server", None, [window.bytes_ts + window.bytes_fs for window in windows])]
    to = Counts(_TO, "solid" if both else None, [window.bytes_ts for window in windows])
    back = Counts(_FROM, "dashed" if both else None, [window.bytes_fs for window in windows])
    return {Direction.BOTH: [to, back], Direction.TO: [to], Direction.FROM: [back]}[direction]
