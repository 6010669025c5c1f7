"""The forms of a dumped file: NDJSON, CSV and Arrow. Each is written part by part, and can be cut after any part.

Times of datapoints always have six digits of a fraction, so that a column is of one form. Sums of bandwidth that are
larger than an entry may be are written as several rows, which add up: so every row can be sent to a server again.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from timeseries_project.client.target import Target

if TYPE_CHECKING:
    import pyarrow as pa

#: The largest number that an entry may have.
LARGEST = 2**53 - 1
Row = dict[str, Any]


class Rows(msgspec.Struct):
    """A part of a listing, as the JSON of an answer has it."""

    results: list[Row]
    next: str | None


class Format(Protocol):
    """How rows become the bytes of a file."""

    def head(self, target: Target) -> bytes:
        """Return what a file begins with."""

    def body(self, target: Target, rows: list[Row]) -> bytes:
        """Return the bytes of some rows."""

    def finish(self, part: Path, whole: Path) -> None:
        """Make the whole file of one that has all its rows. The latter remains, if it is not the same."""


def read_rows(target: Target, body: bytes) -> Rows | None:
    """Return the rows of an answer in the order of the fields, ready to be written; None if it has another form."""
    try:
        rows = msgspec.json.decode(body, type=Rows)
        rows.results = list(_written(target, rows.results))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, KeyError, TypeError, ValueError):
        return None
    return rows


def read_arrow(target: Target, body: bytes) -> pa.Table | None:
    """Return the rows of an answer in Arrow as columns of the file; None if it has another form.

    ValueError if a sum is larger than an entry may be, so that its row must become several.
    """
    import pyarrow as pa

    assert target.listing is not None
    try:
        with pa.ipc.open_stream(body) as stream:
            table = stream.read_all()
        table.validate(full=True)
        wanted = schema(target)
        columns = [table.column(field.name).cast(field.type) for field in wanted]
    except (pa.ArrowException, KeyError, OSError, MemoryError):
        return None
    if any(column.null_count for column in columns):
        return None
    found = pa.table(columns, schema=wanted)
    for name in target.listing.sums:
        if len(found) and found.column(name).to_numpy().max() > LARGEST:
            raise ValueError(name)
    return found


def _written(target: Target, rows: Iterable[Row]) -> Iterator[Row]:
    listing = target.listing
    assert listing is not None
    for row in rows:
        found = {name: row[name] for name in target.fields}
        for name, value in found.items():
            if name in target.keys or name in target.dates:
                if type(value) is not str:
                    raise TypeError(name)
                if name in target.dates:
                    found[name] = six_digits(value)
            elif name in listing.integers:
                if type(value) is not int:
                    raise TypeError(name)
            elif type(value) in (int, float):
                found[name] = float(value)
            else:
                raise TypeError(name)
        if any(found[name] > LARGEST for name in listing.sums):
            yield from _split(found, listing.sums)
        else:
            yield found


def six_digits(time: str) -> str:
    """Return a time of an answer with its microseconds.

    >>> six_digits("2026-01-31T12:00:00Z"), six_digits("2026-01-31T12:00:00.500000Z")
    ('2026-01-31T12:00:00.000000Z', '2026-01-31T12:00:00.500000Z')
    """
    if len(time) == len("2026-01-31T12:00:00Z") and time.endswith("Z"):
        return f"{time[:-1]}.000000Z"
    if len(time) != len("2026-01-31T12:00:00.000000Z"):
        raise ValueError(time)
    return time


def _split(row: Row, sums: tuple[str, ...]) -> Iterator[Row]:
    """Yield rows that add up to one and are no larger than an entry may be."""
    left = {name: row[name] for name in sums}
    while any(left.values()):
        taken = {name: min(value, LARGEST) for name, value in left.items()}
        yield row | taken
        left = {name: value - taken[name] for name, value in left.items()}


class _Text:
    """Text, which is whole at any time."""

    def finish(self, part: Path, whole: Path) -> None:
        """Rename it: it is whole as it is."""
        part.replace(whole)


class Ndjson(_Text):
    """A JSON object per line."""

    def head(self, target: Target) -> bytes:
        """Return nothing: the lines name their fields themselves."""
        return b""

    def body(self, target: Target, rows: list[Row]) -> bytes:
        """Return a line for each row."""
        return msgspec.json.Encoder().encode_lines(rows)


class Csv(_Text):
    """A header, and a line per row; doubles with as many digits as tell them from all others."""

    def head(self, target: Target) -> bytes:
        """Return the header."""
        return (",".join(target.fields) + "\n").encode()

    def body(self, target: Target, rows: list[Row]) -> bytes:
        """Return a line for each row."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(row.values() for row in rows)
        return text.getvalue().encode()


class Arrow:
    """The file format of Arrow IPC, also known as Feather. While it grows it is a stream, which can be continued."""

    def head(self, target: Target) -> bytes:
        """Return the message of a stream that names the columns."""
        return bytes(schema(target).serialize())

    def body(self, target: Target, rows: list[Row]) -> bytes:
        """Return a record batch."""
        import pyarrow as pa

        columns = []
        for field in schema(target):
            values = [row[field.name] for row in rows]
            columns.append(_times(values) if pa.types.is_timestamp(field.type) else pa.array(values, field.type))
        return self.table(pa.table(columns, schema(target)))

    def table(self, table: pa.Table) -> bytes:
        """Return the record batches of a table."""
        return b"".join(bytes(batch.serialize()) for batch in table.combine_chunks().to_batches())

    def finish(self, part: Path, whole: Path) -> None:
        """Copy the record batches into a file with the index that the file format ends with."""
        import pyarrow as pa

        beside = whole.with_name(f"{whole.name}.part.whole")
        try:
            with (
                pa.OSFile(str(part)) as source,
                pa.ipc.open_stream(source) as stream,
                pa.OSFile(str(beside), "wb") as sink,
                pa.ipc.new_file(sink, stream.schema) as file,
            ):
                for batch in stream:
                    file.write_batch(batch)
            beside.replace(whole)
        finally:
            beside.unlink(missing_ok=True)


def schema(target: Target) -> pa.Schema:
    """Return the columns of an app's rows."""
    import pyarrow as pa

    integers = () if target.listing is None else target.listing.integers
    kinds: dict[str, pa.DataType] = {name: pa.string() for name in target.keys}
    kinds |= {name: pa.int64() for name in integers}
    kinds |= {"timestamp": pa.timestamp("us", tz="UTC")}
    return pa.schema([pa.field(name, kinds.get(name, pa.float64()), nullable=False) for name in target.fields])


def _times(values: list[Any]) -> pa.Array:
    """Return a column of times, which are texts of six digits in UTC or epoch seconds."""
    import numpy as np
    import pyarrow as pa

    if values and isinstance(values[0], str):
        microseconds = np.array([text[:-1] for text in values], "datetime64[us]").astype(np.int64)
    else:
        microseconds = np.array(values, np.int64) * 1_000_000
    return pa.array(microseconds).cast(pa.timestamp("us", tz="UTC"))


FORMATS: dict[str, Format] = {".arrow": Arrow(), ".ndjson": Ndjson(), ".csv": Csv()}
