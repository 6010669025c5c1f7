"""Brings the layouts of all apps in a storage to this release's, in portions. Plain Python; knows no framework.

Any number of processes may do this at once, and each may stop anywhere: a portion is one call of a function, which also
writes where the next one goes on.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

from timeseries_project.core import clock
from timeseries_project.storage.client import Call, Storage, upgrading_call
from timeseries_project.storage.errors import StorageUnavailableError
from timeseries_project.storage.layouts import LAYOUT, Versioned, is_behind
from timeseries_project.storage.lua import Library
from timeseries_project.storage.nodes import time_limit

#: Seconds that `upgrade` takes at most where no deadline is around it.
UPGRADE_SECONDS = 2.0

logger = logging.getLogger(__name__)


def behind(storage: Storage, layouts: Sequence[Versioned]) -> list[tuple[Library, bytes]]:
    """Return the libraries and stripes whose layout is an earlier one; raise NewerLayoutError if any is a later one.

    Changes nothing. One exchange.
    """
    stripes = _stripes(storage, layouts)
    calls = [Call(library.function(library.name + LAYOUT), [key], read_only=True) for library, key in stripes]
    found = zip(stripes, storage.calls(calls), strict=True)
    # All are judged, so that nothing is begun where any is of a newer release.
    judged = [(stripe, is_behind(stripe[0], layout.decode())) for stripe, layout in found]
    return [stripe for stripe, is_earlier in judged if is_earlier]


def upgrade(storage: Storage, layouts: Sequence[Versioned]) -> None:
    """Upgrade what has an earlier layout, within the deadline around the call."""
    until = time_limit(UPGRADE_SECONDS)
    for _ in portions(storage, behind(storage, layouts)):
        if clock.elapsed() > until:
            raise StorageUnavailableError("the storage's layout is still being upgraded")


def prepare(storage: Storage, layouts: Sequence[Versioned]) -> None:
    """Upgrade what has an earlier layout, however long it takes, and note the layout of what has none noted.

    Logs it unless the storage is empty. Raises NewerLayoutError, before anything is changed, if any has a later one.
    """
    earlier = behind(storage, layouts)
    is_told = bool(earlier) and any(storage.each_node("DBSIZE"))
    if is_told:
        names = ", ".join(dict.fromkeys(f"{library.name} to layout {library.layout}" for library, _ in earlier))
        logger.warning("The storage is being upgraded: %s.", names)
    done = sum(1 for _ in portions(storage, earlier))
    if is_told:
        logger.warning("The storage was upgraded, in %d portions.", done)
    storage.calls([upgrading_call(*stripe) for stripe in _stripes(storage, layouts)])


def portions(storage: Storage, stripes: Sequence[tuple[Library, bytes]]) -> Iterator[str]:
    """Upgrade stripes, one portion at a time, since a server carries out at once what one exchange sends it.

    Yields after each portion the layout that its stripe then has.
    """
    for library, key in stripes:
        is_earlier = True
        while is_earlier:
            layout: str = storage.call(upgrading_call(library, key)).decode()
            is_earlier = is_behind(library, layout)
            yield layout


def _stripes(storage: Storage, layouts: Sequence[Versioned]) -> list[tuple[Library, bytes]]:
    return [(one.library, key) for one in layouts for key in one.stripes(storage.one_node)]
