"""The file of a snapshot.

    stream          what it holds
    ------          -------------
    1               no rows; the metadata of its schema are `format`, `version`, `service` and `instant`
    2, 3, …         the rows of one part; the metadata of its schema name the `part`
    last            one row, `sha256`: the checksum of all bytes before this stream, which is 1,024 bytes long

Each is an Arrow IPC stream, and they follow one another without anything between them, so any Arrow library reads the
file: `pyarrow.ipc.open_stream` again and again on the same open file. Nothing in the file is compressed.

A file is complete or not there. It is written beside its place under another name, synchronised with the disk, and only
then renamed. Of what is read the checksum is verified first.
"""

from __future__ import annotations

import hashlib
import mmap
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from typing import Any

import numpy as np
import pyarrow as pa

from timeseries_project import __version__
from timeseries_project.core.disk import sync_folder
from timeseries_project.core.timestamps import render
from timeseries_project.snapshots.parts import Part

FORMAT = "timeseries-statistics snapshot"
#: Raised with each change that older versions of the service could not read.
VERSION = 1
#: Bytes of the last stream. Fixed, so that it is found without reading what is before it.
CHECKSUM_BYTES = 1_024
#: Only the user of the service reads what it holds.
MODE = 0o600

_CHECKSUM = pa.schema([pa.field("sha256", pa.binary(32), nullable=False)])
# One thread writes: those of Arrow's pool do not exist in a forked process.
_OPTIONS = pa.ipc.IpcWriteOptions(use_threads=False, emit_dictionary_deltas=True)


class SnapshotFileError(Exception):
    """The file cannot be used; the message is the end of one line that begins with the file's name."""


@dataclass(frozen=True, slots=True)
class Written:
    """The size of a file, and the number of rows in it by part."""

    bytes: int
    rows: dict[str, int]


class _Sink:
    """A new file that counts its bytes and works out their checksum as they are written."""

    closed = False

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._checksum = hashlib.sha256()
        self.bytes = 0

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        self._checksum.update(view)
        size = len(view)
        while len(view):
            view = view[os.write(self._descriptor, view) :]
        self.bytes += size
        return size

    def flush(self) -> None:
        """Do nothing: all is written at once."""

    def checksum(self) -> bytes:
        return self._checksum.digest()


def prepare() -> None:
    """Load what Arrow loads at its first use, which takes long and must not happen in a forked process.

    Where pandas is installed that is loaded, too: 40 MB, of which a process that keeps no snapshot should know nothing.
    """
    pa.array(np.zeros(1))
    _last_stream(bytes(32))


def write_beside(temporary: Path, parts: Sequence[Part], *, instant: int) -> Written:
    """Write a new file and have it on the disk; if that fails nothing of it is left. Raises OSError."""
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE)
    try:
        sink = _Sink(descriptor)
        _write_stream(sink, pa.schema([], metadata=_head(instant)), iter(()))
        rows = {}
        for part in parts:
            schema = part.schema.with_metadata({**(part.schema.metadata or {}), "part": part.name})
            rows[part.name] = _write_stream(sink, schema, part.batches())
        sink.write(_last_stream(sink.checksum()))
        os.fsync(descriptor)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    finally:
        os.close(descriptor)
    return Written(sink.bytes, rows)


def put_in_place(temporary: Path, path: Path) -> None:
    """Rename a complete file, in the place of the last one, and have that on the disk too. Raises OSError."""
    os.replace(temporary, path)
    sync_folder(path.parent)


def _head(instant: int) -> dict[str, str]:
    return {"format": FORMAT, "version": str(VERSION), "service": __version__, "instant": render(instant)}


def _write_stream(sink: Any, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> int:
    rows = 0
    with pa.ipc.new_stream(pa.PythonFile(sink, mode="w"), schema, options=_OPTIONS) as writer:
        for batch in batches:
            writer.write_batch(batch.replace_schema_metadata(schema.metadata))
            rows += batch.num_rows
    return rows


def _last_stream(checksum: bytes) -> bytes:
    """Return the stream with the checksum, stretched to its length by metadata that say nothing."""
    padding = 0
    while True:
        schema = _CHECKSUM.with_metadata({"padding": " " * padding})
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, schema, options=_OPTIONS) as writer:
            writer.write_batch(pa.record_batch([pa.array([checksum], pa.binary(32))], schema=schema))
        stream: bytes = sink.getvalue().to_pybytes()
        if len(stream) == CHECKSUM_BYTES:
            return stream
        assert len(stream) < CHECKSUM_BYTES
        padding += CHECKSUM_BYTES - len(stream) if padding == 0 else 1


class SnapshotReader:
    """A file that was found whole, of a version that can be read."""

    def __init__(self, path: Path) -> None:
        """Open and verify a file. Raises FileNotFoundError where there is none, SnapshotFileError if it is none."""
        try:
            self._content = _mapped(path)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise SnapshotFileError(f"cannot be read: {error.strerror}") from None
        self.bytes = len(self._content)
        body = memoryview(self._content)[: max(self.bytes - CHECKSUM_BYTES, 0)]
        checksum = _checksum_in(memoryview(self._content)[len(body) :])
        if checksum is None:
            raise SnapshotFileError("is no snapshot, or was cut off: there is no checksum at its end")
        if hashlib.sha256(body).digest() != checksum:
            raise SnapshotFileError("is damaged: it differs from the checksum at its end")
        self._source = pa.BufferReader(pa.py_buffer(body))
        with _readable(), pa.ipc.open_stream(self._source) as stream:
            metadata = stream.schema.metadata or {}
            list(stream)
        if metadata.get(b"format") != FORMAT.encode():
            raise SnapshotFileError("is no snapshot of this service")
        version = metadata.get(b"version", b"").decode(errors="replace")
        if version != str(VERSION):
            service = metadata.get(b"service", b"").decode(errors="replace")
            raise SnapshotFileError(
                f"has version {version} of the format, written by version {service} of the service; "
                f"this is {__version__}, which reads version {VERSION}"
            )
        self.instant = metadata.get(b"instant", b"").decode(errors="replace")

    def streams(self) -> Iterator[tuple[str, pa.RecordBatchReader]]:
        """Yield the name of each part with its rows, which must be read before the next one. SnapshotFileError."""
        while self._source.tell() < self._source.size():
            with _readable():
                stream = pa.ipc.open_stream(self._source)
            yield (stream.schema.metadata or {}).get(b"part", b"").decode(errors="replace"), stream


class _readable:
    """Turns what Arrow raises into SnapshotFileError; of a file with the right checksum it is not to be expected."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, pa.ArrowException | OSError | ValueError):
            raise SnapshotFileError(f"cannot be read: {' '.join(str(error).split())[:200]}") from None


def _mapped(path: Path) -> mmap.mmap | bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a named pipe would wait for a writer
    try:
        status = os.fstat(descriptor)
        if not S_ISREG(status.st_mode):
            raise SnapshotFileError("is not a regular file")
        return mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) if status.st_size else b""
    finally:
        os.close(descriptor)


def _checksum_in(stream: memoryview) -> bytes | None:
    """Return the checksum that the last stream holds; None if it is none of that kind."""
    if len(stream) != CHECKSUM_BYTES:
        return None
    try:
        with pa.ipc.open_stream(pa.py_buffer(stream)) as reader:
            if reader.schema != _CHECKSUM:
                return None
            rows = [batch.column(0) for batch in reader]
        for column in rows:
            column.validate(full=True)
        values = [value for column in rows for value in column.to_pylist()]
    except (pa.ArrowException, OSError, ValueError):
        return None
    return values[0] if len(values) == 1 else None
