"""Sums and means that are rounded once: helpers for kernels, on a sum that is a pair of doubles with an error bound.

The pair is normalised: `high` is the double nearest to high + low. `error` bounds the distance of high + low from the
exact sum. It is 0.0 as long as 106 bits have held the sum, which is nearly always: then high + low is the exact sum.

Values are at most 1e150 in magnitude and counts at most 2**53, so nothing overflows. There is one zero: no result is
-0.0. Sources: D. E. Knuth, *The Art of Computer Programming* 2, 4.2.2 (TwoSum); T. J. Dekker, "A floating-point
technique for extending the available precision", Numer. Math. 18 (1971) (TwoProduct); J. R. Shewchuk, "Adaptive
precision floating-point arithmetic", Discrete Comput. Geom. 18 (1997) (expansions).
"""

from __future__ import annotations

from timeseries_project.core.kernels import helper, kernel, routine
from timeseries_project.core.summation import Floats, Integers

#: Multiplying by it splits a double into halves of 26 bits.
SPLITTER = 2.0**27 + 1.0
#: Far more than the relative error of the few roundings that an estimate goes through, and than that of a margin.
SLACK = 2.0**-48
#: Below this magnitude the rounding error of a product may be too small to be a double.
TINY = 2.0**-900


@helper
def two_sum(a: float, b: float) -> tuple[float, float]:
    """Return the rounded sum of two doubles and what it lacks: a + b == s + e exactly.

    >>> two_sum(1e16, 1.0)
    (1e+16, 1.0)
    """
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


@helper
def two_product(a: float, b: float) -> tuple[float, float]:
    """Return the rounded product of two doubles and what it lacks: a * b == p + e exactly, if no part is subnormal.

    >>> two_product(1e8 + 1.0, 1e8 + 1.0)
    (1.00000002e+16, 1.0)
    """
    p = a * b
    t = SPLITTER * a
    a_high = t - (t - a)
    a_low = a - a_high
    t = SPLITTER * b
    b_high = t - (t - b)
    b_low = b - b_high
    return p, ((a_high * b_high - p) + a_high * b_low + a_low * b_high) + a_low * b_low


@helper
def add_bounds(a: float, b: float) -> float:
    """Return a double that is not less than the exact sum of two bounds; 0.0 if both are.

    >>> add_bounds(1.0, 1e-30) > 1.0
    True
    """
    return (a + b) * (1.0 + 2.0**-51)


@helper
def add_to_sum(high: float, low: float, error: float, x: float) -> tuple[float, float, float]:
    """Add a double to a sum.

    >>> add_to_sum(1e16, 0.0, 0.0, 1.0)
    (1e+16, 1.0, 0.0)
    """
    s, rest = two_sum(high, x)
    low, lost = two_sum(low, rest)
    high = s + low
    low = low - (high - s)
    if lost != 0.0:
        error = add_bounds(error, abs(lost))
    return high, low, error


@helper
def add_sums(
    high: float, low: float, error: float, other_high: float, other_low: float, other_error: float
) -> tuple[float, float, float]:
    """Add another sum to a sum.

    >>> add_sums(1e16, 1.0, 0.0, 1.0, 2.0**-60, 0.0)
    (1.0000000000000002e+16, 8.673617379884035e-19, 0.0)
    """
    high, low, error = add_to_sum(high, low, error, other_high)
    high, low, error = add_to_sum(high, low, error, other_low)
    if other_error != 0.0:
        error = add_bounds(error, other_error)
    return high, low, error


@kernel("void(float64[::1], int64[::1], float64[::1], float64[::1], float64[::1])")
def add_groups(values: Floats, starts: Integers, highs: Floats, lows: Floats, errors: Floats) -> None:
    """Add the values from starts[i] up to starts[i + 1] to the i-th sum.

    >>> import numpy as np
    >>> highs, lows, errors = np.zeros((3, 2))
    >>> add_groups(np.array([1e16, 1.0, 0.5]), np.array([0, 2]), highs, lows, errors)
    >>> highs.tolist(), lows.tolist(), errors.tolist()
    ([1e+16, 0.5], [1.0, 0.0], [0.0, 0.0])
    """
    for group in range(len(starts)):
        high, low, error = highs[group], lows[group], errors[group]
        stop = starts[group + 1] if group + 1 < len(starts) else len(values)
        for place in range(starts[group], stop):
            high, low, error = add_to_sum(high, low, error, values[place])
        highs[group], lows[group], errors[group] = high, low, error


@helper
def rounded(high: float, low: float, error: float) -> tuple[float, bool]:
    """Return the double nearest to the exact sum, and whether it is certain; if not, it is a guess.

    Rounding keeps order: if both ends of the interval where the exact sum lies round to one double, it does.

    >>> rounded(1e16, 0.75, 0.0), rounded(1e16, 0.75, 0.2), rounded(1e16, 0.75, 0.5)
    ((1e+16, True), (1e+16, True), (1e+16, False))
    """
    if error == 0.0:
        return high, True
    margin = add_bounds(abs(low) * SLACK, error)
    least = high + (low - margin)
    most = high + (low + margin)
    return high, least == most


@helper
def mean(high: float, low: float, error: float, count: float) -> tuple[float, bool]:
    """Return the double nearest to the exact sum / count, and whether it is certain; if not, it is a guess.

    The quotient high / count lacks (remainder + low) / count, which is known to many digits: both ends of the interval
    where the exact mean lies are rounded, as in `rounded`. They differ near the middle between two doubles only, which
    `nearer` decides. It is frequent with two values, but then the halves are exact. Close to the subnormal doubles what
    the quotient lacks may be too small to be computed: only a sum of one double is decided there.

    >>> mean(1.0, 0.0, 0.0, 3)
    (0.3333333333333333, True)
    >>> mean(1e16, 1.0, 0.0, 1), mean(1e16, 1.0, 1e-9, 1)
    ((1e+16, True), (1e+16, False))
    """
    n = float(count)
    quotient = high / n
    if abs(quotient) < TINY:
        return quotient + 0.0, low == 0.0 and error == 0.0
    product, missing = two_product(quotient, n)
    rest = (((high - product) - missing) + low) / n
    margin = abs(rest) * SLACK
    if error != 0.0:
        margin += error / n * (1.0 + SLACK)
    elif n <= 2.0:
        margin = 0.0
    least = quotient + (rest - margin)
    most = quotient + (rest + margin)
    if least == most:
        return least, True
    return nearer(high, low, error, n, least, most)


@routine
def nearer(high: float, low: float, error: float, n: float, below: float, above: float) -> tuple[float, bool]:
    """Return which of two neighbouring doubles is nearer to the exact sum / n, or the even one, and whether it is sure.

    The sign of high + low - n * middle tells it, whose terms are added without any error.

    >>> nearer(1.0 + 2.0**-52, 2.0**-53, 0.0, 1.0, 1.0 + 2.0**-52, 1.0 + 2.0**-51)
    (1.0000000000000004, True)
    """
    half = (above - below) / 2.0
    # This rounds a tie: to the even one of two neighbours, or to a double between them, if they are none.
    even = below + half
    product, missing = two_product(below, n)
    excess = sum_of_four(high - product, -missing, low, -(half * n))
    if (even != below and even != above) or (error != 0.0 and abs(excess) * (1.0 - SLACK) <= error):
        return even, False
    if excess == 0.0:
        return even, True
    return (above if excess > 0.0 else below), True


@helper
def sum_of_four(a: float, b: float, c: float, d: float) -> float:
    """Return a double of the sign of the exact sum of four, and next to it: they are added to an expansion.

    >>> sum_of_four(1e16, 2.0**-60, -1e16, -(2.0**-60))
    0.0
    """
    top, part1 = two_sum(a, b)
    carry, part0 = two_sum(part1, c)
    top, part1 = two_sum(top, carry)
    carry, last = two_sum(part0, d)
    carry, part0 = two_sum(part1, carry)
    top, part1 = two_sum(top, carry)
    # The parts do not overlap and grow towards the top, so the first that is not zero is the sum but for its last bits.
    return top or part1 or part0 or last
