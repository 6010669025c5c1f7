"""The functions that run in the server, and the sizes that they work with."""

from __future__ import annotations

from pathlib import Path

from bandwidth.redis.layout import ROW_SIZE
from timeseries_project.storage.lua import Library

LIBRARY = Library(
    "bandwidth",
    Path(__file__).with_name("lua"),
    {
        "ROW_SIZE": ROW_SIZE,
        # Rows of a full node: it takes what the allocator gives anyway, 1,024 bytes less a string's header. Each node
        # that is touched is read and written whole, as a string of Lua, which costs by its length: larger ones were
        # slower in all that adds.
        "LEAF_ROWS": 27,
        "INNER_ROWS": 24,
        # What one call drops at most: of so many devices, so often what is under one node.
        "DROPPED_DEVICES": 16,
        "DROPPED_NODES": 8,
    },
)
