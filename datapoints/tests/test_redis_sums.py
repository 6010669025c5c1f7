"""Sums of quarter-hours in a shared store: exact, or with a bound that tells how far they may be from it."""

from __future__ import annotations

import random
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from datapoints.interface import QUARTER_HOUR, ViewChangedError
from datapoints.redis.store import RedisStore
from datapoints.tests.redis_check import check, clients
from timeseries_project.core.rounding_kernels import mean, rounded
from timeseries_project.core.summation import exact_mean, exact_sum
from timeseries_project.storage.client import Storage
from timeseries_project.tests.drawn import drawn

CANCELLING = [1e60, 1e30, 1.0, -1e30, -1e60]
values = (
    st.floats(-1e6, 1e6) | st.floats(-1e150, 1e150) | st.sampled_from([*CANCELLING, 1e16, -1e16, 0.1, -0.0, 5e-324])
)


@pytest.fixture
def store(redis_storage: Storage) -> RedisStore:
    redis_storage.each_node("FLUSHALL")
    return RedisStore(redis_storage)


def add(store: RedisStore, column: list[float], portions: list[int]) -> None:
    """Add values a second apart, in portions; one of 1 is a single point."""
    at = 0
    for size in [*portions, len(column)]:
        part = column[at : at + size]
        if len(part) == 1:
            assert store.add(at * 10**6, part[0], "d", "u")
        elif part:
            times = np.arange(at, at + len(part)) * 10**6
            assert store.add_batch(times, np.array(part), ["d"] * len(part), ["u"] * len(part)) == len(part)
        at += len(part)


def answers(store: RedisStore) -> tuple[float, float, bool]:
    """Return sum and average of the first quarter-hour as an answer has them, and whether points had to be read."""
    with store.view("device", "d") as view:
        [count], [high], [low], [error] = (column.tolist() for column in view.sums(0, QUARTER_HOUR)[1:])
        (total, sure), (average, certain) = rounded(high, low, error), mean(high, low, error, count)
        if not (sure and certain):
            column = view.points(0, QUARTER_HOUR)[1]
            total, average = exact_sum(column), exact_mean(column, len(column))
    return total, average, not (sure and certain)


@drawn(200)
@given(
    column=st.lists(values, min_size=1, max_size=30),
    portions=st.lists(st.integers(1, 6), max_size=30),
    seed=st.integers(),
)
@example(column=CANCELLING, portions=[1, 1, 1, 1, 1], seed=0)
@example(column=CANCELLING, portions=[], seed=0)
@example(column=[-0.0], portions=[1], seed=0)
@example(column=[0.1] * 30, portions=[1] * 30, seed=0)
def test_sum_and_average_are_correctly_rounded(
    redis_storage: Storage, column: list[float], portions: list[int], seed: int
) -> None:
    """In whatever order the values are added, singly or in batches."""
    shuffled = random.Random(seed).sample(column, len(column))
    exact = sum(map(Fraction, column))
    for order in (column, shuffled):
        redis_storage.each_node("FLUSHALL")
        store = RedisStore(redis_storage)
        add(store, order, portions)
        check(redis_storage)
        total, average, _ = answers(store)
        # Their spelling would tell a negative zero.
        assert (repr(total), repr(average)) == (repr(float(exact) + 0.0), repr(float(exact / len(column)) + 0.0))


@pytest.mark.parametrize("portions", [[], [1] * 5, [2, 3]])
def test_what_cancels_needs_the_points(store: RedisStore, portions: list[int]) -> None:
    add(store, CANCELLING, portions)
    assert answers(store) == (1.0, 0.2, True)


@pytest.mark.parametrize("digits", [2, 17])
def test_ordinary_values_need_no_points(store: RedisStore, digits: int) -> None:
    random_values = random.Random(digits)
    column = [round(random_values.gauss(20, 5), digits) for _ in range(800)]
    add(store, column, [1] * 100 + [50] * 6)
    assert not answers(store)[2]


def test_points_of_sums_that_were_dropped_since_are_not_read(redis_storage: Storage, store: RedisStore) -> None:
    """By another process, to whose clock they are too old."""
    times = np.array([0, QUARTER_HOUR])
    store.add_batch(times, np.array([1.0, 2.0]), ["d", "d"], ["u", "u"])
    with store.view("device", "d") as view:
        assert view.sums(0, 2 * QUARTER_HOUR).counts.tolist() == [1, 1]
        RedisStore(redis_storage).totals(oldest=QUARTER_HOUR)
        with pytest.raises(ViewChangedError):
            view.points(0, 2 * QUARTER_HOUR)


def test_rows_of_an_earlier_format_are_not_read(redis_storage: Storage, store: RedisStore) -> None:
    """Those of 1.0.0 had the prefix dp, and sums without a bound."""
    add(store, [1.0, 2.0], [])
    [client] = clients(redis_storage)
    for key in list(client.scan_iter()):
        client.rename(key, key.replace(b"dp2:", b"dp:", 1))
    assert store.totals()[:4] == (0, 0, 0, 0)
    add(store, [5.0], [1])
    assert answers(store) == (5.0, 5.0, False)
