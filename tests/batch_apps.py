"""The three apps as receivers of batches: where to send, what a good item is, and what shows what is stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from bandwidth import services as bandwidth
from bandwidth.serializers import EntrySerializer
from datapoints import services as datapoints
from datapoints.serializers import DatapointSerializer
from timeseries_project.api.serializers import InputSerializer
from transactions import services as transactions
from transactions.serializers import TransactionSerializer

NOW = 1769860800


class App(NamedTuple):
    path: str
    clear: Callable[[], None]
    #: The addresses that show what is stored.
    shown: tuple[str, ...]
    serializer: type[InputSerializer]
    item: dict[str, Any]


APPS = {
    "datapoints": App(
        "/datapoints",
        lambda: datapoints.store.clear(),
        ("/datapoints", "/devices"),
        DatapointSerializer,
        {"timestamp": NOW, "value": -2.5, "device": "d", "user": "u"},
    ),
    "bandwidth": App(
        "/api/bandwidth",
        lambda: bandwidth.store.clear(),
        ("/api/bandwidth/entries", "/api/bandwidth/devices"),
        EntrySerializer,
        {"device_id": "d", "timestamp": NOW, "bytes_ts": 3, "bytes_fs": 2**53 - 1},
    ),
    "transactions": App(
        "/api/transactions",
        lambda: transactions.window.clear(),
        ("/api/statistics", "/api/statistics/history"),
        TransactionSerializer,
        {"amount": 12.25, "timestamp": NOW * 1000 - 7},
    ),
}
apps = pytest.mark.parametrize("app", APPS.values(), ids=APPS)
