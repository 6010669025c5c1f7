"""The loops that build buckets: from points, or from the sums of narrower buckets, each in one pass.

Columns of points are `times[i]` and `values[i]`, in order of time; those of buckets are `numbers[bucket]`,
`counts[bucket]` and `results[bucket]`, and hold non-empty buckets only. Buckets lie on a grid (`divisions.Grid`): one
every `width`, number 0 `phase` before the epoch, or at `edges` if there are any. A result is NaN where the double
nearest to an exact sum or average is not certain: whoever calls decides it from the points.
"""

from __future__ import annotations

import numpy as np

from timeseries_project.core.kernels import helper, kernel, routine
from timeseries_project.core.rounding_kernels import add_sums, add_to_sum, mean, rounded, two_sum
from timeseries_project.core.summation import Floats, Integers

# Columns that are only read, whoever may write them and whether or not they lie in one piece.
TIMES = "Array(int64, 1, 'A', readonly=True)"
VALUES = "Array(float64, 1, 'A', readonly=True)"

#: What is worked out of a bucket.
COUNT, SUM, AVG, MIN, MAX, FIRST, LAST, STDDEV, PERCENTILE = range(9)

#: The end of a bucket that has none.
LATEST = 2**62

#: Rounds after which `select` gives up; nearly all orders need fewer.
ROUNDS = 32


@routine()
def average(high: float, low: float, error: float, count: int) -> tuple[float, bool]:
    """Return the double nearest to the exact sum / count, and whether it is certain."""
    if count == 1:
        return rounded(high, low, error)
    return mean(high, low, error, float(count))


@helper
def result_of(high: float, low: float, error: float, count: int, aggregate: int) -> float:
    """Return the count, sum or average of a bucket; NaN if it is not certain."""
    if aggregate == COUNT:
        return float(count)
    result, decided = average(high, low, error, 1 if aggregate == SUM else count)
    return result if decided else np.nan


@helper
def sum_of(values: Floats, begin: int, end: int) -> tuple[float, float, float]:
    """Return the sum of the values from `begin` to before `end`."""
    high, low, error = values[begin], 0.0, 0.0
    for i in range(begin + 1, end):
        high, low, error = add_to_sum(high, low, error, values[i])
    return high, low, error


@helper
def simple(values: Floats, begin: int, end: int, aggregate: int) -> float:
    """Return the count, minimum, maximum, first or last of some values."""
    if aggregate == COUNT:
        return float(end - begin)
    result = values[end - 1 if aggregate == LAST else begin]
    if aggregate == MIN:
        for i in range(begin + 1, end):
            result = min(result, values[i])
    elif aggregate == MAX:
        for i in range(begin + 1, end):
            result = max(result, values[i])
    return float(result)


@routine()
def deviation(values: Floats, begin: int, end: int) -> float:
    """Return the standard deviation of some values, taken as the population: two passes over them.

    Distances from the mean are divided by an upper bound of all of them, so that no square overflows or vanishes.
    """
    total, lost = 0.0, 0.0
    least = most = values[begin]
    for i in range(begin, end):
        total, rest = two_sum(total, values[i])
        lost += rest
        least = min(least, values[i])
        most = max(most, values[i])
    count = float(end - begin)
    center = min(max((total + lost) / count, least), most)
    scale = max(most - center, center - least)
    if scale == 0.0:
        return 0.0
    squares, lost, shift = 0.0, 0.0, 0.0
    for i in range(begin, end):
        distance = (values[i] - center) / scale
        squares, rest = two_sum(squares, distance * distance)
        lost += rest
        shift += distance
    # The mean was rounded: its distance from the exact one corrects for this.
    shift /= count
    return float(scale * np.sqrt(max((squares + lost) / count - shift * shift, 0.0)))


@routine()
def percentile(ranked: Floats, begin: int, end: int, fraction: float) -> float:
    """Interpolate linearly between the closest ranks, bit for bit as `numpy.percentile`; the values are reordered."""
    rank = (end - begin - 1) * fraction
    below = int(rank)
    select(ranked, begin, end, begin + below)
    a = ranked[begin + below]
    b = a
    if begin + below + 1 < end:  # the next one is the least of those behind
        b = ranked[begin + below + 1]
        for i in range(begin + below + 2, end):
            b = min(b, ranked[i])
    t = rank - below
    return float(a + (b - a) * t if t < 0.5 else b - (b - a) * (1 - t))


@routine()
def select(values: Floats, begin: int, end: int, place: int) -> None:
    """Move a value to the place that it had if all were sorted, none larger before it and none smaller behind.

    This is C. A. R. Hoare's FIND ("Algorithm 65", CACM 4 (1961)). Some orders of the values would make it slow, so what
    is left after so many rounds is sorted.
    """
    low, high = begin, end - 1
    rounds = 0
    while low < high:
        if rounds == ROUNDS:
            sort(values, low, high + 1)
            return
        rounds += 1
        a, b, c = values[low], values[(low + high) // 2], values[high]
        pivot = max(min(a, b), min(max(a, b), c))  # the middle one of three
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if j < place:
            low = i
        if place < i:
            high = j


@routine()
def sort(values: Floats, begin: int, end: int) -> None:
    """Sort the values from `begin` to before `end`: heapsort, whose time no order of the values can make long."""
    length = end - begin
    for root in range(length // 2 - 1, -1, -1):
        sift(values, begin, root, length)
    for last in range(length - 1, 0, -1):
        values[begin], values[begin + last] = values[begin + last], values[begin]
        sift(values, begin, 0, last)


@routine()
def sift(values: Floats, begin: int, root: int, length: int) -> None:
    """Let the root of a heap sink to its place: no node is then smaller than its children."""
    value = values[begin + root]
    child = 2 * root + 1
    while child < length:
        if child + 1 < length and values[begin + child] < values[begin + child + 1]:
            child += 1
        if values[begin + child] <= value:
            break
        values[begin + root] = values[begin + child]
        root = child
        child = 2 * root + 1
    values[begin + root] = value


@routine()
def number_of(time: int, number: int, width: int, phase: int, edges: Integers) -> int:
    """Return the number of the bucket of a time that lies behind the bucket `number`, which may be -1.

    The next one is tried first. O(1), with edges O(log edges).
    """
    if len(edges) == 0:
        return number + 1 if time < (number + 2) * width - phase else (time + phase) // width
    low, high = number + 1, len(edges) - 2
    if low >= high or time < edges[low + 1]:
        return low
    while low < high:  # the last one that begins at the time or before
        middle = (low + high + 1) // 2
        if edges[middle] <= time:
            low = middle
        else:
            high = middle - 1
    return low


@helper
def end_of(number: int, width: int, phase: int, edges: Integers) -> int:
    """Return where a bucket ends; the last one with edges never does."""
    if len(edges) == 0:
        return (number + 1) * width - phase
    return edges[number + 1] if number + 2 < len(edges) else LATEST


@kernel(f"int64({TIMES}, int64, int64, {TIMES})")
def count_buckets(times: Integers, width: int, phase: int, edges: Integers) -> int:
    """Return how many buckets have points; -1 if the times are not in order. O(points)."""
    buckets = 0
    previous = 0
    number = -1
    end = -phase  # of the last bucket met
    for time in times:
        if time < previous:
            return -1
        previous = time
        if time >= end:
            buckets += 1
            number = number_of(time, number, width, phase, edges)
            end = end_of(number, width, phase, edges)
    return buckets


@kernel(
    f"int64({TIMES}, {VALUES}, int64, int64, {TIMES}, int64, float64, float64[::1],"
    " int64[::1], int64[::1], float64[::1])"
)
def buckets_of_points(
    times: Integers,
    values: Floats,
    width: int,
    phase: int,
    edges: Integers,
    aggregate: int,
    fraction: float,
    ranked: Floats,
    numbers: Integers,
    counts: Integers,
    results: Floats,
) -> int:
    """Write the buckets of points; return how many there are. O(points), whatever the aggregate.

    `fraction` tells the percentile. Its values are put in order in `ranked`, a copy of `values`, else empty.
    """
    bucket = 0
    begin = 0
    number = -1
    while begin < len(times):
        number = number_of(times[begin], number, width, phase, edges)
        limit = end_of(number, width, phase, edges)
        end = begin + 1
        while end < len(times) and times[end] < limit:
            end += 1
        if aggregate in (SUM, AVG):
            high, low, error = sum_of(values, begin, end)
            result = result_of(high, low, error, end - begin, aggregate)
        elif aggregate == STDDEV:
            result = deviation(values, begin, end)
        elif aggregate == PERCENTILE:
            result = percentile(ranked, begin, end, fraction)
        else:
            result = simple(values, begin, end, aggregate)
        numbers[bucket], counts[bucket], results[bucket] = number, end - begin, result
        bucket += 1
        begin = end
    return bucket


@kernel(
    f"int64({TIMES}, {TIMES}, {VALUES}, {VALUES}, {VALUES}, int64, int64, {TIMES}, int64,"
    " int64[::1], int64[::1], float64[::1])"
)
def buckets_of_sums(
    narrow: Integers,
    narrow_counts: Integers,
    highs: Floats,
    lows: Floats,
    errors: Floats,
    width: int,
    phase: int,
    edges: Integers,
    aggregate: int,
    numbers: Integers,
    counts: Integers,
    results: Floats,
) -> int:
    """Write the buckets that are made of narrow ones, the unit of the grid; return how many there are. O(narrow ones).

    The columns of the narrow ones are their numbers, ascending and perhaps repeated, counts, and sums.
    """
    bucket = 0
    i = 0
    number = -1
    while i < len(narrow):
        number = number_of(narrow[i], number, width, phase, edges)
        limit = end_of(number, width, phase, edges)
        count, high, low, error = narrow_counts[i], highs[i], lows[i], errors[i]
        i += 1
        while i < len(narrow) and narrow[i] < limit:
            count += narrow_counts[i]
            high, low, error = add_sums(high, low, error, highs[i], lows[i], errors[i])
            i += 1
        numbers[bucket], counts[bucket] = number, count
        results[bucket] = result_of(high, low, error, count, aggregate)
        bucket += 1
    return bucket
