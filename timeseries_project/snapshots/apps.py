"""Reads the snapshot at start: as an app that comes after those that register their parts."""

from django.apps import AppConfig
from django.conf import settings

from timeseries_project.ops import app_state


class SnapshotsConfig(AppConfig):
    """What is in memory, in a file."""

    name = "timeseries_project.snapshots"

    def ready(self) -> None:
        """Register the figures, and read the last snapshot where this process keeps any."""
        from timeseries_project.snapshots import services

        app_state.register("snapshots", services.state)
        if settings.SNAPSHOT:
            services.start()
