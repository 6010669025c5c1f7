"""What a supervisor leaves to the program that takes its place: on SIGHUP it loads the code anew, as the same process.

`execve` keeps the number of a process, its children, its open files and its blocked signals. So the workers of before
stay workers, and go on answering while the new program loads; no socket is ever closed. What the new program cannot
find out by itself stands in a variable of its environment. First another process loads the new code, as a trial: if it
fails, nothing has changed.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
from typing import Any, NamedTuple

#: The variable. It is none of the settings: no one sets it by hand.
VARIABLE = "TIMESERIES_HANDOVER"


class Predecessor(NamedTuple):
    """A worker of before: its process, and since when it has been serving (monotonic)."""

    pid: int
    begun: float


class Handover(NamedTuple):
    """What the program is given."""

    #: A name of the server that no other has.
    name: str
    #: Whether it is to try only whether the code can be loaded.
    is_trial: bool = False
    #: The folder of static files that was chosen; empty if STATIC_ROOT was set.
    static: str = ""
    #: Of the listening sockets, and of the pipe that tells the workers that they are supervised.
    listeners: tuple[int, ...] = ()
    pipe: tuple[int, int] = (-1, -1)
    #: The workers, one for each socket, or 0 where there is none.
    workers: tuple[Predecessor, ...] = ()
    #: Those that are leaving, and when they must be gone.
    leaving: tuple[tuple[int, float], ...] = ()

    def sockets(self) -> list[socket.socket]:
        """Return the listening sockets. From here on no other program that this one starts gets any of the files."""
        _inherit(self, False)
        return [socket.socket(fileno=descriptor) for descriptor in self.listeners]


def take() -> Handover | None:
    """Return what this program was given; None if it is the first one."""
    text = os.environ.pop(VARIABLE, "")
    if not text:
        return None
    given: dict[str, Any] = json.loads(text)
    given["workers"] = tuple(Predecessor(*worker) for worker in given["workers"])
    given |= {name: tuple(given[name]) for name in ("listeners", "pipe", "leaving")}
    return Handover(**given)


def try_out(handover: Handover) -> int:
    """Start a process that loads the code and ends, with 0 if it could; return its number."""
    given = handover._replace(is_trial=True)
    # The signals that the supervisor takes one by one are ordinary ones there.
    return os.posix_spawn(sys.executable, sys.orig_argv, _environment(given), setsigmask=())


def become(handover: Handover) -> None:
    """Replace this program. OSError if there is none to replace it with."""
    logging.shutdown()
    sys.stdout.flush()
    try:
        _inherit(handover, True)
        os.execve(sys.executable, sys.orig_argv, _environment(handover))  # noqa: S606 - this program again
    finally:
        _inherit(handover, False)


def _inherit(handover: Handover, inheritable: bool) -> None:
    for descriptor in (*handover.listeners, *handover.pipe):
        os.set_inheritable(descriptor, inheritable)


def _environment(handover: Handover) -> dict[str, str]:
    return {**os.environ, VARIABLE: json.dumps(handover._asdict())}
