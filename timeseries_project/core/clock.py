"""The clock: the only module that reads the time.

Services take the time as an argument, and views get it here. A test that needs another time replaces `now` and
nothing else.
"""

import time


def now() -> int:
    """Return the server's wall clock as microseconds since the Unix epoch."""
    return time.time_ns() // 1_000


def now_ms() -> int:
    """Return the wall clock in whole milliseconds, the unit of the transactions."""
    return now() // 1_000


def now_s() -> int:
    """Return the wall clock in whole seconds, the unit of the bandwidth windows."""
    return now() // 1_000_000


def elapsed() -> float:
    """Return the seconds of a monotonic clock, for measuring durations."""
    return time.monotonic()


def sleep(seconds: float) -> None:
    """Wait for some seconds, or until a signal handler raises."""
    time.sleep(seconds)
