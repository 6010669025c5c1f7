"""The metrics for Prometheus: requests are counted when they are answered, the stores are read at each scrape.

They are the same whatever the storage and however many processes answer: whichever is scraped answers for all of them
(`shared_counts`, `processes`). The figures of the stores come from the storage and are the same in each process.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

import django
import numpy as np
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    PlatformCollector,
    disable_created_metrics,
)
from prometheus_client.metrics_core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from timeseries_project import __version__
from timeseries_project.ops import app_state, readiness
from timeseries_project.ops.processes import ServerProcesses
from timeseries_project.ops.shared_counts import SharedCounts
from timeseries_project.storage import connection
from timeseries_project.storage.errors import StorageUnavailableError

disable_created_metrics()  # type: ignore[no-untyped-call]  # they double the series, and a restart is visible without them

#: Everything that is exposed.
registry = CollectorRegistry()
registry.register(ServerProcesses(own_data=connection.storage is None))
PlatformCollector(registry=registry)
_counted = registry
if directory := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
    registry.register(SharedCounts(directory))
    _counted = CollectorRegistry()

#: Bounds in seconds, from a small request to a stalled one. Few, since each method, route and status has them all.
BUCKETS = (0.0005, 0.002, 0.01, 0.05, 0.25, 1.0, 5.0)
_LABELS = ("method", "route", "status")

requests = Counter("http_requests_total", "Requests answered.", _LABELS, registry=_counted)
durations = Histogram(
    "http_request_duration_seconds",
    "Time from the whole request to the end of its answer.",
    _LABELS,
    buckets=BUCKETS,
    registry=_counted,
)
refused = Counter(
    "timeseries_refused_writes_total", "Writes that were refused, by reason.", ("reason",), registry=_counted
)
#: The apps count in it what they have stored.
accepted = Counter(
    "timeseries_accepted",
    "Datapoints, bandwidth entries and transactions accepted since the start.",
    ("app",),
    registry=_counted,
)
snapshot_failures = Counter(
    "timeseries_snapshot_failures_total", "Snapshots that could not be written.", registry=_counted
)

#: Why a write was refused, by status. A 404 or 405 is not a write, and a 500 is not a refusal.
REASONS = {
    400: "invalid",
    401: "unauthorised",
    406: "unacceptable",
    408: "too_slow",
    409: "duplicate",
    413: "too_large",
    415: "unsupported",
    422: "future",
    429: "rate_limited",
    431: "headers_too_large",
    503: "unavailable",
    507: "capacity",
}
_refused = {status: refused.labels(reason) for status, reason in REASONS.items()}
_WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_METHODS = frozenset({"GET", "HEAD", "OPTIONS", *_WRITES})


class _Child:
    """The counter and the histogram of one method, route and status."""

    __slots__ = ("count", "observe")

    def __init__(self, method: str, route: str, status: int) -> None:
        self.count = requests.labels(method, route, status).inc
        self.observe = durations.labels(method, route, status).observe


# Looked up with each request; bounded by the number of methods, routes and statuses.
_children: dict[tuple[str, str, int], _Child] = {}


def count_request(method: str, route: str, status: int, seconds: float) -> None:
    """Count an answered request by its method as sent, the template of its route and its status. O(1)."""
    child = _children.get((method, route, status)) or _child(method, route, status)
    child.count()
    child.observe(seconds)
    if status >= 400 and status in _refused and method in _WRITES:
        _refused[status].inc()


def _child(method: str, route: str, status: int) -> _Child:
    key = (method if method in _METHODS else "other", route, status)
    return _children.setdefault(key, _Child(*key))


class _State(Collector):
    """What the services hold at the time of the scrape. O(series), at a nanosecond each."""

    def collect(self) -> Iterator[Metric]:
        """Yield the figures of all apps; without those of a shared storage while it cannot be reached."""
        yield GaugeMetricFamily(
            "timeseries_ready",
            "Whether the process can serve, as /readyz answers.",
            value=float(not readiness.reasons()),
        )
        yield InfoMetricFamily(
            "timeseries_build",
            "Versions of the running software.",
            value={
                "version": __version__,
                "django": django.__version__,
                "numpy": np.__version__,
            },
        )
        with suppress(StorageUnavailableError):
            yield from self._held()

    def _held(self) -> Iterator[Metric]:
        states = app_state.states()
        for state in states.values():
            for gauge in state.gauges:
                yield GaugeMetricFamily(f"timeseries_{gauge.name}", gauge.text, value=float(gauge.value))
        held = GaugeMetricFamily(
            "timeseries_held_bytes",
            "Memory taken by the columns of an app, or by all that a shared storage holds.",
            labels=["app"],
        )
        for app, state in states.items():
            if state.held_bytes is not None:
                held.add_metric([app], state.held_bytes)
        if connection.storage is not None:
            held.add_metric(["all"], connection.storage.held_bytes())
        yield held


registry.register(_State())
