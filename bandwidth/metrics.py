"""The metrics of bandwidth."""

from __future__ import annotations

from django.conf import settings

from bandwidth import services
from timeseries_project.ops.app_state import AppState, Gauge


def state() -> AppState:
    """Return how much is stored, and the limit."""
    held = services.usage_get()
    return AppState(
        [
            Gauge("bandwidth_devices", "Devices whose bytes are counted.", held.devices),
            Gauge("bandwidth_entries", "Bandwidth entries stored.", held.entries),
            Gauge("bandwidth_entries_limit", "Bandwidth entries that may be stored.", settings.MAX_BANDWIDTH_ENTRIES),
        ],
        held_bytes=held.nbytes,
    )
