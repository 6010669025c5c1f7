"""What SIGTERM and SIGINT do: end the process at once while it starts, and ask it to stop while it serves."""

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
    """The handler of both signals.

    While the process starts, there is nothing to finish, and an exception raised from the handler could be caught or
    ignored by whatever code it interrupts. So the handler ends the process there and then.
    """

    def __init__(self) -> None:
        #: What to undo at the end, whichever way it comes.
        self.cleanup = ExitStack()
        self._stop: Callable[[], None] | None = None
        for number in SIGNALS:
            signal.signal(number, self._handle)

    def asks(self, stop: Callable[[], None]) -> None:
        """From now on, call a function, which returns at once."""
        self._stop = stop

    def end(self, status: int = 0, *, cleanup: bool = True) -> None:
        """End the process, without waiting for threads that still compute what nobody waits for."""
        if cleanup:
            self.cleanup.close()
        logging.shutdown()
        sys.stdout.flush()
        os._exit(status)

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        if self._stop is None:
            self.end()
        else:
            self._stop()
