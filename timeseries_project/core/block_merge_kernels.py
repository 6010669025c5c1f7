"""The loop that reads the keys of many series in one order; `block_kernels.py` tells what the arrays are.

A heap holds the next key of each series, as in the last phase of an external merge sort: D. E. Knuth, "The Art of
Computer Programming", volume 3, section 5.4.1.
"""

from __future__ import annotations

from timeseries_project.core.block_kernels import (
    ARRAYS,
    COLUMN,
    FILL,
    NEXT,
    NONE,
    PREVIOUS,
    ROOT,
    Arrays,
    Pool,
    find_after,
)
from timeseries_project.core.kernels import kernel, routine
from timeseries_project.core.summation import Integers


@routine()
def next_leaf(pool: Pool, block: int, place: int, backwards: bool) -> tuple[int, int]:
    """Return a place that may lie beyond its leaf as one in the next leaf in the order of reading; NONE at the end."""
    if backwards:
        if place >= 0:
            return block, place
        block = pool.links[block, PREVIOUS]
        return block, pool.links[block, FILL] - 1 if block != NONE else 0
    if place < pool.links[block, FILL]:
        return block, place
    return pool.links[block, NEXT], 0


@routine()
def seek(pool: Pool, series: int, start: int, backwards: bool) -> tuple[int, int]:
    """Return the leaf and the place of the first key from `start` on in the order of reading. O(log n)."""
    if pool.heads[series, ROOT] == NONE:
        return NONE, 0
    if backwards:
        block, place = find_after(pool, series, -start)
        return next_leaf(pool, block, place - 1, backwards)
    block, place = find_after(pool, series, start - 1)
    return next_leaf(pool, block, place, backwards)


@routine()
def sink(heap: Integers, size: int, ahead: Integers, at: int) -> None:
    """Restore the order of a heap of series below one place: by their next keys, then by their numbers."""
    one = heap[at]
    child = 2 * at + 1
    while child < size:
        other = child + 1
        if other < size and (
            ahead[heap[other]] < ahead[heap[child]]
            or (ahead[heap[other]] == ahead[heap[child]] and heap[other] < heap[child])
        ):
            child = other
        if ahead[one] < ahead[heap[child]] or (ahead[one] == ahead[heap[child]] and one < heap[child]):
            break
        heap[at] = heap[child]
        at = child
        child = 2 * at + 1
    heap[at] = one


@kernel(
    f"int64({ARRAYS}, {COLUMN}, {COLUMN}, int64, boolean, int64[:, ::1], int64[::1], int64[::1], int64[::1],"
    " int64[:, ::1])"
)
def merge_range(
    arrays: Arrays,
    series: Integers,
    starts: Integers,
    stop: int,
    backwards: bool,
    cursors: Integers,
    heap: Integers,
    owners: Integers,
    copied: Integers,
    rows: Integers,
) -> int:
    """Copy the first keys with starts[i] <= key < stop of all series together, with their cells; return how many.

    As many as there is room for in `copied`, ascending, equal ones by the place of their series, which goes to
    `owners`. Backwards, all keys count as negative. `cursors` is room for three rows of one number for each series.
    O(log n) for each series, and O(log series) for each key.
    """
    pool = Pool(*arrays)
    blocks, places, ahead = cursors[0], cursors[1], cursors[2]
    sign = -1 if backwards else 1
    size = 0
    for i in range(len(series)):
        block, place = seek(pool, series[i], starts[i], backwards)
        if block == NONE or sign * pool.keys[block, place] >= stop:
            continue
        blocks[i], places[i], ahead[i] = block, place, sign * pool.keys[block, place]
        heap[size] = i
        size += 1
    for at in range(size // 2 - 1, -1, -1):
        sink(heap, size, ahead, at)
    row = 0
    while size > 0 and row < len(copied):
        i = heap[0]
        block, place = blocks[i], places[i]
        owners[row] = i
        copied[row] = ahead[i]
        for part in range(pool.cells.shape[2]):
            rows[row, part] = pool.cells[block, place, part]
        row += 1
        block, place = next_leaf(pool, block, place + sign, backwards)
        if block == NONE or sign * pool.keys[block, place] >= stop:
            size -= 1
            heap[0] = heap[size]
        else:
            blocks[i], places[i], ahead[i] = block, place, sign * pool.keys[block, place]
        sink(heap, size, ahead, 0)
    return row
