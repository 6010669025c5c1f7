"""What Prometheus is told of datapoints."""

from __future__ import annotations

from django.conf import settings

from datapoints import services
from timeseries_project.ops.app_state import AppState, Gauge


def state() -> AppState:
    """Return what is stored."""
    totals = services.totals_get()
    return AppState(
        [
            Gauge("datapoints", "Datapoints stored.", totals.points),
            Gauge("series", "Series of datapoints: pairs of a device and a user.", totals.series),
            Gauge("devices", "Devices that have datapoints.", totals.devices),
            Gauge("users", "Users that have datapoints.", totals.users),
            Gauge("datapoints_limit", "Datapoints that may be stored.", settings.MAX_DATAPOINTS),
            Gauge("series_limit", "Series that there may be.", settings.MAX_SERIES),
        ],
        held_bytes=totals.nbytes,
        accepted=None if totals.nbytes is None else totals.added,
    )
