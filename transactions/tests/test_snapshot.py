"""Transactions that are written to a snapshot's stream and taken back: every later answer is the same to the byte."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.test import APIClient

from timeseries_project.core import clock
from timeseries_project.tests.drawn import drawn
from timeseries_project.tests.processes import run_alone
from timeseries_project.tests.streams import (
    answers_to,
    assert_refused,
    changed,
    restore,
    see_only_whole_writes,
    with_first,
    written,
)
from transactions import services, snapshot
from transactions.memory.sliding_window import LARGE, SlidingWindow
from transactions.tests.oracle import AHEAD, LENGTH, NOW, amounts

ages = st.integers(-AHEAD, LENGTH) | st.sampled_from([-AHEAD, 0, 1, 999, LENGTH])
values = st.lists(st.tuples(ages, amounts), max_size=30)
#: The clock moves on so far, and then so many amounts come.
steps = st.lists(st.tuples(st.integers(0, 90_000) | st.integers(0, 700_000), values), min_size=1, max_size=6)


@pytest.fixture
def window(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlidingWindow]:
    """The window of the process, to which values may be five seconds ahead."""
    window = SlidingWindow(length_ms=LENGTH, ahead_ms=AHEAD)
    monkeypatch.setattr(services, "window", window)
    yield window
    window._check()


def add(window: SlidingWindow, now: int, values: list[tuple[int, float]]) -> None:
    window.add_batch([now - age for age, _ in values], [amount for _, amount in values], now=now)


def answers(api: APIClient) -> list[bytes]:
    paths = [
        "/api/statistics",
        "/api/statistics?window=7",
        "/api/statistics/history",
        "/api/statistics/history?format=csv",
    ]
    return [*answers_to(api, paths).values()]


@drawn(150)
@given(steps=steps, rows=st.sampled_from([5, 1_000]), later=st.lists(st.integers(0, 61_000), max_size=3), more=values)
def test_every_later_answer_is_the_same_after_it(
    steps: list[tuple[int, list[tuple[int, float]]]],
    rows: int,
    later: list[int],
    more: list[tuple[int, float]],
    api: APIClient,
    window: SlidingWindow,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(snapshot, "ROWS", rows)
    window.clear()
    now = NOW
    for step, values in steps:
        now += step
        add(window, now, values)
    stream = written(snapshot)
    restarted = SlidingWindow(length_ms=LENGTH, ahead_ms=AHEAD)
    with monkeypatch.context() as patch:
        patch.setattr(services, "window", restarted)
        restore(snapshot, stream, now * 1_000)
    for moment in (now, *(now + step for step in sorted(later))):
        told = []
        for one in (window, restarted):
            with monkeypatch.context() as patch:
                patch.setattr(services, "window", one)
                patch.setattr(clock, "now", lambda moment=moment: moment * 1_000)
                told.append(answers(api))
                add(one, moment, more)
                told[-1] += answers(api)
        assert told[0] == told[1]
    restarted._check()


@given(
    past=st.lists(st.tuples(st.integers(0, 590_000), amounts), max_size=20),
    ahead=st.lists(st.tuples(st.integers(1, 300_000), amounts), max_size=20),
)
def test_a_shorter_window_keeps_the_history_rather_than_what_is_now_too_far_ahead(
    past: list[tuple[int, float]], ahead: list[tuple[int, float]]
) -> None:
    window = SlidingWindow(length_ms=LENGTH, ahead_ms=300_000)
    for age, amount in sorted(past, reverse=True):
        window.add(NOW - age, amount, now=NOW - age)
    for lead, amount in ahead:
        window.add(NOW + lead, amount, now=NOW)
    shorter = SlidingWindow(length_ms=LENGTH, ahead_ms=AHEAD)
    shorter.restore(window.cells(), now=NOW)
    shorter._check()
    assert shorter.history(now=NOW) == window.history(now=NOW)
    kept = [amount for time, amount in ((-age, x) for age, x in past) if time >= -LENGTH]
    kept += [amount for lead, amount in ahead if lead < AHEAD]
    assert shorter.summary(now=NOW).count >= len(kept)


def test_what_has_left_the_window_meanwhile_does_not_count(window: SlidingWindow) -> None:
    add(window, NOW, [(0, 1.0), (30_000, 2.0), (LENGTH, 4.0)])
    stream = written(snapshot)
    for passed, total in ((0, 7.0), (1, 3.0), (30_001, 1.0), (LENGTH + 1, 0.0)):
        window.clear()
        restore(snapshot, stream, (NOW + passed) * 1_000)
        assert window.summary(now=NOW + passed).sum == total
        assert sum(second.count for second in window.history(now=NOW + passed)) == 3


@pytest.mark.parametrize(
    ("column", "change", "reason"),
    [
        ("count", lambda column: column.cast(pa.float64()), "other columns"),
        ("sum", with_first(None), "nulls"),
        ("count", with_first(0), "nothing was counted"),
        ("count", with_first(2**53), "count of 'transactions' that is out of range"),
        ("max", with_first(-7.0), "nothing was counted"),
        ("min", with_first(float("-inf")), "min of 'transactions' that is out of range"),
        ("rest", with_first(float("nan")), "rest of 'transactions' that is out of range"),
        ("milliseconds", with_first(0), "1, 40 or 1,000 ms wide"),
        ("milliseconds", with_first(7), "1, 40 or 1,000 ms wide"),
        ("milliseconds", with_first(40), "twice"),
        ("timestamp", with_first(NOW + 1), "begin elsewhere"),
        ("timestamp", with_first(-1_000), "timestamp of 'transactions' that is out of range"),
    ],
)
def test_what_no_window_could_have_written_is_refused(
    window: SlidingWindow, column: str, change: Callable[[pa.Array], pa.Array], reason: str
) -> None:
    add(window, NOW, [(0, 1.0)])
    [batch] = snapshot.batches()
    assert batch.num_rows == 3
    assert_refused(snapshot, [changed(batch, column, change)], reason)


def test_more_rows_than_any_window_has_are_refused(window: SlidingWindow, monkeypatch: pytest.MonkeyPatch) -> None:
    add(window, NOW, [(0, 1.0)])
    monkeypatch.setattr(snapshot, "MAX_ROWS", 2)
    assert_refused(snapshot, list(snapshot.batches()), "more than 2 rows of 'transactions'")


def test_seconds_that_were_never_counted_do_no_harm(window: SlidingWindow) -> None:
    """A block without its second, and a point without its block, are as nothing."""
    add(window, NOW, [(0, 1.0)])
    [batch] = snapshot.batches()
    for begin in (1, 2):
        window.clear()
        snapshot.restore([batch.slice(begin)], now=NOW * 1_000)
        assert window.summary(now=NOW).count == 0
        window._check()


def cut() -> None:
    """Fork while large batches are being counted, and others read."""
    now = clock.now() // 1_000
    times, one = np.full(LARGE + 1, now), np.ones(LARGE + 1)

    def write(number: int) -> None:
        services.window.clear()
        services.window.add_batch(times, one, now=now)
        services.history_list(now=now)

    see_only_whole_writes(snapshot, write, "count", 3)


def test_what_is_forked_while_it_is_held_has_each_batch_whole_or_not_at_all() -> None:
    run_alone(__name__, "cut")
