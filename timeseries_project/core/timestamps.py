"""Timestamps: reading them from text and numbers, and writing them.

In memory a timestamp is a whole number of microseconds since the Unix epoch. The accepted forms are ISO 8601 calendar
dates in extended format with optional time (RFC 3339 section 5.6 and its reduced precisions), and epoch seconds.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Literal

import numpy as np

from timeseries_project.core.summation import Floats, Integers

MICROSECONDS = 1_000_000
#: Ticks per second of the units that epoch times are mistaken for.
UNITS = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
#: The end of the year 9999 in epoch seconds: no time in UTC that can be written reaches it.
END_OF_YEARS = 253_402_300_800
#: Epoch seconds between which measured times lie: from 1973 to 2100.
_PLAUSIBLE = range(100_000_000, 4_102_444_800)

_EPOCH_DAY = date(1970, 1, 1).toordinal()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DATE_TIME = re.compile(
    r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})"
    r"(?:[Tt ](?P<hour>[0-9]{2})"
    r"(?::(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]+))?)?)?"
    r"(?P<offset>[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)?)?"
)
#: A date and time whose offset has lost its plus sign, as in a query string that is not escaped.
UNESCAPED_OFFSET = re.compile(r".*[Tt][0-9:.,]+ [0-9]{2}:?[0-9]{2}", re.DOTALL)


def parse(text: str) -> int:
    """Read an ISO 8601 date with optional time; no offset means UTC, digits beyond the sixth are cut.

    Raises ValueError, with a sentence for the client, for anything else. O(1).

    >>> parse("1970-01-02"), parse("1970-01-01T01:00:00.0000019+01:00")
    (86400000000, 1)
    """
    match = DATE_TIME.fullmatch(text)
    if match is None:
        raise ValueError("must be an ISO 8601 date and time such as 2026-01-31T12:00:00Z, or epoch seconds.")
    try:
        days = date(int(match["year"]), int(match["month"]), int(match["day"])).toordinal() - _EPOCH_DAY
    except ValueError as error:
        raise ValueError(f"is not a calendar date: {error}.") from None
    hour, minute, second = (int(match[name] or 0) for name in ("hour", "minute", "second"))
    if hour > 23 or minute > 59 or second > 59:
        raise ValueError("has a time of day beyond 23:59:59.")
    seconds = days * 86_400 + hour * 3_600 + minute * 60 + second - _offset(match["offset"])
    return seconds * MICROSECONDS + int((match["fraction"] or "")[:6].ljust(6, "0"))


def mistaken_unit(number: int, unit: str) -> str | None:
    """Return the finer unit that an epoch time beyond the year 9999 seems to have, if it is none in `unit`.

    Dates are not suspected, though an offset may put one a few hours behind that year.

    >>> mistaken_unit(1_700_000_000_000, "seconds"), mistaken_unit(1_700_000_000_000, "milliseconds")
    ('milliseconds', None)
    """
    if number < (END_OF_YEARS + 86_400) * UNITS[unit]:
        return None
    finer = (name for name, ticks in UNITS.items() if ticks > UNITS[unit] and number // ticks in _PLAUSIBLE)
    return next(finer, None)


def _offset(text: str | None) -> int:
    """Return by how many seconds local time is ahead of UTC."""
    if text is None or text in "Zz":
        return 0
    digits = text[1:].replace(":", "").ljust(4, "0")
    hours, minutes = int(digits[:2]), int(digits[2:])
    if hours > 23 or minutes > 59:
        raise ValueError("has an offset beyond 23:59.")
    return (hours * 3_600 + minutes * 60) * (-1 if text[0] == "-" else 1)


def from_seconds(number: float) -> int:
    """Read finite epoch seconds; digits beyond the microsecond are cut, as in the shortest decimal spelling.

    The double nearest to a whole number of microseconds is read as that number, not as the one below it. O(1).

    >>> from_seconds(1.000001), from_seconds(0.9999999)
    (1000001, 999999)
    """
    if isinstance(number, int) or abs(number) >= 2**52:
        return int(number) * MICROSECONDS
    # The product was rounded; find the largest whole number of microseconds that is not later.
    microseconds = round(number * MICROSECONDS)
    if microseconds / MICROSECONDS > number:
        return microseconds - 1
    return microseconds + ((microseconds + 1) / MICROSECONDS <= number)


def column_from_seconds(seconds: Floats) -> Integers:
    """Read a column of epoch seconds from 0 to 2**33 with the same results as `from_seconds`. O(n).

    >>> column_from_seconds(np.array([1.000001, 0.9999999])).tolist()
    [1000001, 999999]
    """
    microseconds = np.rint(seconds * MICROSECONDS)
    microseconds -= microseconds / MICROSECONDS > seconds
    microseconds += (microseconds + 1) / MICROSECONDS <= seconds
    return microseconds.astype(np.int64)


def render(timestamp: int) -> str:
    """Write a timestamp in UTC with Z, with a fraction only if it is not zero. O(1).

    >>> render(0), render(1_500_000)
    ('1970-01-01T00:00:00Z', '1970-01-01T00:00:01.500000Z')
    """
    moment = _EPOCH + timedelta(microseconds=timestamp)
    text = moment.isoformat(timespec="microseconds" if moment.microsecond else "seconds")
    return text.removesuffix("+00:00") + "Z"


def rendered(timestamps: Sequence[int] | Integers, *, fractions: bool = False) -> list[str]:
    """Write timestamps in one form: with six digits of a second if one of them needs it, or on demand, else none. O(n).

    Readers of tables infer the type of a column from its first cells, and give up where the form changes.

    >>> rendered([0, 1_000_000]), rendered([0, 1_500_000])
    (['1970-01-01T00:00:00Z', '1970-01-01T00:00:01Z'], ['1970-01-01T00:00:00.000000Z', '1970-01-01T00:00:01.500000Z'])
    >>> rendered([0], fractions=True)
    ['1970-01-01T00:00:00.000000Z']
    """
    column = np.array(timestamps, dtype=np.int64)
    fractions = fractions or bool((column % MICROSECONDS).any())
    unit: Literal["us", "s"] = "us" if fractions else "s"
    texts: list[str] = np.datetime_as_string(column.view("datetime64[us]"), unit=unit, timezone="UTC").tolist()
    return texts
