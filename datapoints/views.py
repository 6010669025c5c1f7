"""The HTTP endpoints of datapoints: parse the request, call one service, respond."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from operator import attrgetter
from typing import Any, ClassVar

import numpy as np
from rest_framework.request import Request
from rest_framework.status import HTTP_201_CREATED, HTTP_204_NO_CONTENT

from datapoints import openapi, serializers, services
from datapoints.interface import Axis, KeySummary, OnDuplicate
from datapoints.statistics import Aggregate, Percentile
from timeseries_project.api.fields import CursorField
from timeseries_project.api.framework import Response
from timeseries_project.api.listings import Row, link_next, listed, portion_size
from timeseries_project.api.parsers import ArrowParser, CSVParser, JSONParser, NDJSONParser
from timeseries_project.api.serializers import KeysQuerySerializer, is_batch
from timeseries_project.api.views import ApiViewSet, FaultView
from timeseries_project.core import clock
from timeseries_project.core.arrays import Keys, Kind, Table
from timeseries_project.core.errors import UnknownKeyError, shown
from timeseries_project.core.timestamps import MICROSECONDS, render, rendered

#: Characters of a time up to its whole second.
_SECONDS = len("2026-01-31T12:00:00")

_SUMMARY = {"count": Kind.INTEGER, "first": Kind.TIME, "last": Kind.TIME}
_BUCKETS = {"timestamp": Kind.TIME, "value": Kind.DOUBLE}


@openapi.datapoints
class DatapointViewSet(ApiViewSet):
    """Values that devices measured for users: the only input of the statistics.

    POST takes one datapoint or a batch: a JSON array, NDJSON, CSV or Arrow.
    """

    item_serializer = serializers.DatapointSerializer
    parser_classes = (JSONParser, NDJSONParser, CSVParser, ArrowParser)
    query_serializers: ClassVar = {
        "list": serializers.ListQuerySerializer,
        "create": serializers.AddQuerySerializer,
        "destroy": serializers.DeleteQuerySerializer,
    }
    row_columns: ClassVar = {
        "list": {"timestamp": Kind.TIME, "value": Kind.DOUBLE, "device": Kind.KEY, "user": Kind.KEY}
    }
    rows_member = "results"

    @staticmethod
    def example() -> object:
        """Return a datapoint that can be sent unchanged."""
        return {**openapi.EXAMPLE, "timestamp": render(clock.now())}

    def create(self, request: Request) -> Response:
        """Store one datapoint, or a batch: all of it or nothing.

        A batch is a JSON array; a body of type `application/x-ndjson` with one datapoint per line; a body of type
        `text/csv` whose header names the columns timestamp, value, device and user in any order; or a stream of type
        `application/vnd.apache.arrow.stream` with these columns.
        """
        on_duplicate = self.query["on_duplicate"]
        if is_batch(request.data):
            columns = serializers.DatapointSerializer.read_batch(request.data)
            added = services.datapoints_add(**columns, now=clock.now(), on_duplicate=on_duplicate)
            return Response(_counts(added, on_duplicate), HTTP_201_CREATED)
        datapoint = serializers.DatapointSerializer.read(request.data)
        if on_duplicate is OnDuplicate.ERROR:
            if not services.datapoint_add(**datapoint, now=clock.now()):
                return Response(status=HTTP_204_NO_CONTENT)
            return Response({**datapoint, "timestamp": render(datapoint["timestamp"])}, HTTP_201_CREATED)
        columns = {name: [value] for name, value in datapoint.items()}
        added = services.datapoints_add(**columns, now=clock.now(), on_duplicate=on_duplicate)
        if added.expired:
            return Response(status=HTTP_204_NO_CONTENT)
        return Response(_counts(added, on_duplicate), HTTP_201_CREATED)

    def destroy(self, request: Request) -> Response:
        """Delete the datapoints of a device, of a user, or those that both have in common; there need not be any."""
        device, user = self.query["device"], self.query["user"]
        stretch = {"start": self.query["start"], "end": self.query["end"]}
        if user is None:
            services.datapoints_delete(axis="device", key=device, **stretch)
        elif device is None:
            services.datapoints_delete(axis="user", key=user, **stretch)
        else:
            services.common_datapoints_delete(device=device, user=user, **stretch)
        return Response(status=HTTP_204_NO_CONTENT)

    def list(self, request: Request) -> Response:
        """List datapoints by timestamp, device and user; `next` is the cursor of the listing that follows.

        With `order=desc` the newest come first, and equal timestamps by device and user from the last one on.
        """
        now = clock.now()
        self.tag(services.version_get(device=self.query["device"], user=self.query["user"], now=now))
        order, place = self.query["order"], self.query["cursor"]
        listing = services.datapoints_list(
            **{name: self.query[name] for name in ("device", "user", "start", "end", "limit")},
            after=place and place.of_point,
            descending=order is serializers.Order.DESC,
            now=now,
        )
        points = listing.points
        times = points.times.astype("datetime64[us]")
        results = Table({"timestamp": times, "value": points.values, "device": points.devices, "user": points.users})
        cursor = None
        if listing.next is not None:
            following = serializers.Place(*listing.next, order)
            cursor = CursorField(serializers.Place).to_representation(following)
        response = Response({"results": results, "next": cursor})
        if cursor is not None:
            link_next(response, request, cursor)
        return response


#: What those datapoints of a batch are called that existed already.
_KNOWN = {OnDuplicate.SKIP: "skipped", OnDuplicate.REPLACE: "replaced"}


def _counts(added: services.Added, on_duplicate: OnDuplicate) -> dict[str, int]:
    """Return the counts of a batch as they are answered."""
    counts = {"created": added.created}
    if on_duplicate in _KNOWN:
        counts[_KNOWN[on_duplicate]] = added.known
    if added.expired is not None:
        counts["expired"] = added.expired
    return counts


class KeyViewSet(ApiViewSet):
    """The devices or users that have datapoints."""

    axis: Axis
    query_serializers: ClassVar = {"list": KeysQuerySerializer, "destroy": serializers.RangeSerializer}

    def list(self, request: Request) -> Response:
        """List them by key, each with the number of its datapoints and the times of the oldest and newest."""
        search, limit, cursor = self.query["search"], self.query["limit"], self.query["cursor"]
        now = clock.now()
        self.tag(services.version_get(now=now))
        portions = services.keys_portions(
            axis=self.axis, search=search, after=cursor, size=portion_size(limit), now=now
        )
        total = partial(services.keys_count, axis=self.axis) if search is None and cursor is None else None
        write = partial(_WRITERS.get(request.accepted_renderer.format, _rows_of_objects), self.axis)
        return listed(request, portions, write, attrgetter("key"), limit=limit, total=total)

    def retrieve(self, request: Request, **path: str) -> Response:
        """Return the number of datapoints of one of them, the times of the oldest and newest, and the newest itself."""
        now = clock.now()
        self.tag(services.version_get(**path, now=now))
        summary, point = services.key_latest(axis=self.axis, key=path[self.axis], now=now)
        # In one answer all times have one form, and the newest datapoint is of the time `last`.
        [row] = _rows(self.axis, [summary])
        other = "user" if self.axis == "device" else "device"
        latest = {"timestamp": row["last"], "value": point.value, other: getattr(point, other)}
        return Response({**row, "latest": latest})

    def destroy(self, request: Request, **path: str) -> Response:
        """Delete the datapoints, all or those in a range of time; there need not be any."""
        services.datapoints_delete(axis=self.axis, key=path[self.axis], **self.query)
        return Response(status=HTTP_204_NO_CONTENT)


def _rows(axis: Axis, keys: Sequence[KeySummary], is_part: bool = False) -> list[Row]:
    """Return the rows of keys; in a part of an answer, whose other times are unknown, with fractions of seconds."""
    times = rendered([key.first for key in keys] + [key.last for key in keys], fractions=is_part)
    columns = zip(keys, times[: len(keys)], times[len(keys) :], strict=True)
    return [{axis: key.key, "count": key.count, "first": first, "last": last} for key, first, last in columns]


def _rows_of_objects(axis: Axis, keys: Sequence[KeySummary], is_part: bool = False) -> list[Row]:
    """Return the same for JSON, where the times of each key have one form, whatever those of the others have."""
    rows = _rows(axis, keys, True)
    for row, key in zip(rows, keys, strict=True):
        if not (key.first % MICROSECONDS or key.last % MICROSECONDS):
            row["first"], row["last"] = row["first"][:_SECONDS] + "Z", row["last"][:_SECONDS] + "Z"
    return rows


def _table(axis: Axis, keys: Sequence[KeySummary], is_part: bool = False) -> Table:
    """Return the same as columns."""
    columns = np.array([(key.count, key.first, key.last) for key in keys], dtype=np.int64).reshape(-1, 3).T.copy()
    times = columns[1:].view("datetime64[us]")
    return Table({axis: Keys([key.key for key in keys]), "count": columns[0], "first": times[0], "last": times[1]})


#: Those of the forms that differ from JSON.
_WRITERS: dict[str, Callable[[Axis, Sequence[KeySummary], bool], list[Row] | Table]] = {"csv": _rows, "arrow": _table}


@openapi.devices
class DeviceViewSet(KeyViewSet):
    """The devices that have datapoints."""

    axis = "device"
    row_columns: ClassVar = {"list": {"device": Kind.KEY, **_SUMMARY}}


@openapi.users
class UserViewSet(KeyViewSet):
    """The users that have datapoints."""

    axis = "user"
    row_columns: ClassVar = {"list": {"user": Kind.KEY, **_SUMMARY}}


class AggregateViewSet(ApiViewSet):
    """One aggregate of the values in each bucket, from the first datapoint to now."""

    axis: Axis
    query_serializers: ClassVar = {"list": serializers.StatisticsQuerySerializer}
    row_columns: ClassVar = {"list": {**_BUCKETS, "count": Kind.INTEGER}}

    def list(self, request: Request, aggregate: str, **path: str) -> Response:
        """Return the buckets, oldest first, empty ones included unless `fill=none`."""
        asked: dict[str, Any] = {"axis": self.axis, "key": path[self.axis], "now": clock.now()}
        divided = {name: self.query[name] for name in ("bucket", "tz", "offset", "end")}
        self.tag(services.statistics_version(**asked, **divided))
        return Response(services.statistics_list(**asked, **self.query, aggregate=Aggregate(aggregate)))


class PercentileViewSet(ApiViewSet):
    """Any percentile of the values in each bucket, from the first datapoint to now."""

    axis: Axis
    query_serializers: ClassVar = {"list": serializers.PercentileQuerySerializer}
    row_columns: ClassVar = {"list": {**_BUCKETS, "count": Kind.INTEGER}}

    def list(self, request: Request, **path: str) -> Response:
        """Return the buckets as the other aggregates do; the value is interpolated between the closest ranks."""
        percentile = Percentile(self.query.pop("q"))
        asked: dict[str, Any] = {"axis": self.axis, "key": path[self.axis], "now": clock.now()}
        divided = {name: self.query[name] for name in ("bucket", "tz", "offset", "end")}
        self.tag(services.statistics_version(**asked, **divided))
        return Response(services.statistics_list(**asked, **self.query, aggregate=percentile))


class MovingAverageViewSet(ApiViewSet):
    """The mean of the averages of the last buckets, for each bucket from that of the first datapoint to that of now."""

    axis: Axis
    query_serializers: ClassVar = {"list": serializers.MovingAverageQuerySerializer}
    row_columns: ClassVar = {"list": _BUCKETS}

    def list(self, request: Request, **path: str) -> Response:
        """Return the same buckets as `avg`; the value is null where a bucket of the window is missing or empty."""
        asked: dict[str, Any] = {"axis": self.axis, "key": path[self.axis], "now": clock.now()}
        divided = {name: self.query[name] for name in ("bucket", "tz", "offset", "end")}
        self.tag(services.statistics_version(**asked, **divided))
        return Response(services.moving_average_list(**asked, **self.query))


@openapi.aggregates("device")
class DeviceAggregateViewSet(AggregateViewSet):
    """One aggregate of a device's values in each bucket, over all its users."""

    axis = "device"


@openapi.aggregates("user")
class UserAggregateViewSet(AggregateViewSet):
    """One aggregate of a user's values in each bucket, over all the user's devices."""

    axis = "user"


@openapi.percentiles("device")
class DevicePercentileViewSet(PercentileViewSet):
    """Any percentile of a device's values in each bucket, over all its users."""

    axis = "device"


@openapi.percentiles("user")
class UserPercentileViewSet(PercentileViewSet):
    """Any percentile of a user's values in each bucket, over all the user's devices."""

    axis = "user"


class UnknownAggregateView(FaultView):
    """Answers 404 for an aggregate that there is not, and names those that there are."""

    def initial(self, request: Request, aggregate: str, **path: str) -> None:
        """Raise the fault; like those of unknown paths, such requests count towards the rate limit."""
        self.check_throttles(request)
        known = ", ".join([*Aggregate, "percentile", "moving_avg"])
        raise UnknownKeyError(f"There is no aggregate {shown(aggregate)!r}; there are {known}.")


@openapi.moving_averages("device")
class DeviceMovingAverageViewSet(MovingAverageViewSet):
    """The moving average of a device's values, over all its users."""

    axis = "device"


@openapi.moving_averages("user")
class UserMovingAverageViewSet(MovingAverageViewSet):
    """The moving average of a user's values, over all the user's devices."""

    axis = "user"
