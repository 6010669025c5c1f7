"""The app's configuration: what it adds to the dashboard and the metrics, and the listing loaded at start."""

from django.apps import AppConfig
from django.conf import settings

from timeseries_project.ops import app_state, readiness


class BandwidthConfig(AppConfig):
    """Bytes to and from the server per device, in windows."""

    name = "bandwidth"

    def ready(self) -> None:
        """Register the app's parts and load the listing, if any; an unreadable one stops the start with one line."""
        from bandwidth import card, listing, metrics, snapshot
        from timeseries_project.snapshots import parts
        from timeseries_project.snapshots import services as snapshots
        from timeseries_project.web import dashboard

        app_state.register(self.name, metrics.state)
        dashboard.register(self.name, card.section)
        parts.register(snapshot)
        if not settings.BANDWIDTHS_FILE or (settings.SNAPSHOT and snapshots.is_read_at_start()):
            return  # what the listing held is in the snapshot, and would count twice
        try:
            with readiness.busy("listing", "The listing is being loaded."):
                listing.load(settings.BANDWIDTHS_FILE)
        except listing.ListingError as error:
            # Not ImproperlyConfigured: that prints a traceback, and the autoreloader would keep waiting.
            raise SystemExit(f"BANDWIDTHS_FILE: {error}") from None
