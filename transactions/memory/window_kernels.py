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

# An array that is only read, whoever may write it.
READABLE = "Array({}, 1, 'C', readonly=True)"

#: A second that no cell stands for.
NEVER = -(2**62)


@helper
def rings_of(history: int, stamps: Integers, cells: Floats) -> tuple[Integers, Integers, Floats, Floats, Floats]:
    """Return the parts of the two arrays.

    `numbers[place]` is the second that a place in the ring of seconds stands for, `owners[turn]` the one whose blocks
    and points lie at that turn; then come the seconds, the blocks, and the points of a millisecond each.
    """
    turns = len(stamps) - history
    points_at = history + turns * BLOCKS
    return stamps[:history], stamps[history:], cells[:history], cells[history:points_at], cells[points_at:]


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
def add_to_cell(cells: Floats, place: int, amount: float) -> None:
    """Count an amount in a cell. The sum is that of `summation.add_to_pair`."""
    high, low = cells[place, HIGH], cells[place, LOW]
    s = high + amount
    t = s - high
    v = low + ((high - (s - t)) + (amount - t))
    total = s + v
    cells[place, HIGH] = total
    cells[place, LOW] = v - (total - s)
    cells[place, COUNT] += 1.0
    cells[place, LEAST] = min(cells[place, LEAST], amount)
    cells[place, MOST] = max(cells[place, MOST], amount)


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
    place = second % len(numbers)
    turn = second % len(owners)
    if numbers[place] != second or owners[turn] != second:
        # The second begins. Both places may still show others, of earlier turns of the rings.
        numbers[place] = second
        owners[turn] = second
        empty_cells(seconds, place, 1)
        empty_cells(blocks, turn * BLOCKS, BLOCKS)
    block = turn * BLOCKS + within // BLOCK_MS
    if blocks[block, COUNT] == 0.0:
        empty_cells(points, block * BLOCK_MS, BLOCK_MS)
    add_to_cell(seconds, place, amount)
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
def merged(total: tuple[float, ...], cell: Floats) -> tuple[float, ...]:
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
def total_since(start: int, history: int, stamps: Integers, cells: Floats) -> tuple[float, ...]:
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
    return total
