"""The loops that keep the sums of quarter-hours beside the points; `series.py` tells what they are.

Both pools are passed to a kernel as their arrays (`core/block_kernels.py`), the points first. A point has one cell, its
value. A quarter-hour, known by its number, has four: COUNT, HIGH, LOW and ERROR.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from datapoints.interface import QUARTER_HOUR
from timeseries_project.core.block_add_kernels import blocks_for
from timeseries_project.core.block_kernels import (
    ARRAYS,
    BEYOND,
    COLUMN,
    FILL,
    FIRST,
    LAST,
    LATE,
    NEXT,
    NONE,
    ROOT,
    TAIL,
    Arrays,
    Pool,
    bits_of,
    double_of,
    find_after,
    free_blocks,
    has_key,
    open_place,
)
from timeseries_project.core.block_kernels import COUNT as POINTS
from timeseries_project.core.block_range_kernels import first_from, free_tree, remove_from
from timeseries_project.core.kernels import kernel, routine
from timeseries_project.core.rounding_kernels import add_sums, add_to_sum
from timeseries_project.core.summation import Floats, Integers

COUNT, HIGH, LOW, ERROR = range(4)
SUM_CELLS = 4

#: What adding a point came to.
ADDED, TAKEN, NO_ROOM = range(3)

VALUES = "Array(float64, 1, 'C', readonly=True)"
Links = NDArray[np.int32]


@routine()
def find_quarter(sums: Pool, series: int, number: int) -> tuple[int, int]:
    """Return block and place of a quarter-hour of a series, or NONE where there is none."""
    last = sums.heads[series, LAST]
    if number == last:
        tail = sums.heads[series, TAIL]
        return tail, sums.links[tail, FILL] - 1
    if number > last:
        return NONE, NONE
    block, place = find_after(sums, series, number)
    if place > 0 and sums.keys[block, place - 1] == number:
        return block, place - 1
    return NONE, NONE


@routine()
def write_sum(sums: Pool, block: int, place: int, count: float, high: float, low: float, error: float) -> None:
    """Write the cells of a quarter-hour."""
    sums.cells[block, place, COUNT] = bits_of(count)
    sums.cells[block, place, HIGH] = bits_of(high)
    sums.cells[block, place, LOW] = bits_of(low)
    sums.cells[block, place, ERROR] = bits_of(error)


@routine()
def add_to_quarter(sums: Pool, series: int, number: int, count: float, high: float, low: float, error: float) -> None:
    """Add so many values with this sum to a quarter-hour of a series, which may be new."""
    block, place = find_quarter(sums, series, number)
    if block == NONE:
        block, place = open_place(sums, series, number)
    else:
        cells = sums.cells
        count += double_of(cells[block, place, COUNT])
        high, low, error = add_sums(
            high,
            low,
            error,
            double_of(cells[block, place, HIGH]),
            double_of(cells[block, place, LOW]),
            double_of(cells[block, place, ERROR]),
        )
    write_sum(sums, block, place, count, high, low, error)


@kernel(f"int64({ARRAYS}, {ARRAYS}, int64, int64, float64)")
def add_point(
    point_arrays: Arrays,
    sum_arrays: Arrays,
    series: int,
    time: int,
    value: float,
) -> int:
    """Add a point to a series, unless it has one of that time or there is no room; return what it came to."""
    points = Pool(*point_arrays)
    sums = Pool(*sum_arrays)
    if has_key(points, series, time):
        return TAKEN
    number = time // QUARTER_HOUR
    late, late_sum = int(time < points.heads[series, LAST]), int(number < sums.heads[series, LAST])
    if free_blocks(points) < blocks_for(points, series, late, 1 - late):
        return NO_ROOM
    if free_blocks(sums) < blocks_for(sums, series, late_sum, 1 - late_sum):
        return NO_ROOM
    block, place = open_place(points, series, time)
    points.cells[block, place, 0] = bits_of(value)
    add_to_quarter(sums, series, number, 1.0, value, 0.0, 0.0)
    return ADDED


@kernel(f"int64({ARRAYS}, {COLUMN}, {COLUMN}, int64, int64)")
def sum_blocks_needed(
    arrays: Arrays,
    series: Integers,
    times: Integers,
    begin: int,
    end: int,
) -> int:
    """Return how many blocks of sums the points begin <= row < end may take at most."""
    sums = Pool(*arrays)
    needed = 0
    row = begin
    while row < end:
        owner = series[row]
        last = sums.heads[owner, LAST]
        late, newer = 0, 0
        while row < end and series[row] == owner:
            number = times[row] // QUARTER_HOUR
            late += number < last
            newer += number > last
            stop = (number + 1) * QUARTER_HOUR
            while row < end and times[row] < stop and series[row] == owner:
                row += 1
        needed += blocks_for(sums, owner, late, newer)
    return needed


@kernel(f"void({ARRAYS}, {COLUMN}, {COLUMN}, {VALUES}, int64, int64)")
def add_to_sums(
    arrays: Arrays,
    series: Integers,
    times: Integers,
    values: Floats,
    begin: int,
    end: int,
) -> None:
    """Add the values of the points begin <= row < end to their quarter-hours; those of one stand together."""
    sums = Pool(*arrays)
    row, end = begin, min(end, len(times))
    while row < end:
        owner = series[row]
        number = times[row] // QUARTER_HOUR
        stop = (number + 1) * QUARTER_HOUR
        count, high, low, error = 0.0, 0.0, 0.0, 0.0
        while row < end and times[row] < stop and series[row] == owner:
            high, low, error = add_to_sum(high, low, error, values[row])
            count += 1.0
            row += 1
        add_to_quarter(sums, owner, number, count, high, low, error)


@routine()
def sum_again(points: Pool, sums: Pool, series: int, number: int) -> int:
    """Sum up the points of a quarter-hour of a series anew, after some were removed or replaced; return how many."""
    block, place = find_quarter(sums, series, number)
    if block == NONE:
        return 0
    count, high, low, error = 0.0, 0.0, 0.0, 0.0
    if points.heads[series, ROOT] != NONE:
        stop = (number + 1) * QUARTER_HOUR
        leaf, at = find_after(points, series, number * QUARTER_HOUR - 1)
        while leaf != NONE:
            while at < points.links[leaf, FILL] and points.keys[leaf, at] < stop:
                high, low, error = add_to_sum(high, low, error, double_of(points.cells[leaf, at, 0]))
                count += 1.0
                at += 1
            if at < points.links[leaf, FILL]:
                break
            leaf, at = points.links[leaf, NEXT], 0
    if count == 0.0:
        remove_from(sums, series, number, number + 1, 1)
    else:
        write_sum(sums, block, place, count, high, low, error)
    return int(count)


@kernel(f"int64({ARRAYS}, {ARRAYS}, {COLUMN}, int64, int64, int64)")
def remove_points(
    point_arrays: Arrays,
    sum_arrays: Arrays,
    series: Integers,
    start: int,
    stop: int,
    most: int,
) -> int:
    """Remove the points with start <= time < stop of some series; return how many.

    No series is begun once `most` were removed, and of one that goes on about so many are removed at most. O(log n) for
    a series that goes whole; else what `remove_from` takes, and the points of two quarter-hours.
    """
    points = Pool(*point_arrays)
    sums = Pool(*sum_arrays)
    removed = 0
    for owner in series:
        if removed >= most:
            break
        if start <= points.heads[owner, FIRST] and points.heads[owner, LAST] < stop:
            removed += points.heads[owner, POINTS]
            free_tree(points, owner)
            free_tree(sums, owner)
            continue
        gone = remove_from(points, owner, start, stop, most - removed)
        if gone > 0:
            removed += gone
            # Here the series has no points from the start on.
            until = min(first_from(points, owner, start), stop)
            remove_from(sums, owner, -(-start // QUARTER_HOUR), until // QUARTER_HOUR, BEYOND)
            sum_again(points, sums, owner, start // QUARTER_HOUR)
            sum_again(points, sums, owner, until // QUARTER_HOUR)
    return removed


@kernel(f"int64({ARRAYS}, {COLUMN}, {COLUMN})")
def count_beside(arrays: Arrays, series: Integers, times: Integers) -> int:
    """Return how many points the quarter-hours of some points have together; those of one stand together."""
    sums = Pool(*arrays)
    count = 0.0
    for row in range(len(times)):
        number = times[row] // QUARTER_HOUR
        if row == 0 or series[row] != series[row - 1] or number != times[row - 1] // QUARTER_HOUR:
            block, place = find_quarter(sums, series[row], number)
            if block != NONE:
                count += double_of(sums.cells[block, place, COUNT])
    return int(count)


@routine()
def write_value(points: Pool, series: int, time: int, value: float) -> int:
    """Write a value in place of that of a point, which must exist; return 1, or 0 if it was the same. O(log n)."""
    block, place = find_after(points, series, time)
    bits = bits_of(value)
    if points.cells[block, place - 1, 0] == bits:
        return 0
    points.cells[block, place - 1, 0] = bits
    return 1


@kernel(f"int64({ARRAYS}, {ARRAYS}, {COLUMN}, {COLUMN}, {VALUES}, int64, int64, int64)")
def replace_values(
    point_arrays: Arrays,
    sum_arrays: Arrays,
    series: Integers,
    times: Integers,
    values: Floats,
    begin: int,
    end: int,
    most: int,
) -> int:
    """Write the values of the rows begin <= row < end in place of those of points, which must exist.

    Each quarter-hour in which a value changed is summed up anew; none is begun once so many points were added up.
    Returns the row at which to go on. O(log n) for each row, and the points of the quarter-hours.
    """
    points = Pool(*point_arrays)
    sums = Pool(*sum_arrays)
    row, end, added = begin, min(end, len(times)), 0
    while row < end and added < most:
        owner = series[row]
        number = times[row] // QUARTER_HOUR
        stop = (number + 1) * QUARTER_HOUR
        changed = 0
        while row < end and times[row] < stop and series[row] == owner:
            changed += write_value(points, owner, times[row], values[row])
            row += 1
        if changed > 0:
            points.heads[owner, LATE] += 1
            added += sum_again(points, sums, owner, number)
    return row
