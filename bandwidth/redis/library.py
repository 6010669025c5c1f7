"""The library of functions that run in the server, and the sizes they work with."""

from __future__ import annotations

from pathlib import Path

from bandwidth.interface import SLOT
from bandwidth.redis.layout import ROW_SIZE
from timeseries_project.storage.lua import Library

LIBRARY = Library(
    "bandwidth",
    Path(__file__).with_name("lua"),
    {
        "ROW_SIZE": ROW_SIZE,
        "SLOT": SLOT,
        # Rows of a full node, which fills an allocation of 1,024 bytes, less a string's header. A changed node is read
        # and written whole, as a Lua string, at a cost that grows with its length: larger nodes made adding slower.
        "LEAF_ROWS": 27,
        "INNER_ROWS": 24,
        # What one call drops at most: from so many devices, the leaves under so many nodes of each.
        "DROPPED_DEVICES": 16,
        "DROPPED_NODES": 8,
    },
)
