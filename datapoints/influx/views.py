"""The endpoints that clients of InfluxDB 1 and 2 write to: parse the request, call one service, respond."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, ClassVar

from rest_framework.exceptions import NotAcceptable
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.status import HTTP_204_NO_CONTENT

from datapoints import services
from datapoints.influx import openapi, serializers
from datapoints.influx.errors import in_the_future
from datapoints.influx.reading import read_points
from datapoints.interface import OnDuplicate
from timeseries_project import __version__
from timeseries_project.api.framework import Response
from timeseries_project.api.negotiation import ContentNegotiation, asked_format
from timeseries_project.api.views import ApiViewSet, OpenView
from timeseries_project.core import clock
from timeseries_project.core.errors import FutureTimestampError, InvalidInputError

#: The version of InfluxDB whose API is spoken; clients ask for it.
SPOKEN = "1.8.0"
_HEADERS = {"X-Influxdb-Version": SPOKEN, "X-Influxdb-Build": f"timeseries-statistics {__version__}"}
_CREATE = re.compile(r"\s*CREATE\s+DATABASE\s+[^;]+;?\s*", re.IGNORECASE)


class Lenient(ContentNegotiation):
    """Negotiation for clients that accept only MessagePack, and read JSON all the same."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """Return the renderer that is asked for, else the first one."""
        renderers = list(renderers)
        try:
            return super().select_renderer(request, renderers, format_suffix)
        except NotAcceptable:
            if asked_format(request) is not None:
                raise
            return renderers[0], str(renderers[0].media_type)


@openapi.write_1
class WriteViewSet(ApiViewSet):
    """Datapoints in InfluxDB's line protocol; duplicates are replaced."""

    content_negotiation_class = Lenient
    parser_classes = (serializers.LineParser,)
    query_serializers: ClassVar = {"create": serializers.WriteQuerySerializer}
    #: Whether an empty body is valid, as it is for InfluxDB 1.
    takes_empty_bodies: ClassVar = True

    @staticmethod
    def example() -> object:
        """Return lines that can be sent unchanged."""
        return openapi.EXAMPLE

    def create(self, request: Request) -> Response:
        """Store every numeric field of every line: all of them or nothing.

        The tag `device`, else `host`, is the device; the tag `user` the user, else `measurement_field` with all other
        tags.
        """
        now, precision = clock.now(), self.query["precision"]
        body: Any = request.data
        if not body and not self.takes_empty_bodies:
            raise InvalidInputError("writing requires points: the body is empty.")
        points = read_points(body, precision, now)
        columns = points.columns()
        if columns:
            try:
                services.datapoints_add(**columns, now=now, on_duplicate=OnDuplicate.REPLACE)
            except FutureTimestampError as error:
                raise in_the_future(error, points, precision) from None
        return Response(status=HTTP_204_NO_CONTENT)


@openapi.write_2
class Write2ViewSet(WriteViewSet):
    """Datapoints in line protocol, with the errors of InfluxDB 2."""

    takes_empty_bodies: ClassVar = False

    def create(self, request: Request) -> Response:
        """Store every numeric field of every line, as `/write` does; an empty body is refused, as there."""
        return super().create(request)


@openapi.query
class QueryViewSet(ApiViewSet):
    """Where clients create their database before they write."""

    takes_empty_bodies: ClassVar = True  # the statement may be in the query string

    content_negotiation_class = Lenient
    parser_classes = (serializers.QueryParser,)
    query_serializers: ClassVar = {
        "retrieve": serializers.QuerySerializer,
        "create": serializers.QuerySerializer,
    }

    def retrieve(self, request: Request) -> Response:
        """Agree to `CREATE DATABASE`, which changes nothing here."""
        return _agreed(self.query["q"])

    def create(self, request: Request) -> Response:
        """Agree to `CREATE DATABASE`, in a form too."""
        statement: Any = request.data or self.query["q"]
        return _agreed(statement)


def _agreed(statement: str | None) -> Response:
    if not statement or not _CREATE.fullmatch(statement):
        raise InvalidInputError(
            "There are no queries here but CREATE DATABASE, which changes nothing; ask GET"
            " /statistics/devices/{device}/avg, /statistics/users/{user}/avg or /datapoints."
        )
    return Response({"results": [{"statement_id": 0}]})


class PingView(OpenView):
    """Whether line protocol is taken; uses no store."""

    content_negotiation_class = Lenient
    query_serializers: ClassVar = {"get": serializers.PingQuerySerializer, "head": serializers.PingQuerySerializer}

    @openapi.ping
    def get(self, request: Request) -> Response:
        """Answer 204, or with `verbose` 200."""
        if self.query["verbose"] in (None, "", "0", "false"):
            return Response(status=HTTP_204_NO_CONTENT, headers=_HEADERS)
        return Response({"version": SPOKEN}, headers=_HEADERS)
