"""The library of functions that run in the server, and the constants they share with the client."""

from __future__ import annotations

from pathlib import Path

from timeseries_project.storage.lua import Library

#: Widths of the two wider levels of cells. The narrowest is a millisecond.
TOP_MS, BLOCK_MS = 2_000, 40

LIBRARY = Library("transactions", Path(__file__).with_name("lua"), {"TOP_MS": TOP_MS, "BLOCK_MS": BLOCK_MS})
