"""The file of a dump while it grows, so that it can be continued after any interruption.

Rows go to FILE.part. Beside it, FILE.part.json says how many bytes of it are whole parts of the listing, and the cursor
behind them. What lies beyond these bytes is cut off when the dump goes on, so each row is there once, wherever the dump
was interrupted. Only a whole dump gets the name FILE.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import msgspec

from timeseries_project.client.dump_formats import FORMATS
from timeseries_project.client.item_files import FileError
from timeseries_project.client.target import Target
from timeseries_project.core.disk import sync_folder


class State(msgspec.Struct):
    """How far a dump has come: its question, and what is written."""

    question: dict[str, str]
    bytes: int = 0
    rows: int = 0
    cursor: str | None = None
    complete: bool = False


class DumpFile:
    """A dump under way, as `opened` returns it."""

    def __init__(self, path: Path, target: Target, part: IO[bytes], state: State) -> None:
        self._path = path
        self._target = target
        self._part = part
        self.format = FORMATS[path.suffix.lower()]
        self.state = state
        #: How many rows were there already.
        self.before = state.rows

    def add(self, part: bytes, rows: int, cursor: str | None) -> None:
        """Write a part of the listing; `cursor` is that of the next one, None behind the last."""
        with _explained(self._path):
            self._save(self._part.write(part), rows, cursor, complete=cursor is None)

    def begin(self) -> None:
        """Write what the file begins with, unless it has begun."""
        if not self.state.bytes:
            with _explained(self._path):
                self._save(self._part.write(self.format.head(self._target)), 0, None, complete=False)

    def finish(self) -> None:
        """Give the file its name."""
        with _explained(self._path):
            self.format.finish(_part(self._path), self._path)
            sync_folder(self._path.parent)
            self.forget()

    def forget(self) -> None:
        """Remove what an unfinished dump would go on with."""
        _state(self._path).unlink(missing_ok=True)
        _part(self._path).unlink(missing_ok=True)

    def _save(self, written: int, rows: int, cursor: str | None, *, complete: bool) -> None:
        self._part.flush()
        os.fdatasync(self._part.fileno())
        before = self.state
        self.state = State(before.question, before.bytes + written, before.rows + rows, cursor, complete)
        beside = _state(self._path).with_name(f"{self._path.name}.part.json.new")
        beside.write_bytes(msgspec.json.encode(self.state))
        beside.replace(_state(self._path))


@contextmanager
def opened(
    path: Path, target: Target, question: dict[str, str], *, resume: bool = False, force: bool = False
) -> Iterator[DumpFile]:
    """Begin a dump, or with `resume` go on with one of the same question. `force` throws away what is there.

    FileError if FILE is there already, if an unfinished dump is there and neither was chosen, or if another process
    writes to it.
    """
    if path.suffix.lower() not in FORMATS:
        raise FileError(path, f"its name must end in {', '.join(FORMATS)}.")
    with _explained(path):
        if path.exists() and not (force and path.is_file()):
            raise FileError(path, "it exists already; --force replaces it." if path.is_file() else "it is no file.")
        begun = _part(path).exists()
        if begun and not (resume or force):
            name = _part(path).name
            raise FileError(path, f"{name} is an unfinished dump; --resume goes on with it, --force begins anew.")
        part = _part(path).open("ab")
    with part:
        with _explained(path):
            _lock(path, part)
            state = _found(path, question) if resume and begun else None
            if state is None:
                _state(path).unlink(missing_ok=True)
                state = State(question)
            part.truncate(state.bytes)
        file = DumpFile(path, target, part, state)
        try:
            yield file
        finally:
            if not (file.state.rows or file.state.complete):  # nothing to go on with
                file.forget()


def _found(path: Path, question: dict[str, str]) -> State | None:
    """Return how far a dump has come; None if it was interrupted before anything was written."""
    if not _state(path).exists():
        return None
    try:
        state = msgspec.json.decode(_state(path).read_bytes(), type=State)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise FileError(_state(path), "it does not say how far the dump has come; --force begins anew.") from None
    if state.question != question:
        was = ", ".join(f"{name} {value}" for name, value in sorted(state.question.items()))
        raise FileError(path, f"its unfinished dump is one of {was}; --force begins anew.")
    if not 0 <= state.bytes <= _part(path).stat().st_size or state.rows < 0:
        raise FileError(_part(path), "it is shorter than when it was written; --force begins anew.")
    return state


def _lock(path: Path, part: IO[bytes]) -> None:
    """Keep other processes from writing to the same file, as long as it is open."""
    try:
        fcntl.flock(part, fcntl.LOCK_EX | fcntl.LOCK_NB)
        mine = os.path.samestat(os.fstat(part.fileno()), _part(path).stat())
    except (BlockingIOError, FileNotFoundError):
        mine = False
    if not mine:  # held by another dump, or finished and renamed by it just now
        raise FileError(path, "another dump is writing it.")


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn errors of the file system into one line."""
    try:
        yield
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        raise FileError(path, f"{getattr(error, 'strerror', None) or error}.") from None


def _part(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


def _state(path: Path) -> Path:
    return path.with_name(f"{path.name}.part.json")
