"""The loop over blocks that copies a whole pool, a portion at a time; `block_kernels.py` tells what the arrays are.

It goes from leaf to leaf, not from key to key, so it can stop and go on among equal keys, too. Where it goes on is a
cursor: a series, a leaf of it, and a place in the leaf.
"""

from __future__ import annotations

from timeseries_project.core.block_kernels import ARRAYS, FILL, LEVEL, NEXT, NONE, ROOT, Arrays, Pool
from timeseries_project.core.kernels import kernel, routine
from timeseries_project.core.summation import Integers

SERIES, LEAF, PLACE = range(3)
#: A cursor before the first series.
BEGIN = (NONE, NONE, 0)


@routine()
def first_leaf(pool: Pool, series: int) -> int:
    """Return the first leaf of a series, NONE if it has no keys. O(log n)."""
    block: int = pool.heads[series, ROOT]
    while block != NONE and pool.links[block, LEVEL] > 0:
        block = pool.cells[block, 0, 0]
    return block


@kernel(f"int64({ARRAYS}, int64[::1], int64[::1], int64[::1], int64[:, ::1])")
def copy_on(arrays: Arrays, cursor: Integers, owners: Integers, copied: Integers, rows: Integers) -> int:
    """Copy the keys from a cursor on and their cells, series by series, and the series of each; move the cursor on.

    Returns how many: as many as there is room for, or fewer if no more follow.
    """
    pool = Pool(*arrays)
    series, leaf, place = cursor[SERIES], cursor[LEAF], cursor[PLACE]
    row = 0
    while row < len(copied):
        if leaf == NONE:
            if series + 1 >= pool.heads.shape[0]:
                break
            series += 1
            leaf, place = first_leaf(pool, series), 0
            continue
        end = min(pool.links[leaf, FILL], place + len(copied) - row)
        for at in range(place, end):
            owners[row] = series
            copied[row] = pool.keys[leaf, at]
            for part in range(pool.cells.shape[2]):
                rows[row, part] = pool.cells[leaf, at, part]
            row += 1
        place = end
        if place == pool.links[leaf, FILL]:
            leaf, place = pool.links[leaf, NEXT], 0
    cursor[SERIES], cursor[LEAF], cursor[PLACE] = series, leaf, place
    return row
