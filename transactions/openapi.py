"""How the transactions endpoints appear in the OpenAPI schema."""

from __future__ import annotations

from drf_spectacular.utils import (
    OpenApiResponse,
    extend_schema,
    extend_schema_view,
)

from timeseries_project.api.schema import LinkedResponse, answer, one_or_batch, one_or_batch_examples, problems, rows
from transactions import serializers

EXAMPLE = {"amount": 12.3, "timestamp": 1478192204000}

transactions = extend_schema_view(
    create=extend_schema(
        operation_id="transactions_create",
        summary="Record transactions",
        tags=["transactions"],
        request=one_or_batch(serializers.TransactionSerializer),
        examples=one_or_batch_examples("transaction", EXAMPLE),
        responses={
            # Only a batch has a body in its answer. The schema has none, because a client would expect it every time.
            201: LinkedResponse(
                description='Counted. A batch is answered with `{"accepted": n, "expired": m}`, one with no body.',
                links={"transaction_statistics": {}, "transaction_history": {}, "transactions_delete": {}},
            ),
            204: OpenApiResponse(description="Older than 60 s: nothing was counted."),
            **problems(400, 406, 413, 415, 422),
        },
    ),
    destroy=extend_schema(
        operation_id="transactions_delete",
        summary="Delete all transactions",
        tags=["transactions"],
        responses={
            204: LinkedResponse(
                description="All are forgotten, the history too.", links={"transaction_statistics": {}}
            ),
            **problems(400, 406),
        },
    ),
)

statistics = extend_schema_view(
    list=extend_schema(
        operation_id="transaction_statistics",
        summary="Summarize the recent transactions",
        tags=["transactions"],
        responses={
            **answer(serializers.StatisticsSerializer, {"sum": 7.5, "avg": 3.75, "max": 12.5, "min": -5.0, "count": 2}),
            **problems(400, 406),
        },
    ),
)

_SECOND = {"timestamp": "2026-01-31T12:00:00Z", "count": 2, "sum": 7.5, "min": -5.0, "max": 12.5}

history = extend_schema_view(
    list=extend_schema(
        operation_id="transaction_history",
        summary="Summarize each of the last 600 seconds",
        tags=["transactions"],
        responses={**rows(serializers.SecondSerializer(many=True), [_SECOND]), **problems(400, 406)},
    ),
)
