"""What would hold up the event loop is done in a thread: whoever is about to do it says so before it begins.

The production server answers requests inline, in the thread of its event loop, because nearly all of them take
microseconds. Code that is about to take milliseconds calls `leave_loop`: inline it raises `Offload`, the server
starts the request again in a thread, and there the call does nothing. So only the code that knows what a question
costs decides, once it knows, and what is cheap pays nothing. Plain Python; knows no framework.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

#: Seconds for which whoever works in portions lets others go ahead: a thread needs some microseconds to wake up.
GIVE_WAY_SECONDS = 0.0001

_thread = threading.local()
_never = threading.Event()


class Offload(BaseException):
    """The call must be repeated outside of the event loop's thread. No `Exception`: nothing may answer it."""


def inline(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function in the event loop's thread. Offload where it would take long there.

    >>> inline(leave_loop)
    Traceback (most recent call last):
    timeseries_project.offload.Offload
    >>> leave_loop()
    """
    _thread.inline = True
    try:
        return call(*args, **kwargs)
    finally:
        _thread.inline = False


def leave_loop() -> None:
    """Raise Offload if this is the event loop's thread. To be called before anything is changed or counted."""
    if getattr(_thread, "inline", False):
        raise Offload


def give_way() -> None:
    """Let those have their turn who wait for a lock that was just released.

    Python's locks know no queue: who takes one again at once gets it before those who are still waking up.
    """
    _never.wait(GIVE_WAY_SECONDS)
