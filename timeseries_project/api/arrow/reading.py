"""Arrow IPC streams as batches: a table, in any number of record batches, whose columns are named like the fields.

Other columns are passed over without being decoded. Nothing is copied of what pyarrow decodes, so a stream costs the
memory of its columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from rest_framework.exceptions import ParseError

from timeseries_project.api.arrow.columns import (
    ArrowColumn,
    CodedColumn,
    Dictionary,
    checked,
    plain_column,
    require_kind,
)
from timeseries_project.api.arrow.messages import LEAST_ROW, Survey, survey
from timeseries_project.api.arrow.strings import DamagedError
from timeseries_project.api.serializers import Batch, Columns, Faulty, InputSerializer, Portion
from timeseries_project.core.arrays import Keys
from timeseries_project.core.errors import MAX_ERRORS, shown
from timeseries_project.core.offload import leave_loop

#: Rows that are read together: a millisecond's work. A multiple of 8, for the bits of nulls.
ROWS_AT_ONCE = 65_536
#: Rows that are handed on together if they are read one by one.
ITEMS_AT_ONCE = 1_000
#: Record batches that are read in the event loop at most.
INLINE_BATCHES = 50
#: Entries that a dictionary of any stream may have.
SMALL_DICTIONARY = 1_024
#: Columns of a stream at most, as of CSV.
MAX_COLUMNS = 100


class ArrowStream(Batch):
    """A table in the stream format of Arrow's IPC."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        #: Bytes of keys that may still be read. Views may be of the same text, and be more than the body.
        self._room = 3 * len(body) + 2**20

    def portions(self, serializer: type[InputSerializer], *, ordinary: bool = True) -> Iterator[Portion]:
        """Read slices of record batches; rows in which something is wrong are handed on as items."""
        surveyed = survey(self._body)
        if surveyed.batches > INLINE_BATCHES:
            leave_loop()
        try:
            for columns, rows in _record_batches(self._body, surveyed, serializer):
                yield from self._slices(columns, rows) if ordinary else _items(columns, rows)
        except DamagedError as error:
            raise ParseError(f"The Arrow stream is malformed: {error}.") from None
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            reason = shown(str(error).partition("\n")[0], 200)
            raise ParseError(f"The Arrow stream is malformed: {reason}") from None

    def _slices(self, columns: dict[str, ArrowColumn], rows: int) -> Iterator[Portion]:
        for begin in range(0, rows, ROWS_AT_ONCE):
            end = min(begin + ROWS_AT_ONCE, rows)
            read = {name: column.read(begin, end) for name, column in columns.items()}
            masks = [part.wrong for part in read.values() if part.wrong is not None]
            if masks:
                wrong = np.flatnonzero(np.logical_or.reduce(masks))[:MAX_ERRORS].tolist()
                yield Faulty([_item(columns, begin + row) for row in wrong], wrong, end - begin)
                continue
            for part in read.values():
                if isinstance(part.values, Keys):
                    self._room -= len("".join(part.values.names))
            if self._room < 0:
                raise ParseError("The keys of the Arrow stream are much longer than the body: views share their text.")
            yield Columns((name, part.values) for name, part in read.items())


def _items(columns: dict[str, ArrowColumn], rows: int) -> Iterator[list[object]]:
    for begin in range(0, rows, ITEMS_AT_ONCE):
        yield [_item(columns, row) for row in range(begin, min(begin + ITEMS_AT_ONCE, rows))]


def _item(columns: dict[str, ArrowColumn], row: int) -> dict[str, object]:
    return {name: column.cell(row) for name, column in columns.items()}


def _record_batches(
    body: bytes, surveyed: Survey, serializer: type[InputSerializer]
) -> Iterator[tuple[dict[str, ArrowColumn], int]]:
    """Yield the columns of each record batch that has rows, in the order of the fields, and how many rows."""
    buffer = pa.py_buffer(body)
    places = _places(pa.ipc.read_schema(buffer.slice(0, surveyed.schema_end)), serializer)
    # Columns come in the order of the stream, whatever the order in which they are asked for.
    included = sorted(places.values())
    options = pa.ipc.IpcReadOptions(use_threads=False, included_fields=included)
    reader = pa.ipc.open_stream(buffer, options=options)
    dictionaries: dict[str, Dictionary] = {}
    most = max(len(body) // LEAST_ROW, SMALL_DICTIONARY)
    while True:
        try:
            batch = reader.read_next_batch()
        except StopIteration:
            return
        if batch.num_rows:
            batch.validate()  # each column has as many rows as the record batch
            arrays = {name: batch.column(included.index(place)) for name, place in places.items()}
            yield (
                {name: _column(array, name, serializer, dictionaries, most) for name, array in arrays.items()},
                batch.num_rows,
            )


def _places(schema: Any, serializer: type[InputSerializer]) -> dict[str, int]:
    """Return where the column of each field is. ParseError unless each is there once, with a type that suits it."""
    if len(schema) > MAX_COLUMNS:
        raise ParseError(f"The Arrow stream has more than {MAX_COLUMNS} columns.")
    wire = serializer.wire_fields()
    found = {name: schema.get_all_field_indices(name) for name in wire}
    if missing := [name for name, places in found.items() if not places]:
        raise ParseError(f"The Arrow stream lacks the columns {', '.join(missing)}.")
    if repeated := [name for name, places in found.items() if len(places) > 1]:
        raise ParseError(f"The Arrow stream has more than one column {repeated[0]}.")
    for name, [place] in found.items():
        require_kind(name, schema.field(place).type, wire[name])
    return {name: place for name, [place] in found.items()}


def _column(
    array: Any, name: str, serializer: type[InputSerializer], dictionaries: dict[str, Dictionary], most: int
) -> ArrowColumn:
    """Return a column of a record batch; what is known of its dictionary is kept until that changes.

    A dictionary has at most so many entries, for the same reason as a stream has rows.
    """
    if not pa.types.is_dictionary(array.type):
        return plain_column(array, name, serializer)
    checked(array.indices)
    entries, known = array.dictionary, dictionaries.get(name)
    entries.validate()  # its length may even be negative
    if len(entries) > most:
        raise DamagedError("a dictionary has far more entries than bytes")
    if known is None or not _same_memory(known.array, entries):
        known = dictionaries[name] = Dictionary(entries, plain_column(entries, name, serializer))
    return CodedColumn(array, known)


def _same_memory(one: Any, other: Any) -> bool:
    """Return whether two arrays, both alive, are the same buffers."""

    def places(array: Any) -> list[tuple[int, int] | None]:
        return [buffer and (buffer.address, buffer.size) for buffer in array.buffers()]

    return len(one) == len(other) and places(one) == places(other)
