"""Moving work that would hold up the event loop to a thread.

The production server answers requests inline, in the thread of its event loop, because nearly all of them take
microseconds. Code that is about to take milliseconds calls `leave_loop`. Inline, the call raises `Offload`, and the
server repeats the request in a thread, where the call does nothing. So the decision lies with the code that knows
what a request costs, and cheap requests pay nothing for it. Plain Python; knows no framework.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

#: Seconds that a thread pauses between portions for other threads, which need some microseconds to wake up.
GIVE_WAY_SECONDS = 0.0001

_thread = threading.local()
_never = threading.Event()


class Offload(BaseException):
    """The call must be repeated outside of the event loop's thread. No `Exception`, so that no handler catches it."""


def inline(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function in the event loop's thread. Raises Offload if the call would take long.

    >>> inline(leave_loop)
    Traceback (most recent call last):
    timeseries_project.core.offload.Offload
    >>> leave_loop()
    """
    _thread.inline = True
    try:
        return call(*args, **kwargs)
    finally:
        _thread.inline = False


def leave_loop() -> None:
    """Raise Offload in the event loop's thread; elsewhere do nothing. Call it before anything is changed or counted.

    >>> leave_loop()
    """
    if getattr(_thread, "inline", False):
        raise Offload


def give_way() -> None:
    """Pause, so that threads waiting for a lock that was just released can take it.

    Python's locks have no queue: a thread that takes one again at once gets it before the waiting ones have woken up.

    >>> give_way()
    """
    _never.wait(GIVE_WAY_SECONDS)
