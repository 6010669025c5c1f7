"""Several processes that answer, and the one that supervises them: it starts a process again that has died.

The supervisor loads the application once and forks the workers from itself, so that they share its memory. It starts
no thread and opens no event loop, and takes its signals one at a time, between two steps, so that none is lost. The
listening sockets are its own, one for each worker: connections that wait at the socket of a worker that has died are
accepted by the next one.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from timeseries_project.core import clock
from timeseries_project.serving.process import STOP_SECONDS, Process
from timeseries_project.serving.stopping import SIGNALS, Stopping

#: A worker that has served for so many seconds is started again at once when it dies. One that has not is suspected to
#: die again: it waits, twice as long each time.
STEADY_SECONDS = 10.0
LEAST_PAUSE, MOST_PAUSE = 0.1, 5.0
#: Seconds after which a worker is killed that does not end by itself after its own STOP_SECONDS.
KILL_SECONDS = STOP_SECONDS + 2.0
#: What a worker reports once it serves.
READY = "."
_AWAITED = {*SIGNALS, signal.SIGCHLD}

log = logging.getLogger(__name__)


@dataclass
class _Worker:
    """The place of one worker: its socket, and the process that has it now."""

    number: int
    listener: socket.socket
    pid: int = 0  # 0: none, to be started at `due`
    due: float = 0.0
    begun: float = 0.0
    pause: float = 0.0
    report: int = -1  # descriptor from which can be read that the process serves, and the error that ended it


class Workers:
    """Supervises one worker for each listening socket."""

    def __init__(self, application: Any, listeners: list[socket.socket], stopping: Stopping) -> None:
        self._application = application
        self._workers = [_Worker(number, listener) for number, listener in enumerate(listeners, 1)]
        self._stopping = stopping
        self._any_was_ready = False
        #: The workers stop when the supervisor has ended, however: then no one holds the other end any more.
        self._supervised, self._supervising = os.pipe()

    def supervise(self) -> int:
        """Keep the workers running until SIGTERM or SIGINT; return the exit status."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _AWAITED)
        can_serve = True
        while can_serve:
            now = clock.elapsed()
            for worker in self._workers:
                if not worker.pid and worker.due <= now:
                    self._start(worker)
            due = [worker.due - now for worker in self._workers if not worker.pid]
            received = signal.sigtimedwait(_AWAITED, max(0.0, min(due))) if due else signal.sigwaitinfo(_AWAITED)
            if received is not None and received.si_signo in SIGNALS:
                break
            can_serve = self._bury()
        self._stop()
        return int(not can_serve)

    def _start(self, worker: _Worker) -> None:
        worker.begun = clock.elapsed()
        worker.report, report = os.pipe()
        worker.pid = os.fork()
        if not worker.pid:
            self._work(worker, report)
        os.close(report)

    def _work(self, worker: _Worker, report: int) -> None:
        """Serve, in the new process, which ends here."""
        status = 1
        try:
            os.close(self._supervising)
            for other in self._workers:
                if other is not worker:
                    other.listener.close()
            process = Process(self._application, worker.listener, ready=lambda: os.write(report, READY.encode()))
            self._stopping.asks(process.stop)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _AWAITED)
            process.serve_until_stopped(stop_when_readable=self._supervised)
            status = 0
        except BaseException as error:
            os.write(report, repr(error).encode()[:1_000])
        finally:
            self._stopping.end(status, cleanup=False)

    def _bury(self) -> bool:
        """Take notice of the workers that have died; return whether others are to take their places."""
        for worker in self._workers:
            if not worker.pid:
                continue
            pid, status = os.waitpid(worker.pid, os.WNOHANG)
            if pid and not self._died(worker, os.waitstatus_to_exitcode(status)):
                return False
        return True

    def _died(self, worker: _Worker, code: int) -> bool:
        """Log the death of a worker and set the time of its next start; return whether there is to be one."""
        with os.fdopen(worker.report, "rb") as reader:
            report = reader.read().decode(errors="replace")
        fields = {"worker": worker.number, "pid": worker.pid, **_cause(code), "error": report.removeprefix(READY)}
        worker.pid = 0
        self._any_was_ready |= report.startswith(READY)
        if not self._any_was_ready:
            log.critical("A worker ended before it could serve; the server stops.", extra={"fields": fields})
            return False
        now = clock.elapsed()
        is_steady = now - worker.begun >= STEADY_SECONDS
        worker.pause = 0.0 if is_steady else min(MOST_PAUSE, max(LEAST_PAUSE, 2 * worker.pause))
        worker.due = now + worker.pause
        log.error("A worker died and is started again.", extra={"fields": fields | {"pause": worker.pause}})
        return True

    def _stop(self) -> None:
        """Stop all workers; those that do not end are killed."""
        for worker in self._workers:
            worker.listener.close()
            if worker.pid:
                os.kill(worker.pid, signal.SIGTERM)
        deadline = clock.elapsed() + KILL_SECONDS
        running = [worker.pid for worker in self._workers if worker.pid]
        while running := [pid for pid in running if os.waitpid(pid, os.WNOHANG) == (0, 0)]:
            left = deadline - clock.elapsed()
            if left <= 0:
                for pid in running:
                    os.kill(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)
                return
            signal.sigtimedwait({signal.SIGCHLD}, left)


def _cause(code: int) -> dict[str, Any]:
    """Return what ended a process: a signal, or its exit code."""
    if code >= 0:
        return {"exit_code": code}
    with suppress(ValueError):
        return {"signal": signal.Signals(-code).name}
    return {"signal": str(-code)}  # one without a name
