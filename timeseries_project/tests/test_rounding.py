"""Sums and means that are rounded once, against exact arithmetic; compiled, and as plain Python."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import accumulate
from random import Random

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from timeseries_project.core.kernels import kernel
from timeseries_project.core.rounding_kernels import add_sums, add_to_sum, mean, rounded, two_product
from timeseries_project.core.summation import Floats, Integers, exact_mean, exact_sum
from timeseries_project.tests.drawn import drawn
from timeseries_project.tests.processes import run_uncompiled

Sum = tuple[float, float, float]
#: A value, or sums that are added up.
Tree = float | list["Tree"]

EMPTY: Sum = 0.0, 0.0, 0.0
CANCELLING = [1e60, 1e30, 1.0, -1e30, -1e60]
#: Quotients below it may be left undecided.
NORMAL = Fraction(2) ** -900

ordinary = st.floats(-1e6, 1e6)
sensor = st.integers(-100_000, 100_000).map(lambda hundredths: hundredths / 100)
extreme = st.floats(-1e150, 1e150, allow_subnormal=True)
spikes = st.builds(lambda sign, power: sign * 10.0**power, st.sampled_from([-1, 1]), st.integers(16, 150))
powers = st.builds(math.ldexp, st.sampled_from([-1.0, 1.0]), st.integers(-1074, 490))
subnormal = st.integers(-(2**52), 2**52).map(lambda units: units * 5e-324)
values = st.one_of(ordinary, sensor, extreme, spikes, powers, subnormal, st.sampled_from([-0.0, 1.0, 0.1, *CANCELLING]))
counts = st.one_of(st.integers(1, 5), st.integers(1, 10**6), st.sampled_from([2**52 + 1, 2**53]))
trees = st.recursive(values, lambda parts: st.lists(parts, min_size=1, max_size=6), max_leaves=30)


def is_double(x: float) -> bool:
    """Whether it is a finite double other than -0.0."""
    return math.isfinite(x) and (x != 0.0 or math.copysign(1.0, x) == 1.0)


def sum_of(tree: Tree) -> Sum:
    if isinstance(tree, float):
        return add_to_sum(*EMPTY, tree)
    total = EMPTY
    for part in tree:
        total = add_to_sum(*total, part) if isinstance(part, float) else add_sums(*total, *sum_of(part))
    return total


def exact_of(tree: Tree) -> Fraction:
    return Fraction(tree) if isinstance(tree, float) else sum(map(exact_of, tree), Fraction())


def nearest(exact: Fraction) -> float:
    return float(exact) + 0.0


def check_sum(total: Sum, exact: Fraction) -> None:
    high, low, error = total
    assert all(map(is_double, total))
    assert high == high + low
    assert abs(Fraction(high) + Fraction(low) - exact) <= Fraction(error)
    value, decided = rounded(*total)
    assert is_double(value)
    assert not decided or value == nearest(exact)
    assert decided or error > 0.0


def check_mean(total: Sum, exact: Fraction, count: int) -> None:
    for n in (count, float(count)):
        value, decided = mean(*total, n)
        assert is_double(value)
        assert not decided or value == nearest(exact / count)
        assert decided or total[2] > 0.0 or abs(exact / count) < NORMAL


@drawn(1_000)
@given(numbers=st.lists(values, max_size=40), count=counts)
@example(numbers=CANCELLING, count=1)
@example(numbers=[-5e-324], count=3)
@example(numbers=[-0.0], count=1)
def test_values_one_by_one(numbers: list[float], count: int) -> None:
    total, exact = EMPTY, Fraction()
    for number in numbers:
        total = add_to_sum(*total, number)
        exact += Fraction(number)
        check_sum(total, exact)
        check_mean(total, exact, count)


@drawn(1_000)
@given(tree=trees, count=counts)
@example(tree=[[1e60, 1e30], [1.0], [-1e30, -1e60]], count=5)
def test_sums_of_sums_in_any_shape(tree: Tree, count: int) -> None:
    total, exact = sum_of(tree), exact_of(tree)
    check_sum(total, exact)
    check_mean(total, exact, count)


@drawn(1_000)
@given(a=extreme, b=st.floats(-(2.0**53), 2.0**53))
def test_a_product_loses_nothing(a: float, b: float) -> None:
    assume(abs(a) > 1e-200 and (b == 0.0 or abs(b) > 1e-50))
    p, e = two_product(a, b)
    assert Fraction(p) + Fraction(e) == Fraction(a) * Fraction(b)


@kernel("void(float64[::1], int64[::1], float64[::1])")
def means_of_equal(equal: Floats, numbers: Integers, answers: Floats) -> None:
    """Write the mean of so many equal values each, added by doubling; NaN where it is not decided."""
    for i in range(len(equal)):
        high, low, error = 0.0, 0.0, 0.0
        digits = numbers[i]
        while digits >> 20:
            digits >>= 1
        count = 0
        for place in range(19, -1, -1):
            high, low, error = add_sums(high, low, error, high, low, error)
            count *= 2
            if digits >> place & 1:
                high, low, error = add_to_sum(high, low, error, equal[i])
                count += 1
        value, decided = mean(high, low, error, count)
        answers[i] = value if decided else np.nan


def test_the_mean_of_equal_values_is_the_value() -> None:
    random = np.random.default_rng(1)
    equal = random.uniform(-1, 1, 10_000) * 10.0 ** random.integers(-200, 150, 10_000)
    equal[:1_000] = np.round(equal[:1_000] % 100, 2)
    answers = np.empty_like(equal)
    means_of_equal(equal, random.integers(1, 2 ** random.integers(1, 20, 10_000)), answers)
    assert answers.tolist() == equal.tolist()


@drawn(2_000)
@given(
    double=st.one_of(st.floats(1e-200, 1e150), powers.map(abs).filter(lambda x: x > 1e-200)),
    below=st.booleans(),
    count=st.one_of(st.integers(1, 7), st.integers(1, 2**50)),
    aside=st.sampled_from([-math.inf, 0.0, math.inf]),
    negative=st.booleans(),
)
def test_means_at_the_middle_of_two_doubles(
    double: float, below: bool, count: int, aside: float, negative: bool
) -> None:
    """The exact mean is the middle, or next to it on one side; below a power of two doubles are nearer together."""
    other = math.nextafter(double, 0.0 if below else math.inf)
    middle = (Fraction(double) + Fraction(other)) / 2 * count * (-1 if negative else 1)
    high = float(middle)
    low = float(middle - Fraction(high))
    assume(high + low == high)
    assert Fraction(high) + Fraction(low) == middle
    if aside:
        low = math.nextafter(low, aside)
        assume(high + low == high)
    exact = (Fraction(high) + Fraction(low)) / count
    assert mean(high, low, 0.0, count) == (float(exact), True)
    # A bound that leaves both sides possible leaves it undecided; one that is a little too small for that does not.
    reach = abs(Fraction(high) + Fraction(low) - middle)
    assert not mean(high, low, max(2 * float(reach), 5e-324), count)[1]
    if aside:
        assert mean(high, low, float(reach / 2), count) == (float(exact), True)


@drawn(2_000)
@given(
    numbers=st.lists(values, min_size=1, max_size=10),
    relative=st.floats(2.0**-130, 1.0),
    share=st.floats(-1.0, 1.0),
    count=counts,
)
def test_an_answer_is_certain_only_where_every_sum_within_the_bound_has_it(
    numbers: list[float], relative: float, share: float, count: int
) -> None:
    exact = exact_of([*numbers])
    high = nearest(exact)
    low = nearest(exact - Fraction(high))
    assume(high + low == high)
    error = abs(high) * relative * 2.0**-50
    for within in (-1, Fraction(share), 1):
        possible = Fraction(high) + Fraction(low) + Fraction(error) * within
        value, decided = rounded(high, low, error)
        assert not decided or value == nearest(possible)
        value, decided = mean(high, low, error, count)
        assert not decided or value == nearest(possible / count)


def test_a_small_bound_decides_nearly_always() -> None:
    random = Random(1)
    sums = [(random.random(), random.random() * 2.0**-55, 2.0**-100) for _ in range(1_000)]
    assert all(rounded(*total)[1] for total in sums)
    assert all(mean(*total, 7)[1] for total in sums)


def test_what_cancels_leaves_its_bound() -> None:
    high, low, error = sum_of([*CANCELLING])
    assert (high, low) == (0.0, 0.0)
    assert 1.0 <= error < 1.001
    assert not rounded(high, low, error)[1]
    assert not mean(high, low, error, 5)[1]


def test_zeros_are_certain() -> None:
    assert rounded(*EMPTY) == mean(*EMPTY, 3) == (0.0, True)


@drawn(500)
@given(units=st.lists(st.integers(-(2**50), 2**50), min_size=1, max_size=8), count=st.integers(1, 100))
@example(units=[1], count=2)
@example(units=[3], count=2)
@example(units=[-1], count=3)
def test_subnormal_values(units: list[int], count: int) -> None:
    total = sum_of([unit * 5e-324 for unit in units])
    exact = sum(units) * Fraction(5e-324)
    assert rounded(*total) == (nearest(exact), True)
    assert mean(*total, count) == (nearest(exact / count), True)


def test_what_is_too_small_to_be_computed_is_not_certain() -> None:
    """The sum takes two doubles, and the mean is next to the subnormal ones: half of its last place is none."""
    high, low = float.fromhex("0x1.e1e27095c0574p-967"), float.fromhex("0x0.19736423fbcc0p-1022")
    assert not mean(high, low, 0.0, 3_930_911_954_104_879)[1]


@pytest.mark.parametrize("kind", ["uniform", "sensor", "integers"])
def test_ordinary_data_are_always_certain(kind: str) -> None:
    """The first 1, 2, … 1,000 of the values."""
    random = Random(kind)
    draw = {
        "uniform": random.random,
        "sensor": lambda: round(random.gauss(20, 5), 2),
        "integers": lambda: float(random.randrange(-1_000_000, 1_000_000)),
    }[kind]
    for _ in range(10):
        numbers = [draw() for _ in range(1_000)]
        total = EMPTY
        for count, exact in enumerate(accumulate(map(Fraction, numbers)), 1):
            total = add_to_sum(*total, numbers[count - 1])
            assert rounded(*total) == (float(exact), True)
            assert mean(*total, count) == (float(exact / count), True)


@drawn(500)
@given(numbers=st.lists(values, max_size=40), count=counts)
@example(numbers=CANCELLING, count=5)
@example(numbers=[-5e-324], count=3)
@example(numbers=[-0.0, -0.0], count=2)
def test_sums_and_means_of_the_values_themselves(numbers: list[float], count: int) -> None:
    exact = exact_of([*numbers])
    answers = exact_sum(np.array(numbers)), exact_mean(np.array(numbers), count)
    assert answers == (float(exact), float(exact / count))
    assert all(map(is_double, answers))


def test_many_values_of_all_magnitudes() -> None:
    random = np.random.default_rng(1)
    column = random.uniform(-1, 1, 20_000) * 10.0 ** random.integers(-320, 150, 20_000)
    exact = exact_of(column.tolist())
    assert (exact_sum(column), exact_mean(column, 20_000)) == (float(exact), float(exact / 20_000))


def test_as_plain_python_they_say_the_same() -> None:
    status, out = run_uncompiled("-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "not plain_python", __file__)
    assert status == 0, out
