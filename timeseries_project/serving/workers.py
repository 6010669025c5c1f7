"""Several processes that answer, and the one that supervises them: it starts a process again that has died.

The supervisor loads the application once and forks the workers from itself, so that they share its memory. It starts
no thread and opens no event loop, and takes its signals one at a time, between two steps, so that none is lost. The
listening sockets are its own, one for each worker: connections that wait at the socket of a worker that has died are
accepted by the next one.

On SIGHUP the supervisor becomes a new program with the same processes and sockets (`handover`). That one replaces the
workers one after another: a new worker serves at the socket of an old one, and then the old one leaves.
"""

from __future__ import annotations

import logging
import math
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from timeseries_project.core import clock
from timeseries_project.serving.handover import Handover, Predecessor, become, try_out
from timeseries_project.serving.places import READY, Place, cause
from timeseries_project.serving.process import LEAVE_SECONDS, STOP_SECONDS, Process
from timeseries_project.serving.stopping import SIGNALS, Stopping

#: A worker that has served for so many seconds is started again at once when it dies. One that has not is suspected to
#: die again: it waits, twice as long each time.
STEADY_SECONDS = 10.0
LEAST_PAUSE, MOST_PAUSE = 0.1, 5.0
#: So many deaths in a row, of workers that had not served for so long, end the server if no other worker has.
MOST_DEATHS = 10
#: Seconds after which a worker is killed that does not end by itself after those that it may take.
GRACE_SECONDS = 2.0
#: What a worker is sent that is to leave its place to another one.
LEAVE = signal.SIGUSR1
_AWAITED = {*SIGNALS, signal.SIGCHLD, signal.SIGHUP}

log = logging.getLogger(__name__)


class Workers:
    """Supervises one worker for each listening socket.

    `given` is what a successor is given in its turn, and what the supervisor before has left, if there was one. `begin`
    is called in each worker when it serves.
    """

    def __init__(
        self,
        application: Any,
        listeners: list[socket.socket],
        stopping: Stopping,
        given: Handover,
        *,
        begin: Callable[[], object] = lambda: None,
    ) -> None:
        self._application = application
        self._begin = begin
        self._stopping = stopping
        self._places = [Place(number, listener) for number, listener in enumerate(listeners, 1)]
        self._any_was_ready = bool(given.workers)
        self._given = given
        #: The workers stop when the supervisor has ended, however: then no one holds the other end any more.
        self._supervised, self._supervising = given.pipe if given.workers else os.pipe()
        self._leaving = dict(given.leaving)  # by number: when they must be gone
        self._is_replacing = False  # whether there are still workers of before
        self._trial = 0  # the process that tries out the new code
        self._is_asked = False  # whether to load the code anew
        for place, before in zip(self._places, given.workers, strict=False):
            if before.pid:
                place.before, place.due, self._is_replacing = before, math.inf, True
        self._go_on_replacing()

    def supervise(self) -> int:
        """Keep the workers running until SIGTERM or SIGINT; return the exit status."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _AWAITED)
        can_serve = True
        while can_serve:
            self._reload_if_asked()
            self._start_due()
            received = self._next_signal()
            if received in SIGNALS or (received == signal.SIGHUP and self._stopping.is_abandoned()):
                break
            self._is_asked |= received == signal.SIGHUP
            can_serve = self._look()
        self._stop()
        return int(not can_serve)

    def _next_signal(self) -> int | None:
        """Return the next signal, or None when a worker is to be started or killed."""
        due = min([place.due for place in self._places if not place.pid] + list(self._leaving.values()), default=None)
        if due is None or due == math.inf:
            return signal.sigwaitinfo(_AWAITED).si_signo
        received = signal.sigtimedwait(_AWAITED, max(0.0, due - clock.elapsed()))
        return received and received.si_signo

    def _start_due(self) -> None:
        now = clock.elapsed()
        for place in self._places:
            if not place.pid and place.due <= now:
                self._start(place)

    def _start(self, place: Place) -> None:
        place.begin(clock.elapsed())
        place.report, report = os.pipe()
        os.set_blocking(place.report, False)
        supervisor = os.getpid()
        place.pid = os.fork()
        if not place.pid:
            self._work(place, report, supervisor)
        os.close(report)

    def _work(self, place: Place, report: int, supervisor: int) -> None:
        """Serve, in the new process, which ends here."""

        def ready() -> None:
            self._begin()
            os.write(report, READY)
            with suppress(OSError):  # it has ended
                os.kill(supervisor, signal.SIGCHLD)  # so that it looks

        status = 1
        try:
            os.close(self._supervising)
            for other in self._places:
                if other is not place:
                    other.listener.close()
            process = Process(self._application, place.listener, ready)
            self._stopping.asks(process.stop)
            signal.signal(LEAVE, lambda *_: process.leave())
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _AWAITED)
            process.serve_until_stopped(stop_when_readable=self._supervised)
            status = 0
        except BaseException as error:
            os.write(report, repr(error).encode()[:1_000])
        finally:
            self._stopping.end(status, cleanup=False)

    def _look(self) -> bool:
        """Take notice of what has become of all processes; return whether the server is to go on."""
        for place in self._places:
            if place.pid:
                place.read_report()
                pid, status = os.waitpid(place.pid, os.WNOHANG)
                if pid and not self._died(place, os.waitstatus_to_exitcode(status)):
                    return False
            if place.before:
                self._look_at_predecessor(place, place.before.pid)
        for pid, deadline in list(self._leaving.items()):
            if os.waitpid(pid, os.WNOHANG) != (0, 0):
                del self._leaving[pid]
            elif deadline <= clock.elapsed():
                self._leaving[pid] = math.inf
                os.kill(pid, signal.SIGKILL)
        self._look_at_trial()
        self._go_on_replacing()
        return True

    def _died(self, place: Place, code: int) -> bool:
        """Log the death of a worker and set the time of its next start; return whether there is to be one."""
        now = clock.elapsed()
        fields = {"worker": place.number, "pid": place.pid, **cause(code), "error": place.error()}
        self._any_was_ready |= place.is_ready
        place.end()
        if not self._any_was_ready:
            log.critical("A worker ended before it could serve; the server stops.", extra={"fields": fields})
            return False
        is_steady = now - place.begun >= STEADY_SECONDS
        place.deaths = 0 if is_steady else place.deaths + 1
        if place.deaths >= MOST_DEATHS and not any(self._is_steady(other, now) for other in self._places):
            fields["deaths"] = place.deaths
            log.critical("Workers die again and again, soon after a start; the server stops.", extra={"fields": fields})
            return False
        place.pause = 0.0 if is_steady else min(MOST_PAUSE, max(LEAST_PAUSE, 2 * place.pause))
        place.due = now + place.pause
        log.error("A worker died and is started again.", extra={"fields": fields | {"pause": place.pause}})
        return True

    def _is_steady(self, place: Place, now: float) -> bool:
        return bool(place.before) or bool(place.pid and now - place.begun >= STEADY_SECONDS)

    # Replacing workers by those of a new program

    def _reload_if_asked(self) -> None:
        """Have the new code tried out, unless workers are just being replaced with success: then afterwards."""
        is_stuck = any(place.before and place.deaths for place in self._places)
        if self._is_asked and not self._trial and (is_stuck or not self._is_replacing):
            self._is_asked = False
            self._trial = try_out(self._given)

    def _look_at_trial(self) -> None:
        pid, status = os.waitpid(self._trial, os.WNOHANG) if self._trial else (0, 0)
        if not pid:
            return
        self._trial = 0
        if code := os.waitstatus_to_exitcode(status):
            fields = {"pid": pid, **cause(code)}
            log.error("The new code could not be loaded; the workers go on with the old.", extra={"fields": fields})
            return
        workers = tuple(place.before or Predecessor(place.pid, place.begun) for place in self._places)
        leaving = self._leaving | {place.pid: 0.0 for place in self._places if place.before and place.pid}
        pipe = (self._supervised, self._supervising)
        try:
            become(self._given._replace(pipe=pipe, workers=workers, leaving=tuple(leaving.items())))
        except OSError as error:
            fields = {"error": repr(error)}
            log.error("The new code could not be started; the workers go on with the old.", extra={"fields": fields})

    def _look_at_predecessor(self, place: Place, pid: int) -> None:
        """Let a worker of before leave when the new one serves, or start that at once if the old one has died."""
        gone, status = os.waitpid(pid, os.WNOHANG)
        if gone:
            fields = {"worker": place.number, "pid": pid, **cause(os.waitstatus_to_exitcode(status))}
            log.error("A worker died while it was to be replaced.", extra={"fields": fields})
            place.before = None
            place.due = min(place.due, clock.elapsed())
        elif place.pid and place.is_ready:
            os.kill(pid, LEAVE)
            self._leaving[pid] = clock.elapsed() + LEAVE_SECONDS + STOP_SECONDS + GRACE_SECONDS
            place.before = None

    def _go_on_replacing(self) -> None:
        """Have the next worker of before replaced when the new ones serve."""
        begun = [place for place in self._places if place.due < math.inf]
        if not self._is_replacing or not all(place.pid and place.is_ready for place in begun):
            return
        for place in self._places:
            if place.due == math.inf:
                place.due = clock.elapsed()
                return
        self._is_replacing = False
        log.info("All workers have been replaced.", extra={"fields": {"leaving": len(self._leaving)}})

    def _stop(self) -> None:
        """Stop all workers; those that do not end are killed."""
        running = [place.pid for place in self._places] + [place.before.pid for place in self._places if place.before]
        running = [pid for pid in (*running, *self._leaving, self._trial) if pid]
        for place in self._places:
            place.listener.close()
        for pid in running:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        deadline = clock.elapsed() + STOP_SECONDS + GRACE_SECONDS
        while running := [pid for pid in running if os.waitpid(pid, os.WNOHANG) == (0, 0)]:
            left = deadline - clock.elapsed()
            if left <= 0:
                for pid in running:
                    os.kill(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)
                return
            signal.sigtimedwait({signal.SIGCHLD}, left)
