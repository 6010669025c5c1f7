"""The loops of the sliding window over its rings; `sliding_window.py` tells what they are.

A ring is an array of cells, `cells[place, part]`, whose parts are HIGH, LOW, COUNT, LEAST and MOST. Places follow from
the time alone, so every index lies within. Times are milliseconds; a second is known by its number since the epoch.

An array that is passed to a kernel costs more than all that `add_one` does. So the three rings are one array, `cells`,
and the numbers of the seconds that they stand for another one, `stamps`; `history` is how many seconds the ring of
seconds has.
"""

from __future__ import annotations

import numpy as np

from timeseries_project.core.kernels import helper, kernel
from timeseries_project.core.summation import Floats, Integers

SECOND_MS = 1_000
BLOCK_MS = 40
BLOCKS = SECOND_MS // BLOCK_MS  # of a second

# The sum is HIGH + LOW, kept as `summation.add_to_pair` does; as a double COUNT is exact up to 2**53.
HIGH, LOW, COUNT, LEAST, MOST = range(5)
PARTS = 5
Parts = tuple[float, float, float, float, float]

# An array that is only read, whoever may write it.
READABLE = "Array({}, 1, 'C', readonly=True)"

#: A second that no cell stands for.
NEVER = -(2**62)


def rings(history: int, stamps: Integers, cells: Floats) -> tuple[Integers, Integers, Floats, Floats, Floats]:
    """Return the parts of the two arrays.

    `numbers[place]` is the second that a place in the ring of seconds stands for, `owners[turn]` the one whose blocks
    and points lie at that turn; then come the seconds, the blocks, and the points of a millisecond each.
    """
    turns = len(stamps) - history
    points_at = history + turns * BLOCKS
    return stamps[:history], stamps[history:], cells[:history], cells[history:points_at], cells[points_at:]


#: The same for kernels. Where there is no kernel `rings` will do, and needs no compiler.
rings_of = helper(rings)


@helper
def empty_cells(cells: Floats, first: int, count: int) -> None:
    """Empty so many cells."""
    for place in range(first, first + count):
        cells[place, HIGH] = 0.0
        cells[place, LOW] = 0.0
        cells[place, COUNT] = 0.0
        cells[place, LEAST] = np.inf
        cells[place, MOST] = -np.inf


@helper
def add_to_sum(cells: Floats, place: int, x: float) -> None:
    """Add a number to the sum of a cell: `summation.add_to_pair`."""
    high, low = cells[place, HIGH], cells[place, LOW]
    s = high + x
    t = s - high
    v = low + ((high - (s - t)) + (x - t))
    total = s + v
    cells[place, HIGH] = total
    cells[place, LOW] = v - (total - s)


@helper
def add_to_cell(cells: Floats, place: int, amount: float) -> None:
    """Count an amount in a cell."""
    add_to_sum(cells, place, amount)
    cells[place, COUNT] += 1.0
    cells[place, LEAST] = min(cells[place, LEAST], amount)
    cells[place, MOST] = max(cells[place, MOST], amount)


@helper
def begin_second(second: int, numbers: Integers, owners: Integers, seconds: Floats, blocks: Floats) -> None:
    """Make sure that a second has its places, which may still show others, of earlier turns of the rings."""
    place = second % len(numbers)
    turn = second % len(owners)
    if numbers[place] != second or owners[turn] != second:
        numbers[place] = second
        owners[turn] = second
        empty_cells(seconds, place, 1)
        empty_cells(blocks, turn * BLOCKS, BLOCKS)


@helper
def begin_block(block: int, blocks: Floats, points: Floats) -> None:
    """Make sure that the points of a block mean something: those of an empty one do not."""
    if blocks[block, COUNT] == 0.0:
        empty_cells(points, block * BLOCK_MS, BLOCK_MS)


@helper
def add_one(
    time: int,
    amount: float,
    numbers: Integers,
    owners: Integers,
    seconds: Floats,
    blocks: Floats,
    points: Floats,
) -> None:
    """Count an amount in its second, its block and its point."""
    second = time // SECOND_MS
    within = time - second * SECOND_MS
    turn = second % len(owners)
    block = turn * BLOCKS + within // BLOCK_MS
    begin_second(second, numbers, owners, seconds, blocks)
    begin_block(block, blocks, points)
    add_to_cell(seconds, second % len(numbers), amount)
    add_to_cell(blocks, block, amount)
    add_to_cell(points, turn * SECOND_MS + within, amount)


@kernel("void(int64, float64, int64, int64[::1], float64[:, ::1])")
def add_amount(time: int, amount: float, history: int, stamps: Integers, cells: Floats) -> None:
    """Count an amount. O(1)."""
    numbers, owners, seconds, blocks, points = rings_of(history, stamps, cells)
    add_one(time, amount, numbers, owners, seconds, blocks, points)


@kernel(f"int64({READABLE.format('int64')}, {READABLE.format('float64')}, int64, int64, int64[::1], float64[:, ::1])")
def add_amounts(times: Integers, amounts: Floats, oldest: int, history: int, stamps: Integers, cells: Floats) -> int:
    """Count each amount that is not older than `oldest`; return how many. O(amounts)."""
    numbers, owners, seconds, blocks, points = rings_of(history, stamps, cells)
    counted = 0
    for i in range(len(times)):
        if times[i] >= oldest:
            add_one(times[i], amounts[i], numbers, owners, seconds, blocks, points)
            counted += 1
    return counted


@helper
def add_cell(cells: Floats, others: Floats, place: int) -> None:
    """Add to a cell the one at the same place of another ring."""
    add_to_sum(cells, place, others[place, HIGH])
    add_to_sum(cells, place, others[place, LOW])
    cells[place, COUNT] += others[place, COUNT]
    cells[place, LEAST] = min(cells[place, LEAST], others[place, LEAST])
    cells[place, MOST] = max(cells[place, MOST], others[place, MOST])


@kernel("void(int64[::1], float64[:, ::1], int64, int64[::1], float64[:, ::1])")
def add_rings(other_stamps: Integers, other_cells: Floats, history: int, stamps: Integers, cells: Floats) -> None:
    """Count all that was counted in other rings of the same size. O(1)."""
    numbers, owners, seconds, blocks, points = rings_of(history, stamps, cells)
    _, other_owners, other_seconds, other_blocks, other_points = rings_of(history, other_stamps, other_cells)
    for turn in range(len(owners)):
        second = other_owners[turn]
        if second == NEVER:
            continue
        begin_second(second, numbers, owners, seconds, blocks)
        add_cell(seconds, other_seconds, second % len(numbers))
        for block in range(turn * BLOCKS, (turn + 1) * BLOCKS):
            if other_blocks[block, COUNT] > 0.0:
                begin_block(block, blocks, points)
                add_cell(blocks, other_blocks, block)
                for point in range(block * BLOCK_MS, (block + 1) * BLOCK_MS):
                    if other_points[point, COUNT] > 0.0:
                        add_cell(points, other_points, point)


@helper
def merged(total: Parts, cell: Floats) -> Parts:
    """Return a total to which a cell is added; of an empty cell it is the same.

    What rounding takes from the high part goes into the low one. With up to 2**26 amounts of one size behind some
    hundred cells that loses less than 2**-65 of one of them. See "Sum2" in T. Ogita, S. M. Rump and S. Oishi, "Accurate
    sum and dot product", SIAM J. Sci. Comput. 26 (2005).
    """
    high, low, count, least, most = total
    s = high + cell[HIGH]
    t = s - high
    low += ((high - (s - t)) + (cell[HIGH] - t)) + cell[LOW]
    return s, low, count + cell[COUNT], min(least, cell[LEAST]), max(most, cell[MOST])


@kernel("UniTuple(float64, 5)(int64, int64, int64[::1], float64[:, ::1])")
def total_since(start: int, history: int, stamps: Integers, cells: Floats) -> Parts:
    """Return the parts of all that was counted from `start` on: of whole cells, the widest that fit. O(1)."""
    numbers, owners, seconds, blocks, points = rings_of(history, stamps, cells)
    total = (0.0, 0.0, 0.0, np.inf, -np.inf)
    first = start // SECOND_MS  # the second that the start cuts
    for turn in range(len(owners)):
        place = owners[turn] % len(numbers)
        if owners[turn] > first and numbers[place] == owners[turn]:
            total = merged(total, seconds[place])
    turn = first % len(owners)
    if owners[turn] == first and numbers[first % len(numbers)] == first:
        within = start - first * SECOND_MS
        cut = turn * BLOCKS + within // BLOCK_MS  # the block that it cuts
        for block in range(cut + 1, (turn + 1) * BLOCKS):
            total = merged(total, blocks[block])
        if blocks[cut, COUNT] > 0.0:  # else its points mean nothing
            for point in range(turn * SECOND_MS + within, (cut + 1) * BLOCK_MS):
                total = merged(total, points[point])
    high, low, count, least, most = total
    # Plain numbers without compilation too, and not NumPy's.
    return float(high), float(low), float(count), float(least), float(most)
