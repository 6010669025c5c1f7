"""Time zones of the IANA database: their names, and when their days begin.

The data are those of the `tzdata` package, not of the machine, so that the same version gives the same answers
everywhere. `zoneinfo` reads them and knows the offset of one time; for the beginnings of many days at once, a zone's
changes are kept as columns. Days are numbered from 1970-01-01; times are microseconds since the Unix epoch.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from itertools import pairwise
from struct import Struct
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from timeseries_project.core.errors import shown
from timeseries_project.core.offload import leave_loop
from timeseries_project.core.summation import Integers
from timeseries_project.core.timestamps import MICROSECONDS

_DAY = 86_400
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: The first day that the calendar does not know, that after 9999-12-31.
NO_DAY = date.max.toordinal() + 1 - _EPOCH_DAY
#: Before this, in epoch seconds, no zone differs from the mean time of its place: the year 1800.
_OLDEST = (date(1800, 1, 1).toordinal() - _EPOCH_DAY) * _DAY
#: Twice the length of the longest name.
_LONGEST = 64
#: The header of a block of a zone's file (RFC 8536): magic, version, and the numbers of what follows.
_HEADER = Struct(">4sc15x6l")
#: Years by which the changes of a zone are worked out ahead.
_CENTURY = 100


@cache
def names() -> dict[str, str]:
    """Return the names of all zones by their spelling in small letters.

    >>> names()["europe/berlin"]
    'Europe/Berlin'
    """
    return {name.lower(): name for name in (files("tzdata") / "zones").read_text().split()}


def find(name: str) -> ZoneInfo:
    """Return the zone of exactly this name. ValueError, with a sentence for the client, if there is none.

    >>> find("Asia/Kolkata").key
    'Asia/Kolkata'
    >>> find("asia/kolkata")
    Traceback (most recent call last):
    ValueError: must be the name of an IANA time zone; write Asia/Kolkata.
    """
    known = names().get(name.lower()) if len(name) <= _LONGEST else None
    if known == name:
        return _load(known)
    if known is not None:
        raise ValueError(f"must be the name of an IANA time zone; write {known}.")
    raise ValueError(f"must be the name of an IANA time zone, such as Europe/Berlin; {shown(name)!r} is none.")


@cache
def _load(name: str) -> ZoneInfo:
    """Read a zone; its name is one of `names`, so there are at most some hundred of them."""
    with _resource(name).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def _resource(name: str) -> Traversable:
    return files("tzdata").joinpath("zoneinfo", *name.split("/"))


def day_of(time: int, zone: ZoneInfo) -> int:
    """Return the day of a time in a zone; NO_DAY beyond the calendar.

    >>> day_of(0, find("America/New_York")), day_of(0, find("Asia/Tokyo"))
    (-1, 0)
    """
    try:
        return (_EPOCH + timedelta(microseconds=time)).astimezone(zone).toordinal() - _EPOCH_DAY
    except OverflowError:
        return NO_DAY


def offset_at(seconds: int, zone: ZoneInfo) -> int:
    """Return by how many seconds a zone is ahead of UTC at a time in epoch seconds.

    >>> offset_at(0, find("Asia/Kolkata"))
    19800
    """
    offset = (_EPOCH + timedelta(seconds=seconds)).astimezone(zone).utcoffset()
    return 0 if offset is None else offset.days * _DAY + offset.seconds


def beginnings(days: Integers, zone: ZoneInfo) -> Integers:
    """Return the times at which days, in order, begin in a zone: the first instant of this date or of a later one.

    That is midnight; the first of two, where clocks are put back over it; the end of the gap, where they are put
    forward over it. A date that is skipped as a whole begins with the next one. O(days + changes of the zone).

    >>> beginnings(np.array([0, 1]), find("Asia/Kolkata")).tolist()
    [-19800000000, 66600000000]
    """
    midnights = np.minimum(days, NO_DAY) * _DAY
    if not len(days):
        return midnights
    year = (date.min + timedelta(days=min(int(days[-1]), NO_DAY - 1) + _EPOCH_DAY - 1)).year
    changes = _changes(str(zone.key), -(-year // _CENTURY) * _CENTURY)
    # What clocks show at the end of each stretch without a change. The first that reaches beyond a midnight is that in
    # which they show it, or skip it, for the first time. No stretch is shorter than what clocks are put back by at its
    # beginning, so each ends later by the clock, too.
    ends = changes.times[1:] + changes.offsets[:-1]
    stretch = ends.searchsorted(midnights, side="right")
    return np.maximum(changes.times[stretch], midnights - changes.offsets[stretch]) * MICROSECONDS


class _Changes(NamedTuple):
    """When a zone's clocks change, in epoch seconds: `offsets[i]` holds from `times[i]` to before `times[i + 1]`."""

    times: Integers
    offsets: Integers


@lru_cache(maxsize=1_024)
def _changes(name: str, until: int) -> _Changes:
    """Return the changes up to a year, at the end of a century. Some kB; takes some milliseconds, once."""
    leave_loop()
    zone = _load(name)
    times = [_OLDEST, *_listed(_resource(name).read_bytes())]
    # After the last one listed, a rule holds for ever: as it changes clocks at most twice a year, look each month.
    last = (_EPOCH + timedelta(seconds=times[-1])).year
    months = [
        (date(year, month, 2).toordinal() - _EPOCH_DAY) * _DAY
        for year in range(last, min(until, date.max.year) + 1)
        for month in range(1, 13)
    ]
    for before, after in pairwise([times[-1], *(month for month in months if month > times[-1])]):
        if offset_at(before, zone) != offset_at(after, zone):
            times.append(_change_between(before, after, zone))
    return _Changes(np.array(times), np.array([offset_at(time, zone) for time in times]))


def _listed(data: bytes) -> list[int]:
    """Return the times of the changes that a zone's file lists.

    The file is a block whose times have 32 bits, for old readers, then one whose times have 64, then the rule.
    """
    *_, utc, standard, leaps, times, kinds, letters = _HEADER.unpack_from(data)
    second = _HEADER.size + times * 5 + kinds * 6 + letters + leaps * 8 + standard + utc
    *_, times, _, _ = _HEADER.unpack_from(data, second)
    listed = np.frombuffer(data, ">i8", times, second + _HEADER.size).tolist()
    return [time for time in listed if time > _OLDEST]


def _change_between(low: int, high: int, zone: ZoneInfo) -> int:
    """Return the second at which the only change after `low` and up to `high` happens."""
    before = offset_at(low, zone)
    while high - low > 1:
        middle = (low + high) // 2
        if offset_at(middle, zone) == before:
            low = middle
        else:
            high = middle
    return high
