"""Descriptions of the datapoints endpoints for the OpenAPI schema, as decorators that keep the views short."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import (
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    extend_schema_view,
)

from datapoints import serializers
from datapoints.statistics import Aggregate
from timeseries_project.api.schema import (
    NEXT,
    LinkedResponse,
    Links,
    answer,
    created,
    one_or_batch,
    one_or_batch_examples,
    problems,
    rows,
)

EXAMPLE = {"timestamp": "2026-01-31T12:00:00Z", "value": 20.5, "device": "thermometer-1", "user": "ada"}

_CREATED = {"created": 2, "skipped": 1, "expired": 0}
_BUCKETS = [
    {"timestamp": "2026-01-31T12:00:00Z", "value": 20.5, "count": 3},
    {"timestamp": "2026-01-31T12:15:00Z", "value": None, "count": 0},
]
_AVERAGES = [
    {"timestamp": "2026-01-31T12:00:00Z", "value": None},
    {"timestamp": "2026-01-31T12:15:00Z", "value": 20.5},
]
_SUMMARY = {"count": 2, "first": "2026-01-31T12:00:00Z", "last": "2026-01-31T12:20:00Z"}


def _key(name: str) -> OpenApiParameter:
    return OpenApiParameter(name, str, OpenApiParameter.PATH, description=f"The {name}, percent-encoded UTF-8.")


def _of_key(name: str, key: str) -> Links:
    """Return links from an answer to the operations on the device or user that `key`, an expression, finds in it."""
    operations = ("{}_retrieve", "{}_statistics", "{}_percentile", "{}_moving_average", "{}_datapoints_delete")
    return {operation.format(name): {name: key} for operation in operations} | {"datapoints_list": {name: key}}


_OF_POINT: Links = {
    **_of_key("user", "$response.body#/user"),
    **_of_key("device", "$response.body#/device"),
    "datapoints_delete": {"device": "$response.body#/device", "user": "$response.body#/user"},
    "devices_list": {},
    "users_list": {},
}

datapoints = extend_schema_view(
    create=extend_schema(
        operation_id="datapoints_create",
        summary="Add datapoints",
        tags=["datapoints"],
        request=one_or_batch(serializers.DatapointSerializer),
        examples=one_or_batch_examples("datapoint", EXAMPLE),
        responses={
            **created(
                serializers.DatapointSerializer, EXAMPLE, serializers.DatapointsCreatedSerializer, _CREATED, _OF_POINT
            ),
            204: OpenApiResponse(description="Not stored: older than `RETENTION` keeps. A batch says how many are."),
            **problems(400, 406, 409, 413, 415, 422, 507),
        },
    ),
    list=extend_schema(
        operation_id="datapoints_list",
        summary="List datapoints",
        tags=["datapoints"],
        parameters=[NEXT],
        responses={
            **rows(
                serializers.ListingSerializer,
                {"results": [EXAMPLE], "next": None},
                {"datapoints_list": {"cursor": "$response.body#/next", "order": "$request.query.order"}},
            ),
            **problems(400, 406),
        },
    ),
    destroy=extend_schema(
        operation_id="datapoints_delete",
        summary="Delete datapoints of a device or a user",
        tags=["datapoints"],
        responses={
            204: LinkedResponse(
                description="Deleted: there are no such datapoints any more.",
                links={"datapoints_list": {}, "devices_list": {}, "users_list": {}},
            ),
            **problems(400, 406),
        },
    ),
)


def _keys(name: str, other: str, serializer: Any, detail: Any) -> Any:
    example = {name: "thermometer-1", **_SUMMARY}
    latest = {"timestamp": _SUMMARY["last"], "value": 20.5, other: "ada"}
    return extend_schema_view(
        list=extend_schema(
            operation_id=f"{name}s_list",
            summary=f"List {name}s with datapoints",
            tags=["datapoints"],
            parameters=[NEXT],
            responses={
                **rows(serializer(many=True), [example], _of_key(name, f"$response.body#/0/{name}")),
                **problems(400, 406),
            },
        ),
        retrieve=extend_schema(
            operation_id=f"{name}_retrieve",
            summary=f"Show a {name} and its newest datapoint",
            tags=["datapoints"],
            parameters=[_key(name)],
            responses={
                **answer(detail, {**example, "latest": latest}, _of_key(name, f"$response.body#/{name}")),
                **problems(400, 404, 406),
            },
        ),
        destroy=extend_schema(
            operation_id=f"{name}_datapoints_delete",
            summary=f"Delete a {name}'s datapoints",
            tags=["datapoints"],
            parameters=[_key(name)],
            responses={
                204: LinkedResponse(
                    description="Deleted: there are no datapoints any more, in this range of time if one was given.",
                    links={f"{name}_retrieve": {name: f"$request.path.{name}"}, f"{name}s_list": {}},
                ),
                **problems(400, 406),
            },
        ),
    )


devices = _keys("device", "user", serializers.DeviceSerializer, serializers.DeviceDetailSerializer)
users = _keys("user", "device", serializers.UserSerializer, serializers.UserDetailSerializer)


def aggregates(axis: str) -> Any:
    """Describe the aggregates of devices or of users."""
    aggregate = OpenApiParameter(
        "aggregate", str, OpenApiParameter.PATH, enum=list(Aggregate), description="The aggregate of the values."
    )
    return extend_schema_view(
        list=extend_schema(
            operation_id=f"{axis}_statistics",
            summary=f"Aggregate a {axis}'s values in buckets",
            tags=["statistics"],
            parameters=[_key(axis), aggregate],
            responses={**rows(serializers.BucketSerializer(many=True), _BUCKETS), **problems(400, 404, 406)},
        ),
    )


def percentiles(axis: str) -> Any:
    """Describe the percentiles of devices or of users."""
    return extend_schema_view(
        list=extend_schema(
            operation_id=f"{axis}_percentile",
            summary=f"Find a percentile of a {axis}'s values in buckets",
            tags=["statistics"],
            parameters=[_key(axis)],
            responses={**rows(serializers.BucketSerializer(many=True), _BUCKETS), **problems(400, 404, 406)},
        ),
    )


def moving_averages(axis: str) -> Any:
    """Describe the moving averages of devices or of users."""
    return extend_schema_view(
        list=extend_schema(
            operation_id=f"{axis}_moving_average",
            summary=f"Average a {axis}'s values over moving windows",
            tags=["statistics"],
            parameters=[_key(axis)],
            responses={
                **rows(serializers.MovingAverageSerializer(many=True), _AVERAGES),
                **problems(400, 404, 406),
            },
        ),
    )
