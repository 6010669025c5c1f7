"""What a window of transactions is, wherever its state lives. Knows no framework and reads no clock.

Times are integers, milliseconds since the Unix epoch.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from timeseries_project.core.errors import FutureTimestampError
from timeseries_project.core.summation import Floats, Integers


class Summary(NamedTuple):
    """What a window holds; all zeros when it holds nothing, and never a negative zero."""

    sum: float
    avg: float
    max: float
    min: float
    count: int  # type: ignore[assignment]  # a field named like a method of tuple

    @classmethod
    def of(cls, terms: Iterable[float], *, count: int, least: float, most: float) -> Summary:
        """Return the summary of so many values, at least one, whose sum is that of the terms."""
        total = math.fsum(terms)
        # Adding zero turns a negative zero into zero.
        return cls(sum=total, avg=total / count + 0.0, max=most + 0.0, min=least + 0.0, count=count)


NOTHING = Summary(0.0, 0.0, 0.0, 0.0, 0)


class TooFarAheadError(FutureTimestampError, ValueError):
    """A timestamp lies further ahead than the window lets it; `now` is the time it was judged by.

    Services refuse such timestamps by their own clock first. A window whose state has another clock judges again.
    """

    def __init__(self, timestamp: int, *, ahead_ms: int, now: int) -> None:
        super().__init__(f"timestamp {timestamp} lies in the future, more than {ahead_ms} ms ahead of {now}.")
        self.now = now


class Window(Protocol):
    """Sum, average, maximum, minimum and count of a stretch of time that ends now. Threads may share it.

    Sum and average are within 2**-50 * max(|exact|, largest |amount| in the window) of the exact ones for up to
    2**26 values at a time; count, maximum and minimum are exact. What it costs does not depend on how many values
    there are. `now` is the caller's clock; a window whose state has a clock of its own goes by that one instead.
    """

    def add(self, timestamp: int, amount: float, *, now: int) -> bool:
        """Count an amount, finite and of magnitude 1e150 at most; return whether it was young enough.

        Raises TooFarAheadError, and counts nothing, if the timestamp lies too far ahead of now.
        """

    def add_batch(self, timestamps: Sequence[int] | Integers, amounts: Sequence[float] | Floats, *, now: int) -> int:
        """Count each amount as `add` would; return how many were young enough. Takes sequences or arrays.

        All or nothing when it is refused: raises TooFarAheadError if one timestamp lies too far ahead of now,
        ValueError if an amount is not finite or the lengths differ, TypeError if a timestamp is no integer or an
        amount no number.
        """

    def summary(self, *, now: int) -> Summary:
        """Summarise what is young enough now, also what lies ahead of now. Changes nothing."""

    def clear(self) -> None:
        """Forget all values."""
