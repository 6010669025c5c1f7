"""The library of functions that run in the server, and the sizes with which they work."""

from __future__ import annotations

from pathlib import Path

from datapoints.interface import QUARTER_HOUR
from timeseries_project.storage.lua import Library

LIBRARY = Library(
    "datapoints",
    Path(__file__).with_name("lua"),
    {
        "QUARTER_HOUR": QUARTER_HOUR,
        # Bytes of a full block of points, and of quarter-hours: with its header it fills an allocation. Small, since
        # Lua hashes every byte of every string it makes (2 ns each).
        "POINTS_BLOCK": 1_008,
        "SUMS_BLOCK": 2_040,
        # About how many runs of late points one call adds, so that it ends in time. A run lies between two stored
        # points, and costs up to 20 us.
        "LATE_RUNS": 1_000,
        # The largest number of series from which one call drops old points, unless the call names them; and about how
        # many blocks of points.
        "CUT_SERIES": 100,
        "CUT_BLOCKS": 1_000,
        # Devices or users that one step of `clear` deletes.
        "CLEARED_NAMES": 100,
        # The largest number of keys that one command removes.
        "UNLINKED_KEYS": 500,
    },
)
