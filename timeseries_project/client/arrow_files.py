"""Reads files of Arrow IPC, files and streams alike, in slices that are sent as Arrow, or as JSON to older servers.

Every record batch is checked whole before anything of it is used. What the columns hold the server judges.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from timeseries_project.client.item_files import FileError, target_of
from timeseries_project.client.target import Target, targets

SUFFIXES = (".arrow", ".arrows", ".feather")
#: The most bytes in one slice, about.
MAX_BYTES = 8 << 20
_MAGIC = b"ARROW1"


class Slice(NamedTuple):
    """Some rows, the place of the first in the file, and the bytes of the file that are read with them."""

    rows: pa.RecordBatch
    first: int
    read: float

    def halves(self) -> tuple[Slice, Slice]:
        """Return the two halves."""
        half = self.rows.num_rows // 2
        return Slice(self.rows[:half], self.first, self.read), Slice(self.rows[half:], self.first + half, self.read)

    def stream(self) -> pa.Buffer:
        """Return the rows as a stream of their own."""
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, self.rows.schema) as stream:
            stream.write_batch(self.rows)
        return sink.getvalue()


class ArrowFile(NamedTuple):
    """An open file, the app that it is for, its slices, and its size in bytes."""

    target: Target
    slices: Iterator[Slice]
    size: int


@contextmanager
def opened(path: Path, app: str | None, *, skip: int, most: int) -> Iterator[ArrowFile]:
    """Open a file of Arrow IPC. Slices have at most `most` rows, and begin behind the first `skip`.

    Without `app`, the columns tell it. FileError here or while reading.
    """
    with _explained(path):
        path.open("rb").close()  # of a file that is not there it says so in fewer words
    with _explained(path), pa.OSFile(str(path)) as file:
        size = file.size()
        is_file = file.read(len(_MAGIC)) == _MAGIC
        file.seek(0)
        reader = pa.ipc.open_file(file) if is_file else pa.ipc.open_stream(file)
        names = reader.schema.names
        target = target_of(path, names) if app is None else targets()[app]
        if missing := [name for name in target.fields if names.count(name) != 1]:
            raise FileError(path, f"it must have one column {missing[0]}.")
    # Opened again, as faults of what uses the slices are not those of the file.
    yield ArrowFile(target, _slices(path, _batches(path, target, is_file=is_file), skip, most), size)


def _slices(path: Path, batches: Iterator[tuple[pa.RecordBatch, float]], skip: int, most: int) -> Iterator[Slice]:
    place = skip
    with _explained(path):
        for rows, read in _joined(_without(batches, skip), most):
            step = max(1, min(most, rows.num_rows * MAX_BYTES // max(rows.nbytes, 1)))
            for begin in range(0, rows.num_rows, step):
                part = rows[begin : begin + step]
                yield Slice(part, place, read)
                place += part.num_rows


def _without(batches: Iterator[tuple[pa.RecordBatch, float]], skip: int) -> Iterator[tuple[pa.RecordBatch, float]]:
    """Leave out the first rows."""
    for batch, read in batches:
        yield batch[min(skip, batch.num_rows) :], read
        skip = max(0, skip - batch.num_rows)


def _joined(batches: Iterator[tuple[pa.RecordBatch, float]], most: int) -> Iterator[tuple[pa.RecordBatch, float]]:
    """Join or divide record batches, so that each but the last has so many rows, or else many bytes."""
    held: list[pa.RecordBatch] = []
    rows, size, read = 0, 0, 0.0
    for batch, read in batches:
        held.append(batch)
        rows, size = rows + batch.num_rows, size + batch.nbytes
        while rows and (rows >= most or size >= MAX_BYTES):
            whole = _whole(held)
            yield whole[:most], read
            held = [whole[most:]]
            rows, size = held[0].num_rows, held[0].nbytes
    if rows:
        yield _whole(held), read


def _whole(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    return batches[0] if len(batches) == 1 else pa.concat_batches(batches)


def _batches(path: Path, target: Target, *, is_file: bool) -> Iterator[tuple[pa.RecordBatch, float]]:
    """Yield the record batches with the columns of an app, and the bytes of the file that are read."""
    with pa.OSFile(str(path)) as file:
        size = file.size()
        if is_file:
            reader = pa.ipc.open_file(file)
            for number in range(reader.num_record_batches):
                yield _plain(reader.get_batch(number), target), size * (number + 1) / reader.num_record_batches
        else:
            for batch in pa.ipc.open_stream(file):
                yield _plain(batch, target), float(file.tell())


def _plain(batch: pa.RecordBatch, target: Target) -> pa.RecordBatch:
    """Return the columns of an app, those of dictionaries and of other kinds of strings as plain ones."""
    batch.validate(full=True)
    columns = []
    for name in target.fields:
        column = batch.column(batch.schema.get_field_index(name))
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        if pa.types.is_large_string(column.type) or pa.types.is_string_view(column.type):
            column = column.cast(pa.string())
        columns.append(column)
    return pa.record_batch(columns, names=list(target.fields))


def json_items(path: Path, part: Slice, target: Target) -> list[bytes]:
    """Return the rows of a slice as JSON objects."""
    with _explained(path):
        columns = [_values(part.rows.column(name), name, target) for name in target.fields]
    items = []
    for place, row in enumerate(zip(*columns, strict=True)):
        try:
            items.append(json.dumps(dict(zip(target.fields, row, strict=True)), allow_nan=False).encode())
        except (TypeError, ValueError):
            raise FileError(path, f"row {part.first + place} holds something that JSON has no form for.") from None
    return items


def _values(column: pa.Array, name: str, target: Target) -> list[Any]:
    """Return a column as JSON has it: times as dates, or as numbers in the app's unit."""
    if not (pa.types.is_timestamp(column.type) or pa.types.is_date(column.type)):
        return list(column.to_pylist())
    if name not in target.dates:
        return list(
            column.cast(pa.timestamp(target.unit, tz=getattr(column.type, "tz", None))).cast("int64").to_pylist()
        )
    microseconds = column.cast(pa.timestamp("us", tz=getattr(column.type, "tz", None)), safe=False).cast("int64")
    times = microseconds.to_numpy(zero_copy_only=False).astype("datetime64[us]")
    valid = column.is_valid().to_pylist()
    return [f"{time}Z" if good else None for time, good in zip(times.astype(str), valid, strict=True)]


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn whatever pyarrow finds into one line."""
    try:
        yield
    except (pa.ArrowException, OSError, MemoryError, ValueError) as error:
        reason = getattr(error, "strerror", None) or f"it is not valid Arrow IPC: {str(error).rstrip('.')}"
        raise FileError(path, f"{reason}.") from None
