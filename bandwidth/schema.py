"""How the bandwidth endpoints appear in the OpenAPI schema."""

from __future__ import annotations

from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiResponse,
    PolymorphicProxySerializer,
    extend_schema,
    extend_schema_view,
)

from bandwidth import serializers
from timeseries_project.api.schema import one_or_batch, problems, rows

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

bandwidth = extend_schema_view(
    create=extend_schema(
        operation_id="bandwidth_create",
        tags=["bandwidth"],
        request=one_or_batch(serializers.EntrySerializer),
        examples=[
            OpenApiExample("One entry", value=EXAMPLE, request_only=True),
            OpenApiExample("A batch", value=[EXAMPLE], request_only=True),
        ],
        responses={
            (201, "application/json"): OpenApiResponse(
                PolymorphicProxySerializer(
                    component_name="EntryOrCreated",
                    serializers=[serializers.EntrySerializer, serializers.EntriesCreatedSerializer],
                    resource_type_field_name=None,
                    many=False,
                ),
                description="The entry as stored or, for a batch, how many were.",
                examples=[
                    OpenApiExample("The entry", value=EXAMPLE),
                    OpenApiExample("A batch", value={"created": 2}),
                ],
            ),
            **problems(400, 406, 413, 415, 422),
        },
    ),
    list=extend_schema(
        operation_id="bandwidth_windows",
        tags=["bandwidth"],
        responses={**rows(serializers.WindowsSerializer, _WINDOWS), **problems(400, 404, 406)},
    ),
)

devices = extend_schema_view(
    list=extend_schema(
        operation_id="bandwidth_devices",
        tags=["bandwidth"],
        responses={**rows(serializers.BandwidthDeviceSerializer(many=True), [_DEVICE]), **problems(400, 406)},
    ),
)
