"""The Prometheus metrics of datapoints."""

from __future__ import annotations

from django.conf import settings

from datapoints import services
from timeseries_project.ops.app_state import AppState, Gauge


def state() -> AppState:
    """Return how much is stored, and the limits."""
    totals = services.totals_get()
    return AppState(
        [
            Gauge("datapoints", "Datapoints stored.", totals.points),
            Gauge("series", "Series of datapoints: pairs of a device and a user.", totals.series),
            Gauge("devices", "Devices that have datapoints.", totals.devices),
            Gauge("users", "Users that have datapoints.", totals.users),
            Gauge("datapoints_limit", "Largest number of datapoints that may be stored.", settings.MAX_DATAPOINTS),
            Gauge("series_limit", "Largest number of series that may be stored.", settings.MAX_SERIES),
        ],
        held_bytes=totals.nbytes,
    )
