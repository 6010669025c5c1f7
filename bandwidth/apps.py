"""The app's configuration: at the start of the process the listing is loaded."""

from django.apps import AppConfig
from django.conf import settings

from timeseries_project.ops import readiness


class BandwidthConfig(AppConfig):
    """Bytes to and from the server per device, in windows."""

    name = "bandwidth"

    def ready(self) -> None:
        """Load the listing; if it cannot be read, stop the start with one line on standard error."""
        from bandwidth import services
        from bandwidth.listing import ListingError

        try:
            with readiness.busy("listing", "The listing is being loaded."):
                services.listing_load(settings.BANDWIDTHS_FILE)
        except ListingError as error:
            # Not ImproperlyConfigured: that prints a traceback, and the autoreloader would go on waiting.
            raise SystemExit(f"BANDWIDTHS_FILE: {error}") from None
