"""The views of transactions: parse, call one service, answer."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from rest_framework.request import Request
from rest_framework.status import HTTP_201_CREATED, HTTP_204_NO_CONTENT

from timeseries_project.api.framework import Response
from timeseries_project.api.parsers import ArrowParser, CSVParser, JSONParser, NDJSONParser
from timeseries_project.api.serializers import is_batch
from timeseries_project.api.views import ApiViewSet
from timeseries_project.core import clock
from timeseries_project.core.arrays import Kind, Table
from transactions import openapi, services
from transactions.interface import Second
from transactions.serializers import StatisticsQuerySerializer, TransactionSerializer


@openapi.transactions
class TransactionViewSet(ApiViewSet):
    """Transactions, the sole input of the statistics.

    POST takes one transaction or a batch: a JSON array, NDJSON, CSV or Arrow. One older than 60 seconds is not counted.
    """

    item_serializer = TransactionSerializer
    parser_classes = (JSONParser, NDJSONParser, CSVParser, ArrowParser)

    @staticmethod
    def example() -> object:
        """Return a transaction that can be sent as it is."""
        return {**openapi.EXAMPLE, "timestamp": clock.now_ms()}

    def create(self, request: Request) -> Response:
        """Count one transaction, or the transactions of a batch.

        A batch is a JSON array; a body of type `application/x-ndjson` with one transaction per line; a body of type
        `text/csv` whose header names the columns amount and timestamp in any order; or a stream of type
        `application/vnd.apache.arrow.stream` with these columns.
        """
        if is_batch(request.data):
            columns = TransactionSerializer.read_batch(request.data)
            recorded = services.transactions_record(**columns, now=clock.now_ms())
            return Response(recorded._asdict(), HTTP_201_CREATED)
        transaction = TransactionSerializer.read(request.data)
        counted = services.transaction_record(**transaction, now=clock.now_ms())
        return Response(status=HTTP_201_CREATED if counted else HTTP_204_NO_CONTENT)

    def destroy(self, request: Request) -> Response:
        """Forget all transactions, the history too."""
        services.transactions_delete()
        return Response(status=HTTP_204_NO_CONTENT)


@openapi.statistics
class StatisticsViewSet(ApiViewSet):
    """Sum, average, maximum, minimum and count of the transactions of the last 60 seconds, or fewer."""

    query_serializers: ClassVar = {"list": StatisticsQuerySerializer}

    def list(self, request: Request) -> Response:
        """Answer in constant time, however many transactions there are."""
        summary = services.statistics_get(now=clock.now_ms(), window_seconds=self.query["window"])
        return Response(summary._asdict())


@openapi.history
class HistoryViewSet(ApiViewSet):
    """The transactions of each of the last 600 seconds."""

    row_columns: ClassVar = {
        "list": {
            "timestamp": Kind.TIME,
            "count": Kind.INTEGER,
            "sum": Kind.DOUBLE,
            "min": Kind.DOUBLE,
            "max": Kind.DOUBLE,
        }
    }

    def list(self, request: Request) -> Response:
        """Answer a row for each second, oldest first, that of the present last."""
        now = clock.now_ms()
        self.tag(services.history_version(now=now))
        seconds = services.history_list(now=now)
        columns: dict[str, Any] = dict(zip(Second._fields, map(list, zip(*seconds, strict=True)), strict=True))
        return Response(Table({**columns, "timestamp": np.array(columns["timestamp"], dtype="datetime64[s]")}))
