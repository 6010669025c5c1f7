"""Batches leave the same cells as their values added one by one, whatever their size, spread and form."""

import doctest
import math
import random
from array import array
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transactions.interface import Summary
from transactions.memory import sliding_window
from transactions.memory.sliding_window import SlidingWindow
from transactions.tests.oracle import AHEAD, HOUR, LENGTH, NOW, ages, amounts, assert_right, often, steps

FORMS: dict[str, Callable[[str, Sequence[float]], Any]] = {
    "list": lambda _, values: list(values),
    "tuple": lambda _, values: tuple(values),
    "array": array,
    "numpy": lambda typecode, values: np.array(values, dtype=typecode),
}


@pytest.fixture(params=[0, sliding_window.LARGE], ids=["large", "small"], autouse=True)
def large(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every batch be taken as a large one, or all but the hugest as small ones."""
    monkeypatch.setattr(sliding_window, "LARGE", request.param)


@pytest.fixture
def window() -> SlidingWindow:
    return SlidingWindow(length_ms=LENGTH, ahead_ms=AHEAD)


def same_cells(one: SlidingWindow, other: SlidingWindow) -> bool:
    """Check both windows and compare all their cells, even those that no summary would read."""
    one._check()
    other._check()
    return np.array_equal(one._stamps, other._stamps) and np.array_equal(one._cells, other._cells)


def by_ones(timestamps: Sequence[int], amounts: Sequence[float]) -> SlidingWindow:
    window = SlidingWindow(length_ms=LENGTH, ahead_ms=AHEAD)
    for timestamp, amount in zip(timestamps, amounts, strict=True):
        window.add(timestamp, amount, now=NOW)
    return window


def payments(size: int, spread: int) -> tuple[list[int], list[float]]:
    """Draw times and amounts in eighths, whose sums no order of adding rounds."""
    draw = random.Random(size + spread)
    return [NOW - draw.randint(0, spread) for _ in range(size)], [draw.randint(-8_000, 8_000) / 8 for _ in range(size)]


# The window itself


def test_examples_in_the_documentation_are_true() -> None:
    results = doctest.testmod(sliding_window)
    assert results.attempted > 0
    assert results.failed == 0


@pytest.mark.parametrize(("length_ms", "ahead_ms"), [(0, 0), (-1, 0), (60_000, -1)])
def test_a_senseless_window_is_refused(length_ms: int, ahead_ms: int) -> None:
    with pytest.raises(ValueError, match="must be"):
        SlidingWindow(length_ms=length_ms, ahead_ms=ahead_ms)


# The same as one by one


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("spread", [0, 1, 30, 1_000, 60_000])
def test_a_batch_leaves_the_same_cells_as_singles(window: SlidingWindow, spread: int, form: str) -> None:
    timestamps, values = payments(3_000, spread)
    assert window.add_batch(FORMS[form]("q", timestamps), FORMS[form]("d", values), now=NOW) == 3_000
    assert same_cells(window, by_ones(timestamps, values))
    assert_right(window.summary(now=NOW), values)


@pytest.mark.parametrize("size", [1, 2, 99, 100, 101])
def test_no_size_is_special(window: SlidingWindow, size: int) -> None:
    timestamps, values = payments(size, 5_000)
    window.add_batch(timestamps, values, now=NOW)
    assert same_cells(window, by_ones(timestamps, values))


@given(
    st.lists(
        st.tuples(
            steps | st.integers(-3 * LENGTH, 0) | st.just(-HOUR), st.lists(st.tuples(ages, st.integers(-99, 99)))
        ),
        max_size=8,
    )
)
@often
def test_through_jumps_of_the_clock_batches_leave_the_same_cells_as_singles(
    moves: list[tuple[int, list[tuple[int, int]]]],
) -> None:
    batches = SlidingWindow(length_ms=LENGTH, ahead_ms=AHEAD)
    singles = SlidingWindow(length_ms=LENGTH, ahead_ms=AHEAD)
    now = NOW
    for step, batch in moves:
        now += step
        accepted = batches.add_batch([now - age for age, _ in batch], [x for _, x in batch], now=now)
        assert accepted == sum(singles.add(now - age, x, now=now) for age, x in batch)
        assert same_cells(batches, singles)


@given(st.lists(st.tuples(ages, amounts), min_size=1, max_size=60), st.integers(1, 5))
@often
def test_any_amounts_are_summed_exactly(values: list[tuple[int, float]], portions: int) -> None:
    window = SlidingWindow(length_ms=LENGTH, ahead_ms=AHEAD)
    for i in range(portions):
        portion = values[i::portions]
        window.add_batch([NOW - age for age, _ in portion], [x for _, x in portion], now=NOW)
    window._check()
    for later in (0, 25, 10_000, LENGTH):
        assert_right(window.summary(now=NOW + later), [x for age, x in values if age + later <= LENGTH])


@pytest.mark.parametrize("pause", [0, 80_000, 90_000, 180_000, 24 * HOUR])
def test_a_batch_after_a_pause_brings_nothing_old_back(window: SlidingWindow, pause: int) -> None:
    window.add_batch(range(NOW - LENGTH, NOW + 1), [1e16] * (LENGTH + 1), now=NOW)
    later = NOW + LENGTH + 1 + pause
    window.add_batch(range(later - LENGTH, later + 1, 600), [0.125] * 101, now=later)
    window._check()
    assert window.summary(now=later) == Summary(101 / 8, 0.125, 0.125, 0.125, 101)


# Large ones


@pytest.mark.parametrize("spread", [0, 1_000, 60_000])
def test_a_huge_batch_is_summed_as_exactly_as_a_small_one(window: SlidingWindow, spread: int) -> None:
    draw = np.random.default_rng(spread)
    size = 700_000
    timestamps, values = NOW - draw.integers(0, spread + 1, size), np.round(draw.normal(0, 1_000, size), 2)
    assert window.add_batch(timestamps, values, now=NOW) == size
    window._check()
    for later in (0, 500, 33_333):
        here = values[timestamps >= NOW + later - LENGTH]
        answer = window.summary(now=NOW + later)
        assert (answer.count, answer.min, answer.max) == (len(here), here.min(), here.max())
        assert abs(answer.sum - math.fsum(here)) <= 2**-50 * max(abs(math.fsum(here)), np.abs(here).max())


def test_many_of_one_millisecond_that_cancel_leave_what_is_between_them(window: SlidingWindow) -> None:
    values = [1e150, 1.0, -1e150, 1e16, 5e-324, -1e16] * 20_000
    window.add_batch([NOW] * len(values), values, now=NOW)
    assert window.summary(now=NOW) == Summary(20_000.0, 20_000 / len(values), 1e150, -1e150, len(values))
    window._check()


# What is accepted and what is refused


@pytest.mark.parametrize("size", [5, 5_000])
@pytest.mark.parametrize(
    ("late", "amount", "error"),
    [
        (AHEAD + 1, 1.0, ValueError),
        (0.5, 1.0, TypeError),
        (2**63, 1.0, ValueError),
        (0, math.nan, ValueError),
        (0, math.inf, ValueError),
        (0, "1", TypeError),
    ],
)
def test_one_fault_and_nothing_is_counted(
    window: SlidingWindow, size: int, late: float, amount: Any, error: type[Exception]
) -> None:
    window.add(NOW, 0.5, now=NOW)
    with pytest.raises(error):
        window.add_batch([*[NOW] * size, NOW + late], [*[1.0] * size, amount], now=NOW)
    assert window.summary(now=NOW) == Summary(0.5, 0.5, 0.5, 0.5, 1)
    window._check()


@pytest.mark.parametrize(("times", "values"), [("f8", "f8"), ("u8", "f8"), ("i8", "U1"), ("i8", "O"), ("i8", "c16")])
def test_an_array_of_another_kind_is_refused(window: SlidingWindow, times: str, values: str) -> None:
    with pytest.raises(TypeError):
        window.add_batch(np.zeros(3, dtype=times), np.zeros(3, dtype=values), now=0)
    assert window.summary(now=0).count == 0


def test_narrower_numbers_are_taken(window: SlidingWindow) -> None:
    assert window.add_batch(np.arange(3, dtype="i4"), np.array([1, 2, 4], dtype="f4"), now=0) == 3
    assert window.summary(now=0).sum == 7.0


@pytest.mark.parametrize("size", [5, 5_000])
def test_the_arrays_are_left_as_they_are(window: SlidingWindow, size: int) -> None:
    timestamps, values = np.arange(NOW, NOW - size, -1), np.arange(size, dtype=np.float64)
    for column in (timestamps, values):
        column.flags.writeable = False
    assert window.add_batch(timestamps, values, now=NOW) == size
    assert window.summary(now=NOW).sum == size * (size - 1) / 2


def test_a_large_batch_counts_what_is_young_enough(window: SlidingWindow) -> None:
    old, young = [NOW - LENGTH - 1] * 1_000, [NOW - LENGTH, NOW + AHEAD] * 500
    assert window.add_batch(old + young, [1e16] * 1_000 + [1.0] * 1_000, now=NOW) == 1_000
    assert window.summary(now=NOW) == Summary(1_000.0, 1.0, 1.0, 1.0, 1_000)
    assert window.add_batch(old, [1.0] * 1_000, now=NOW) == 0
