"""The use cases of transactions, on a process-level window in place of a database.

Times are milliseconds since the Unix epoch, `now` included.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

from django.conf import settings

from timeseries_project.core import clock
from timeseries_project.core.errors import refuse_future
from timeseries_project.core.summation import Floats, Integers
from timeseries_project.ops import metrics
from timeseries_project.storage import connection
from transactions.curve import Known, Moment, curve, moments
from transactions.interface import KEPT_SECONDS, CellColumns, Second, Summary, Window
from transactions.memory.sliding_window import SlidingWindow

MILLISECONDS = 1_000
WINDOW_SECONDS = 60
LENGTH_MS = WINDOW_SECONDS * MILLISECONDS
AHEAD_MS = settings.CLOCK_SKEW_SECONDS * MILLISECONDS


def _window() -> Window:
    if connection.storage is None:
        return SlidingWindow(length_ms=LENGTH_MS, ahead_ms=AHEAD_MS)
    from transactions.redis.window import RedisWindow

    return RedisWindow(connection.storage, length_ms=LENGTH_MS, ahead_ms=AHEAD_MS)


window = _window()
#: Since when this process counts, in seconds since the epoch; and from when to when the one before it did, as far as a
#: snapshot tells.
started = clock.now_s()
restored: Known | None = None
_accepted = metrics.accepted.labels("transactions")


class Recorded(NamedTuple):
    """How many transactions of a batch were counted, and how many were too old."""

    accepted: int
    expired: int


def transaction_record(*, amount: float, timestamp: int, now: int) -> bool:
    """Count a transaction if it is at most 60 s old; return whether it was.

    Raises FutureTimestampError beyond the allowed clock skew. O(1).
    """
    _refuse_future([timestamp], now=now, batch=False)
    counted = window.add(timestamp, amount, now=now)
    if counted:
        _accepted.inc()
    return counted


def transactions_record(*, amount: Sequence[float] | Floats, timestamp: Sequence[int] | Integers, now: int) -> Recorded:
    """Count the transactions of a batch that are at most 60 s old, or none if one lies in the future. O(batch)."""
    _refuse_future(timestamp, now=now, batch=True)
    accepted = window.add_batch(timestamp, amount, now=now)
    _accepted.inc(accepted)
    return Recorded(accepted, len(timestamp) - accepted)


def _refuse_future(timestamps: Sequence[int] | Integers, *, now: int, batch: bool) -> None:
    skew = settings.CLOCK_SKEW_SECONDS
    refuse_future(timestamps, now=now, skew_seconds=skew, ticks=MILLISECONDS, unit="milliseconds", batch=batch)


def transactions_delete() -> None:
    """Forget all transactions, the history too."""
    window.clear()


def nbytes_get() -> int | None:
    """Return the window's memory in bytes; None for a shared storage. O(1)."""
    return window.nbytes if isinstance(window, SlidingWindow) else None


def window_held() -> AbstractContextManager[None]:
    """Let nobody change the window in memory meanwhile."""
    return _in_memory().held()


def cells_get() -> CellColumns:
    """Return all that the window in memory holds, while nobody changes it."""
    return _in_memory().cells()


def cells_restore(*, cells: CellColumns, now: int) -> None:
    """Hold what a window held before the process started, in place of all that is held."""
    global restored
    _in_memory().restore(cells, now=now)
    if len(cells.starts):
        ends = cells.starts + cells.widths
        restored = Known(int(cells.starts.min()) // MILLISECONDS, -(-int(ends.max()) // MILLISECONDS))


def _in_memory() -> SlidingWindow:
    assert isinstance(window, SlidingWindow)
    return window


def statistics_get(*, now: int, window_seconds: int = WINDOW_SECONDS) -> Summary:
    """Return sum, avg, max, min and count of the transactions at most so old, up to 60 s. O(1)."""
    return window.summary(now=now, length_ms=window_seconds * MILLISECONDS)


def history_version(*, now: int) -> tuple[str, int] | None:
    """Return what `history_list` depends on: two answers with equal versions are equal. None if it would take long."""
    version = window.version()
    return None if version is None else (version, now // MILLISECONDS)


def history_list(*, now: int) -> list[Second]:
    """Return a row for each of the last 600 whole seconds, oldest first, that of now last. O(600)."""
    return window.history(now=now)


def curve_get(*, now: int, span: int) -> list[Moment]:
    """Return the statistics of 60 seconds as they were at some moments of the last `span` seconds, now last.

    At most ten minutes. Nothing is known of a time at which nobody counted.
    """
    seconds = window.history(now=now, seconds=KEPT_SECONDS)
    present = seconds[-1].timestamp
    return curve(seconds, moments(span, present), _known(seconds, present))


def _known(seconds: Sequence[Second], present: int) -> list[Known]:
    """Return the times of which it is known what was counted.

    Others may have counted before, into a storage that is shared: since the first second that has something, at least.
    After the clock was set back to before the start nothing tells, and all counts as known.
    """
    known = [Known(started if started <= present else 0, present)]
    if not isinstance(window, SlidingWindow):
        known += [Known(second.timestamp + 1, present) for second in seconds if second.count][:1]
    elif restored is not None:
        known.append(restored)
    return known
