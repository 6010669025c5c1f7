"""The loops over consecutive buckets: what stands in empty ones, and the averages of sliding windows.

The non-empty buckets are columns: `numbers[rank]`, ascending, and `values[rank]`. If no bucket between the first and
the last is empty, `numbers` is empty, and a number is `base` + rank.

A window slides over items. With `LINEAR` they are the buckets from the first non-empty one to the last, by number. Else
they are the non-empty buckets, by rank; with `PREVIOUS` each together with the empty ones after it, a stretch.
"""

from __future__ import annotations

import numpy as np

from datapoints.bucket_kernels import average
from timeseries_project.core.kernels import helper, kernel, routine
from timeseries_project.core.rounding_kernels import add_sums, add_to_sum, two_product, two_sum
from timeseries_project.core.summation import Floats, Integers

#: What stands in an empty bucket: nothing, 0, the value before it, or one on the line between its neighbours.
NULL, ZERO, PREVIOUS, LINEAR = range(4)

#: The sums of so many items at the front of a window are kept one by one.
BLOCK = 4096
#: The state of a window between two slices: its items are first <= item < stop; `RANK` is that of the last non-empty
#: bucket before `STOP`; the sums of items up to `TURN` are in the front, those of the items from there on in the back.
FIRST, TURN, STOP, RANK = range(4)
#: How many doubles `beyond_middle` adds.
TERMS = 8
#: The smallest double above zero.
SMALLEST = 5e-324

COLUMNS = "int64[::1], int64, float64[::1]"


@helper
def number_of(numbers: Integers, base: int, rank: int) -> int:
    """Return the number of a non-empty bucket."""
    return numbers[rank] if len(numbers) > 0 else base + rank


@helper
def on_line(numbers: Integers, base: int, values: Floats, rank: int, number: int, terms: Floats) -> float:
    """Return the value of a bucket not before the non-empty one of this rank, and before the next one."""
    step = number - number_of(numbers, base, rank)
    if step == 0:
        return float(values[rank])
    length = number_of(numbers, base, rank + 1) - number_of(numbers, base, rank)
    return between(values[rank], values[rank + 1], step, length, terms)


@routine()
def between(a: float, b: float, step: int, length: int, terms: Floats) -> float:
    """Return the double nearest to a + (b - a) * step / length, exactly: to the mean of `length` values a or b.

    A product of a double and an integer is exactly the sum of two doubles, whatever its size.
    """
    high, low = two_product(a, float(length - step))
    other_high, other_low = two_product(b, float(step))
    high, low, error = add_sums(high, low, 0.0, other_high, other_low, 0.0)
    value, decided = average(high, low, error, length)
    if decided:
        return value
    return nearest(a, b, step, length, value, terms)


@routine()
def nearest(a: float, b: float, step: int, length: int, guess: float, terms: Floats) -> float:
    """Return the double nearest to a mean as in `between`, of two the even one, from one that is near it."""
    value = guess
    above = np.nextafter(value, np.inf)
    while beyond_middle(a, b, step, length, value, above, terms) > 0.0:
        value, above = above, np.nextafter(above, np.inf)
    below = np.nextafter(value, -np.inf)
    while beyond_middle(a, b, step, length, below, value, terms) < 0.0:
        value, below = below, np.nextafter(below, -np.inf)
    above = np.nextafter(value, np.inf)
    if beyond_middle(a, b, step, length, value, above, terms) == 0.0:
        value = even(value, above)
    elif beyond_middle(a, b, step, length, below, value, terms) == 0.0:
        value = even(below, value)
    return value + 0.0  # there is one zero


@helper
def even(below: float, above: float) -> float:
    """Return which of two neighbouring doubles has an even last digit."""
    half = (above - below) / 2.0
    if half > 0.0:
        return below + half  # a tie, which is rounded to it
    return below if (below / SMALLEST) % 2.0 == 0.0 else above


@routine()
def beyond_middle(a: float, b: float, step: int, length: int, below: float, above: float, terms: Floats) -> float:
    """Return a double of the sign of the exact mean, as in `between`, less the middle of two doubles."""
    terms[0], terms[1] = two_product(2.0 * a, float(length - step))
    terms[2], terms[3] = two_product(2.0 * b, float(step))
    terms[4], terms[5] = two_product(-below, float(length))
    terms[6], terms[7] = two_product(-above, float(length))
    return sign_of_sum(terms)


@helper
def sign_of_sum(terms: Floats) -> float:
    """Return a double of the sign of the exact sum; the terms become an expansion of it.

    Its parts do not overlap and grow, so the last one that is not zero has the sign. See GROW-EXPANSION in
    J. R. Shewchuk, "Adaptive precision floating-point arithmetic", Discrete Comput. Geom. 18 (1997).
    """
    for count in range(1, len(terms)):
        carry = terms[count]
        for i in range(count):
            carry, terms[i] = two_sum(carry, terms[i])
        terms[count] = carry
    for i in range(len(terms) - 1, -1, -1):
        if terms[i] != 0.0:
            return float(terms[i])
    return 0.0


@helper
def add_item(
    numbers: Integers,
    base: int,
    values: Floats,
    fill: int,
    item: int,
    rank: int,
    terms: Floats,
    high: float,
    low: float,
    error: float,
) -> tuple[float, float, float]:
    """Add an item to a sum. `rank` is that of the last non-empty bucket up to it, which `LINEAR` alone asks for."""
    if fill == PREVIOUS:
        length = number_of(numbers, base, item + 1) - number_of(numbers, base, item)
        return add_times(values[item], length, high, low, error)
    value = on_line(numbers, base, values, rank, item, terms) if fill == LINEAR else values[item]
    return add_to_sum(high, low, error, value)


@routine()
def add_times(value: float, times: int, high: float, low: float, error: float) -> tuple[float, float, float]:
    """Add a value to a sum so many times."""
    product, missing = two_product(value, float(times))
    return add_sums(high, low, error, product, missing, 0.0)


@routine()
def keep_front(
    numbers: Integers,
    base: int,
    values: Floats,
    fill: int,
    first: int,
    top: int,
    turn: int,
    terms: Floats,
    blocks: Floats,
    singles: Floats,
) -> None:
    """Sum up the front from its end, `turn`, towards its beginning: the items first <= item < top, `turn` at most.

    With `after` items between an item and the turn, `singles[after % BLOCK]` is the sum from the item on, and
    `blocks[after // BLOCK]` the sum behind its block: of all blocks, whereas the singles are those of the first block.
    """
    high, low, error = 0.0, 0.0, 0.0
    if top < turn:
        block = (turn - top) // BLOCK
        high, low, error = blocks[block, 0], blocks[block, 1], blocks[block, 2]
    rank = last_up_to(numbers, base, values, top - 1) if fill == LINEAR else 0
    for item in range(top - 1, first - 1, -1):
        after = turn - 1 - item
        if after % BLOCK == 0:
            block = after // BLOCK
            blocks[block, 0], blocks[block, 1], blocks[block, 2] = high, low, error
        if fill == LINEAR:
            while number_of(numbers, base, rank) > item:
                rank -= 1
        high, low, error = add_item(numbers, base, values, fill, item, rank, terms, high, low, error)
        single = after % BLOCK
        singles[single, 0], singles[single, 1], singles[single, 2] = high, low, error


@helper
def last_up_to(numbers: Integers, base: int, values: Floats, number: int) -> int:
    """Return the rank of the last non-empty bucket up to this number; the first one is not after it. O(log n)."""
    low, high = 0, len(values)
    while low + 1 < high:
        middle = (low + high) // 2
        if number_of(numbers, base, middle) <= number:
            low = middle
        else:
            high = middle
    return low


@kernel(f"void({COLUMNS}, int64, int64, int64, float64[::1], float64[::1])")
def fill_values(
    numbers: Integers,
    base: int,
    values: Floats,
    fill: int,
    start: int,
    rank: int,
    terms: Floats,
    filled: Floats,
) -> None:
    """Write the values of consecutive buckets from `start` on, before which `rank` non-empty ones lie. O(buckets)."""
    for place in range(len(filled)):
        number = start + place
        if rank < len(values) and number_of(numbers, base, rank) == number:
            filled[place] = values[rank]
            rank += 1
        elif fill == ZERO:
            filled[place] = 0.0
        elif fill == PREVIOUS and rank > 0:
            filled[place] = values[rank - 1]
        elif fill == LINEAR and 0 < rank < len(values):
            filled[place] = on_line(numbers, base, values, rank - 1, number, terms)
        else:
            filled[place] = np.nan


@kernel(
    f"int64({COLUMNS}, int64, int64, int64, int64, int64,"
    " int64[::1], float64[::1], float64[:, ::1], float64[:, ::1], float64[::1], float64[::1], int64[::1])"
)
def slide(
    numbers: Integers,
    base: int,
    values: Floats,
    fill: int,
    oldest: int,
    size: int,
    least: int,
    start: int,
    state: Integers,
    back: Floats,
    blocks: Floats,
    singles: Floats,
    terms: Floats,
    averages: Floats,
    undecided: Integers,
) -> int:
    """Write the averages of the windows that end in consecutive buckets from `start` on. O(buckets), whatever the size.

    A window has `size` buckets, but none before `oldest`; the average is NaN if fewer than `least` of them have a
    value. Nothing is ever subtracted: the window is a queue of two stacks, the front, whose sums from each item on are
    kept, and the back, of which one sum is kept. When the front is used up, the back becomes the front. See
    K. Tangwongsan, M. Hirzel and S. Schneider, "In-order sliding-window aggregation in worst-case constant time",
    VLDB Journal 30 (2021). Returns how many averages are not certain, whose places are the first in `undecided`.
    """
    doubts = 0
    first, turn, stop, rank = state[FIRST], state[TURN], state[STOP], state[RANK]
    high, low, error = back[0], back[1], back[2]
    ranks = len(values)
    newest = number_of(numbers, base, ranks - 1) if ranks > 0 else -1
    for place in range(len(averages)):
        end = start + place
        begin = max(end - size + 1, oldest)
        # New items come to the back.
        while (
            stop <= min(end, newest)
            if fill == LINEAR
            else stop + (fill == PREVIOUS) < ranks and number_of(numbers, base, stop + (fill == PREVIOUS)) <= end
        ):
            if fill == LINEAR:
                while rank + 1 < ranks and number_of(numbers, base, rank + 1) <= stop:
                    rank += 1
            high, low, error = add_item(numbers, base, values, fill, stop, rank, terms, high, low, error)
            stop += 1
        # Old ones leave the front, which may have to be made first.
        was = first
        if fill == LINEAR:
            first = max(first, min(begin, stop))
        else:
            while first < stop and number_of(numbers, base, first) < begin:
                first += 1
        if first > turn:
            keep_front(numbers, base, values, fill, first, stop, stop, terms, blocks, singles)
            turn = stop
            high, low, error = 0.0, 0.0, 0.0
        elif first < turn and (turn - 1 - first) // BLOCK < (turn - 1 - was) // BLOCK:
            block = (turn - 1 - first) // BLOCK
            keep_front(numbers, base, values, fill, first, turn - block * BLOCK, turn, terms, blocks, singles)
        sum_high, sum_low, sum_error = high, low, error
        if first < turn:
            single = (turn - 1 - first) % BLOCK
            sum_high, sum_low, sum_error = add_sums(
                high, low, error, singles[single, 0], singles[single, 1], singles[single, 2]
            )
        periods = stop - first
        if fill == ZERO:
            periods = end - begin + 1
        elif fill == PREVIOUS and ranks > 0 and number_of(numbers, base, 0) <= end:
            # The stretches at the ends of the window lie partly within it.
            oldest_here = max(begin, number_of(numbers, base, 0))
            periods = end - oldest_here + 1
            tail = max(oldest_here, number_of(numbers, base, stop))
            sum_high, sum_low, sum_error = add_times(values[stop], end - tail + 1, sum_high, sum_low, sum_error)
            if number_of(numbers, base, first) > oldest_here:
                length = number_of(numbers, base, first) - oldest_here
                sum_high, sum_low, sum_error = add_times(values[first - 1], length, sum_high, sum_low, sum_error)
        if periods < least or periods <= 0:
            averages[place] = np.nan
            continue
        averages[place], decided = average(sum_high, sum_low, sum_error, periods)
        if not decided:
            undecided[doubts] = place
            doubts += 1
    state[FIRST], state[TURN], state[STOP], state[RANK] = first, turn, stop, rank
    back[0], back[1], back[2] = high, low, error
    return doubts
