"""Sums against exact arithmetic."""

import math
from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from timeseries_project.core.summation import add_to_pair, grouped_sums, limbs, two_sum

ordinary = st.floats(-1e6, 1e6)
extreme = st.floats(-1e150, 1e150, allow_subnormal=True)
values = st.one_of(ordinary, extreme, st.sampled_from([1e16, -1e16, 1.0, 5e-324, 1e150, 0.1]))


@given(a=values, b=values)
def test_two_sum_loses_nothing(a: float, b: float) -> None:
    total, error = two_sum(a, b)
    assert Fraction(total) + Fraction(error) == Fraction(a) + Fraction(b)


@given(st.lists(values, min_size=1, max_size=40), st.integers(20, 52))
def test_limbs_are_an_exact_split_into_small_integers(numbers: list[float], bits: int) -> None:
    column = np.array(numbers)
    parts = list(limbs(column, bits))
    for i, number in enumerate(numbers):
        assert sum(Fraction(int(limb[i])) * Fraction(2) ** e for e, limb in parts) == Fraction(number)
    assert all(np.abs(limb).max() <= 2**bits for _, limb in parts)
    assert [e for e, _ in parts] == sorted({e for e, _ in parts}, reverse=True)


@given(st.lists(st.lists(values, min_size=1, max_size=12), min_size=1, max_size=6))
def test_grouped_sums_are_the_exact_sums_rounded(groups: list[list[float]]) -> None:
    starts = np.cumsum([0, *map(len, groups[:-1])])
    high, low = grouped_sums(np.array([v for group in groups for v in group]), starts)
    for i, group in enumerate(groups):
        exact = sum(map(Fraction, group))
        assert high[i] == math.fsum(group)
        assert low[i] == float(exact - Fraction(float(high[i])))


@given(st.lists(values, min_size=1, max_size=10), st.lists(values, min_size=1, max_size=10))
def test_a_group_sums_the_same_whatever_its_order_and_neighbours(group: list[float], other: list[float]) -> None:
    alone = grouped_sums(np.array(group), np.array([0]))
    beside = grouped_sums(np.array(group[::-1] + other), np.array([0, len(group)]))
    assert (alone[0][0], alone[1][0]) == (beside[0][0], beside[1][0])


def test_no_group_has_no_sum() -> None:
    high, low = grouped_sums(np.zeros(0), np.zeros(0, dtype=np.int64))
    assert (len(high), len(low)) == (0, 0)


@given(st.lists(values, max_size=50))
def test_a_pair_stays_within_the_bound_of_its_docstring(numbers: list[float]) -> None:
    high, low = 0.0, 0.0
    for number in numbers:
        high, low = add_to_pair(high, low, number)
    error = abs(Fraction(high) + Fraction(low) - sum(map(Fraction, numbers)))
    largest = max(map(abs, numbers), default=0.0)
    assert error <= Fraction(largest) * len(numbers) ** 2 / 2**105 + Fraction(5e-324)
    assert high == high + low
