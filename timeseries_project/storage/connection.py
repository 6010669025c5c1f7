"""The storage that this process shares its state in, if STORAGE_URL names one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings

from timeseries_project.ops import readiness
from timeseries_project.storage.errors import StorageUnavailableError

if TYPE_CHECKING:
    from timeseries_project.storage.client import Storage


def _storage() -> Storage | None:
    if settings.STORAGE is None:
        return None
    from timeseries_project.storage.client import Storage

    storage = Storage(settings.STORAGE, timeout=settings.STORAGE_TIMEOUT_SECONDS)

    def away() -> str | None:
        try:
            storage.ping()
        except StorageUnavailableError:
            return "The storage cannot be reached."
        return None

    readiness.register("storage", away)
    return storage


#: None if the state is in this process's memory.
storage = _storage()
