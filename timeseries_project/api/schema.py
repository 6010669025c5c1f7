"""The OpenAPI descriptions that all apps share: fields, problem details, request bodies, answers, paths."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema as BaseAutoSchema
from drf_spectacular.utils import (
    Direction,
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    PolymorphicProxySerializer,
)
from rest_framework import serializers
from rest_framework.fields import empty
from rest_framework.permissions import SAFE_METHODS

from timeseries_project.api import access, fields
from timeseries_project.api.arrow.writing import ArrowRenderer
from timeseries_project.api.serializers import InputSerializer, NoParameters
from timeseries_project.core import timestamps

Endpoint = tuple[str, str, str, Any]
#: Linked operations with their parameters, as runtime expressions of OpenAPI such as `$response.body#/device`.
Links = Mapping[str, Mapping[str, str]]


def without_trailing_slashes(endpoints: Iterable[Endpoint]) -> list[Endpoint]:
    """Return the endpoints with their documented paths, which do not include the optional trailing slash."""
    kept = ("/api/schema/", "/api/docs/")
    return [(p if p in kept else p.rstrip("/") or "/", regex, m, view) for p, regex, m, view in endpoints]


class AutoSchema(BaseAutoSchema):
    """A schema that takes the query parameters from the view's query serializers."""

    def get_override_parameters(self) -> list[Any]:
        """Return the query parameters of the operation."""
        view: Any = self.view
        formats = [str(renderer.format) for renderer in view.get_renderers()]
        known = OpenApiParameter("format", {"type": "string", "enum": formats}, description="Overrides Accept.")
        return [*query_parameters(view.query_serializers.get(view.operation, NoParameters)), known]

    def _get_request_body(self, direction: Direction = "request") -> Any:
        body: dict[str, Any] | None = super()._get_request_body(direction)  # type: ignore[no-untyped-call]
        # An empty body is hardly ever valid.
        return {**body, "required": not getattr(self.view, "takes_empty_bodies", False)} if body else body

    def _get_response_for_code(self, serializer: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        response: dict[str, Any] = super()._get_response_for_code(serializer, *args, **kwargs)  # type: ignore[no-untyped-call]
        links = serializer.links if isinstance(serializer, LinkedResponse) else None
        return {**response, "links": links} if links else response

    def get_auth(self) -> list[dict[str, list[str]]]:
        """Return the security requirements: a token, which is optional for writes if none is configured."""
        if not self.view.permission_classes:
            return []  # open to all
        token: dict[str, list[str]] = {"bearer": []}
        if access.is_needed(self.method):
            return [token]
        return [] if self.method in SAFE_METHODS else [{}, token]

    def _get_response_bodies(self, direction: Direction = "response") -> Any:
        """Add the errors that every operation may answer."""
        common = () if not self.view.permission_classes else (401, 429, 503)
        if self.method == "POST":
            common = (*common, 408)
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        for (status, media_type), response in problems(*common).items():
            if str(status) not in bodies:
                described = self._get_response_for_code(response, str(status), (media_type,), direction)
                bodies[str(status)] = described
        return dict(sorted(bodies.items()))

    def _is_list_view(self, serializer: Any = None) -> bool:
        # The serializer decides whether an answer is a list, not the name of the action.
        return isinstance(serializer, serializers.ListSerializer)


class LinkedResponse(OpenApiResponse):
    """A response with OpenAPI links to the operations that its content leads to."""

    def __init__(self, *args: Any, links: Links | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.links = {
            operation: {"operationId": operation, "parameters": dict(parameters)}
            for operation, parameters in (links or {}).items()
        }


#: The header with the address of the next part of a listing.
NEXT = OpenApiParameter(
    "Link",
    str,
    OpenApiParameter.HEADER,
    response=[200],
    description='The address of the next part, with `rel="next"`; absent from the last part.',
)


def query_parameters(serializer: type[InputSerializer]) -> list[OpenApiParameter]:
    """Describe the fields of a query serializer as parameters."""
    return [
        OpenApiParameter(
            name,
            type=query_schema(field),
            required=field.required,
            description=str(field.help_text or ""),
        )
        for name, field in serializer.wire_fields().items()
    ]


#: Comes first where there is a choice, because generators make a native type of it.
_DATE_TIME = {"type": "string", "format": "date-time"}


def query_schema(field: fields.WireField) -> dict[str, Any]:
    """Return the JSON schema of a field in a query string."""
    if isinstance(field, fields.TimestampField):
        # In a query string a time is text, whether it is a date or a number.
        text = {"type": "string", "pattern": _pattern(_DATE, _SECONDS)}
        schema: dict[str, Any] = {"type": "string", "anyOf": [_DATE_TIME, text]}
    else:
        schema = field_schema(field, "response")
    if isinstance(field, fields.EpochField):
        schema["maximum"] = field.latest
    if field.default is not empty:
        schema["default"] = field.to_representation(field.default)
    return schema


#: What the parts of a date can be; the reader takes any digits, and says which part is wrong.
_PARTS = {
    "year": "(?:19[7-9][0-9]|[2-9][0-9]{3})",
    "month": "(?:0[1-9]|1[0-2])",
    "day": "(?:0[1-9]|[12][0-9]|3[01])",
    "hour": "(?:[01][0-9]|2[0-3])",
    "minute": "[0-5][0-9]",
    "second": "[0-5][0-9]",
}
_DATE = re.sub(r"\(\?P<([a-z]+)>\[0-9\]\{[24]\}\)", lambda part: _PARTS[part[1]], timestamps.DATE_TIME.pattern)
#: Epoch seconds in a query string; larger exponents lead beyond the year 9999.
_SECONDS = fields.NUMBER.pattern.replace("[+-]?", r"\+?", 1).replace("[+-]?[0-9]+)?", "[+-]?[0-9])?")


def _pattern(*patterns: str) -> str:
    """Join patterns as alternatives, in the dialect of JSON schemas: anchored, and without named groups."""
    return "^(?:" + "|".join(re.sub(r"\?P<[a-z]+>", "?:", pattern) for pattern in patterns) + ")$"


def field_schema(field: fields.WireField, direction: str) -> dict[str, Any]:
    """Return the JSON schema of a field in the body of a request or response."""
    match field:
        case fields.TimestampField():
            if direction == "response":
                return dict(_DATE_TIME)
            # More dates are accepted than RFC 3339 knows, such as one without a time.
            date = {"type": "string", "pattern": _pattern(_DATE)}
            epoch = {"type": "number", "minimum": 0, "description": "Epoch seconds."}
            return {"anyOf": [_DATE_TIME, date, epoch]}
        case fields.NumberField():
            limit = fields.MAX_MAGNITUDE
            return {"type": "number", "format": "double", "minimum": -limit, "maximum": limit}
        case fields.FractionField():
            return {"type": "number", "format": "double", "minimum": 0, "maximum": 1}
        case fields.IntegerField():
            schema: dict[str, Any] = {"type": "integer", "format": "int64", "minimum": field.least}
            if field.most is not None:
                schema["maximum"] = field.most
            return schema
        case fields.KeyField():
            key = {
                "type": "string",
                "minLength": 1,
                "maxLength": fields.MAX_KEY_LENGTH,
                "pattern": r"^[^\u0000-\u001F\u007F-\u009F]*$",
            }
            return key if direction == "response" else {"oneOf": [key, {"type": "integer"}]}
        case fields.ChoiceField():
            return {"type": "string", "enum": [str(word) for word in field.words]}
        case fields.BucketField():
            return {"type": "string", "pattern": "^[0-9]{1,10}(s|m|h|d|w|mo|y)$"}
        case fields.OffsetField():
            return {"type": "string", "pattern": "^[0-9]{1,10}[smhd]$"}
        case fields.ZoneField():
            return {"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[A-Za-z][A-Za-z0-9_+/-]*$"}
    return {"type": "string"}


class WireFieldExtension(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """Tells drf-spectacular the JSON schemas of our fields."""

    target_class = "timeseries_project.api.fields.WireField"
    match_subclasses = True

    def map_serializer_field(self, auto_schema: BaseAutoSchema, direction: str) -> dict[str, Any]:
        """Return the JSON schema of the field."""
        return field_schema(self.target, direction)


class HealthSerializer(serializers.Serializer[Any]):
    """The answer of `/healthz`."""

    status = serializers.CharField()


class FieldErrorSerializer(serializers.Serializer[Any]):
    """One fault of one field."""

    field = serializers.CharField(help_text="The field or parameter; empty for a whole item.")
    message = serializers.CharField(help_text="What is wrong with it.")
    index = serializers.IntegerField(required=False, help_text="The item of a batch, from 0.")
    line = serializers.IntegerField(required=False, help_text="The line of CSV or NDJSON, from 1.")


class ProblemSerializer(serializers.Serializer[Any]):
    """Problem details (RFC 9457)."""

    type = serializers.CharField(help_text="A URI that identifies the kind of problem, or about:blank.")
    title = serializers.CharField(help_text="The status in words.")
    status = serializers.IntegerField(help_text="The HTTP status.")
    detail = serializers.CharField(help_text="What is wrong, in a sentence.")
    errors = FieldErrorSerializer(  # type: ignore[assignment]  # hides Serializer.errors, unused here
        many=True, required=False, help_text="The faults by field, 100 at most."
    )


#: The title of each status, and what it means.
PROBLEMS = {
    400: ("Bad Request", "The input is malformed, incomplete or out of range."),
    401: ("Unauthorized", "The service has API tokens, and the request carries none or a wrong one."),
    404: ("Not Found", "There is no data under this key."),
    406: ("Not Acceptable", "None of the accepted media types can be produced."),
    408: ("Request Timeout", "The body was not complete in time."),
    409: ("Conflict", "The datapoint exists already."),
    413: ("Request Entity Too Large", "The body is larger than the limit."),
    415: ("Unsupported Media Type", "The media type or content encoding is not accepted."),
    422: ("Unprocessable Entity", "The timestamp lies in the future."),
    429: ("Too Many Requests", "The client exceeds the rate limit; Retry-After says when to try again."),
    503: (
        "Service Unavailable",
        "A shared storage is away, or the process is busy; Retry-After may say when.",
    ),
    507: ("Insufficient Storage", "The configured capacity is reached; nothing was stored."),
}


def problems(*statuses: int) -> dict[Any, OpenApiResponse]:
    """Describe the errors of an operation, each with an example."""
    return {
        (status, "application/problem+json"): OpenApiResponse(
            ProblemSerializer,
            description=PROBLEMS[status][1],
            examples=[
                OpenApiExample(
                    PROBLEMS[status][0],
                    value={
                        "type": "about:blank",
                        "title": PROBLEMS[status][0],
                        "status": status,
                        "detail": PROBLEMS[status][1],
                    },
                )
            ],
        )
        for status in statuses
    }


def one_or_batch(serializer: type[InputSerializer]) -> dict[str, Any]:
    """Describe a body that is one item or a JSON array of them.

    Other accepted media types are described in words, because client generators support only JSON and warn of others.
    """
    name = serializer.__name__.removesuffix("Serializer")
    return {
        "application/json": PolymorphicProxySerializer(
            component_name=f"{name}OrBatch",
            serializers=[serializer, serializer(many=True)],
            resource_type_field_name=None,
            many=False,
        )
    }


def one_or_batch_examples(noun: str, item: object) -> list[OpenApiExample]:
    """Return the examples of a body that is one item or a batch."""
    return [
        OpenApiExample(f"One {noun}", value=item, request_only=True),
        OpenApiExample("A batch", value=[item], request_only=True),
    ]


def created(
    one: type[InputSerializer], item: object, many: Any, counts: object, links: Links | None = None
) -> dict[Any, OpenApiResponse]:
    """Describe the answer to a body of one item or a batch: the stored item, or the counts of the batch."""
    name = one.__name__.removesuffix("Serializer")
    return {
        (201, "application/json"): LinkedResponse(
            PolymorphicProxySerializer(
                component_name=f"{name}OrCreated",
                serializers=[one, many],
                resource_type_field_name=None,
                many=False,
            ),
            description="The item as stored or, for a batch, how many were stored.",
            examples=[OpenApiExample("One", value=item), OpenApiExample("A batch", value=counts)],
            links=links,
        ),
        (201, "text/html"): PAGE,
    }


def answer(serializer: Any, example: object, links: Links | None = None) -> dict[Any, OpenApiResponse]:
    """Describe an answer in JSON."""
    examples = [OpenApiExample("Example", value=example)]
    return {
        (200, "application/json"): LinkedResponse(serializer, examples=examples, links=links),
        (200, "text/html"): PAGE,
    }


def rows(serializer: Any, example: object, links: Links | None = None) -> dict[Any, OpenApiResponse]:
    """Describe an answer of rows, which is available in JSON, CSV and Arrow."""
    return {
        **answer(serializer, example, links),
        (200, "text/csv"): OpenApiResponse({"type": "string"}, description="The rows under a header."),
        (200, ArrowRenderer.media_type): OpenApiResponse(
            {"type": "string", "format": "binary"}, description="The rows as an Arrow IPC stream."
        ),
    }


#: The answer as an HTML page, for people.
PAGE = OpenApiResponse({"type": "string"})
