"""Columns of an Arrow record batch, read as a field asks for it: numbers, times and keys.

A column is read by array operations and kernels, slice by slice. Each says which rows are wrong; those are handed to
the fields, as the values that JSON would have, and the fields say why. So what is valid has one definition.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from rest_framework.exceptions import ParseError, ValidationError

from timeseries_project.api import fields
from timeseries_project.api.arrow.strings import (
    DamagedError,
    PlainStrings,
    Strings,
    Valid,
    ViewedStrings,
    items_of,
)
from timeseries_project.api.fields import MAX_MAGNITUDE, WireField
from timeseries_project.api.serializers import InputSerializer
from timeseries_project.api.string_kernels import number_indices
from timeseries_project.api.workbench import lent
from timeseries_project.core import timestamps
from timeseries_project.core.arrays import Codes, KeyColumn, Keys
from timeseries_project.core.errors import shown
from timeseries_project.core.timestamps import END_OF_YEARS, MICROSECONDS, UNITS

#: The largest integer of a column of 64 bits, and the seconds up to which doubles are read as a column.
_MOST, _LAST_SECOND = 2**63 - 1, 2**33
#: The first microsecond that cannot be written as a date.
_END = END_OF_YEARS * MICROSECONDS
_TICKS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}

_NO_ENTRY = "an index lies outside of its dictionary"

Mask = NDArray[np.bool_]


class Slice(NamedTuple):
    """The values of some rows, and which rows are wrong; the values of those mean nothing."""

    values: Any
    wrong: Mask | None


class ArrowColumn(ABC):
    """A column of one record batch, for one field."""

    def __init__(self, array: Any) -> None:
        bitmap = array.buffers()[0] if array.null_count else None
        self._bitmap = None if bitmap is None else items_of(bitmap, np.uint8, (len(array) + 7) // 8)

    def valid(self, begin: int, end: int) -> Valid:
        """Return which rows are not null; None if all are not. `begin` is a multiple of 8."""
        if self._bitmap is None:
            return None
        bits = np.unpackbits(self._bitmap[begin // 8 : (end + 7) // 8], bitorder="little")
        return bits[: end - begin].astype(bool)

    def read(self, begin: int, end: int) -> Slice:
        """Read the rows from one place to another."""
        valid = self.valid(begin, end)
        values, wrong = self._read(begin, end, valid)
        if valid is not None:
            wrong = ~valid if wrong is None else wrong | ~valid
        return Slice(values, wrong if wrong is not None and wrong.any() else None)

    def cell(self, row: int) -> object:
        """Return the value of a row as JSON would have it."""
        valid = self.valid(row // 8 * 8, row + 1)
        return None if valid is not None and not valid[-1] else self._cell(row)

    @abstractmethod
    def _read(self, begin: int, end: int, valid: Valid) -> Slice:
        """Read rows; whatever stands in those that are not valid, nothing may fail."""

    @abstractmethod
    def _cell(self, row: int) -> object:
        """Return the value of a row that is valid."""


class NullColumn(ArrowColumn):
    """A column without values: every row is wrong."""

    def _read(self, begin: int, end: int, valid: Valid) -> Slice:
        return Slice(None, np.ones(end - begin, dtype=bool))

    def _cell(self, row: int) -> object:
        return None


class NumberColumn(ArrowColumn):
    """Integers or floats of any width, for a field of numbers, of whole numbers, or of seconds since 1970."""

    def __init__(self, array: Any, field: WireField) -> None:
        super().__init__(array)
        self._values = items_of(array.buffers()[1], array.type.to_pandas_dtype(), len(array))
        self._field = field

    def _read(self, begin: int, end: int, valid: Valid) -> Slice:
        values = self._values[begin:end]
        with np.errstate(all="ignore"):  # a row that is null may hold anything
            if isinstance(self._field, fields.NumberField):
                return _numbers(values)
            if isinstance(self._field, fields.IntegerField):
                return _whole_numbers(values, self._field.least, self._field.most)
            return _seconds(values)

    def _cell(self, row: int) -> object:
        value = self._values[row].item()
        return value if value == value else np.inf  # JSON has no NaN; either is refused


def _numbers(values: NDArray[Any]) -> Slice:
    numbers = values.astype(np.float64)
    numbers += 0.0  # there is one zero
    if not len(numbers) or (numbers.min() >= -MAX_MAGNITUDE and numbers.max() <= MAX_MAGNITUDE):
        return Slice(numbers, None)
    return Slice(numbers, ~((numbers >= -MAX_MAGNITUDE) & (numbers <= MAX_MAGNITUDE)))


def _whole_numbers(values: NDArray[Any], least: int, most: int | None) -> Slice:
    right = values >= least
    if values.dtype.kind == "f":
        right &= (values <= (np.finfo(np.float64).max if most is None else most)) & (np.floor(values) == values)
        large = values >= 2.0**63
    else:
        if most is not None:
            right &= values <= most
        large = values > _MOST
    if not right.all():
        return Slice(None, ~right)
    if large.any():
        return Slice(np.array([int(value) for value in values.tolist()], dtype=object), None)
    return Slice(values.astype(np.int64), None)


def _seconds(values: NDArray[Any]) -> Slice:
    right = values >= 0
    if values.dtype.kind == "f":
        right &= np.isfinite(values)
        large = values >= _LAST_SECOND
    else:
        large = values > _MOST // MICROSECONDS
    if not right.all():
        return Slice(None, ~right)
    if large.any():  # far in the future, so it will be refused; but first whatever else is wrong
        return Slice(np.array([timestamps.from_seconds(value) for value in values.tolist()], dtype=object), None)
    if values.dtype.kind == "f":
        return Slice(timestamps.column_from_seconds(values.astype(np.float64)), None)
    return Slice(values.astype(np.int64) * MICROSECONDS, None)


class TimeColumn(ArrowColumn):
    """Timestamps or dates, for a field of times: cut to the microsecond, or in units of which none may be divided."""

    def __init__(self, array: Any, field: WireField) -> None:
        super().__init__(array)
        days = pa.types.is_date32(array.type)
        values = items_of(array.buffers()[1], np.int32 if days else np.int64, len(array))
        self._values = values.astype(np.int64) * 86_400 if days else values
        self._ticks = 1 if days else _TICKS["ms" if pa.types.is_date64(array.type) else array.type.unit]
        self._exact = isinstance(field, fields.EpochField)
        self._due = UNITS[field.unit] if isinstance(field, fields.EpochField) else MICROSECONDS

    def _read(self, begin: int, end: int, valid: Valid) -> Slice:
        values = self._values[begin:end]
        right = values >= 0
        if self._ticks >= self._due:
            units = values // (self._ticks // self._due)
            if self._exact and self._ticks > self._due:
                right &= units * (self._ticks // self._due) == values
            if not self._exact and len(units) and units.max() >= _END:  # as those that JSON can have there
                units = np.where(units >= _END, units // MICROSECONDS * MICROSECONDS, units)
            return Slice(units, None if right.all() else ~right)
        factor = self._due // self._ticks
        if not right.all():
            return Slice(None, ~right)
        if len(values) and values.max() > _MOST // factor:
            return Slice(values.astype(object) * factor, None)
        return Slice(values * factor, None)

    def _cell(self, row: int) -> object:
        units, rest = divmod(int(self._values[row]) * self._due, self._ticks)
        if self._exact:
            return units if not rest else units + 0.5 if abs(units) < 2**50 else np.copysign(0.5, units)
        if 0 <= units < _END:
            return timestamps.render(units)
        return units // MICROSECONDS  # cannot be written as a date, and is wrong or in the future in any case


class IntegerKeyColumn(ArrowColumn):
    """Integers that are keys: their decimal digits."""

    def __init__(self, array: Any) -> None:
        super().__init__(array)
        self._values = items_of(array.buffers()[1], array.type.to_pandas_dtype(), len(array))

    def _read(self, begin: int, end: int, valid: Valid) -> Slice:
        distinct, codes = np.unique(self._values[begin:end], return_inverse=True)
        return Slice(Keys.numbered(codes.astype(np.int32), [*map(str, distinct.tolist())]), None)

    def _cell(self, row: int) -> object:
        return int(self._values[row])


class StringColumn(ArrowColumn):
    """Strings that are keys."""

    def __init__(self, array: Any, name: str, serializer: type[InputSerializer]) -> None:
        super().__init__(array)
        kind, rows = array.type, len(array)
        self._strings: Strings
        if pa.types.is_string_view(kind):
            self._strings = ViewedStrings(array.buffers(), rows)
        else:
            self._strings = PlainStrings(array.buffers(), rows, large=pa.types.is_large_string(kind))
        self._name = name
        self._serializer = serializer
        self._field = serializer.wire_fields()[name]

    def _read(self, begin: int, end: int, valid: Valid) -> Slice:
        column, wrong = KeyColumn(), np.zeros(end - begin, dtype=bool)
        for part in self._strings.parts(begin, end, valid):
            rows = slice(part.begin - begin, part.begin - begin + len(part.offsets) - 1)
            keys = self._part(part.begin, part.text, part.offsets, None if valid is None else valid[rows])
            lacking = keys.codes < 0
            if len(keys) == end - begin:  # most slices are one part
                return Slice(keys, lacking)
            if lacking.any():
                wrong[rows] = lacking
                keys = Keys.numbered(np.where(lacking, 0, keys.codes), keys.names or [""])
            column.extend(keys)
        keys = column.keys()
        keys.codes[wrong] = -1
        return Slice(keys, wrong)

    def _part(self, begin: int, text: NDArray[np.uint8], offsets: NDArray[np.int64], valid: Valid) -> Keys:
        """Return the keys of some rows; the codes of those that are wrong are -1."""
        with lent(self._serializer, text.data, json=False) as bench:
            keys = bench.numbered(self._name, text.data, offsets)
        if keys is not None:
            lacking = keys.codes < 0 if valid is None else (keys.codes < 0) & valid
            if all(self._key(begin + row) is None for row in np.flatnonzero(lacking).tolist()):
                return keys
        known: dict[object, str | None] = {}
        taken: list[str | None] = []
        for row in range(len(offsets) - 1):
            if valid is not None and not valid[row]:
                taken.append(None)
                continue
            string = self._strings.one(begin + row)
            if string not in known:
                known[string] = self._key(begin + row)
            taken.append(known[string])
        column = Keys([key or "" for key in taken])
        column.codes[[key is None for key in taken]] = -1
        return column

    def _key(self, row: int) -> str | None:
        """Return the key in a row, None if it is wrong."""
        try:
            return str(self._field.to_internal_value(self._cell(row)))
        except ValidationError:
            return None

    def _cell(self, row: int) -> object:
        string = self._strings.one(row)
        if string is None:
            return "x" * (fields.MAX_KEY_LENGTH + 1)
        try:
            return string.decode()
        except UnicodeDecodeError:
            raise DamagedError(f"column {self._name} holds a string that is not UTF-8") from None


class Dictionary:
    """The entries of a dictionary of keys, read once for all record batches that refer to it."""

    def __init__(self, array: Any, column: ArrowColumn) -> None:
        self.array = array
        self.column = column
        keys, wrong = column.read(0, len(array)) if len(array) else Slice(Keys([]), None)
        self.names: list[str] = [] if keys is None else keys.names
        self.entries: Codes = np.full(len(array), -1, dtype=np.int32) if keys is None else keys.codes.copy()
        if wrong is not None:
            self.entries[wrong] = -1
        self._numbers: Codes = np.zeros(len(self.names), dtype=np.int32)
        self._present: Codes = np.empty(len(self.names), dtype=np.int32)

    def keys(self, indices: NDArray[np.int64]) -> Keys:
        """Return the keys of indices, with those names only that occur; the code of a wrong one is -1."""
        codes: Codes = np.empty(len(indices), dtype=np.int32)
        count = number_indices(indices, self.entries, self._numbers, self._present, codes)
        present = self._present[:count]
        self._numbers[present] = 0
        return Keys.numbered(codes, [*map(self.names.__getitem__, present.tolist())])


class CodedColumn(ArrowColumn):
    """Keys by their index in a dictionary."""

    def __init__(self, array: Any, dictionary: Dictionary) -> None:
        super().__init__(array)
        self._indices = items_of(array.buffers()[1], array.type.index_type.to_pandas_dtype(), len(array))
        self._dictionary = dictionary

    def _read(self, begin: int, end: int, valid: Valid) -> Slice:
        indices = self._indices[begin:end].astype(np.int64)
        if valid is not None:
            indices[~valid] = 0
            if not len(self._dictionary.entries):
                return Slice(None, ~valid)
        if len(indices) and (indices.min() < 0 or indices.max() >= len(self._dictionary.entries)):
            raise DamagedError(_NO_ENTRY)
        keys = self._dictionary.keys(indices)
        return Slice(keys, keys.codes < 0)

    def _cell(self, row: int) -> object:
        entry = int(self._indices[row])
        if not 0 <= entry < len(self._dictionary.entries):
            raise DamagedError(_NO_ENTRY)
        return self._dictionary.column.cell(entry)


def require_kind(name: str, kind: Any, field: WireField) -> None:
    """Raise ParseError if a column of this type cannot be what a field asks for."""
    types = pa.types
    number = types.is_integer(kind) or types.is_floating(kind)
    time = types.is_timestamp(kind) or types.is_date(kind)
    if types.is_null(kind):
        return
    if isinstance(field, fields.KeyField):
        if types.is_dictionary(kind):
            kind = kind.value_type
        taken, due = _is_text(kind) or types.is_integer(kind) or types.is_null(kind), "strings or integers"
    elif isinstance(field, fields.TimestampField | fields.EpochField):
        unit = field.unit if isinstance(field, fields.EpochField) else "seconds"
        taken, due = number or time, f"a timestamp, or numbers of epoch {unit}"
    else:
        taken, due = number, "integers or floats"
    if not taken:
        raise ParseError(f"The Arrow column {name} has the type {shown(str(kind))}; {due} are expected.")


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def checked(array: Any) -> Any:
    """Return an array whose buffers agree with one another. Raises ArrowException.

    Strings are not validated in full here: their offsets and views are checked when they are read, and of equal strings
    only one is decoded. A full validation takes as long as all the rest, and where views are of one long text, forever.
    """
    array.validate(full=not _is_text(array.type))
    return array


def plain_column(array: Any, name: str, serializer: type[InputSerializer]) -> ArrowColumn:
    """Return the column of an array without a dictionary."""
    field, kind = serializer.wire_fields()[name], checked(array).type
    if pa.types.is_null(kind):
        return NullColumn(array)
    if _is_text(kind):
        return StringColumn(array, name, serializer)
    if isinstance(field, fields.KeyField):
        return IntegerKeyColumn(array)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return NumberColumn(array, field)
    return TimeColumn(array, field)
