"""Sees to the layout of a shared storage at the start: as an app that comes before those that keep data there."""

import logging

from django.apps import AppConfig

from timeseries_project.serving import role
from timeseries_project.storage.errors import NewerLayoutError, StorageFullError, StorageUnavailableError

logger = logging.getLogger(__name__)


class StorageConfig(AppConfig):
    """The storage that processes share."""

    name = "timeseries_project.storage"

    def ready(self) -> None:
        """Upgrade an older layout where this process serves; a newer one stops the start with one line."""
        from timeseries_project.storage import connection

        if connection.storage is None or not role.serves():
            return
        from timeseries_project.storage.upgrading import prepare

        try:
            prepare(connection.storage, connection.versioned())
        except NewerLayoutError as error:
            raise SystemExit(f"STORAGE_URL: {error}") from None
        except (StorageUnavailableError, StorageFullError) as error:
            # Each call checks the layout that it finds, so this may wait until the storage is there.
            logger.warning("The layout of the storage was not checked at the start: %s.", error)
