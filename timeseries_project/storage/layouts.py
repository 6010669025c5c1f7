"""Versions of the layouts of an app's keys. Plain Python; knows no framework.

Each stripe has the version of its layout in a key of its own, which every function of a library checks in the same call
as whatever else it does (`lua/command.lua`). The steps from version to version are functions too (`lua/upgrading.lua`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from timeseries_project.storage.errors import NewerLayoutError
from timeseries_project.storage.lua import Library

#: What the names of two functions that each library has end with: one does a portion of an upgrade, one tells.
UPGRADE, LAYOUT = "_upgrade", "_layout"


class Versioned(NamedTuple):
    """The layout of an app: its library, and what returns a key of each stripe, on one node or in a cluster."""

    library: Library
    stripes: Callable[[bool], Sequence[bytes]]


def is_behind(library: Library, found: str) -> bool:
    """Return whether a stripe has an earlier layout than a library's, or is on its way from one.

    Raises NewerLayoutError if it has a later one, or is on its way to one.
    """
    version, under_way, _ = found.partition(">")
    if int(version) > library.layout or (int(version) == library.layout and under_way):
        layout = f"layout {version}" if not under_way else f"layout {version} and is being upgraded"
        known = f"this one knows layouts up to {library.layout}"
        raise NewerLayoutError(
            f"The {library.name} in the storage are of a newer release: they have {layout}, {known}. Run that release."
        )
    return int(version) < library.layout
