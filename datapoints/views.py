"""Datapoints over HTTP: parse, call one service, answer."""

from __future__ import annotations

from typing import ClassVar

from django.utils.encoding import iri_to_uri
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.status import HTTP_201_CREATED, HTTP_204_NO_CONTENT
from rest_framework.utils.urls import replace_query_param

from datapoints import schema, serializers, services
from datapoints.statistics import Aggregate
from datapoints.store import Axis
from timeseries_project import clock
from timeseries_project.api.parsers import JSONParser, NDJSONParser
from timeseries_project.api.serializers import one_or_many
from timeseries_project.api.views import ApiViewSet
from timeseries_project.timestamps import render


@schema.datapoints
class DatapointViewSet(ApiViewSet):
    """What devices measured for users. The sole input of the statistics.

    POST takes one datapoint or a JSON array of them; also a batch as `application/x-ndjson`, or as `text/csv`
    with the columns timestamp, value, device, user. A batch is stored whole or not at all.
    """

    parser_classes = (JSONParser, NDJSONParser, serializers.DatapointCSVParser)
    query_serializers: ClassVar = {
        "list": serializers.ListQuerySerializer,
        "create": serializers.AddQuerySerializer,
    }
    row_columns: ClassVar = {"list": ("timestamp", "value", "device", "user")}
    rows_member = "results"

    @staticmethod
    def example() -> object:
        """Return a datapoint that can be sent as it is."""
        return {**schema.EXAMPLE, "timestamp": render(clock.now())}

    def create(self, request: Request) -> Response:
        """Store one datapoint, or a batch all or nothing."""
        skip = self.query["on_duplicate"] is serializers.OnDuplicate.SKIP
        if not one_or_many(request.data) and not skip:
            datapoint = serializers.DatapointSerializer.read(request.data)
            services.datapoint_add(**datapoint, now=clock.now())
            return Response({**datapoint, "timestamp": render(datapoint["timestamp"])}, HTTP_201_CREATED)
        if one_or_many(request.data):
            columns = serializers.DatapointSerializer.read_batch(request.data)
        else:
            datapoint = serializers.DatapointSerializer.read(request.data)
            columns = {name: [value] for name, value in datapoint.items()}
        added = services.datapoints_add(**columns, now=clock.now(), skip_duplicates=skip)
        return Response(added._asdict() if skip else {"created": added.created}, HTTP_201_CREATED)

    def list(self, request: Request) -> Response:
        """List datapoints by timestamp, device and user, a page at a time."""
        page = services.datapoints_page(**self.query)
        results = [
            {"timestamp": render(p.timestamp), "value": p.value, "device": p.device, "user": p.user}
            for p in page.points
        ]
        cursor = None if page.next is None else serializers.CursorField().to_representation(page.next)
        response = Response({"results": results, "next": cursor})
        if cursor is not None:
            url = replace_query_param(iri_to_uri(request.get_full_path()), "cursor", cursor)
            response["Link"] = f'<{url}>; rel="next"'
        return response


class KeyViewSet(ApiViewSet):
    """The devices, or users, that have datapoints."""

    axis: Axis
    row_columns: ClassVar = {}

    def list(self, request: Request) -> Response:
        """List them by key, with how many datapoints there are and from when to when."""
        return Response(
            [
                {self.axis: k.key, "count": k.count, "first": render(k.first), "last": render(k.last)}
                for k in services.keys_list(self.axis)
            ]
        )

    def destroy(self, request: Request, **path: str) -> Response:
        """Forget all datapoints; it is no error if there are none."""
        services.datapoints_delete(self.axis, path[self.axis])
        return Response(status=HTTP_204_NO_CONTENT)


@schema.devices
class DeviceViewSet(KeyViewSet):
    """The devices that have datapoints."""

    axis = "device"
    row_columns: ClassVar = {"list": ("device", "count", "first", "last")}


@schema.users
class UserViewSet(KeyViewSet):
    """The users that have datapoints."""

    axis = "user"
    row_columns: ClassVar = {"list": ("user", "count", "first", "last")}


class StatisticsViewSet(ApiViewSet):
    """Aggregates and moving averages, in buckets from the first datapoint to now."""

    axis: Axis
    query_serializers: ClassVar = {
        "aggregate": serializers.StatisticsQuerySerializer,
        "moving_average": serializers.MovingAverageQuerySerializer,
    }
    row_columns: ClassVar = {
        "aggregate": ("timestamp", "value", "count"),
        "moving_average": ("timestamp", "value"),
    }

    def aggregate(self, request: Request, aggregate: str, **path: str) -> Response:
        """One aggregate of the values in each bucket, oldest first, no bucket left out."""
        key = path[self.axis]
        return Response(
            services.statistics(
                self.axis, key, aggregate=Aggregate(aggregate), **self.query, now=clock.now()
            )
        )

    def moving_average(self, request: Request, **path: str) -> Response:
        """The mean of the last `window_size` buckets' averages, for each bucket."""
        key = path[self.axis]
        return Response(services.moving_average(self.axis, key, **self.query, now=clock.now()))


@schema.statistics("device")
class DeviceStatisticsViewSet(StatisticsViewSet):
    """Statistics of one device, over all its users."""

    axis = "device"


@schema.statistics("user")
class UserStatisticsViewSet(StatisticsViewSet):
    """Statistics of one user, over all the user's devices."""

    axis = "user"
