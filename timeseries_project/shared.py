"""The storage that this process shares its state in, if STORAGE_URL names one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings

if TYPE_CHECKING:
    from timeseries_project.storage.client import Storage


def _storage() -> Storage | None:
    if settings.STORAGE is None:
        return None
    from timeseries_project.storage.client import Storage

    return Storage(settings.STORAGE, timeout=settings.STORAGE_TIMEOUT_SECONDS)


#: None: the state is in this process's memory.
storage = _storage()
