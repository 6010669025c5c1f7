"""The loops over blocks that write, remove and copy many keys; `block_kernels.py` tells what the arrays are.

Rows are given as columns: the series of each row, its key, and its cells `rows[row, part]`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from timeseries_project.core.block_kernels import (
    BEYOND,
    BLOCKS,
    COUNT,
    FILL,
    FIRST,
    FREED,
    LAST,
    LEVEL,
    LOWER,
    LOWER_BITS,
    NEXT,
    NONE,
    PARENT,
    POOL,
    PREVIOUS,
    ROOT,
    SPARE,
    TAIL,
    Pool,
    add_totals,
    count_row,
    find_after,
    free_block,
    has_key,
    move_row,
    open_place,
    place_of_child,
    places_up_to,
    remove_keys,
)
from timeseries_project.core.kernels import kernel, routine
from timeseries_project.core.summation import Integers

# A column that is only read, whoever may write it.
COLUMN = "Array(int64, 1, 'C', readonly=True)"
ROWS = "Array(int64, 2, 'C', readonly=True)"


@routine()
def blocks_for(pool: Pool, series: int, late: int, newer: int) -> int:
    """Return how many blocks so many keys before the last one of a series, and after it, may take at most.

    A block that is divided takes half a block of keys until it is so again. So only those that are half full at the
    beginning are divided sooner.
    """
    heads, links = pool.heads, pool.links
    width = pool.keys.shape[1]
    half, limit = width // 2, width - width // 16
    root = heads[series, ROOT]
    levels, room, full, blocks, new = 0, 0, 0, 0, 0
    if root != NONE:
        levels = links[root, LEVEL] + 1
        room = max(limit - links[heads[series, TAIL], FILL], 0)
        full, blocks = heads[series, COUNT] // half, heads[series, BLOCKS] // half
    new = min(late, full + late // half + 1) + max(newer - room + limit - 1, 0) // limit
    needed = int(new)
    while new > 0 and (levels > 0 or new > 1):
        divided = (new + half - 1) // half
        # Those half full at the beginning are few for all levels together: each level has its children among them.
        sooner = min(new - divided, blocks) if levels > 0 else 0
        blocks -= sooner
        new = divided + sooner
        needed += new
        levels -= 1
    return needed


@kernel(f"int64({POOL}, {COLUMN}, {COLUMN}, int64, int64)")
def blocks_needed(
    keys: Integers,
    cells: Integers,
    links: NDArray[np.int32],
    heads: Integers,
    totals: Integers,
    state: Integers,
    series: Integers,
    new: Integers,
    begin: int,
    end: int,
) -> int:
    """Return how many blocks the rows begin <= row < end may take at most; those of a series stand together."""
    pool = Pool(keys, cells, links, heads, totals, state)
    needed = 0
    row = begin
    while row < end:
        number = series[row]
        late, newer = 0, 0
        while row < end and series[row] == number:
            if new[row] < heads[number, LAST]:
                late += 1
            else:
                newer += 1
            row += 1
        needed += blocks_for(pool, number, late, newer)
    return needed


@kernel(f"int64({POOL}, {COLUMN}, {COLUMN}, int64, int64, boolean[::1])")
def mark_known(
    keys: Integers,
    cells: Integers,
    links: NDArray[np.int32],
    heads: Integers,
    totals: Integers,
    state: Integers,
    series: Integers,
    new: Integers,
    begin: int,
    end: int,
    known: NDArray[np.bool_],
) -> int:
    """Mark the rows begin <= row < end whose key the series has, or the row before them; return how many.

    The rows of a series stand together and ascend. O(1) for each that is newer than the series, else O(log n).
    """
    pool = Pool(keys, cells, links, heads, totals, state)
    marked = 0
    for row in range(begin, end):
        repeated = row > 0 and series[row] == series[row - 1] and new[row] == new[row - 1]
        known[row] = repeated or has_key(pool, series[row], new[row])
        marked += known[row]
    return marked


@kernel(f"void({POOL}, {COLUMN}, {COLUMN}, {ROWS}, int64, int64)")
def add_rows(
    keys: Integers,
    cells: Integers,
    links: NDArray[np.int32],
    heads: Integers,
    totals: Integers,
    state: Integers,
    series: Integers,
    new: Integers,
    rows: Integers,
    begin: int,
    end: int,
) -> None:
    """Add the rows begin <= row < end, for which there are free blocks. O(1) for newest keys, else O(log n)."""
    pool = Pool(keys, cells, links, heads, totals, state)
    for row in range(begin, end):
        block, place = open_place(pool, series[row], new[row])
        for part in range(cells.shape[2]):
            cells[block, place, part] = rows[row, part]
        count_row(pool, block, place, 1)


@routine()
def remove_child(pool: Pool, parent: int, place: int) -> None:
    """Remove a child from its parent; if it is the first, the next one takes over its bound."""
    if place == 0 and pool.links[parent, FILL] > 1:
        bound = pool.keys[parent, 0]
        block, at = parent, 1
        while pool.links[block, LEVEL] > 0:
            pool.keys[block, at] = bound
            block, at = pool.cells[block, at, 0], 0
    remove_keys(pool, parent, place, place + 1)


@routine()
def detach(pool: Pool, series: int, block: int) -> None:
    """Take an empty block out of its tree and free it, and those above it that so become empty."""
    heads, links = pool.heads, pool.links
    while True:
        previous, following, parent = links[block, PREVIOUS], links[block, NEXT], links[block, PARENT]
        if previous != NONE:
            links[previous, NEXT] = following
        if following != NONE:
            links[following, PREVIOUS] = previous
        elif links[block, LEVEL] == 0:
            heads[series, TAIL] = previous
        free_block(pool, series, block)
        if parent == NONE:
            heads[series, ROOT] = NONE
            return
        remove_child(pool, parent, place_of_child(pool, parent, block))
        if links[parent, FILL] > 0:
            break
        block = parent
    root = heads[series, ROOT]
    while links[root, LEVEL] > 0 and links[root, FILL] == 1:
        child = pool.cells[root, 0, 0]
        links[child, PARENT] = NONE
        heads[series, ROOT] = child
        free_block(pool, series, root)
        root = child


@routine()
def merge_with_next(pool: Pool, series: int, block: int) -> None:
    """Move the keys of the next leaf into a leaf, if they have one parent and together fill half a block at most."""
    links = pool.links
    other = links[block, NEXT]
    if other == NONE or links[block, PARENT] != links[other, PARENT]:
        return
    fill, more = links[block, FILL], links[other, FILL]
    if fill + more > pool.keys.shape[1] // 2:
        return
    for place in range(more):
        move_row(pool, other, place, block, fill + place)
    links[block, FILL] = fill + more
    links[other, FILL] = 0
    add_totals(pool, block, other, 1)
    detach(pool, series, other)


@routine()
def set_ends(pool: Pool, series: int) -> None:
    """Write down the first and the last key of a series, after some were removed. O(log n)."""
    heads, links = pool.heads, pool.links
    block = heads[series, ROOT]
    if block == NONE:
        heads[series, FIRST] = BEYOND
        heads[series, LAST] = NONE
        return
    while links[block, LEVEL] > 0:
        block = pool.cells[block, 0, 0]
    tail = heads[series, TAIL]
    heads[series, FIRST] = pool.keys[block, 0]
    heads[series, LAST] = pool.keys[tail, links[tail, FILL] - 1]


@routine()
def remove_from(pool: Pool, series: int, start: int, stop: int, most: int) -> int:
    """Remove the first keys of a series with start <= key < stop, and their cells; return how many.

    About `most` keys at most: no block is begun after so many. O(log n + blocks of those removed).
    """
    heads, links = pool.heads, pool.links
    if start >= stop or start > heads[series, LAST] or stop <= heads[series, FIRST]:
        return 0
    removed = 0
    block, place = find_after(pool, series, start - 1)
    while block != NONE and removed < most:
        fill, following = links[block, FILL], links[block, NEXT]
        end = places_up_to(pool, block, stop - 1)
        if pool.totals.shape[1] > 0:
            for i in range(place, end):
                count_row(pool, block, i, -1)
        remove_keys(pool, block, place, end)
        removed += end - place
        if links[block, FILL] == 0:
            detach(pool, series, block)
        if end < fill:
            break
        block, place = following, 0
    heads[series, COUNT] -= removed
    if heads[series, ROOT] != NONE:
        block, _ = find_after(pool, series, start)
        merge_with_next(pool, series, block)
        if links[block, PREVIOUS] != NONE:
            merge_with_next(pool, series, links[block, PREVIOUS])
    set_ends(pool, series)
    return removed


@routine()
def free_tree(pool: Pool, series: int) -> None:
    """Free all blocks of a series: each level is one chain. O(log n)."""
    heads, links, state = pool.heads, pool.links, pool.state
    first = last = heads[series, ROOT]
    while first != NONE:
        links[last, NEXT] = state[FREED]
        state[FREED] = first
        if links[first, LEVEL] == 0:
            break
        first, last = pool.cells[first, 0, 0], pool.cells[last, links[last, FILL] - 1, 0]
    state[SPARE] += heads[series, BLOCKS]
    heads[series, ROOT] = NONE
    heads[series, TAIL] = NONE
    heads[series, BLOCKS] = 0
    heads[series, COUNT] = 0
    heads[series, FIRST] = BEYOND
    heads[series, LAST] = NONE


@kernel(f"int64({POOL}, {COLUMN}, int64, int64, int64)")
def remove_range(
    keys: Integers,
    cells: Integers,
    links: NDArray[np.int32],
    heads: Integers,
    totals: Integers,
    state: Integers,
    series: Integers,
    start: int,
    stop: int,
    most: int,
) -> int:
    """Remove the keys with start <= key < stop of some series, about `most` of each that goes on; return how many.

    O(log n) for a series that goes whole.
    """
    pool = Pool(keys, cells, links, heads, totals, state)
    removed = 0
    for number in series:
        if start <= heads[number, FIRST] and heads[number, LAST] < stop:
            removed += heads[number, COUNT]
            free_tree(pool, number)
        else:
            removed += remove_from(pool, number, start, stop, most)
    return removed


@kernel(f"int64({POOL}, {COLUMN}, int64, int64, int64, int64[::1])")
def count_range(
    keys: Integers,
    cells: Integers,
    links: NDArray[np.int32],
    heads: Integers,
    totals: Integers,
    state: Integers,
    series: Integers,
    start: int,
    stop: int,
    limit: int,
    counts: Integers,
) -> int:
    """Count the keys with start <= key < stop of each series, up to `limit`; return the sum.

    O(log n + blocks) for each series that has keys outside, else O(1).
    """
    pool = Pool(keys, cells, links, heads, totals, state)
    counted = 0
    for i in range(len(series)):
        number = series[i]
        count = 0
        if start <= heads[number, FIRST] and heads[number, LAST] < stop:
            count = heads[number, COUNT]
        elif start < stop and start <= heads[number, LAST] and heads[number, FIRST] < stop:
            block, place = find_after(pool, number, start - 1)
            while block != NONE and count < limit:
                fill = links[block, FILL]
                if fill > 0 and keys[block, fill - 1] >= stop:
                    count += places_up_to(pool, block, stop - 1) - place
                    break
                count += fill - place
                block, place = links[block, NEXT], 0
        counts[i] = min(count, limit)
        counted += counts[i]
    return counted


@kernel(f"void({POOL}, {COLUMN}, int64, {COLUMN}, int64[::1], int64[:, ::1])")
def copy_range(
    keys: Integers,
    cells: Integers,
    links: NDArray[np.int32],
    heads: Integers,
    totals: Integers,
    state: Integers,
    series: Integers,
    start: int,
    counts: Integers,
    copied: Integers,
    rows: Integers,
) -> None:
    """Copy of each series the first `counts[i]` keys with key >= start, and their cells. O(log n + these)."""
    pool = Pool(keys, cells, links, heads, totals, state)
    row = 0
    for i in range(len(series)):
        end = row + counts[i]
        if row == end:
            continue
        block, place = find_after(pool, series[i], start - 1)
        while row < end:
            for at in range(place, min(links[block, FILL], place + end - row)):
                copied[row] = keys[block, at]
                for part in range(cells.shape[2]):
                    rows[row, part] = cells[block, at, part]
                row += 1
            block, place = links[block, NEXT], 0


@kernel(f"int64({POOL}, {COLUMN}, int64, int64, int64[::1], int64[::1], int64[:, ::1])")
def copy_backwards(
    keys: Integers,
    cells: Integers,
    links: NDArray[np.int32],
    heads: Integers,
    totals: Integers,
    state: Integers,
    series: Integers,
    stop: int,
    limit: int,
    counts: Integers,
    copied: Integers,
    rows: Integers,
) -> int:
    """Copy of each series the last keys before `stop`, up to `limit`, latest first; return how many in all."""
    pool = Pool(keys, cells, links, heads, totals, state)
    row = 0
    for i in range(len(series)):
        begin = row
        if heads[series[i], FIRST] < stop:
            block, place = find_after(pool, series[i], stop - 1)
            while block != NONE and row - begin < limit:
                while place > 0 and row - begin < limit:
                    place -= 1
                    copied[row] = keys[block, place]
                    for part in range(cells.shape[2]):
                        rows[row, part] = cells[block, place, part]
                    row += 1
                block = links[block, PREVIOUS]
                if block != NONE:
                    place = links[block, FILL]
        counts[i] = row - begin
    return row


@routine()
def add_totals_up_to(pool: Pool, series: int, key: int, sums: Integers) -> None:
    """Add up the totals of the keys of a series up to `key`: of whole blocks beside the way down, then of rows."""
    block = pool.heads[series, ROOT]
    while pool.links[block, LEVEL] > 0:
        child = places_up_to(pool, block, key) - 1
        for place in range(child):
            for part in range(pool.totals.shape[1]):
                sums[part] += pool.totals[pool.cells[block, place, 0], part]
        block = pool.cells[block, child, 0]
    count = places_up_to(pool, block, key)
    sums[0] += count
    for place in range(count):
        for part in range(pool.cells.shape[2]):
            sums[1 + 2 * part] += pool.cells[block, place, part] >> LOWER_BITS
            sums[2 + 2 * part] += pool.cells[block, place, part] & LOWER


@kernel(f"void({POOL}, int64, {COLUMN}, int64[:, ::1])")
def totals_up_to(
    keys: Integers,
    cells: Integers,
    links: NDArray[np.int32],
    heads: Integers,
    totals: Integers,
    state: Integers,
    series: int,
    borders: Integers,
    sums: Integers,
) -> None:
    """Add to `sums[border, part]` the totals of the keys up to each border. O(log n) each."""
    pool = Pool(keys, cells, links, heads, totals, state)
    for i in range(len(borders)):
        if heads[series, FIRST] <= borders[i]:
            add_totals_up_to(pool, series, borders[i], sums[i])
