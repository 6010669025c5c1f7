"""The use cases of snapshots: read the last one at start, take one now and then, and one at the end.

One process uses a file: it holds a lock beside it for as long as it lives. A request for a snapshot that comes while
one is being written waits for the next, which all who wait share; so each gets one that holds whatever was acknowledged
before it asked.
"""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from timeseries_project.core import clock
from timeseries_project.core.timestamps import MICROSECONDS, parse
from timeseries_project.ops import app_state, metrics, readiness
from timeseries_project.serving import role
from timeseries_project.serving.stopping import SIGNALS
from timeseries_project.snapshots import files, forking
from timeseries_project.snapshots.files import SnapshotFileError, SnapshotReader
from timeseries_project.snapshots.parts import Part, RestoreError, registered

#: Seconds between two looks at whether a snapshot has ended that a stopping server does not wait for.
END_LOOK_SECONDS = 0.02

log = logging.getLogger(__name__)


class SnapshotError(Exception):
    """A snapshot was not written, for this reason; the one before is as it was."""


class FileInUseError(Exception):
    """The file cannot be this server's: the message says why."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A snapshot that was written: of which moment (in microseconds), its size, how long it took, and its rows."""

    instant: int
    bytes: int
    seconds: float
    rows: dict[str, int]


class Snapshots:
    """The snapshots of a process in one file."""

    def __init__(self, path: Path, parts: Callable[[], list[Part]]) -> None:
        """Claim the file. Raises FileInUseError."""
        files.prepare()
        self.path = Path(os.path.realpath(path))  # a link stays one
        self.last: Taken | None = None
        self.failures = 0
        self._parts = parts
        self._lock = _claimed(self.path)
        self._asking = threading.Lock()
        self._writing = threading.Lock()
        self._next: Future[Taken] | None = None
        self._running: list[int] = []
        self._is_ending = False
        self._held = ExitStack()
        self._tries = 0

    def exists(self) -> bool:
        """Return whether there is anything at the file's place."""
        return os.path.lexists(self.path)

    def restore(self, *, now: int) -> SnapshotReader | None:
        """Store what the last snapshot holds in the empty stores; None if there is none.

        Raises SnapshotFileError or RestoreError: then the process must not go on, as it would overwrite the file.
        """
        try:
            snapshot = SnapshotReader(self.path)
        except FileNotFoundError:
            return None
        parts = {part.name: part for part in self._parts()}
        for name, stream in snapshot.streams():
            part = parts.pop(name, None)
            if part is None:
                raise SnapshotFileError(f"holds {name[:100]!r} twice, or this version does not know it")
            if not stream.schema.equals(part.schema):
                raise SnapshotFileError(f"has other columns of {name!r} than this version")
            part.restore(stream, now=now)
        self.last = Taken(parse(snapshot.instant), snapshot.bytes, 0, {})
        return snapshot

    def take(self) -> Taken:
        """Write what is stored now, while others go on. Raises SnapshotError. Takes seconds."""
        with self._asking:
            shared = self._next
            if shared is None:
                mine = self._next = Future()
        if shared is not None:
            return shared.result()
        with self._writing:
            with self._asking:
                self._next = None  # whoever asks from here on waits for the one after this
            try:
                mine.set_result(self._write(self._forked))
            except BaseException as error:
                mine.set_exception(error)
        return mine.result()

    def end(self) -> Taken:
        """Write what is stored, in this process, which is to end; nothing can be stored any more. SnapshotError."""
        self._is_ending = True
        while not self._writing.acquire(timeout=END_LOOK_SECONDS):
            for pid in list(self._running):  # what it writes is out of date
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self._held.enter_context(forking.all_held(self._parts()))  # for good: cut off requests may still run in threads
        return self._write(self._in_this_process)

    def _write(self, how: Callable[[Path], forking.Cut]) -> Taken:
        begin = clock.elapsed()
        self._tries += 1
        temporary = self.path.with_name(f"{_prefix(self.path)}tmp-{os.getpid()}-{self._tries}")
        try:
            cut = how(temporary)
            if how == self._forked and self._is_ending:
                raise forking.WriteError("the server is stopping")
            files.put_in_place(temporary, self.path)
        except (OSError, forking.WriteError) as error:
            _forget(temporary)
            reason = error.strerror or repr(error) if isinstance(error, OSError) else str(error)
            if how != self._forked or not self._is_ending:
                self._failed(reason)
            raise SnapshotError(reason) from None
        taken = Taken(cut.instant, cut.written.bytes, clock.elapsed() - begin, cut.written.rows)
        self.last = taken
        return taken

    def _failed(self, reason: str) -> None:
        metrics.snapshot_failures.inc()
        log.error("A snapshot could not be written to %s: %s. The one before is as it was.", self.path, reason)

    def _forked(self, temporary: Path) -> forking.Cut:
        return forking.write_forked(temporary, self._parts(), self._running)

    def _in_this_process(self, temporary: Path) -> forking.Cut:
        instant = clock.now()
        return forking.Cut(instant, 0.0, files.write_beside(temporary, self._parts(), instant=instant))


def _prefix(path: Path) -> str:
    return f".{path.name}."


def _forget(temporary: Path) -> None:
    with suppress(OSError):
        temporary.unlink()


def _claimed(path: Path) -> int:
    """Lock the file for this process, and delete what crashed ones left beside it. Raises FileInUseError."""
    beside = path.with_name(f"{_prefix(path)}lock")
    probe = path.with_name(f"{_prefix(path)}tmp-{os.getpid()}-0")
    try:
        lock = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, files.MODE)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise FileInUseError("another server uses this file; give each its own") from None
        for left in path.parent.glob(f"{_prefix(path)}tmp-*"):
            left.unlink()
        os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL, files.MODE))
        probe.unlink()
    except OSError as error:
        raise FileInUseError(f"no file can be written in {path.parent}: {error.strerror}") from None
    return lock


_snapshots: Snapshots | None = None


def _claim() -> Snapshots | None:
    """Return the snapshots of this process, which claims its file at the first call; None if it has none to read."""
    global _snapshots
    if _snapshots is None and settings.SNAPSHOT and role.serves():
        try:
            _snapshots = Snapshots(Path(settings.SNAPSHOT), registered)
        except FileInUseError as error:
            _refuse(error)
    return _snapshots


def _refuse(reason: Exception) -> None:
    # Not ImproperlyConfigured: that prints a traceback, and the autoreloader would keep waiting.
    raise SystemExit(f"SNAPSHOT: {settings.SNAPSHOT}: {reason}.") from None


def is_read_at_start() -> bool:
    """Whether this process reads a snapshot at its start, so that nothing else must be loaded into its stores."""
    snapshots = _claim()
    return snapshots is not None and snapshots.exists()


def start() -> None:
    """Read the last snapshot, and from now on take one every SNAPSHOT_SECONDS, if this process serves.

    A file that cannot be read stops the start with one line. Called once the parts of all apps are registered.
    """
    snapshots = _claim()
    if snapshots is None:
        return
    begin = clock.elapsed()
    try:
        with readiness.busy("snapshot", "The snapshot is being read."):
            found = snapshots.restore(now=clock.now())
    except (SnapshotFileError, RestoreError) as error:
        _refuse(error)
    if found is not None:
        listing = " BANDWIDTHS_FILE is not loaded again." if settings.BANDWIDTHS_FILE else ""
        seconds = clock.elapsed() - begin
        print(f"Read the snapshot of {found.instant} in {seconds:.1f} s.{listing}", flush=True)  # noqa: T201 - as serve
    threading.Thread(target=_repeat, args=(snapshots,), name="snapshots", daemon=True).start()


def _repeat(snapshots: Snapshots) -> None:
    never = threading.Event()
    while True:
        never.wait(settings.SNAPSHOT_SECONDS)
        with suppress(SnapshotError):  # logged and counted; the next one may succeed
            snapshots.take()


def is_kept() -> bool:
    """Whether this process takes snapshots."""
    return _snapshots is not None


def take() -> Taken:
    """Take a snapshot that holds everything that was acknowledged before. Raises SnapshotError. Takes seconds."""
    assert _snapshots is not None
    return _snapshots.take()


def end() -> bool:
    """Write the last snapshot of a server that has stopped, if it takes any; return False if that failed."""
    if _snapshots is None:
        return True
    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
    try:
        _snapshots.end()
    except SnapshotError:
        return False
    return True


def state() -> app_state.AppState:
    """Return the figures of the last snapshot: of the one read at start until one is taken; zeros without any."""
    last = _snapshots.last if _snapshots is not None else None
    interval = settings.SNAPSHOT_SECONDS if _snapshots is not None else 0
    instant, size, seconds = (last.instant, last.bytes, last.seconds) if last is not None else (0, 0, 0)
    gauges = [
        app_state.Gauge("snapshot_interval_seconds", "Seconds between snapshots; 0 without any.", interval),
        app_state.Gauge("snapshot_timestamp_seconds", "The moment of the last snapshot.", instant / MICROSECONDS),
        app_state.Gauge("snapshot_bytes", "The size of the last snapshot.", size),
        app_state.Gauge("snapshot_write_seconds", "How long the last snapshot took to write.", seconds),
    ]
    return app_state.AppState(gauges, None)
