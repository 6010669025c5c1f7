"""The place of a worker: a listening socket, and the process that serves there."""

from __future__ import annotations

import os
import signal
import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from timeseries_project.serving.handover import Predecessor

#: What a worker reports once it serves.
READY = b"."


@dataclass
class Place:
    """The place of one worker."""

    number: int
    listener: socket.socket
    pid: int = 0  # of the process that has it now; 0: none, to be started at `due`
    due: float = 0.0  # infinite: when its turn comes to be replaced
    begun: float = 0.0
    pause: float = 0.0  # before the last start
    deaths: int = 0  # in a row, each soon after the start
    report: int = -1  # descriptor from which can be read that the process serves, and the error that ended it
    reported: bytes = b""
    before: Predecessor | None = None  # a worker of the program before, which serves until this one does

    @property
    def is_ready(self) -> bool:
        """Whether the process serves, or did."""
        return self.reported.startswith(READY)

    def begin(self, now: float) -> None:
        """Take notice that a process is started."""
        self.begun, self.due, self.reported = now, now, b""

    def read_report(self) -> None:
        """Read what the process has reported since the last time."""
        with suppress(BlockingIOError):
            while piece := os.read(self.report, 4_096):
                self.reported += piece

    def error(self) -> str:
        """Return the error that ended the process, if it reported one. Called when it has ended."""
        self.read_report()
        return self.reported.removeprefix(READY).decode(errors="replace")

    def end(self) -> None:
        """Take notice that the process has ended."""
        os.close(self.report)
        self.pid, self.report = 0, -1


def cause(code: int) -> dict[str, Any]:
    """Return what ended a process: a signal, or its exit code.

    >>> cause(3), cause(-9), cause(-64)
    ({'exit_code': 3}, {'signal': 'SIGKILL'}, {'signal': 'SIGRTMAX'})
    """
    if code >= 0:
        return {"exit_code": code}
    with suppress(ValueError):
        return {"signal": signal.Signals(-code).name}
    return {"signal": str(-code)}  # one without a name
