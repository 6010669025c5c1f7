"""The loops over blocks that add keys; `block_kernels.py` tells what the arrays are.

Rows are given as columns: the series of each row, its key, and its cells `rows[row, part]`. The rows of a series stand
together and ascend: first those before the last key of the series, which are late, then those newer.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from timeseries_project.core.block_kernels import (
    ARRAYS,
    BELOW,
    BLOCKS,
    COLUMN,
    COUNT,
    FILL,
    FIRST,
    LAST,
    LATE,
    LEVEL,
    NONE,
    PARENT,
    ROOT,
    ROWS,
    TAIL,
    Arrays,
    Pool,
    count_row,
    divide_full,
    find_leaf,
    insert_key,
    leaf_has,
    leaf_to_append,
    places_up_to,
)
from timeseries_project.core.kernels import kernel, routine
from timeseries_project.core.summation import Integers


@routine()
def end_of_run(series: Integers, begin: int, end: int) -> int:
    """Return where the rows of the series at `begin` end, at most `end`. O(log of their number)."""
    number = series[begin]
    step = 1
    while begin + step < end and series[begin + step] == number:
        begin += step
        step *= 2
    # What is sought lies in begin < row <= begin + step.
    while step > 1:
        step //= 2
        if begin + step < end and series[begin + step] == number:
            begin += step
    return begin + 1


@routine()
def levels_filled(pool: Pool, block: int, new: int) -> int:
    """Return how many levels above a block have no room for so many more, the one above the root included."""
    levels = 0
    while True:
        levels += 1
        block = pool.links[block, PARENT]
        if block == NONE:
            return levels
        if pool.links[block, FILL] + new <= pool.keys.shape[1]:
            return levels - 1


@routine()
def blocks_with_parents(pool: Pool, series: int, leaves: int, levels: int) -> int:
    """Return how many blocks so many new leaves take at most, if they divide blocks of so many levels above.

    A block that is divided takes half a block of children until it is so again: only those that are half full at the
    beginning may be divided sooner, and these are few on all levels together, as each has so many children among the
    blocks.
    """
    half = pool.keys.shape[1] // 2
    half_full = pool.heads[series, BLOCKS] // half
    needed = new = leaves
    while new > 1 or (new == 1 and levels > 0):
        often = (new + half - 1) // half
        sooner = min(new - often, half_full) if levels > 0 else 0
        half_full -= sooner
        new = often + sooner
        needed += new
        levels -= 1
    return needed


@routine()
def blocks_for(pool: Pool, series: int, late: int, newer: int) -> int:
    """Return how many blocks so many keys before the last one of a series, and after it, may take at most.

    It is more than `blocks_for_run` says, which knows where the late ones belong.
    """
    heads, links = pool.heads, pool.links
    width = pool.keys.shape[1]
    half, limit = width // 2, width - width // 16
    tail = heads[series, TAIL]
    if tail == NONE:
        return int(blocks_with_parents(pool, series, (newer + limit - 1) // limit, 0))
    if heads[series, BLOCKS] == 1 and heads[series, COUNT] + late + newer <= limit:
        return 0
    leaves = min(late, heads[series, COUNT] // half + late // half + 1)
    levels = links[heads[series, ROOT], LEVEL] + 1 if late > 0 else 0
    room = max(limit - links[tail, FILL], 0)
    if newer > room:
        leaves += (newer - room + limit - 1) // limit
        levels = max(levels, levels_filled(pool, tail, late + newer))
    return int(blocks_with_parents(pool, series, leaves, levels))


@kernel(f"int64({ARRAYS}, {COLUMN}, {COLUMN}, int64, int64, int64[::1], boolean[::1])")
def look_up(
    arrays: Arrays,
    series: Integers,
    new: Integers,
    begin: int,
    end: int,
    leaves: Integers,
    known: NDArray[np.bool_],
) -> int:
    """Write the leaf where each of the rows begin <= row < end belongs, NONE for those behind the last key.

    Mark those whose key the series has, or the row before them; return how many. O(1) for each that is newer than the
    series, else O(log n).
    """
    pool = Pool(*arrays)
    marked = 0
    leaf, bound = NONE, BELOW
    for row in range(begin, end):
        number, key = series[row], new[row]
        same = row > begin and number == series[row - 1]
        known[row] = row > 0 and number == series[row - 1] and key == new[row - 1]
        leaves[row] = NONE
        if key < pool.heads[number, LAST]:
            if not same or key >= bound:
                leaf, bound = find_leaf(pool, number, key)
            leaves[row] = leaf
            known[row] = known[row] or leaf_has(pool, leaf, key)
        elif key == pool.heads[number, LAST]:
            known[row] = True
        marked += known[row]
    return marked


@routine()
def blocks_for_run(pool: Pool, series: int, leaves: Integers, begin: int, end: int) -> int:
    """Return how many blocks the rows begin <= row < end, all of one series, may take at most."""
    links = pool.links
    width = pool.keys.shape[1]
    half, limit = width // 2, width - width // 16
    tail = pool.heads[series, TAIL]
    needed, levels, room, row = 0, 0, 0, begin
    if tail != NONE:
        room = max(limit - links[tail, FILL], 0)
    while row < end and leaves[row] != NONE:
        leaf = leaves[row]
        fill = links[leaf, FILL]
        while row < end and leaves[row] == leaf:
            fill += 1
            row += 1
        if fill > width:
            needed += 1 + (fill - width - 1) // half
            levels = max(levels, levels_filled(pool, leaf, end - begin))
        if leaf == tail:
            room = max(limit - fill, 0)
    if end - row > room:
        needed += (end - row - room + limit - 1) // limit
        if tail != NONE:
            levels = max(levels, levels_filled(pool, tail, end - begin))
    return int(blocks_with_parents(pool, series, needed, levels))


@kernel(f"int64({ARRAYS}, {COLUMN}, {COLUMN}, int64, int64)")
def blocks_needed(arrays: Arrays, series: Integers, leaves: Integers, begin: int, end: int) -> int:
    """Return how many blocks the rows begin <= row < end may take at most. O(rows), O(log n) for each full leaf."""
    pool = Pool(*arrays)
    width = pool.keys.shape[1]
    needed = 0
    row = begin
    while row < end:
        number = series[row]
        stop = end_of_run(series, row, end)
        if pool.heads[number, BLOCKS] != 1 or pool.heads[number, COUNT] + stop - row > width - width // 16:
            needed += blocks_for_run(pool, number, leaves, row, stop)
        row = stop
    return needed


@routine()
def append_rows(pool: Pool, series: int, new: Integers, rows: Integers, begin: int, end: int) -> None:
    """Add the rows begin <= row < end, all of one series, behind its last key. O(1) each, O(log n) with totals."""
    heads, links = pool.heads, pool.links
    limit = pool.keys.shape[1] - pool.keys.shape[1] // 16
    row = begin
    while row < end:
        leaf = leaf_to_append(pool, series, new[row])
        fill = links[leaf, FILL]
        filled = min(limit, fill + end - row)
        for place in range(fill, filled):
            pool.keys[leaf, place] = new[row]
            for part in range(pool.cells.shape[2]):
                pool.cells[leaf, place, part] = rows[row, part]
            count_row(pool, leaf, place, 1)
            row += 1
        links[leaf, FILL] = filled
    heads[series, LAST] = new[end - 1]


@routine()
def insert_rows(pool: Pool, series: int, new: Integers, rows: Integers, leaves: Integers, begin: int, end: int) -> None:
    """Add the rows begin <= row < end, all of one series, before its last key, to their leaves. O(log n) each."""
    width = pool.keys.shape[1]
    for row in range(begin, end):
        leaf = leaves[row]
        place = places_up_to(pool, leaf, new[row])
        # A key behind all of a leaf belongs to another one, if the leaf has been divided since it was looked up.
        if place == pool.links[leaf, FILL] or pool.links[leaf, FILL] == width:
            leaf, _ = find_leaf(pool, series, new[row])
            if pool.links[leaf, FILL] == width:
                divide_full(pool, series, leaf)
                leaf, _ = find_leaf(pool, series, new[row])
            place = places_up_to(pool, leaf, new[row])
        insert_key(pool, leaf, place, new[row])
        for part in range(pool.cells.shape[2]):
            pool.cells[leaf, place, part] = rows[row, part]
        count_row(pool, leaf, place, 1)
    pool.heads[series, FIRST] = min(pool.heads[series, FIRST], new[begin])
    pool.heads[series, LATE] += 1


@kernel(f"void({ARRAYS}, {COLUMN}, {COLUMN}, {ROWS}, {COLUMN}, int64, int64)")
def add_rows(
    arrays: Arrays,
    series: Integers,
    new: Integers,
    rows: Integers,
    leaves: Integers,
    begin: int,
    end: int,
) -> None:
    """Add the rows begin <= row < end, for which there are free blocks, behind keys equal to theirs.

    O(1) for each that is newer than the series, O(log n) with totals; for late ones O(log n).
    """
    pool = Pool(*arrays)
    row, end = begin, min(end, len(new))
    while row < end:
        number = series[row]
        stop = end_of_run(series, row, end)
        newer = row
        while newer < stop and leaves[newer] != NONE:
            newer += 1
        if row < newer:
            insert_rows(pool, number, new, rows, leaves, row, newer)
        if newer < stop:
            append_rows(pool, number, new, rows, newer, stop)
        pool.heads[number, COUNT] += stop - row
        row = stop
