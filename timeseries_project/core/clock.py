"""The one place that asks what time it is.

Services are given the time as an argument; views take it from here. A test that wants another time replaces
`now` and nothing else.
"""

import time


def now() -> int:
    """Return the server's wall clock as microseconds since the Unix epoch."""
    return time.time_ns() // 1_000


def now_ms() -> int:
    """Return the same in milliseconds, as the transactions count them."""
    return now() // 1_000


def now_s() -> int:
    """Return the same in whole seconds, as the bandwidth windows count them."""
    return now() // 1_000_000


def elapsed() -> float:
    """Return seconds of a clock that nobody sets, to measure how long something takes."""
    return time.monotonic()


def sleep(seconds: float) -> None:
    """Wait, unless a signal handler raises."""
    time.sleep(seconds)
