"""How the bandwidth endpoints appear in the OpenAPI schema."""

from __future__ import annotations

from drf_spectacular.utils import (
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    extend_schema_view,
)

from bandwidth import serializers
from timeseries_project.api.schema import (
    NEXT,
    Links,
    answer,
    created,
    one_or_batch,
    one_or_batch_examples,
    problems,
    rows,
)

EXAMPLE = {"device_id": "router-1", "timestamp": 1524835983, "bytes_ts": 12, "bytes_fs": 30}

_WINDOWS = {
    "device_uuid": "router-1",
    "end_time": 1524835983,
    "window_time": 60,
    "num_windows": 1,
    "data": [{"timestamp": 1524835983, "bytes_ts": 109, "bytes_fs": 157}],
}
_DEVICE = {
    "device_id": "router-1",
    "count": 60,
    "first": 1524835393,
    "last": 1524835983,
    "bytes_ts": 1085,
    "bytes_fs": 1236,
}


def _of_device(device: str) -> Links:
    """Return links from an answer, at the expression that names a device, to the operations on that device."""
    path = {"device_id": device}
    query = {"device_uuid": device}
    return {
        "bandwidth_windows": query,
        "bandwidth_entries": query,
        "bandwidth_device": path,
        "bandwidth_device_delete": path,
    }


_KEY = OpenApiParameter("device_id", str, OpenApiParameter.PATH, description="The device, percent-encoded UTF-8.")

bandwidth = extend_schema_view(
    create=extend_schema(
        operation_id="bandwidth_create",
        summary="Add bandwidth entries",
        tags=["bandwidth"],
        request=one_or_batch(serializers.EntrySerializer),
        examples=one_or_batch_examples("entry", EXAMPLE),
        responses={
            **created(
                serializers.EntrySerializer,
                EXAMPLE,
                serializers.EntriesCreatedSerializer,
                {"created": 2},
                {**_of_device("$response.body#/device_id"), "bandwidth_devices": {}},
            ),
            **problems(400, 406, 413, 415, 422, 507),
        },
    ),
    list=extend_schema(
        operation_id="bandwidth_windows",
        summary="Sum a device's bytes in windows",
        tags=["bandwidth"],
        responses={**rows(serializers.WindowsSerializer, _WINDOWS), **problems(400, 404, 406)},
    ),
)

entries = extend_schema_view(
    list=extend_schema(
        operation_id="bandwidth_entries",
        summary="List stored bandwidth entries",
        tags=["bandwidth"],
        parameters=[NEXT],
        responses={
            **rows(
                serializers.EntriesSerializer,
                {"results": [EXAMPLE], "next": None},
                {"bandwidth_entries": {"cursor": "$response.body#/next"}},
            ),
            **problems(400, 406),
        },
    ),
)

devices = extend_schema_view(
    list=extend_schema(
        operation_id="bandwidth_devices",
        summary="List devices with their total bytes",
        tags=["bandwidth"],
        parameters=[NEXT],
        responses={
            **rows(
                serializers.BandwidthDeviceSerializer(many=True), [_DEVICE], _of_device("$response.body#/0/device_id")
            ),
            **problems(400, 406),
        },
    ),
    retrieve=extend_schema(
        operation_id="bandwidth_device",
        summary="Show a device's total bytes",
        tags=["bandwidth"],
        parameters=[_KEY],
        responses={
            **answer(serializers.BandwidthDeviceSerializer, _DEVICE, _of_device("$response.body#/device_id")),
            **problems(400, 404, 406),
        },
    ),
    destroy=extend_schema(
        operation_id="bandwidth_device_delete",
        summary="Delete a device's bandwidth entries",
        tags=["bandwidth"],
        parameters=[_KEY],
        responses={204: OpenApiResponse(description="The device has no entries any more."), **problems(400, 406)},
    ),
)
