"""The views of transactions: parse, call one service, answer."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.status import HTTP_201_CREATED, HTTP_204_NO_CONTENT

from timeseries_project.api.serializers import is_batch
from timeseries_project.api.views import ApiViewSet
from timeseries_project.core import clock
from transactions import openapi, services
from transactions.serializers import TransactionSerializer


@openapi.transactions
class TransactionViewSet(ApiViewSet):
    """Transactions, the sole input of the statistics.

    POST takes one transaction or a JSON array of them. One older than 60 seconds is not counted.
    """

    name = "Transactions"
    item_serializer = TransactionSerializer

    @staticmethod
    def example() -> object:
        """Return a transaction that can be sent as it is."""
        return {**openapi.EXAMPLE, "timestamp": clock.now_ms()}

    def create(self, request: Request) -> Response:
        """Count one transaction, or the transactions of a batch."""
        if is_batch(request.data):
            columns = TransactionSerializer.read_batch(request.data)
            recorded = services.transactions_record(**columns, now=clock.now_ms())
            return Response(recorded._asdict(), HTTP_201_CREATED)
        transaction = TransactionSerializer.read(request.data)
        counted = services.transaction_record(**transaction, now=clock.now_ms())
        return Response(status=HTTP_201_CREATED if counted else HTTP_204_NO_CONTENT)

    def destroy(self, request: Request) -> Response:
        """Forget all transactions."""
        services.transactions_delete()
        return Response(status=HTTP_204_NO_CONTENT)


@openapi.statistics
class StatisticsViewSet(ApiViewSet):
    """Sum, average, maximum, minimum and count of the transactions of the last 60 seconds."""

    name = "Transaction statistics"

    def list(self, request: Request) -> Response:
        """Answer the statistics in constant time, however many transactions there are."""
        return Response(services.statistics_get(now=clock.now_ms())._asdict())
