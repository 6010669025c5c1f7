"""Descriptions of the endpoints for clients of InfluxDB."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema, extend_schema_view

from datapoints.influx import errors, serializers
from timeseries_project.api.schema import PROBLEMS, answer, problems

EXAMPLE = "weather,device=thermometer-1 temperature=20.5,humidity=61i"

_WRITE_STATUSES = (400, 401, 406, 408, 413, 415, 422, 429, 503, 507)
_LINES = {serializers.OCTETS: {"type": "string", "format": "binary", "description": f"Lines such as `{EXAMPLE}`."}}


def _errors(shape: Any, serializer: Any, *statuses: int) -> dict[Any, OpenApiResponse]:
    """Describe errors in the shape of InfluxDB, each with an example."""
    described = {}
    for status in statuses:
        title, detail = PROBLEMS[status]
        body: Mapping[str, Any] = shape({"status": status, "detail": detail})[0]
        described[status, "application/json"] = OpenApiResponse(
            serializer, description=detail, examples=[OpenApiExample(title, value=body)]
        )
    return described


def _write(version: int, shape: Any, serializer: Any) -> Any:
    return extend_schema_view(
        create=extend_schema(
            operation_id=f"influx{version}_write",
            summary="Add datapoints in line protocol" + (version > 1) * f", version {version}",
            tags=["line protocol"],
            request=_LINES,
            responses={
                204: OpenApiResponse(description="Stored, all of it."),
                **_errors(shape, serializer, *_WRITE_STATUSES),
            },
        )
    )


write_1 = _write(1, errors.shape_of_1, serializers.InfluxErrorSerializer)
write_2 = _write(2, errors.shape_of_2, serializers.Influx2ErrorSerializer)


def _query(name: str, summary: str, *statuses: int, **kwargs: Any) -> Any:
    return extend_schema(
        operation_id=name,
        summary=summary,
        tags=["line protocol"],
        responses={
            **answer(serializers.ResultsSerializer, {"results": [{"statement_id": 0}]}),
            **_errors(errors.shape_of_1, serializers.InfluxErrorSerializer, 400, 401, 406, 429, 503, *statuses),
        },
        **kwargs,
    )


query = extend_schema_view(
    retrieve=_query("influx_query", "Agree to CREATE DATABASE"),
    create=_query(
        "influx_statement",
        "Agree to CREATE DATABASE in a form",
        408,
        413,
        415,
        request={"application/x-www-form-urlencoded": {"type": "object", "properties": {"q": {"type": "string"}}}},
    ),
)

ping = extend_schema(
    operation_id="influx_ping",
    summary="Check that line protocol is taken",
    tags=["line protocol"],
    responses={
        **answer(serializers.VersionSerializer, {"version": "1.8.0"}),
        204: OpenApiResponse(description="It is; `X-Influxdb-Version` says whose API is spoken."),
        **problems(400, 406),
    },
)
