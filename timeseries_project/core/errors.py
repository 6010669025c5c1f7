"""The faults of a request, independent of HTTP; serializers, services and stores raise them.

`timeseries_project.api.errors` maps each to a status. Of several faults in one request, the one declared first here
is answered, because inputs are read first, then compared with the clock, then with the store.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from timeseries_project.core.summation import Integers
from timeseries_project.core.timestamps import UNITS, mistaken_unit

#: Most errors listed in one answer.
MAX_ERRORS = 100

#: Most characters of a client's text that a message repeats.
MAX_SHOWN = 100
#: Most characters of a key that a message repeats: enough for any key that can be stored.
MAX_SHOWN_KEY = 255


def shown(text: str, most: int = MAX_SHOWN) -> str:
    """Return a text from a client as messages repeat it: cut after `most` characters.

    >>> shown("short"), shown("longer", 3)
    ('short', 'lon…')
    """
    return text if len(text) <= most else f"{text[:most]}…"


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with one field.

    `index` is the item's place in a batch, from 0; `line` the line on which it begins, from 1, where a batch has lines.
    """

    field: str
    message: str
    index: int | None = None
    line: int | None = None


class FaultError(Exception):
    """A request that cannot be fulfilled: `detail` gives the reason in a sentence, `errors` the reasons by field."""

    def __init__(self, detail: str, errors: Iterable[FieldError] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = list(islice(errors, MAX_ERRORS))


class InvalidInputError(FaultError):
    """A field, parameter or body is missing, of the wrong type, or out of range."""


class FutureTimestampError(FaultError):
    """A timestamp lies further ahead of the server's clock than the allowed skew."""


class AlreadyExistsError(FaultError):
    """The item to be created exists already."""


class UnknownKeyError(FaultError):
    """There is no data under this key."""


class NotReadyError(FaultError):
    """The process cannot serve at the moment; the request itself is valid."""


class CapacityReachedError(FaultError):
    """Storing the items would exceed the capacity that `setting` limits."""

    def __init__(self, setting: str, limit: int, what: str) -> None:
        #: What was reached, in words.
        self.bound = f"{limit:,} {what}, the limit {setting}"
        super().__init__(f"This would be more than {self.bound}. Nothing was stored; delete some first.")


def refuse_future(
    timestamps: Sequence[int] | Integers, *, now: int, skew_seconds: int, ticks: int, unit: str, batch: bool
) -> None:
    """Raise FutureTimestampError if any timestamp lies more than `skew_seconds` ahead of `now`.

    The timestamps and `now` are in ticks, of which there are `ticks` per second. `unit` is the unit in which clients
    send numbers; the message names it where a number looks like another unit. With `batch`, errors have the index of
    their item. O(n).

    >>> request = {"skew_seconds": 5, "ticks": 1, "unit": "seconds", "batch": False}
    >>> refuse_future([1_000_005], now=1_000_000, **request)
    >>> refuse_future([1_000_006], now=1_000_000, **request)
    Traceback (most recent call last):
    timeseries_project.core.errors.FutureTimestampError: timestamp lies in the future, more than 5 s ahead of the \
server's clock; epoch seconds are expected.
    """
    latest = now + skew_seconds * ticks
    if not len(timestamps) or (timestamps.max() if isinstance(timestamps, np.ndarray) else max(timestamps)) <= latest:
        return
    column = timestamps if isinstance(timestamps, np.ndarray) else np.array(timestamps, dtype=object)
    late = np.flatnonzero(column > latest)
    errors = [
        FieldError("timestamp", _future_message(int(column[i]), skew_seconds, ticks, unit), i if batch else None)
        for i in late[:MAX_ERRORS].tolist()
    ]
    raise FutureTimestampError(_summary(errors, len(late)), errors)


def _future_message(timestamp: int, skew_seconds: int, ticks: int, unit: str) -> str:
    message = f"lies in the future, more than {skew_seconds} s ahead of the server's clock"
    if mistaken := mistaken_unit(timestamp * UNITS[unit] // ticks, unit):
        return f"{message}; the number looks like {mistaken}, but epoch {unit} are expected."
    # Where times are kept in the unit in which they are sent, they are always numbers.
    return f"{message}; epoch {unit} are expected." if ticks == UNITS[unit] else f"{message}."


def invalid(errors: list[FieldError]) -> InvalidInputError:
    """Return the error for a request with invalid fields; its detail is the first fault and the number of others.

    >>> invalid([FieldError("value", "is required.", 3), FieldError("user", "is required.", 4)]).detail
    'item 3: value is required. (1 more)'
    """
    return InvalidInputError(_summary(errors, len(errors)), errors)


def _summary(errors: list[FieldError], count: int) -> str:
    first = errors[0]
    line = "" if first.line is None else f", line {first.line}"
    where = "" if first.index is None else f"item {first.index}{line}: "
    name = f"{first.field} " if first.field else ""
    more = f" ({count - 1} more)" if count > 1 else ""
    return f"{where}{name}{first.message}{more}"
