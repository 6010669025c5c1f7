"""The storage that this process shares its state in, if STORAGE_URL names one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from django.conf import settings

from timeseries_project import app_list
from timeseries_project.ops import readiness
from timeseries_project.storage.errors import NewerLayoutError, StorageUnavailableError

if TYPE_CHECKING:
    from timeseries_project.storage.client import Storage
    from timeseries_project.storage.layouts import Versioned


@cache
def versioned() -> Sequence[Versioned]:
    """Return the layouts of all apps."""
    return [module.VERSIONED for _, module in app_list.each("redis.versioned")]


def _storage() -> Storage | None:
    if settings.STORAGE is None:
        return None
    from timeseries_project.storage.client import Storage
    from timeseries_project.storage.upgrading import upgrade

    storage = Storage(settings.STORAGE, timeout=settings.STORAGE_TIMEOUT_SECONDS)

    def away() -> str | None:
        try:
            storage.ping()
            upgrade(storage, versioned())  # if it was restored from an older backup meanwhile
        except NewerLayoutError as error:
            return str(error)
        except StorageUnavailableError:
            return "The storage cannot be reached."
        return None

    readiness.register("storage", away)
    return storage


#: None if the state is in this process's memory.
storage = _storage()
