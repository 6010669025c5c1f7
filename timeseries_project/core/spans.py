"""Spans of time as users write them: a whole number and a unit, such as `15m` or `3mo`."""

from __future__ import annotations

import re
from typing import NamedTuple

#: The seconds of the units whose length never changes.
SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
#: The units of the calendar, whose length depends on when they are, each with its largest number: a hundred years.
CALENDAR = {"w": 5_217, "mo": 1_200, "y": 100}
#: The longest span in units that never change, in seconds.
MAX_SECONDS = 366 * 86_400

_SPAN = re.compile(r"([0-9]{1,10})(s|m|h|d|w|mo|y)")


class Span(NamedTuple):
    """A number of units: seconds, minutes, hours or days; or weeks, months or years of the calendar."""

    number: int
    unit: str

    @property
    def seconds(self) -> int | None:
        """The length in seconds; None for units of the calendar.

        >>> Span(15, "m").seconds, Span(1, "mo").seconds
        (900, None)
        """
        return self.number * SECONDS[self.unit] if self.unit in SECONDS else None

    def __str__(self) -> str:
        """Write it in the largest unit of which it is a whole number, if the unit's length never changes.

        >>> str(Span(60, "m")), str(Span(12, "mo"))
        ('1h', '12mo')
        """
        seconds = self.seconds
        if not seconds:
            return f"{self.number}{self.unit}"
        unit = max((unit for unit in SECONDS if seconds % SECONDS[unit] == 0), key=SECONDS.__getitem__)
        return f"{seconds // SECONDS[unit]}{unit}"


def parse(text: str) -> Span | None:
    """Read a span, which may be zero; None for any other text.

    >>> parse("15m"), parse("3mo"), parse("1.5h")
    (Span(number=15, unit='m'), Span(number=3, unit='mo'), None)
    """
    match = _SPAN.fullmatch(text)
    return Span(int(match[1]), match[2]) if match else None


def most(unit: str) -> int:
    """Return the largest number of a unit that a bucket may have.

    >>> most("h"), most("mo")
    (8784, 1200)
    """
    return MAX_SECONDS // SECONDS[unit] if unit in SECONDS else CALENDAR[unit]
