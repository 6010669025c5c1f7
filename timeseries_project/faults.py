"""What can be wrong with a request, apart from HTTP: services and serializers raise these.

`timeseries_project.api.errors` gives each its status. Of several faults in one request, the one that is
declared first here is answered, because inputs are read, then held against the clock, then against the store.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from django.conf import settings

from timeseries_project.summation import Integers

#: Errors listed in one answer at most.
MAX_ERRORS = 100

#: Characters of a client's text that a message repeats at most.
MAX_SHOWN = 100
#: The same of a key: all of any that could be stored.
MAX_SHOWN_KEY = 255

#: Ticks per second of the units that epoch times are mistaken for.
_UNITS = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}

_LAST_YEAR = 253_402_300_800  # the year 10,000 in epoch seconds: no date reaches it, only a number does
_TEN_YEARS = 10 * 366 * 86_400


def shown(text: str, most: int = MAX_SHOWN) -> str:
    """Return what a message repeats of a text that a client sent.

    >>> shown("short"), shown("longer", 3)
    ('short', 'lon…')
    """
    return text if len(text) <= most else f"{text[:most]}…"


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with one field; `index` is the item's place in a batch, from 0."""

    field: str
    message: str
    index: int | None = None


class FaultError(Exception):
    """Something the client sent cannot be done: `detail` says what in a sentence, `errors` field by field."""

    def __init__(self, detail: str, errors: Iterable[FieldError] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = list(islice(errors, MAX_ERRORS))


class InvalidInputError(FaultError):
    """A field, parameter or body is missing, of the wrong type, or out of range."""


class FutureTimestampError(FaultError):
    """A timestamp lies further ahead of the server's clock than the allowed skew."""


class AlreadyExistsError(FaultError):
    """What should be created exists."""


class UnknownKeyError(FaultError):
    """There is no data under that key."""


class NotReadyError(FaultError):
    """The process cannot serve at the moment; what the client sent is not at fault."""


class CapacityReachedError(FaultError):
    """There is no room for what should be stored: `setting` limits it."""

    def __init__(self, setting: str, limit: int, what: str) -> None:
        super().__init__(
            f"This would be more than {limit:,} {what}, the limit {setting}. Nothing was stored; delete some first."
        )


def refuse_future(timestamps: Sequence[int] | Integers, *, now: int, ticks: int, unit: str, batch: bool) -> None:
    """Raise FutureTimestampError if any lies more than CLOCK_SKEW_SECONDS ahead of now.

    Timestamps and now count `ticks` per second; `unit` is the one that numbers are due in, named in the
    message where a number looks like another. O(n).
    """
    latest = now + settings.CLOCK_SKEW_SECONDS * ticks
    if not len(timestamps) or (timestamps.max() if isinstance(timestamps, np.ndarray) else max(timestamps)) <= latest:
        return
    column = timestamps if isinstance(timestamps, np.ndarray) else np.array(timestamps, dtype=object)
    late = np.flatnonzero(column > latest)
    errors = [
        FieldError("timestamp", _future_message(int(column[i]), now, ticks, unit), i if batch else None)
        for i in late[:MAX_ERRORS].tolist()
    ]
    raise FutureTimestampError(_summary(errors, len(late)), errors)


def _future_message(timestamp: int, now: int, ticks: int, unit: str) -> str:
    message = f"lies in the future, more than {settings.CLOCK_SKEW_SECONDS} s ahead of the server's clock"
    number = timestamp * _UNITS[unit] // ticks
    for name, per_second in _UNITS.items():
        finer = per_second > _UNITS[unit]
        if finer and number > _LAST_YEAR * _UNITS[unit] and number // per_second <= now // ticks + _TEN_YEARS:
            return f"{message}; the number looks like {name}, but epoch {unit} are due."
    return f"{message}."


def invalid(errors: list[FieldError]) -> InvalidInputError:
    """Return the error of a request some of whose fields are wrong."""
    return InvalidInputError(_summary(errors, len(errors)), errors)


def _summary(errors: list[FieldError], count: int) -> str:
    first = errors[0]
    where = "" if first.index is None else f"item {first.index}: "
    name = f"{first.field} " if first.field else ""
    more = f" ({count - 1} more)" if count > 1 else ""
    return f"{where}{name}{first.message}{more}"
