"""Answers of rows as Arrow IPC streams: the schema, a record batch for each slice or portion of rows, and the end mark.

What the columns of an answer are follows from its endpoint alone, so an empty answer has those of a full one. Times
are timestamps in microseconds, in UTC, also where JSON has epoch seconds; keys are plain strings, which every reader
takes for what they are. Dictionaries would make a part of a listing two fifths smaller, but each part would have one
of its own, and pandas makes objects of columns with two of them.

Of pyarrow only arrays and messages are used, which need none of its threads. It is imported at the start, since the
first request to need it would hold up all others meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
from rest_framework.exceptions import NotAcceptable
from rest_framework.renderers import BaseRenderer

from timeseries_project.api.listings import PortionedRows, rows_of
from timeseries_project.core.arrays import Cells, Column, ColumnarRows, Fields, Keys, Kind, Table
from timeseries_project.core.offload import leave_loop
from timeseries_project.core.timestamps import MICROSECONDS

#: Rows of a record batch, of answers that are worked out slice by slice: few enough for the budget of answers.
SLICE = 16_384
#: What ends a stream: a message without content.
END = b"\xff\xff\xff\xff\0\0\0\0"
#: The least and the greatest epoch second that has a place among 64-bit microseconds.
_SECONDS = (-(2**63) // MICROSECONDS + 1, 2**63 // MICROSECONDS - 1)

_TYPES = {
    Kind.TIME: pa.timestamp("us", tz="UTC"),
    Kind.SECONDS: pa.timestamp("us", tz="UTC"),
    Kind.KEY: pa.string(),
    Kind.DOUBLE: pa.float64(),
    Kind.INTEGER: pa.int64(),
}


class ArrowRenderer(BaseRenderer):
    """`application/vnd.apache.arrow.stream`: the rows of an answer, without what else the answer has."""

    media_type = "application/vnd.apache.arrow.stream"
    format = "arrow"
    charset = None
    render_style = "binary"

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        """Write the rows of a list answer."""
        view = (renderer_context or {})["view"]
        return b"".join(self.stream(rows_of(data, view), view.row_fields()))

    def stream(self, rows: ColumnarRows | PortionedRows | Table | list[Any], fields: Fields) -> Iterator[bytes]:
        """Write rows batch by batch; `fields` are their columns."""
        _load()
        schema = _schema(tuple(fields.items()))
        yield schema.serialize().to_pybytes()
        for table in _tables(rows, fields):
            columns = [_column(kind, table.columns[name]) for name, kind in fields.items()]
            batch = pa.RecordBatch.from_arrays(columns, schema=schema)
            yield batch.serialize().to_pybytes()
        yield END


@cache
def _load() -> None:
    """Load what Arrow loads when it first makes an array: where pandas is installed that, which takes 0.2 s."""
    leave_loop()
    pa.array(np.zeros(1))


@cache
def _schema(fields: tuple[tuple[str, Kind], ...]) -> pa.Schema:
    return pa.schema([pa.field(name, _TYPES[kind], nullable=kind is Kind.DOUBLE) for name, kind in fields])


def _tables(rows: ColumnarRows | PortionedRows | Table | list[Any], fields: Fields) -> Iterator[Table]:
    """Yield rows as tables of limited length."""
    if isinstance(rows, ColumnarRows):
        for start in range(0, len(rows), SLICE):
            columns = rows.columns(start, min(start + SLICE, len(rows)))
            yield Table(dict(zip(rows.names, columns, strict=True)))
        return
    for portion in rows if isinstance(rows, PortionedRows) else (rows,):
        if len(portion):
            yield portion if isinstance(portion, Table) else _table(portion, fields)


def _table(rows: Sequence[Mapping[str, Any]], fields: Fields) -> Table:
    return Table({name: [row[name] for row in rows] for name in fields})


def _column(kind: Kind, cells: Cells) -> pa.Array:
    """Return a column as Arrow has it; NaN is null. Numbers that are there as an array are not copied."""
    match kind:
        case Kind.KEY:
            return _strings(Keys.of(cells))  # type: ignore[arg-type]  # a column of keys holds no numbers
        case Kind.DOUBLE:
            return pa.array(np.asarray(cells, dtype=np.float64), from_pandas=True)
        case Kind.INTEGER:
            return pa.array(_integers(cells))
        case Kind.SECONDS:
            seconds = _integers(cells)
            if len(seconds) and not (_SECONDS[0] <= seconds.min() and seconds.max() <= _SECONDS[1]):
                raise _beyond("time")
            times = seconds * MICROSECONDS
        case Kind.TIME:
            times = np.asarray(cells).astype("datetime64[us]").view(np.int64)
    return pa.array(times).view(_TYPES[kind])


def _strings(keys: Keys) -> pa.Array:
    return pa.DictionaryArray.from_arrays(keys.codes, pa.array(keys.names, pa.string())).dictionary_decode()


def _integers(cells: Cells) -> Column:
    try:
        return np.asarray(cells, dtype=np.int64)
    except OverflowError:
        raise _beyond("sum") from None


def _beyond(what: str) -> NotAcceptable:
    return NotAcceptable(
        f"A {what} of this answer needs more than the 64 bits that it has in Arrow. Ask for JSON or CSV."
    )
