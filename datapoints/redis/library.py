"""The functions that run in the server, and the sizes that they work with."""

from __future__ import annotations

from pathlib import Path

from datapoints.interface import QUARTER_HOUR
from timeseries_project.storage.lua import Library

LIBRARY = Library(
    "datapoints",
    Path(__file__).with_name("lua"),
    {
        "QUARTER_HOUR": QUARTER_HOUR,
        # Bytes of a block of points, and of quarter-hours, that is filled from the left: with its header it fills an
        # allocation. Small, since Lua hashes every byte of every string it makes (2 ns each).
        "POINTS_BLOCK": 1_008,
        "SUMS_BLOCK": 2_016,
        # Blocks that one call adds late points to at most, so that it ends in time: each costs some 50 us.
        "LATE_BLOCKS": 1_000,
        # Series that one call drops old points of at most, unless it is told which, and blocks of points, about.
        "CUT_SERIES": 100,
        "CUT_BLOCKS": 1_000,
        # Devices or users that one step of a clearing forgets.
        "CLEARED_NAMES": 100,
        # Keys that one command removes at most.
        "UNLINKED_KEYS": 500,
    },
)
