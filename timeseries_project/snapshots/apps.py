"""Reads the snapshot at start: as an app that comes after those that register their parts."""

from django.apps import AppConfig
from django.conf import settings


class SnapshotsConfig(AppConfig):
    """What is in memory, in a file."""

    name = "timeseries_project.snapshots"

    def ready(self) -> None:
        """Read the last snapshot, where this process keeps any."""
        if settings.SNAPSHOT:
            from timeseries_project.snapshots import services

            services.start()
