"""A CSV cell means the same whether its column is read at once or its row by the fields."""

from __future__ import annotations

from typing import Any

import pytest

from bandwidth.serializers import EntrySerializer
from datapoints.serializers import DatapointSerializer
from timeseries_project.api.batches import read_csv
from timeseries_project.api.fields import IntegerField
from timeseries_project.api.serializers import CSVRows, InputSerializer
from timeseries_project.core.errors import InvalidInputError
from transactions.serializers import TransactionSerializer

SERIALIZERS: list[type[InputSerializer]] = [DatapointSerializer, EntrySerializer, TransactionSerializer]
SPELLINGS = [
    "0",
    "-0",
    "+0",
    "00",
    "007",
    "+1",
    "1.0",
    "1.",
    ".5",
    "1e3",
    "-0.0",
    "-1",
    "1.5",
    "1_0",
    "nan",
    "٣",
    "x",
    "",
]


def by_row(serializer: type[InputSerializer], row: dict[str, str]) -> dict[str, Any] | None:
    """Return the value that the fields read, or None if they refuse it."""
    try:
        return serializer.read_batch(CSVRows([row], [2]))
    except InvalidInputError:
        return None


@pytest.mark.parametrize("serializer", SERIALIZERS)
@pytest.mark.parametrize("text", SPELLINGS)
def test_no_column_is_accepted_that_the_fields_refuse(serializer: type[InputSerializer], text: str) -> None:
    for name in serializer.wire_fields():
        row = dict.fromkeys(serializer.wire_fields(), "1") | {name: text}
        at_once, read = (
            read_csv(serializer, ",".join(row.values()).encode(), [*row]),
            by_row(serializer, row),
        )
        if at_once is not None:
            assert read is not None, (name, text)
            if name not in ("device", "user", "device_id"):
                assert list(at_once[name]) == list(read[name])


@pytest.mark.parametrize("serializer", SERIALIZERS)
@pytest.mark.parametrize(("text", "value"), [("-0", 0), ("+7", 7), ("007", 7), ("7.0", 7), ("7e2", 700), (" ", None)])
def test_any_decimal_spelling_of_a_whole_number_is_one(
    serializer: type[InputSerializer], text: str, value: int | None
) -> None:
    for name, field in serializer.wire_fields().items():
        if isinstance(field, IntegerField):
            read = by_row(serializer, dict.fromkeys(serializer.wire_fields(), "1") | {name: text})
            assert (read and list(read[name])) == (None if value is None else [value])
