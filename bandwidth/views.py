"""The views of bandwidth: parse, call one service, answer."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.status import HTTP_201_CREATED, HTTP_204_NO_CONTENT

from bandwidth import openapi, services
from bandwidth.interface import DeviceSummary, Instant
from bandwidth.serializers import PLACE, EntriesQuerySerializer, EntrySerializer, WindowsQuerySerializer
from timeseries_project.api.fields import CursorField
from timeseries_project.api.framework import Response
from timeseries_project.api.listings import Row, link_next, listed, portion_size
from timeseries_project.api.parsers import ArrowParser, CSVParser, JSONParser, NDJSONParser
from timeseries_project.api.serializers import KeysQuerySerializer, is_batch
from timeseries_project.api.views import ApiViewSet
from timeseries_project.core import clock
from timeseries_project.core.arrays import Keys, Kind, Table

_BYTES = {"bytes_ts": Kind.INTEGER, "bytes_fs": Kind.INTEGER}


@openapi.bandwidth
class BandwidthViewSet(ApiViewSet):
    """Bytes to and from the server per device, summed in windows that end at a chosen time.

    POST takes one entry or a batch: a JSON array, NDJSON, CSV or Arrow. Entries of one instant add up.
    """

    item_serializer = EntrySerializer
    parser_classes = (JSONParser, NDJSONParser, CSVParser, ArrowParser)
    query_serializers: ClassVar = {"list": WindowsQuerySerializer}
    row_columns: ClassVar = {"list": {"timestamp": Kind.SECONDS, **_BYTES}}
    rows_member = "data"

    @staticmethod
    def example() -> object:
        """Return an entry that can be sent as it is."""
        return {**openapi.EXAMPLE, "timestamp": clock.now_s()}

    def create(self, request: Request) -> Response:
        """Store one entry, or a batch: all of it or nothing.

        A batch is a JSON array; a body of type `application/x-ndjson` with one entry per line; a body of type
        `text/csv` whose header names the columns device_id, timestamp, bytes_ts and bytes_fs in any order; or a
        stream of type `application/vnd.apache.arrow.stream` with these columns.
        """
        if is_batch(request.data):
            columns = EntrySerializer.read_batch(request.data)
            added = services.entries_add(**columns, now=clock.now_s())
            counts = {name: count for name, count in added._asdict().items() if count is not None}
            return Response(counts, HTTP_201_CREATED)
        entry = EntrySerializer.read(request.data)
        if not services.entry_add(**entry, now=clock.now_s()):
            return Response(status=HTTP_204_NO_CONTENT)
        return Response(entry, HTTP_201_CREATED)

    def list(self, request: Request) -> Response:
        """Sum a device's bytes in windows, oldest first."""
        now = clock.now_s()
        self.tag(
            services.windows_version(device_uuid=self.query["device_uuid"], end_time=self.query["end_time"], now=now)
        )
        windows = services.windows_list(**self.query, now=now)
        data = [{"timestamp": w.timestamp, "bytes_ts": w.bytes_ts, "bytes_fs": w.bytes_fs} for w in windows.data]
        return Response({**windows._asdict(), "data": data})


@openapi.entries
class EntryViewSet(ApiViewSet):
    """What is stored, instant by instant, so that it can be taken out and sent in again elsewhere."""

    query_serializers: ClassVar = {"list": EntriesQuerySerializer}
    row_columns: ClassVar = {"list": {"device_id": Kind.KEY, "timestamp": Kind.SECONDS, **_BYTES}}
    rows_member = "results"

    def list(self, request: Request) -> Response:
        """List entries by device and time, those of one instant added up; `next` is the cursor of the next listing."""
        now = clock.now_s()
        self.tag(services.version_get(device_id=self.query["device_uuid"], now=now))
        listing = services.entries_list(**self.query, now=now)
        cursor = None if listing.next is None else CursorField(PLACE).to_representation(listing.next)
        columns: dict[str, list[Any]] = {
            name: [instant[place] for instant in listing.instants] for place, name in enumerate(Instant._fields)
        }
        results = Table({**columns, "device_id": Keys(columns["device_id"])})
        response = Response({"results": results, "next": cursor})
        if cursor is not None:
            link_next(response, request, cursor)
        return response


@openapi.devices
class DeviceViewSet(ApiViewSet):
    """The devices seen so far, with their totals."""

    query_serializers: ClassVar = {"list": KeysQuerySerializer}
    row_columns: ClassVar = {
        "list": {
            "device_id": Kind.KEY,
            "count": Kind.INTEGER,
            "first": Kind.SECONDS,
            "last": Kind.SECONDS,
            **_BYTES,
        }
    }

    def list(self, request: Request) -> Response:
        """List the devices by key."""
        search, limit, cursor = self.query["search"], self.query["limit"], self.query["cursor"]
        now = clock.now_s()
        self.tag(services.version_get(now=now))
        portions = services.devices_portions(search=search, after=cursor, size=portion_size(limit), now=now)
        total = services.devices_count if search is None and cursor is None else None
        return listed(request, portions, _rows, attrgetter("device_id"), limit=limit, total=total)

    def retrieve(self, request: Request, device_id: str) -> Response:
        """Answer one device with its totals."""
        now = clock.now_s()
        self.tag(services.version_get(device_id=device_id, now=now))
        return Response(services.device_get(device_id=device_id, now=now)._asdict())

    def destroy(self, request: Request, device_id: str) -> Response:
        """Forget all entries of a device; deleting an unknown device is not an error."""
        services.device_delete(device_id=device_id)
        return Response(status=HTTP_204_NO_CONTENT)


def _rows(devices: Sequence[DeviceSummary], is_part: bool) -> list[Row]:
    return [device._asdict() for device in devices]
