"""Writing a snapshot in a forked process, while this one goes on.

The forked process has the memory of this one as it was at that moment: a consistent cut, for which the stores stand
still as long as the fork takes, which copies page tables only. What changes afterwards is copied page by page by the
system. Of the threads there is only the one that forked, so every lock that another one held is held for ever: the
forked process takes none, logs nothing, and ends without any tidying up. It closes the sockets that it inherited, since
clients would otherwise wait for the end of a connection that this process has closed, and a server started after a
crash of this one would find its port taken.

It writes the file beside its place. This process puts it there: had it died meanwhile, the file of a forked process
that lives a little longer must not take the place of a newer one.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NoReturn

import pyarrow as pa

from timeseries_project.core import clock
from timeseries_project.serving.stopping import SIGNALS
from timeseries_project.snapshots import files
from timeseries_project.snapshots.parts import Part

#: How much less than its share the forked process asks of the processors, and so of the disk.
NICENESS = 5
#: Seconds without any progress after which the forked process is ended: as slow as no disk is.
STALLED_SECONDS = 300
#: Most bytes of the line in which the forked process says what came of it.
MAX_REPORT = 64 * 1024


class WriteError(Exception):
    """The file was not written; the message is the reason, without the path."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A file that is complete and not yet in its place: of which moment, and how long everybody waited for it."""

    instant: int
    paused: float
    written: files.Written


@contextmanager
def all_held(parts: Sequence[Part]) -> Iterator[None]:
    """Let nobody change any of the stores meanwhile."""
    with ExitStack() as stack:
        # First all large writes, which are waited for while small ones go on: never for one with a store's lock held.
        for part in parts:
            stack.enter_context(part.settled())
        for part in parts:
            stack.enter_context(part.held())
        yield


def write_forked(temporary: Path, parts: Sequence[Part], running: list[int]) -> Cut:
    """Write what the stores hold now to a new file. `running` holds the forked process while it lives. WriteError."""
    reader, report = os.pipe()
    try:
        try:
            before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # until the forked process has its own handlers
            try:
                with all_held(parts):
                    begin = clock.elapsed()
                    instant, parent = clock.now(), os.getpid()
                    pid = _fork()
                    if pid == 0:
                        _write_and_end(temporary, parts, instant, parent, report)
                    paused = clock.elapsed() - begin
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
        except OSError as error:
            raise WriteError(f"no process could be forked: {error.strerror}") from None
        finally:
            os.close(report)
        running.append(pid)
        try:
            return Cut(instant, paused, _result(reader, pid))
        finally:
            running.remove(pid)
    finally:
        os.close(reader)


def _fork() -> int:
    with warnings.catch_warnings():
        # From Python 3.12 on. What it warns of are locks that other threads hold: see above.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _write_and_end(temporary: Path, parts: Sequence[Part], instant: int, parent: int, report: int) -> NoReturn:
    """Write the file, in the forked process, and report the result in one line."""
    try:
        for number in SIGNALS:  # to end it without the handlers of the server
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        gc.disable()  # it would write to every object, and so have all their pages copied
        os.closerange(3, report)
        os.closerange(report + 1, os.sysconf("SC_OPEN_MAX"))
        with suppress(OSError):
            os.nice(NICENESS)
        pa.set_memory_pool(pa.system_memory_pool())  # whose locks the system frees in a forked process
        watched = [_Watched(part, parent, report) for part in parts]
        result = asdict(files.write_beside(temporary, watched, instant=instant))
    except OSError as error:
        result = {"error": error.strerror or str(error)}
    except BaseException as error:
        result = {"error": repr(error)}
    try:
        os.write(report, b"\n" + json.dumps(result).encode()[:MAX_REPORT])
    finally:
        os._exit(0)


class _Watched:
    """A part whose batches tell the server that they go on, and end the forked process if the server has ended."""

    def __init__(self, part: Part, parent: int, report: int) -> None:
        self._part, self._parent, self._report = part, parent, report
        self.name, self.schema = part.name, part.schema
        self.settled, self.held, self.restore = part.settled, part.held, part.restore

    def batches(self) -> Iterator[pa.RecordBatch]:
        for batch in self._part.batches():
            if os.getppid() != self._parent:
                os._exit(1)  # what it has written is a file that the next server deletes
            os.write(self._report, b".")
            yield batch


def _result(reader: int, pid: int) -> files.Written:
    """Wait for the end of the forked process and return what it has written."""
    said = bytearray()
    waiting = select.poll()
    waiting.register(reader, select.POLLIN)
    while True:
        if not waiting.poll(STALLED_SECONDS * 1_000):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise WriteError(f"writing made no progress for {STALLED_SECONDS} s")
        if not (portion := os.read(reader, MAX_REPORT)):
            break
        said += portion
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    line = said.rpartition(b"\n")[2] if b"\n" in said else b""
    if not line:
        by = f"signal {-code}" if code < 0 else f"status {code}"
        raise WriteError(f"the process that wrote it ended with {by}")
    result = json.loads(line)
    if "error" in result:
        raise WriteError(result["error"])
    return files.Written(**result)
