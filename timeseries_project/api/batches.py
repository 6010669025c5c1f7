"""The fast path for portions of a batch: typed decoding, then checks of whole columns.

It accepts portions of ordinary items and never refuses one: it gives up at anything unusual, and the portion is then
read item by item, which accepts it or reports its faults. So validity has a single definition, in the fields.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import msgspec
import numpy as np
from rest_framework.exceptions import ValidationError

from timeseries_project.api import fields
from timeseries_project.api.serializers import Columns, InputSerializer
from timeseries_project.core import timestamps
from timeseries_project.core.arrays import Column, Keys

#: Limit of the epoch seconds read here: before the year 9999, and exact to the microsecond in a double.
_LAST_SECOND = 2**33
#: Characters of decimal numbers; texts of these that are not numbers are refused by `int` and `float`.
_DECIMALS = b"0123456789+-.eE"


class _NotOrdinaryError(Exception):
    """The portion has to be read item by item."""


def read_json(serializer: type[InputSerializer], body: bytes) -> Columns | None:
    """Read a JSON array of items into columns; None if it has to be read item by item. O(body)."""
    return _read(serializer, lambda item: msgspec.json.decode(body, type=list[item]))  # type: ignore[valid-type]


def read_lines(serializer: type[InputSerializer], lines: Iterable[bytes]) -> Columns | None:
    """Read JSON documents, one per line, into columns; None if they have to be read item by item. O(lines)."""

    def decoded(item: type[msgspec.Struct]) -> list[Any]:
        decode = msgspec.json.Decoder(item).decode
        return [decode(line) for line in lines]

    return _read(serializer, decoded)


def read_cells(serializer: type[InputSerializer], cells: Mapping[str, Sequence[str]]) -> Columns | None:
    """Read columns of CSV cells into columns of values; None if they have to be read row by row. O(cells)."""
    try:
        return Columns(
            {name: _column(field)(_from_text(field, cells[name])) for name, field in serializer.wire_fields().items()}
        )
    except _NotOrdinaryError:
        return None


def _read(serializer: type[InputSerializer], decode: Callable[[Any], Sequence[Any]]) -> Columns | None:
    try:
        items = decode(_item_type(serializer))
        wire = serializer.wire_fields()
        return Columns({name: _column(wire[name])(take(items)) for name, take in zip(wire, _TAKE, strict=False)})
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, _NotOrdinaryError):
        return None


@cache
def _item_type(serializer: type[InputSerializer]) -> type[msgspec.Struct]:
    """Return the struct type of ordinary items. Its instances form no cycles, so the garbage collector ignores them.

    Items with extra fields are not ordinary, because msgspec does not check skipped values for finite numbers.
    """
    types: dict[type, Any] = {
        fields.TimestampField: int | float | str,
        fields.NumberField: float,
        fields.IntegerField: int,
        fields.KeyField: str,
    }
    members = [
        (f"column_{place}", types[type(field)], msgspec.field(name=name))
        for place, (name, field) in enumerate(serializer.wire_fields().items())
    ]
    assert len(members) <= len(_TAKE), "an item has more fields than _TAKE has functions"
    return msgspec.defstruct("Item", members, gc=False, forbid_unknown_fields=True)


#: Functions that take one column from items; spelt out, they take half the time of `attrgetter`.
_TAKE: tuple[Callable[[Sequence[Any]], list[Any]], ...] = (
    lambda items: [item.column_0 for item in items],
    lambda items: [item.column_1 for item in items],
    lambda items: [item.column_2 for item in items],
    lambda items: [item.column_3 for item in items],
)


def _from_text(field: fields.WireField, texts: Sequence[str]) -> list[Any]:
    """Return the JSON values of CSV cells."""
    if isinstance(field, fields.KeyField):
        return [*texts]
    if "".join(texts).encode(errors="replace").translate(None, _DECIMALS):
        if isinstance(field, fields.TimestampField):
            return [*texts]
        raise _NotOrdinaryError
    try:
        return [*map(int if isinstance(field, fields.IntegerField) else float, texts)]
    except ValueError:
        raise _NotOrdinaryError from None


def _column(field: fields.WireField) -> Callable[[list[Any]], Any]:
    match field:
        case fields.TimestampField():
            return _timestamps
        case fields.NumberField():
            return _numbers
        case fields.IntegerField():
            return lambda values: _integers(values, field.least, field.most)
        case fields.KeyField():
            return lambda values: _keys(values, field)
    raise TypeError(f"there is no column of {type(field).__name__}")


def _timestamps(values: list[Any]) -> Column:
    kinds = set(map(type, values))
    if kinds == {str}:
        return _ordinary(timestamps.parse_column(values))
    if str in kinds:
        raise _NotOrdinaryError
    seconds = _array(values, np.int64 if kinds == {int} else np.float64)
    if not ((seconds >= 0) & (seconds < _LAST_SECOND)).all():
        raise _NotOrdinaryError
    return seconds * timestamps.MICROSECONDS if kinds == {int} else timestamps.column_from_seconds(seconds)


def _numbers(values: list[Any]) -> Column:
    column = _array(values, np.float64)
    if not (np.abs(column) <= fields.MAX_MAGNITUDE).all():
        raise _NotOrdinaryError
    return column


def _array(values: list[Any], dtype: type[np.generic]) -> Column:
    try:
        return np.fromiter(values, dtype=dtype, count=len(values))
    except OverflowError:
        raise _NotOrdinaryError from None


def _integers(values: list[Any], least: int, most: int | None) -> Column:
    column = _array(values, np.int64)
    if len(column) and (column.min() < least or (most is not None and column.max() > most)):
        raise _NotOrdinaryError
    return column


def _keys(values: list[Any], field: fields.KeyField) -> Keys:
    keys = Keys(values)
    try:
        field.check_all(keys.names)
    except ValidationError:
        raise _NotOrdinaryError from None
    return keys


def _ordinary(column: Column | None) -> Column:
    if column is None:
        raise _NotOrdinaryError
    return column
