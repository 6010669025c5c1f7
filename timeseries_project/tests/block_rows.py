"""Rows that are looked up in blocks, for tests."""

from __future__ import annotations

import numpy as np

from timeseries_project.core.blocks import Blocks
from timeseries_project.core.summation import Integers


def leaves_of(blocks: Blocks, series: Integers, keys: Integers) -> Integers:
    """Return where rows belong, which are grouped by series and ascend."""
    leaves = np.empty(len(keys), dtype=np.int64)
    blocks.look_up(series, keys, leaves, np.empty(len(keys), dtype=bool))
    return leaves
