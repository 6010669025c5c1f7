"""The loops of the bandwidth store: entries are added, and whole devices are summed up.

The entries of a device are a series of `timeseries_project/core/block_kernels.py`: keys are seconds, and the cells of
each are the bytes to and from the server. Beside them stand the bytes of the last slots of time:

    recent[series, slot % 4]   the most bytes that a device may have in a slot
    state[POSITION]            the present slot; there is room for it, for two before it, and for the one after it
    state[LATEST]              no entry was ever later than this second
"""

from __future__ import annotations

from bandwidth.interface import SLOT
from timeseries_project.core.block_add_kernels import blocks_for
from timeseries_project.core.block_kernels import (
    ARRAYS,
    COLUMN,
    FILL,
    FIRST,
    LAST,
    LOWER,
    LOWER_BITS,
    NEXT,
    NONE,
    ROOT,
    ROWS,
    Arrays,
    Pool,
    count_row,
    find_after,
    free_blocks,
    open_place,
    places_up_to,
)
from timeseries_project.core.block_range_kernels import add_rows_up_to, first_from, leaf_with_totals
from timeseries_project.core.kernels import kernel, routine
from timeseries_project.core.summation import Floats, Integers

RECENT = "int64[::1], float64[:, ::1]"
POSITION, LATEST = range(2)
#: Slots that there is room for: all, before the present one, and after it.
SLOTS, BEHIND, AHEAD = 4, 2, 1
#: Doubles hold integers up to here; bytes beyond are rounded up.
EXACT = 2.0**53
ROUNDED_UP = 1.0 + 2.0**-50
#: So many bytes are left room for in 64 bits, whatever the next entry has.
MANY_BYTES = 2**53
#: What a device holds: the number of its entries, and the upper and lower bits of the bytes to and from the server.
ENTRIES, UPPER_TS, LOWER_TS, UPPER_FS, LOWER_FS = range(5)


@routine()
def note(state: Integers, recent: Floats, series: int, key: int, count: int) -> None:
    """Note that a device has so many bytes more at a second. O(1)."""
    if key > state[LATEST]:
        state[LATEST] = key
    slot = key // SLOT
    if state[POSITION] - BEHIND <= slot <= state[POSITION] + AHEAD:
        total = recent[series, slot % SLOTS] + float(count)
        recent[series, slot % SLOTS] = total if total <= EXACT else total * ROUNDED_UP


@routine()
def write_entry(pool: Pool, series: int, key: int, bytes_ts: int, bytes_fs: int) -> None:
    """Write an entry for which there are free blocks. O(log n)."""
    block, place = open_place(pool, series, key)
    pool.cells[block, place, 0] = bytes_ts
    pool.cells[block, place, 1] = bytes_fs
    count_row(pool, block, place, 1)


@kernel(f"boolean({ARRAYS}, {RECENT}, int64, int64, int64, int64)")
def add_entry(
    arrays: Arrays,
    state: Integers,
    recent: Floats,
    series: int,
    key: int,
    bytes_ts: int,
    bytes_fs: int,
) -> bool:
    """Add one entry, unless it may take more blocks than are free and not promised; return whether it was added."""
    pool = Pool(*arrays)
    late = key < pool.heads[series, LAST]
    needed = blocks_for(pool, series, 1, 0) if late else blocks_for(pool, series, 0, 1)
    if needed > free_blocks(pool):
        return False
    write_entry(pool, series, key, bytes_ts, bytes_fs)
    note(state, recent, series, key, bytes_ts + bytes_fs)
    return True


@kernel(f"void({ARRAYS}, {RECENT}, {COLUMN}, {COLUMN}, {ROWS}, int64, int64)")
def add_entries(
    arrays: Arrays,
    state: Integers,
    recent: Floats,
    series: Integers,
    new: Integers,
    rows: Integers,
    begin: int,
    end: int,
) -> None:
    """Add the entries begin <= row < end, for which there are free blocks; those of a device stand together."""
    pool = Pool(*arrays)
    count = 0  # the bytes that are yet to be noted, all of one device and slot
    stop = 0  # where that slot ends
    for row in range(begin, end):
        number, key = series[row], new[row]
        write_entry(pool, number, key, rows[row, 0], rows[row, 1])
        count += rows[row, 0] + rows[row, 1]
        if key >= stop:
            stop = (key // SLOT + 1) * SLOT
        if row + 1 == end or series[row + 1] != number or new[row + 1] >= stop or count > MANY_BYTES:
            note(state, recent, number, key, count)
            count = stop = 0


@kernel(f"void({ARRAYS}, {COLUMN}, int64, int64[:, ::1], int64[::1], int64[::1])")
def sum_up(
    arrays: Arrays,
    series: Integers,
    oldest: int,
    sums: Integers,
    firsts: Integers,
    lasts: Integers,
) -> None:
    """Write what each device holds from `oldest` on into `sums[i, part]`, which is zero, and its first and last key.

    O(1) for each that has nothing older, else O(log n).
    """
    pool = Pool(*arrays)
    for i in range(len(series)):
        number = series[i]
        if pool.heads[number, LAST] < oldest:
            continue
        firsts[i], lasts[i] = pool.heads[number, FIRST], pool.heads[number, LAST]
        if firsts[i] < oldest:
            leaf = leaf_with_totals(pool, number, oldest - 1, sums[i])
            add_rows_up_to(pool, leaf, oldest - 1, sums[i])
            firsts[i] = first_from(pool, number, oldest)
        for part in range(pool.totals.shape[1]):
            sums[i, part] = pool.totals[pool.heads[number, ROOT], part] - sums[i, part]


@kernel(f"void({ARRAYS}, {COLUMN}, int64, int64, int64[::1], int64[:, ::1])")
def sum_between(arrays: Arrays, series: Integers, first: int, last: int, before: Integers, sums: Integers) -> None:
    """Write what each device holds from `first` to `last`, both included, into `sums[i, part]`, which is zero.

    `before` is room for the sums before. O(log n) for each.
    """
    pool = Pool(*arrays)
    for i in range(len(series)):
        number = series[i]
        if pool.heads[number, ROOT] == NONE or pool.heads[number, LAST] < first or pool.heads[number, FIRST] > last:
            continue
        if pool.heads[number, LAST] <= last:
            for part in range(len(before)):
                sums[i, part] = pool.totals[pool.heads[number, ROOT], part]
        else:
            add_rows_up_to(pool, leaf_with_totals(pool, number, last, sums[i]), last, sums[i])
        if pool.heads[number, FIRST] < first:
            add_rows_up_to(pool, leaf_with_totals(pool, number, first - 1, before), first - 1, before)
            for part in range(len(before)):
                sums[i, part] -= before[part]


@routine()
def sum_instant(
    pool: Pool, series: int, leaf: int, place: int, key: int, before: Integers, sums: Integers
) -> tuple[int, int]:
    """Add up the rows of a key, of which the first stands here, into `sums`, which are zero.

    Return leaf and place behind the last one. If they go on in the next leaf, they are the totals up to the key, less
    those before it: O(log n), however many they are.
    """
    end = places_up_to(pool, leaf, key)
    following = pool.links[leaf, NEXT]
    if end < pool.links[leaf, FILL] or following == NONE or pool.keys[following, 0] > key:
        sums[ENTRIES] = end - place
        for row in range(place, end):
            for part in range(pool.cells.shape[2]):
                sums[1 + 2 * part] += pool.cells[leaf, row, part] >> LOWER_BITS
                sums[2 + 2 * part] += pool.cells[leaf, row, part] & LOWER
        return leaf, end
    add_rows_up_to(pool, leaf_with_totals(pool, series, key - 1, before), key - 1, before)
    last = leaf_with_totals(pool, series, key, sums)
    add_rows_up_to(pool, last, key, sums)
    for part in range(len(sums)):
        sums[part] -= before[part]
    return last, places_up_to(pool, last, key)


@kernel(f"int64({ARRAYS}, {COLUMN}, int64, int64, int64[::1], int64[::1], int64[::1], int64[:, ::1])")
def sum_instants(
    arrays: Arrays,
    series: Integers,
    start: int,
    stop: int,
    before: Integers,
    owners: Integers,
    keys: Integers,
    sums: Integers,
) -> int:
    """Add up the entries of each instant with start <= key < stop, device by device; return how many instants.

    Each has a row, as long as there is room: where in `series` its device stands, its key, and its sums, which are zero
    at first; `before` is room for the sums before it. O(log n) for each device, and O(a leaf) for each instant.
    """
    pool = Pool(*arrays)
    row = 0
    for i in range(len(series)):
        number = series[i]
        if pool.heads[number, LAST] < start or pool.heads[number, FIRST] >= stop or row == len(keys):
            continue
        leaf, place = find_after(pool, number, start - 1)
        while row < len(keys):
            if place == pool.links[leaf, FILL]:
                leaf, place = pool.links[leaf, NEXT], 0
            if leaf == NONE or pool.keys[leaf, place] >= stop:
                break
            owners[row] = i
            keys[row] = pool.keys[leaf, place]
            leaf, place = sum_instant(pool, number, leaf, place, keys[row], before, sums[row])
            row += 1
    return row
