"""Exact and nearly exact sums of doubles: splits into integers, and pairs of doubles that carry the rounding error.

Plain Python and NumPy; knows no framework. Sources: D. E. Knuth, *The Art of Computer Programming* 2, 4.2.2
(TwoSum); M. Joldes, J.-M. Muller, V. Popescu, "Tight and rigorous error bounds for basic building blocks of
double-word arithmetic", ACM TOMS 44 (2017), whose Algorithm 4 is `add_to_pair`; S. M. Rump, T. Ogita and
S. Oishi, "Accurate floating-point summation", SIAM J. Sci. Comput. 31 (2008), for the splitting.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Number = TypeVar("Number", float, Floats)

MANTISSA_BITS = 53
#: Binary digits after the point of the smallest double.
POINT = 1074
#: So many values are added sooner one by one.
FEW = 64


def two_sum(a: Number, b: Number) -> tuple[Number, Number]:
    """Return the rounded sum of two doubles and its rounding error: a + b == s + e exactly. O(1).

    >>> two_sum(1e16, 1.0)
    (1e+16, 1.0)
    """
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


def add_to_pair(high: Number, low: Number, x: Number) -> tuple[Number, Number]:
    """Add a double to a sum kept as an unevaluated pair (high + low); return the new pair. O(1).

    The relative error of one addition is at most 2**-105, so n of them stray at most n**2 * 2**-105 times
    the largest |x| from the exact sum: under 2**-51 of it for every n up to 2**27.

    >>> high, low = add_to_pair(1e16, 0.0, 1.0)
    >>> add_to_pair(high, low, -1e16)
    (1.0, 0.0)
    """
    s = high + x
    t = s - high
    v = low + ((high - (s - t)) + (x - t))
    total = s + v
    return total, v - (total - s)


def limbs(values: Floats, bits: int) -> Iterator[tuple[int, Integers]]:
    """Split doubles into integers: values == sum(limb * 2.0**exponent), exactly, coarsest limb first.

    Every |limb| is at most 2**bits, so sums of up to 2**(53 - bits) of them are exact as doubles, and sums
    of integers are exact in any order. Two or three limbs hold ordinary data; the number grows with the
    spread between the largest value and the last bit of the smallest. O(len(values)) each. Finite values
    only.

    >>> [(exponent, limb.tolist()) for exponent, limb in limbs(np.array([5.0, 0.25]), 3)]
    [(0, [5, 0]), (-4, [0, 4])]
    """
    rest = values
    while True:
        largest = float(np.max(np.abs(rest), initial=0.0))
        if largest == 0.0:
            return
        # The unit that makes the largest rest fill a limb, but never finer than a double's last place.
        exponent = max(math.frexp(largest)[1] - bits, -1074)
        limb = np.rint(np.ldexp(rest, -exponent))
        yield exponent, limb.astype(np.int64)
        rest = rest - np.ldexp(limb, exponent)


def times_smallest(value: float) -> int:
    """Return how many times the smallest double makes this one: an integer. O(1).

    >>> times_smallest(5e-324), times_smallest(-1.5) == -3 * 2**1073
    (1, True)
    """
    numerator, denominator = value.as_integer_ratio()
    return numerator << (POINT + 1 - denominator.bit_length())


def exact_mean(values: Floats, count: int) -> float:
    """Return the double nearest to the exact sum of the values, divided by the count; never -0.0. O(len(values)).

    >>> exact_mean(np.array([1e60, 1e30, 3.0, -1e30, -1e60]), 5)
    0.6
    """
    if len(values) <= FEW:
        # Python rounds the quotient of two integers once.
        return sum(map(times_smallest, values.tolist())) / (count << POINT) + 0.0
    # Sums of so many limbs of so few bits stay below 2**63.
    bits = min(MANTISSA_BITS, 62 - len(values).bit_length())
    parts = (int(np.sum(limb)) * Fraction(2) ** exponent for exponent, limb in limbs(values, bits))
    return float(sum(parts, Fraction()) / count) + 0.0


def exact_sum(values: Floats) -> float:
    """Return the double nearest to the exact sum of the values; never -0.0. O(len(values)).

    >>> exact_sum(np.array([1e16, 1.0, -1e16]))
    1.0
    """
    return exact_mean(values, 1)


def grouped_sums(values: Floats, starts: Integers) -> tuple[Floats, Floats]:
    """Sum the groups values[starts[i]:starts[i+1]], each group non-empty, as pairs (high, low).

    `high` is the exact sum rounded to a double and `low` the rounded rest: the pair depends on the group's
    values alone, not on their order or on the other groups. O(len(values)).

    >>> high, low = grouped_sums(np.array([1e16, 1.0, -1e16, 0.5]), np.array([0, 3]))
    >>> high.tolist(), low.tolist()
    ([1.0, 0.5], [0.0, 0.0])
    """
    longest = int(np.max(np.diff(starts, append=len(values)), initial=1))
    bits = MANTISSA_BITS - longest.bit_length()
    parts = [
        np.ldexp(np.add.reduceat(limb, starts).astype(np.float64), exponent) for exponent, limb in limbs(values, bits)
    ]
    return sum_parts(parts, len(starts))


def sum_parts(parts: list[Floats], length: int) -> tuple[Floats, Floats]:
    """Add columns of doubles elementwise into pairs: high is the exact sum, rounded, low the rounded rest.

    Up to two columns are added exactly in one step. With more, a few elements leave a remainder, and only these are
    added by `math.fsum`. O(length * len(parts)).

    >>> high, low = sum_parts([np.array([1e16, 1.0]), np.array([1.0, 2.0])], 2)
    >>> high.tolist(), low.tolist()
    ([1e+16, 3.0], [1.0, 0.0])
    """
    high, low = np.zeros(length), np.zeros(length)
    if parts:
        high = parts[0]
    if len(parts) > 1:
        high, low = two_sum(high, parts[1])
    if len(parts) > 2:
        inexact = np.zeros(length, dtype=bool)
        for part in parts[2:]:
            low, remainder = two_sum(low, part)
            inexact |= remainder != 0
        high, low = two_sum(high, low)
        for i in np.flatnonzero(inexact):
            terms = [float(part[i]) for part in parts]
            high[i] = math.fsum(terms)
            low[i] = math.fsum([*terms, -high[i]])
    return high, low
