"""The metrics of transactions."""

from __future__ import annotations

from timeseries_project.core import clock
from timeseries_project.ops.app_state import AppState, Gauge
from transactions import services


def state() -> AppState:
    """Return how many transactions count now, and what the window takes."""
    recent = services.statistics_get(now=clock.now_ms())
    return AppState(
        [Gauge("recent_transactions", "Transactions of the last 60 seconds.", recent.count)],
        held_bytes=services.nbytes_get(),
    )
