"""The endpoint of snapshots."""

from __future__ import annotations

from http import HTTPStatus
from threading import BoundedSemaphore
from types import MappingProxyType

from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework.exceptions import APIException
from rest_framework.request import Request

from timeseries_project.api import access
from timeseries_project.api.errors import HeaderedError
from timeseries_project.api.framework import Response
from timeseries_project.api.schema import PAGE, problems
from timeseries_project.api.views import ApiViewSet
from timeseries_project.core.errors import UnknownKeyError
from timeseries_project.core.offload import leave_loop
from timeseries_project.core.timestamps import render
from timeseries_project.snapshots import services

#: Requests that may wait for snapshots at once: each has one of the few threads for slow requests.
MAX_WAITING = 2


class TooManySnapshots(HeaderedError):
    """As many requests wait for snapshots as may."""

    status_code = HTTPStatus.SERVICE_UNAVAILABLE
    headers = MappingProxyType({"Retry-After": "1"})
    default_detail = "A snapshot is being written, and others wait for the next one. Ask again."


class SnapshotNotWritten(APIException):
    """The snapshot could not be written."""

    status_code = HTTPStatus.INSUFFICIENT_STORAGE

    def __init__(self, error: services.SnapshotError) -> None:
        super().__init__(f"The snapshot could not be written: {error}. The one before is as it was.")


_EXAMPLE = {
    "timestamp": "2026-01-31T12:00:00.123456Z",
    "bytes": 241_000_000,
    "seconds": 1.874,
    "datapoints": 10_000_000,
    "bandwidth": 120_000,
}
_TAKEN = {
    "type": "object",
    "properties": {
        "timestamp": {"type": "string", "format": "date-time", "description": "The moment that the snapshot shows."},
        "bytes": {"type": "integer", "description": "The size of the file."},
        "seconds": {"type": "number", "description": "How long it took."},
    },
    "required": ["timestamp", "bytes", "seconds"],
    "additionalProperties": {"type": "integer", "description": "The rows of each part."},
}


@extend_schema_view(
    create=extend_schema(
        operation_id="snapshot_create",
        summary="Write what is in memory to the server's file",
        tags=["operations"],
        request=None,
        responses={
            (201, "application/json"): OpenApiResponse(
                _TAKEN, description="Written.", examples=[OpenApiExample("Example", value=_EXAMPLE)]
            ),
            (201, "text/html"): PAGE,
            **problems(400, 404, 406, 415, 503, 507),
        },
    )
)
class SnapshotViewSet(ApiViewSet):
    """What is in memory, in the file that the setting SNAPSHOT names."""

    _waiting = BoundedSemaphore(MAX_WAITING)

    def create(self, request: Request) -> Response:
        """Write a snapshot, and answer once it is complete; 404 if the server keeps none.

        It holds everything that was acknowledged before this request. Nothing is read from the body.
        """
        if request.content_type or access.is_foreign(request.META):
            # A page of another site can send only what forms can, unless it asks for permission first.
            self.get_content_negotiator().select_parser(request, self.get_parsers())
        if not services.is_kept():
            raise UnknownKeyError("This server keeps no snapshot: its setting SNAPSHOT names no file.")
        leave_loop()
        if not self._waiting.acquire(blocking=False):
            raise TooManySnapshots
        try:
            taken = services.take()
        except services.SnapshotError as error:
            raise SnapshotNotWritten(error) from None
        finally:
            self._waiting.release()
        body = {"timestamp": render(taken.instant), "bytes": taken.bytes, "seconds": round(taken.seconds, 3)}
        return Response({**body, **taken.rows}, HTTPStatus.CREATED)
