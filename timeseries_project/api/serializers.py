"""How a request's items and query parameters are read through the fields that a serializer declares."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from django.http import HttpRequest, QueryDict
from rest_framework.exceptions import ValidationError
from rest_framework.fields import empty
from rest_framework.request import Request
from rest_framework.serializers import Serializer

from timeseries_project.api.fields import CursorField, IntegerField, KeyField, WireField
from timeseries_project.faults import MAX_ERRORS, FieldError, InvalidInputError, invalid

REQUIRED = "is required."
NOT_NULL = "must not be null."


class CSVRows(list[dict[str, str]]):
    """Rows of a CSV document: the cells are text, to be read as the fields say."""


class Columns(dict[str, Any]):
    """A batch that was read into columns already."""


class InputSerializer(Serializer[Any]):
    """Fields declared once; read from one item, from a batch of them, or from a query string.

    The declared fields are used as they stand, without the copy that an instance makes of them, so reading
    costs what its fields cost.
    """

    @classmethod
    @cache
    def wire_fields(cls) -> dict[str, WireField]:
        """Return the declared fields by name."""
        return cls._declared_fields  # type: ignore[return-value]

    @classmethod
    def read(cls, data: object) -> dict[str, Any]:
        """Read one item from a parsed JSON body; fields that are not declared are ignored.

        Raises InvalidInputError that lists every fault.
        """
        errors: list[FieldError] = []
        values = cls._read_item(data, None, errors, text=False)
        if errors:
            raise invalid(errors)
        return values

    @classmethod
    def read_batch(cls, items: Iterable[object]) -> dict[str, Any]:
        """Read a batch as columns: a list or an array of values by field. O(items).

        Raises InvalidInputError that lists the first hundred faults with the index of their item.
        """
        if isinstance(items, Columns):
            return items
        text = isinstance(items, CSVRows)
        errors: list[FieldError] = []
        rows: list[dict[str, Any]] = []
        for index, item in enumerate(items):
            rows.append(cls._read_item(item, index, errors, text=text))
            if len(errors) >= MAX_ERRORS:
                break
        if errors:
            raise invalid(errors)
        return {name: [row[name] for row in rows] for name in cls.wire_fields()}

    @classmethod
    def _read_item(cls, item: object, index: int | None, errors: list[FieldError], *, text: bool) -> dict[str, Any]:
        values: dict[str, Any] = {}
        if not isinstance(item, dict):
            errors.append(FieldError("", "must be a JSON object.", index))
            return values
        for name, field in cls.wire_fields().items():
            value = item.get(name, empty)
            if value is empty or (text and value == ""):
                errors.append(FieldError(name, REQUIRED, index))
            elif value is None:
                errors.append(FieldError(name, NOT_NULL, index))
            else:
                try:
                    values[name] = field.from_text(value) if text else field.to_internal_value(value)
                except ValidationError as error:
                    errors.append(FieldError(name, _sentence(error), index))
        return values

    @classmethod
    def read_query(cls, parameters: QueryDict) -> dict[str, Any]:
        """Read a query string: every parameter declared, given once; `format` is known everywhere.

        Parameters left out take the default that their field declares, None if none. Raises
        InvalidInputError that lists every fault.
        """
        fields = cls.wire_fields()
        errors = [
            FieldError(name, f"is not a parameter here; known are {', '.join([*fields, 'format'])}.")
            for name in parameters
            if name not in fields and name != "format"
        ]
        errors += [
            FieldError(name, "is given more than once.")
            for name, given in parameters.lists()
            if len(given) > 1 and (name in fields or name == "format")
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
        """Return what is read from a query string without any parameters."""
        return cls.read_query(QueryDict())

    @classmethod
    def read_request(cls, request: HttpRequest | Request) -> dict[str, Any]:
        """Read the query string of a request; most have none, and then nothing is parsed."""
        return cls.read_query(request.GET) if request.META.get("QUERY_STRING") else dict(cls._left_out())

    @classmethod
    def check_query(cls, values: dict[str, Any]) -> list[FieldError]:
        """Return what is wrong with parameters that are valid one by one."""
        return []


class NoParameters(InputSerializer):
    """The query string of an endpoint that takes no parameters of its own."""


class KeysQuerySerializer(InputSerializer):
    """Which keys are listed."""

    search = KeyField(required=False, help_text="Only those that contain this text, in upper or lower case.")
    limit = IntegerField(required=False, least=1, most=10_000, help_text="So many at most; all by default.")
    cursor = CursorField(str, required=False, help_text="Those that follow an earlier answer, as its `Link` says.")


def is_batch(data: object) -> bool:
    """Return whether a body is a batch: a JSON array, NDJSON or CSV. InvalidInputError if it is no object either."""
    if isinstance(data, list | Columns):
        return True
    if not isinstance(data, dict):
        kind = {str: "a string", bool: "a boolean", type(None): "null"}.get(type(data), "a number")
        raise InvalidInputError(f"The body must be a JSON object or an array of objects, not {kind}.")
    return False


def _sentence(error: ValidationError) -> str:
    return str(error.args[0])
