"""The loops over blocks that remove, count and copy ranges of keys; `block_kernels.py` tells what the arrays are."""

from __future__ import annotations

from timeseries_project.core.block_kernels import (
    ARRAYS,
    BEYOND,
    BLOCKS,
    COLUMN,
    COUNT,
    FILL,
    FIRST,
    FREED,
    LAST,
    LATE,
    LEVEL,
    LOWER,
    LOWER_BITS,
    NEXT,
    NONE,
    PARENT,
    PREVIOUS,
    ROOT,
    SPARE,
    TAIL,
    Arrays,
    Pool,
    add_totals,
    count_row,
    find_after,
    find_leaf,
    free_block,
    move_row,
    place_of_child,
    places_up_to,
    remove_keys,
)
from timeseries_project.core.kernels import kernel, routine
from timeseries_project.core.summation import Integers

#: Leaves that are passed over before it is faster to begin at the root again.
NEAR = 8


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
def merge_with_next(pool: Pool, series: int, block: int) -> bool:
    """Merge a block and the next one, if one parent has both and they fill half a block at most; return whether so.

    The last child of the one and the first of the other have one parent then, and are merged alike.
    """
    links = pool.links
    merged = False
    while True:
        other = links[block, NEXT]
        if other == NONE or links[block, PARENT] != links[other, PARENT]:
            return merged
        fill, more = links[block, FILL], links[other, FILL]
        if fill + more > pool.keys.shape[1] // 2:
            return merged
        for place in range(more):
            move_row(pool, other, place, block, fill + place)
            if links[block, LEVEL] > 0:
                links[pool.cells[other, place, 0], PARENT] = block
        links[block, FILL] = fill + more
        links[other, FILL] = 0
        add_totals(pool, block, other, 1)
        detach(pool, series, other)
        merged = True
        if links[block, LEVEL] == 0:
            return merged
        block = pool.cells[block, fill - 1, 0]


@routine()
def merge_around(pool: Pool, series: int, key: int) -> None:
    """Merge the blocks on the way to a key with their neighbours, and these with theirs, until nothing is to merge."""
    links = pool.links
    merged = pool.heads[series, ROOT] != NONE
    while merged:
        merged = False
        block, _ = find_leaf(pool, series, key)
        while block != NONE and not merged:
            left = block if links[block, NEXT] == NONE else links[block, NEXT]
            for _ in range(3):
                if left != NONE and not merged:
                    previous = links[left, PREVIOUS]
                    merged = merge_with_next(pool, series, left)
                    left = previous
            block = links[block, PARENT]


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
    if removed == 0:
        return 0  # so that a deletion between two keys counts as no change
    heads[series, COUNT] -= removed
    heads[series, LATE] += 1
    merge_around(pool, series, start - 1)
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
    heads[series, LATE] += 1
    heads[series, FIRST] = BEYOND
    heads[series, LAST] = NONE


@routine()
def first_from(pool: Pool, series: int, key: int) -> int:
    """Return the first key of a series that is at least `key`; BEYOND if there is none. O(log n)."""
    if key > pool.heads[series, LAST]:
        return BEYOND
    block, place = find_after(pool, series, key - 1)
    if place == pool.links[block, FILL]:
        block, place = pool.links[block, NEXT], 0
    return int(pool.keys[block, place])


@kernel(f"int64({ARRAYS}, {COLUMN}, int64, int64, int64)")
def remove_range(
    arrays: Arrays,
    series: Integers,
    start: int,
    stop: int,
    most: int,
) -> int:
    """Remove the keys with start <= key < stop of some series, about `most` of each that goes on; return how many.

    O(log n) for a series that goes whole.
    """
    pool = Pool(*arrays)
    removed = 0
    for number in series:
        if start <= pool.heads[number, FIRST] and pool.heads[number, LAST] < stop:
            removed += pool.heads[number, COUNT]
            free_tree(pool, number)
        else:
            removed += remove_from(pool, number, start, stop, most)
    return removed


@kernel(f"int64({ARRAYS}, {COLUMN}, int64, int64, int64, int64[::1])")
def count_range(
    arrays: Arrays,
    series: Integers,
    start: int,
    stop: int,
    limit: int,
    counts: Integers,
) -> int:
    """Count the keys with start <= key < stop of each series, up to `limit`; return the sum.

    O(log n + blocks) for each series that has keys outside, else O(1).
    """
    pool = Pool(*arrays)
    counted = 0
    for i in range(len(series)):
        number = series[i]
        count = 0
        if start <= pool.heads[number, FIRST] and pool.heads[number, LAST] < stop:
            count = pool.heads[number, COUNT]
        elif start < stop and start <= pool.heads[number, LAST] and pool.heads[number, FIRST] < stop:
            block, place = find_after(pool, number, start - 1)
            while block != NONE and count < limit:
                fill = pool.links[block, FILL]
                if fill > 0 and pool.keys[block, fill - 1] >= stop:
                    count += places_up_to(pool, block, stop - 1) - place
                    break
                count += fill - place
                block, place = pool.links[block, NEXT], 0
        counts[i] = min(count, limit)
        counted += counts[i]
    return counted


@kernel(f"void({ARRAYS}, {COLUMN}, int64, {COLUMN}, int64[::1], int64[:, ::1])")
def copy_range(
    arrays: Arrays,
    series: Integers,
    start: int,
    counts: Integers,
    copied: Integers,
    rows: Integers,
) -> None:
    """Copy of each series the first `counts[i]` keys with key >= start, and their cells. O(log n + these)."""
    pool = Pool(*arrays)
    row = 0
    for i in range(len(series)):
        end = row + counts[i]
        if row == end:
            continue
        block, place = find_after(pool, series[i], start - 1)
        while row < end:
            for at in range(place, min(pool.links[block, FILL], place + end - row)):
                copied[row] = pool.keys[block, at]
                for part in range(pool.cells.shape[2]):
                    rows[row, part] = pool.cells[block, at, part]
                row += 1
            block, place = pool.links[block, NEXT], 0


@kernel(f"int64({ARRAYS}, {COLUMN}, int64, int64, int64, int64[::1])")
def count_backwards(arrays: Arrays, series: Integers, start: int, stop: int, limit: int, counts: Integers) -> int:
    """Count the keys with start <= key < stop of each series as `count_range` does, but from the last one on."""
    pool = Pool(*arrays)
    counted = 0
    for i in range(len(series)):
        number = series[i]
        count = 0
        if start <= pool.heads[number, FIRST] and pool.heads[number, LAST] < stop:
            count = pool.heads[number, COUNT]
        elif start < stop and start <= pool.heads[number, LAST] and pool.heads[number, FIRST] < stop:
            block, place = find_after(pool, number, stop - 1)
            while block != NONE and count < limit:
                if place > 0 and pool.keys[block, 0] < start:
                    count += place - min(places_up_to(pool, block, start - 1), place)
                    break
                count += place
                block = pool.links[block, PREVIOUS]
                if block != NONE:
                    place = pool.links[block, FILL]
        counts[i] = min(count, limit)
        counted += counts[i]
    return counted


@kernel(f"void({ARRAYS}, {COLUMN}, int64, {COLUMN}, int64[::1], int64[:, ::1])")
def copy_backwards(
    arrays: Arrays, series: Integers, stop: int, counts: Integers, copied: Integers, rows: Integers
) -> None:
    """Copy of each series the last `counts[i]` keys before `stop`, latest first. O(log n + these)."""
    pool = Pool(*arrays)
    row = 0
    for i in range(len(series)):
        end = row + counts[i]
        if row == end:
            continue
        block, place = find_after(pool, series[i], stop - 1)
        while row < end:
            for at in range(place - 1, max(place - 1 - end + row, -1), -1):
                copied[row] = pool.keys[block, at]
                for part in range(pool.cells.shape[2]):
                    rows[row, part] = pool.cells[block, at, part]
                row += 1
            block = pool.links[block, PREVIOUS]
            if row < end:
                place = pool.links[block, FILL]


@routine()
def leaf_with_totals(pool: Pool, series: int, key: int, before: Integers) -> int:
    """Return the leaf where the keys up to `key` end; write into `before` the totals of all leaves before it."""
    before[:] = 0
    block: int = pool.heads[series, ROOT]
    while pool.links[block, LEVEL] > 0:
        child = places_up_to(pool, block, key) - 1
        for place in range(child):
            for part in range(len(before)):
                before[part] += pool.totals[pool.cells[block, place, 0], part]
        block = pool.cells[block, child, 0]
    return block


@routine()
def add_rows_up_to(pool: Pool, leaf: int, key: int, sums: Integers) -> None:
    """Add to sums what the rows of a leaf up to `key` add up to."""
    count = places_up_to(pool, leaf, key)
    sums[0] += count
    for place in range(count):
        for part in range(pool.cells.shape[2]):
            sums[1 + 2 * part] += pool.cells[leaf, place, part] >> LOWER_BITS
            sums[2 + 2 * part] += pool.cells[leaf, place, part] & LOWER


@routine()
def goes_beyond(pool: Pool, leaf: int, key: int) -> bool:
    """Return whether keys up to `key` may stand in leaves after this one."""
    return bool(pool.links[leaf, NEXT] != NONE and pool.keys[leaf, pool.links[leaf, FILL] - 1] <= key)


@kernel(f"void({ARRAYS}, int64, {COLUMN}, int64[::1], int64[:, ::1])")
def totals_up_to(arrays: Arrays, series: int, borders: Integers, before: Integers, sums: Integers) -> None:
    """Write into `sums[border, part]`, which is zero, the totals of the keys up to each border; borders ascend.

    From one border to the next it passes over the leaves in between, or, if there are many, begins at the root again:
    O(log n) each. `before[part]` is room to keep the totals of the leaves that were passed.
    """
    pool = Pool(*arrays)
    leaf = NONE
    for i in range(len(borders)):
        if pool.heads[series, ROOT] == NONE or borders[i] < pool.heads[series, FIRST]:
            continue
        passed = 0
        while leaf != NONE and passed < NEAR and goes_beyond(pool, leaf, borders[i]):
            for part in range(len(before)):
                before[part] += pool.totals[leaf, part]
            leaf = pool.links[leaf, NEXT]
            passed += 1
        if leaf == NONE or goes_beyond(pool, leaf, borders[i]):
            leaf = leaf_with_totals(pool, series, borders[i], before)
        for part in range(len(before)):
            sums[i, part] = before[part]
        add_rows_up_to(pool, leaf, borders[i], sums[i])
