"""How `runserver` ends where it keeps a snapshot: in order, by Ctrl-C, SIGTERM, and before the code is loaded again.

Django's autoreloader serves in a process of its own, which it kills a quarter of a second after Ctrl-C, and at once by
SIGTERM. Here the first process passes signals on and waits, and the one that serves ends by returning, at the first
signal and deaf to the next ones, so that what it has registered with `atexit` is done.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, NoReturn

from django.utils import autoreload

from timeseries_project.serving.stopping import SIGNALS

#: The status with which Django's autoreloader ends a process that is to be started again.
RELOAD = 3


def run(serve: Callable[..., Any], options: dict[str, Any]) -> None:
    """Serve, with Django's autoreloader if the options say so."""
    if options["use_reloader"] and os.environ.get(autoreload.DJANGO_AUTORELOAD_ENV) != "true":
        sys.exit(_supervise())
    for number in SIGNALS:
        signal.signal(number, _end)
    if options["use_reloader"]:
        autoreload.start_django(autoreload.get_reloader(), serve, **options)
    else:
        serve(None, **options)


def _end(_number: int, _frame: FrameType | None) -> NoReturn:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    sys.exit(0)


def _supervise() -> int:
    """Start the process that serves, and again whenever it ends to load the code again; return its last status."""
    running: list[subprocess.Popen[bytes]] = []
    asked: list[int] = []

    def pass_on(number: int, _frame: FrameType | None) -> None:
        asked.append(number)
        for process in running:
            process.send_signal(signal.SIGTERM)

    for number in SIGNALS:
        signal.signal(number, pass_on)
    environment = {**os.environ, autoreload.DJANGO_AUTORELOAD_ENV: "true"}
    while not asked:
        process = subprocess.Popen(autoreload.get_child_arguments(), env=environment, close_fds=False)  # noqa: S603 - ourselves
        running[:] = [process]
        if asked:  # before it was known
            process.send_signal(signal.SIGTERM)
        if (status := process.wait()) != RELOAD:
            return status
    return 0
