"""The interface of a window of transactions, wherever its state lives. Knows no framework and reads no clock.

Times are integers, milliseconds since the Unix epoch.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from timeseries_project.core.errors import FutureTimestampError
from timeseries_project.core.summation import Floats, Integers


class Summary(NamedTuple):
    """The statistics of a window; all zeros if it is empty, and never a negative zero."""

    sum: float
    avg: float
    max: float
    min: float
    count: int  # type: ignore[assignment]  # a field named like a method of tuple

    @classmethod
    def of(cls, terms: Iterable[float], *, count: int, least: float, most: float) -> Summary:
        """Return the summary of `count` values, at least one, whose sum is the sum of the terms.

        >>> Summary.of([1e16, 3.0, -1e16], count=3, least=-1e16, most=1e16)
        Summary(sum=3.0, avg=1.0, max=1e+16, min=-1e+16, count=3)
        """
        total = math.fsum(terms)
        # Adding zero turns a negative zero into zero.
        return cls(sum=total, avg=total / count + 0.0, max=most + 0.0, min=least + 0.0, count=count)


NOTHING = Summary(0.0, 0.0, 0.0, 0.0, 0)

#: Whole seconds that the history goes back, that of the present included; and how far a window can go back, so that
#: what the last minute held can be told for each moment of the history.
HISTORY_SECONDS = 600
KEPT_SECONDS = HISTORY_SECONDS + 61


class Second(NamedTuple):
    """What was counted of one second, which begins at `timestamp`, in seconds since the epoch; None where nothing."""

    timestamp: int
    count: int  # type: ignore[assignment]  # a field named like a method of tuple
    sum: float | None
    min: float | None
    max: float | None

    @classmethod
    def of(cls, timestamp: int, terms: Iterable[float], *, count: int, least: float, most: float) -> Second:
        """Return a second of so many values, at least one, whose sum is that of the terms."""
        # Adding zero turns a negative zero into zero.
        return cls(timestamp, count, math.fsum(terms) + 0.0, least + 0.0, most + 0.0)


class CellColumns(NamedTuple):
    """What a window has counted, in cells, as columns of one length: each begins and is so many milliseconds wide.

    A cell has a count, a sum (`highs + lows`), the least and the largest amount. Wide cells hold what narrower ones
    inside them hold, too.
    """

    starts: Integers
    widths: Integers
    counts: Integers
    highs: Floats
    lows: Floats
    least: Floats
    most: Floats


def begin_of_history(now: int, seconds: int) -> int:
    """Return the oldest second of a history of so many seconds, in seconds since the epoch."""
    return now // 1_000 - seconds + 1


class TooFarAheadError(FutureTimestampError, ValueError):
    """A timestamp is further ahead than the window allows; `now` is the time by which it was judged.

    Services first refuse future timestamps by their own clock. A window with a clock of its own judges again.
    """

    def __init__(self, timestamp: int, *, ahead_ms: int, now: int) -> None:
        super().__init__(f"timestamp {timestamp} lies in the future, more than {ahead_ms} ms ahead of {now}.")
        self.now = now


class Window(Protocol):
    """Sum, average, maximum, minimum and count of a stretch of time that ends now. Threads may share it.

    Sum and average are within 2**-50 * max(|exact|, largest |amount| in the window) of the exact ones for up to
    2**26 values at a time; count, maximum and minimum are exact. Costs do not depend on the number of values. `now`
    is the caller's clock; a window with a clock of its own uses that one instead.
    """

    def add(self, timestamp: int, amount: float, *, now: int) -> bool:
        """Count an amount, finite and of magnitude 1e150 at most; return whether it was young enough.

        Raises TooFarAheadError, and counts nothing, if the timestamp is too far ahead of `now`.
        """

    def add_batch(self, timestamps: Sequence[int] | Integers, amounts: Sequence[float] | Floats, *, now: int) -> int:
        """Count each amount as `add` would; return how many were young enough. Takes sequences or arrays.

        A batch that is refused counts nothing: raises TooFarAheadError if a timestamp is too far ahead of `now`,
        ValueError if an amount is not finite or the lengths differ, TypeError if a timestamp is not an integer or an
        amount not a number.
        """

    def summary(self, *, now: int, length_ms: int | None = None) -> Summary:
        """Summarise what is young enough now, also what lies ahead of now. Changes nothing.

        What is at most `length_ms` old is; the window's own length, which no other may exceed, if it is None.
        """

    def history(self, *, now: int, seconds: int = HISTORY_SECONDS) -> list[Second]:
        """Return a row for each of the last whole seconds, at most KEPT_SECONDS, oldest first, that of now last.

        They hold what was counted, with sums as exact as a summary's, and outlast the window. Changes nothing.
        """

    def version(self) -> str | None:
        """Return a text that every change makes another one, and that never comes again in this process.

        None from a window that would have to ask others for it.
        """

    def clear(self) -> None:
        """Forget all values."""
