"""What signals do. SIGTERM and SIGINT end the process at once while it starts, and ask it to stop while it serves.

SIGHUP asks it to load its code anew; while it starts, it has just done so. A terminal that is closed sends SIGHUP, too,
and means that the process is to stop.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stopping:
    """The handler of these signals.

    While the process starts, there is nothing to finish, and an exception raised from the handler could be caught or
    ignored by whatever code it interrupts. So the handler ends the process there and then.
    """

    def __init__(self) -> None:
        #: What to undo at the end, whichever way it comes.
        self.cleanup = ExitStack()
        self._stop: Callable[[], None] | None = None
        self._reload: Callable[[], None] | None = None
        self._has_terminal = os.isatty(0)
        signal.signal(signal.SIGHUP, self._hang_up)
        for number in SIGNALS:
            signal.signal(number, self._handle)

    def asks(self, stop: Callable[[], None], reload: Callable[[], None] | None = None) -> None:
        """From now on, call these functions, which return at once."""
        self._stop, self._reload = stop, reload

    def is_abandoned(self) -> bool:
        """Whether the terminal is closed at which the process was started."""
        return self._has_terminal and not os.isatty(0)

    def end(self, status: int = 0, *, cleanup: bool = True) -> None:
        """End the process, without waiting for threads that still compute what nobody waits for."""
        if cleanup:
            self.cleanup.close()
        logging.shutdown()
        sys.stdout.flush()
        os._exit(status)

    def _hang_up(self, number: int, frame: FrameType | None) -> None:
        if self.is_abandoned():
            self._handle(number, frame)
        elif self._reload is not None:
            self._reload()

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        if self._stop is None:
            self.end()
        else:
            self._stop()
