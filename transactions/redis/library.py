"""The library of functions that run in the server, and the constants they share with the client."""

from __future__ import annotations

from pathlib import Path

from timeseries_project.storage.lua import Library

#: Widths of the window's cells: the widest, and the next. The narrowest is a millisecond.
TOP_MS, BLOCK_MS = 2_000, 40
#: Of the history's. It divides the widest, and the next divides it.
SECOND_MS = 1_000

#: What the server's functions know by name.
CONSTANTS = {"TOP_MS": TOP_MS, "BLOCK_MS": BLOCK_MS, "SECOND_MS": SECOND_MS}

LIBRARY = Library("transactions", Path(__file__).with_name("lua"), CONSTANTS, layout=2)
