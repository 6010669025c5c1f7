"""The fast way for portions of a batch: kernels read ordinary items from their bytes into columns.

It never decides that a batch is wrong: where anything is out of the ordinary it stops, and the portion is read
item by item, which says what is wrong or accepts it. So what is valid has one definition, that of the fields, and
this is only a shorter way for batches that are valid beyond doubt.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import msgspec
import numpy as np
from rest_framework.exceptions import ValidationError

from timeseries_project.api import fields
from timeseries_project.api.body_kernels import (
    INTEGER,
    KEY,
    LAST_SECOND,
    NUMBER,
    PUT_OFF,
    SPAN,
    TIMESTAMP,
    read_items,
    read_rows,
)
from timeseries_project.api.serializers import Columns, InputSerializer
from timeseries_project.api.value_kernels import Bytes
from timeseries_project.core import timestamps
from timeseries_project.core.arrays import Codes, Keys
from timeseries_project.core.summation import Integers

_KINDS: dict[type, int] = {
    fields.TimestampField: TIMESTAMP,
    fields.NumberField: NUMBER,
    fields.IntegerField: INTEGER,
    fields.EpochField: INTEGER,
    fields.KeyField: KEY,
}
_MOST = 2**63 - 1
#: What is read; views of bytes spare copying them.
Text = bytes | memoryview


class Items(NamedTuple):
    """Ordinary items that a text begins with."""

    columns: Columns
    #: Where in the text the next one begins, or what follows the bracket that closes the array.
    end: int
    closed: bool


def read_json(serializer: type[InputSerializer], text: Text) -> Items | None:
    """Read the ordinary items that a text begins with, each followed by a comma or a closing bracket. O(text)."""
    return _items(serializer, text, lines=False)


def read_lines(serializer: type[InputSerializer], text: bytes) -> Columns | None:
    """Read JSON documents, one per line; None unless all are ordinary."""
    read = _items(serializer, text, lines=True)
    return read.columns if read and not text[read.end :].strip() else None


def read_csv(serializer: type[InputSerializer], text: bytes, header: Sequence[str]) -> Columns | None:
    """Read rows of CSV; None unless all are ordinary."""
    wire = [*serializer.wire_fields()]
    places = [wire.index(name) if name in wire else -1 for name in header]
    memory = _Memory(serializer, text, min(text.count(b"\n"), len(text) // (2 * len(header))) + 1)
    rows, end = read_rows(
        memory.text, memory.layout.fields, np.array(places), memory.columns, memory.numbers, *memory.tables
    )
    return memory.read(rows, json=False) if end >= len(text) else None


def _items(serializer: type[InputSerializer], text: Text, *, lines: bool) -> Items | None:
    memory = _Memory(serializer, text, len(text) // _layout(serializer).shortest + 1)
    layout, order = memory.layout, np.arange(len(memory.layout.fields))
    rows, end, closed = read_items(
        memory.text, lines, layout.fields, layout.names, order, memory.columns, memory.numbers, *memory.tables
    )
    columns = memory.read(rows, json=True) if rows else None
    return Items(columns, int(end), bool(closed)) if columns else None


class _Layout(NamedTuple):
    """What the kernels are told of a serializer's fields."""

    fields: Integers
    names: Bytes
    #: How many of them are keys.
    keys: int
    #: Bytes of a JSON object at least.
    shortest: int


@cache
def _layout(serializer: type[InputSerializer]) -> _Layout:
    wire = serializer.wire_fields()
    spellings = [f'{name}"'.encode() for name in wire]
    names = np.zeros((len(wire), max(map(len, spellings))), dtype=np.uint8)
    rows: list[tuple[int, ...]] = []
    keys = 0
    for place, (spelling, field) in enumerate(zip(spellings, wire.values(), strict=True)):
        names[place, : len(spelling)] = [*spelling]
        least, most = (field.least, field.most) if isinstance(field, fields.IntegerField) else (0, 0)
        rows.append((_KINDS[type(field)], len(spelling), least, _MOST if most is None else most, keys))
        keys += isinstance(field, fields.KeyField)
    shortest = sum(len(spelling) + 4 for spelling in spellings)  # a quote, a colon, a digit, a comma or brace
    return _Layout(np.array(rows, dtype=np.int64), names, keys, shortest)


class _Memory:
    """What kernels read a text from and write to: room for so many rows."""

    def __init__(self, serializer: type[InputSerializer], text: Text, rows: int) -> None:
        self._serializer = serializer
        self.layout = _layout(serializer)
        self._bytes = text
        self.text = np.empty(len(text) + 2, dtype=np.uint8)
        self.text[:-2] = np.frombuffer(text, dtype=np.uint8)
        self.text[-2:] = ord("\n"), 0
        self.columns = np.empty((len(self.layout.fields), rows), dtype=np.int64)
        self.numbers = self.columns.view(np.float64)
        self._spellings = np.empty((self.layout.keys, rows, 2), dtype=np.int64)
        self._counts = np.zeros(1 + self.layout.keys, dtype=np.int64)
        self._put_off = np.empty(self.columns.size, dtype=np.int64)
        slots = np.full((self.layout.keys, 2 << rows.bit_length()), -1, dtype=np.int32)
        self.tables: tuple[Codes, Integers, Integers, Integers] = (slots, self._spellings, self._counts, self._put_off)

    def read(self, rows: int, *, json: bool) -> Columns | None:
        """Return the columns of the rows that were read, None if a key or a number is not ordinary after all."""
        put_off = self._put_off[: self._counts[PUT_OFF]]
        read = Columns()
        for place, (name, field) in enumerate(self._serializer.wire_fields().items()):
            if isinstance(field, fields.KeyField):
                names = self._keys(int(self.layout.fields[place, -1]), field, json=json)
                if names is None:
                    return None
                read[name] = Keys.numbered(self.columns[place, :rows].astype(np.int32), names)
                continue
            later = put_off[put_off // self.columns.shape[1] == place] % self.columns.shape[1]
            instants = isinstance(field, fields.TimestampField)
            if len(later) and not self._put_in(place, later[later < rows], instants=instants):
                return None
            memory = self.numbers if isinstance(field, fields.NumberField) else self.columns
            read[name] = memory[place, :rows].copy()
        return read

    def _keys(self, table: int, field: fields.KeyField, *, json: bool) -> list[str] | None:
        """Return the keys that a table holds."""
        text = self._bytes
        spelt = [text[begin:end] for begin, end in self._spellings[table, : self._counts[1 + table]].tolist()]
        try:
            if json:
                names = msgspec.json.decode(b'["' + b'","'.join(spelt) + b'"]', type=list[str])
            else:
                names = b"\n".join(spelt).decode().split("\n") if spelt else []
            field.check_all(names)
        except (msgspec.MsgspecError, UnicodeDecodeError, ValidationError):
            return None
        return names

    def _put_in(self, place: int, rows: Integers, *, instants: bool) -> bool:
        """Read the numbers that the kernel put off; whether they are ordinary."""
        text, spans = self._bytes, self.columns[place, rows].tolist()
        numbers = np.array([float(text[span // SPAN : span // SPAN + span % SPAN]) for span in spans], dtype=np.float64)
        if instants:
            if not ((numbers >= 0) & (numbers < LAST_SECOND)).all():
                return False
            self.columns[place, rows] = timestamps.column_from_seconds(numbers)
            return True
        if not (np.abs(numbers) <= fields.MAX_MAGNITUDE).all() or not numbers.all():
            return False
        self.numbers[place, rows] = numbers
        return True
