"""Reading the items and query parameters of requests through the fields that a serializer declares."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Any, TypeGuard

import numpy as np
from django.http import HttpRequest, QueryDict
from numpy.typing import NDArray
from rest_framework.exceptions import ValidationError
from rest_framework.fields import empty
from rest_framework.request import Request
from rest_framework.serializers import Serializer

from timeseries_project.api.fields import BLANKS, CursorField, IntegerField, KeyField, NumberField, WireField
from timeseries_project.api.keys_field import KeysField
from timeseries_project.core.arrays import KeyColumn
from timeseries_project.core.errors import MAX_ERRORS, FieldError, InvalidInputError, invalid, shown
from timeseries_project.core.offload import leave_loop

REQUIRED = "is required."
EMPTY_CELL = "is required: the cell is empty."
NOT_NULL = "must not be null."


#: Most items of a portion that are read one by one in the event loop; more are read in a thread.
INLINE_ITEMS = 500


class Lines(list[Any]):
    """Items that have been parsed, and the lines of the body on which they begin."""

    def __init__(self, items: Iterable[object], numbers: list[int]) -> None:
        super().__init__(items)
        self.numbers = numbers


class CSVRows(Lines):
    """Rows of a CSV document, as dictionaries, whose cells are text that the fields still have to read."""


class Columns(dict[str, Any]):
    """Items that have been read, as columns by field."""

    @property
    def length(self) -> int:
        """The number of items."""
        return len(next(iter(self.values())))


class Faulty(list[Any]):
    """Those items of a portion in which something is wrong, their places in it, and how many items it has."""

    def __init__(self, items: Iterable[object], places: list[int], length: int) -> None:
        super().__init__(items)
        self.places = places
        self.length = length


Portion = Columns | Faulty | Lines | list[object]


class Batch(ABC):
    """A body of many items, parsed portion by portion."""

    @abstractmethod
    def portions(self, serializer: type[InputSerializer], *, ordinary: bool = True) -> Iterator[Portion]:
        """Yield the items in order, in portions: ordinary items as columns (unless `ordinary` is false), others unread.

        Raises ParseError when the iteration reaches a malformed part of the body.
        """


class _Accumulator:
    """The columns of a batch while its portions are read."""

    def __init__(self, fields: Mapping[str, WireField]) -> None:
        self._fields = fields
        self._parts: dict[str, list[Any]] = {name: [] for name in fields}
        self._keys = {name: KeyColumn() for name, field in fields.items() if isinstance(field, KeyField)}

    def add(self, columns: Mapping[str, Any]) -> None:
        """Append a portion of columns, as arrays or lists of values."""
        for name, column in columns.items():
            if name in self._keys:
                self._keys[name].extend(column)
            elif isinstance(column, np.ndarray):
                self._parts[name].append(column)
            elif isinstance(self._fields[name], NumberField):
                self._parts[name].append(np.array(column, dtype=np.float64))
            else:
                self._parts[name].append(_integers(column))

    def columns(self) -> dict[str, Any]:
        """Return the columns of all portions; integers beyond 64 bits make a column a list."""
        columns: dict[str, Any] = {}
        for name, field in self._fields.items():
            if name in self._keys:
                columns[name] = self._keys[name].keys()
                continue
            parts = self._parts.pop(name)  # popped, so that each column is held twice only while it is joined
            kind = np.float64 if isinstance(field, NumberField) else np.int64
            column = parts[0] if len(parts) == 1 else np.concatenate(parts or [np.empty(0, dtype=kind)])
            columns[name] = column.tolist() if column.dtype == object else column
        return columns


def _integers(values: list[int]) -> NDArray[Any]:
    try:
        return np.array(values, dtype=np.int64)
    except OverflowError:
        return np.array(values, dtype=object)


class InputSerializer(Serializer[Any]):
    """Declared fields, and methods that read them from one item, from a batch or from a query string.

    These are class methods, because an instance would first copy all fields.
    """

    @classmethod
    @cache
    def wire_fields(cls) -> dict[str, WireField]:
        """Return the declared fields by name."""
        return cls._declared_fields  # type: ignore[return-value]

    @classmethod
    def read(cls, data: object) -> dict[str, Any]:
        """Read one item from a parsed JSON body; undeclared fields are ignored.

        Raises InvalidInputError, which lists every fault.
        """
        errors: list[FieldError] = []
        values = cls._read_item(data, None, errors, text=False)
        if errors:
            raise invalid(errors)
        return values

    @classmethod
    def read_batch(cls, batch: Batch | list[object]) -> dict[str, Any]:
        """Read a batch into columns by field: arrays, or a list if integers exceed 64 bits. O(items).

        Raises InvalidInputError, which lists the first MAX_ERRORS faults with the index of their item; reading stops
        after these. Raises ParseError if the batch is malformed.
        """
        read = _Accumulator(cls.wire_fields())
        errors: list[FieldError] = []
        done = 0
        for portion in batch.portions(cls) if isinstance(batch, Batch) else [batch]:
            if isinstance(portion, Columns):
                read.add(portion)
                done += portion.length
                continue
            if len(portion) > INLINE_ITEMS:
                leave_loop()
            rows = cls._read_items(portion, done, errors)
            done += portion.length if isinstance(portion, Faulty) else len(portion)
            if len(errors) >= MAX_ERRORS:
                break
            if not errors:
                assert not isinstance(portion, Faulty)  # the others of its items would be missing
                read.add({name: [row[name] for row in rows] for name in cls.wire_fields()})
        if errors:
            raise invalid(errors)
        return read.columns()

    @classmethod
    def _read_items(cls, items: list[object], first: int, errors: list[FieldError]) -> list[dict[str, Any]]:
        text = isinstance(items, CSVRows)
        rows = []
        for place, item in enumerate(items):
            found = len(errors)
            index = first + (items.places[place] if isinstance(items, Faulty) else place)
            rows.append(cls._read_item(item, index, errors, text=text))
            if len(errors) > found and isinstance(items, Lines):
                errors[found:] = [replace(error, line=items.numbers[place]) for error in errors[found:]]
            if len(errors) >= MAX_ERRORS:
                break
        return rows

    @classmethod
    def _read_item(cls, item: object, index: int | None, errors: list[FieldError], *, text: bool) -> dict[str, Any]:
        values: dict[str, Any] = {}
        if not isinstance(item, dict):
            errors.append(FieldError("", "must be a JSON object.", index))
            return values
        for name, field in cls.wire_fields().items():
            value = item.get(name, empty)
            if text and not field.keeps_blanks:
                value = value.strip(BLANKS)
            if value is empty:
                errors.append(FieldError(name, REQUIRED, index))
            elif text and not value:
                errors.append(FieldError(name, EMPTY_CELL, index))
            elif value is None:
                errors.append(FieldError(name, NOT_NULL, index))
            else:
                try:
                    values[name] = field.from_cell(value) if text else field.to_internal_value(value)
                except ValidationError as error:
                    errors.append(FieldError(name, _sentence(error), index))
        return values

    @classmethod
    def read_query(cls, parameters: QueryDict) -> dict[str, Any]:
        """Read a query string. Only declared parameters and `format` are allowed, each once but for `KeysField`.

        A missing parameter takes the default of its field, or None. Raises InvalidInputError, which lists every fault.
        """
        fields = cls.wire_fields()
        errors = [
            FieldError(shown(name), f"is not a parameter here; known are {', '.join([*fields, 'format'])}.")
            for name in parameters
            if name not in fields and name != "format"
        ]
        errors += [
            FieldError(name, "is given more than once.")
            for name, given in parameters.lists()
            if len(given) > 1 and (name == "format" or (name in fields and not isinstance(fields[name], KeysField)))
        ]
        values: dict[str, Any] = {}
        for name, field in fields.items():
            text = parameters.get(name)
            if text is None:
                if field.required:
                    errors.append(FieldError(name, REQUIRED))
                values[name] = None if field.default is empty else field.default
                continue
            try:
                if isinstance(field, KeysField):
                    values[name] = field.from_texts(parameters.getlist(name))
                else:
                    values[name] = field.from_text(text)
            except ValidationError as error:
                errors.append(FieldError(name, _sentence(error)))
        if not errors:
            errors = cls.check_query(values)
        if errors:
            raise invalid(errors)
        return values

    @classmethod
    @cache
    def _left_out(cls) -> dict[str, Any]:
        """Return the values that an empty query string is read as."""
        return cls.read_query(QueryDict())

    @classmethod
    def read_request(cls, request: HttpRequest | Request) -> dict[str, Any]:
        """Read the query string of a request; most have none, for which the values are cached."""
        return cls.read_query(request.GET) if request.META.get("QUERY_STRING") else dict(cls._left_out())

    @classmethod
    def check_query(cls, values: dict[str, Any]) -> list[FieldError]:
        """Return the faults of parameters that are valid one by one but not together."""
        return []


class NoParameters(InputSerializer):
    """The query string of an endpoint that takes no parameters of its own."""


class KeysQuerySerializer(InputSerializer):
    """The query of a listing of keys."""

    search = KeyField(required=False, help_text="Only keys that contain this text, whatever its case.")
    limit = IntegerField(required=False, least=1, most=10_000, help_text="The most keys to return; all by default.")
    cursor = CursorField(str, required=False, help_text="The next part of the listing, as in the `Link` of an answer.")


def is_batch(data: object) -> TypeGuard[Batch]:
    """Whether a body is a batch (a JSON array, NDJSON or CSV). Raises InvalidInputError if it is no object either."""
    if isinstance(data, Batch):
        return True
    if not isinstance(data, dict):
        kind = {str: "a string", bool: "a boolean", type(None): "null"}.get(type(data), "a number")
        raise InvalidInputError(f"The body must be a JSON object or an array of objects, not {kind}.")
    return False


def _sentence(error: ValidationError) -> str:
    return str(error.args[0])
