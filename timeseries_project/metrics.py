"""What is measured, and how Prometheus reads it: requests as they are answered, the stores when they are asked.

Where several worker processes share a storage, they count in files of one directory (the library's multiprocess mode,
which PROMETHEUS_MULTIPROC_DIR switches on), and whichever is asked answers for all. What the services hold is the
storage's, and the same in each.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

import django
import numpy as np
from django.conf import settings
from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

import bandwidth.services
import datapoints.services
import transactions.services
from timeseries_project import __version__, clock, readiness
from timeseries_project.storage.errors import StorageUnavailableError

disable_created_metrics()  # type: ignore[no-untyped-call]  # twice as many series, for what a restart shows anyway

#: What is exposed.
registry = CollectorRegistry()
if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    _counted = CollectorRegistry()
else:
    # Of one process among others these would say little.
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    _counted = registry

#: Few, for there is a row of them for each method, route and status: from a small request to a stalled one.
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

#: Why a write was refused, by the status that says so. A 404 or 405 is no write, and a 500 no refusal.
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


# Looked up with each request; as many as there are methods, routes and statuses.
_children: dict[tuple[str, str, int], _Child] = {}


def count_request(method: str, route: str, status: int, seconds: float) -> None:
    """Count an answered request: its method as sent, the template of its route, its status. O(1)."""
    child = _children.get((method, route, status)) or _child(method, route, status)
    child.count()
    child.observe(seconds)
    if status >= 400 and status in _refused and method in _WRITES:
        _refused[status].inc()


def _child(method: str, route: str, status: int) -> _Child:
    key = (method if method in _METHODS else "other", route, status)
    return _children.setdefault(key, _Child(*key))


class _State(Collector):
    """What the services hold at the moment of the question. O(series), at a nanosecond each."""

    def collect(self) -> Iterator[Metric]:
        """Yield the figures of all apps; while a shared storage is away, only what this process knows itself."""
        yield GaugeMetricFamily(
            "timeseries_ready",
            "Whether the process can serve, as /readyz answers.",
            value=float(not readiness.reasons()),
        )
        yield InfoMetricFamily(
            "timeseries_build",
            "What is running.",
            value={
                "version": __version__,
                "django": django.__version__,
                "numpy": np.__version__,
            },
        )
        with suppress(StorageUnavailableError):
            yield from self._held()

    def _held(self) -> Iterator[Metric]:
        points = datapoints.services.totals()
        traffic = bandwidth.services.held()
        recent = transactions.services.statistics(now=clock.now_ms())
        window = transactions.services.held()
        for name, text, value in (
            ("datapoints", "Datapoints stored.", points.points),
            ("series", "Series of datapoints: pairs of a device and a user.", points.series),
            ("devices", "Devices that have datapoints.", points.devices),
            ("users", "Users that have datapoints.", points.users),
            ("bandwidth_devices", "Devices whose bytes are counted.", traffic.devices),
            ("bandwidth_entries", "Bandwidth entries stored.", traffic.entries),
            ("datapoints_limit", "Datapoints that may be stored.", settings.MAX_DATAPOINTS),
            ("series_limit", "Series that there may be.", settings.MAX_SERIES),
            ("bandwidth_entries_limit", "Bandwidth entries that may be stored.", settings.MAX_BANDWIDTH_ENTRIES),
            ("recent_transactions", "Transactions of the last 60 seconds.", recent.count),
        ):
            yield GaugeMetricFamily(f"timeseries_{name}", text, value=float(value))
        if window is None or points.nbytes is None or traffic.nbytes is None or traffic.added is None:
            return  # in a shared storage, whose own exporter tells what it takes
        held = GaugeMetricFamily("timeseries_held_bytes", "What the columns of an app take.", labels=["app"])
        accepted = CounterMetricFamily(
            "timeseries_accepted", "Datapoints, entries and transactions accepted since the start.", labels=["app"]
        )
        for app, nbytes, added in (
            ("datapoints", points.nbytes, points.added),
            ("bandwidth", traffic.nbytes, traffic.added),
            ("transactions", window.nbytes, window.added),
        ):
            held.add_metric([app], nbytes)
            accepted.add_metric([app], added)
        yield held
        yield accepted


registry.register(_State())
