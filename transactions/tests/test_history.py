"""The seconds of the last ten minutes, and windows shorter than the whole, over each kind of storage."""

from __future__ import annotations

import random

import pytest

from transactions.interface import HISTORY_SECONDS, Second, Summary, Window
from transactions.tests.oracle import (
    AHEAD,
    EMPTY,
    HOUR,
    LENGTH,
    NOW,
    STEP_BACK,
    NewWindow,
    Value,
    assert_history_right,
    assert_right,
    check,
)

pytestmark = pytest.mark.storages("redis", "cluster")

SECOND = 1_000
MINUTE = 60 * SECOND


def counted(window: Window, now: int) -> dict[int, int]:
    """Return how many values there are in each second that has any, by the second's age."""
    last = now // SECOND
    return {last - second.timestamp: second.count for second in window.history(now=now) if second.count}


def test_each_second_has_its_row(window: Window) -> None:
    window.add(NOW, 12.5, now=NOW)
    window.add_batch([NOW + 999, NOW - 1], [-2.5, 0.25], now=NOW)
    history = window.history(now=NOW)
    second = NOW // SECOND
    assert len(history) == HISTORY_SECONDS
    assert history[0] == Second(second - 599, 0, None, None, None)
    assert history[-2:] == [Second(second - 1, 1, 0.25, 0.25, 0.25), Second(second, 2, 10.0, -2.5, 12.5)]


def test_it_outlasts_the_window_and_ends_after_ten_minutes(window: Window) -> None:
    window.add(NOW, 1.0, now=NOW)
    for age in (0, 60, 61, 100, 599):
        assert counted(window, NOW + age * SECOND) == {age: 1}
    assert counted(window, NOW + 599 * SECOND + 999) == {599: 1}
    assert counted(window, NOW + 600 * SECOND) == {}


def test_what_is_ahead_appears_when_its_second_has_come(window: Window) -> None:
    window.add(NOW + AHEAD, 1.0, now=NOW)
    assert counted(window, NOW) == {}
    assert counted(window, NOW + AHEAD) == {0: 1}
    assert counted(window, NOW + AHEAD + 599 * SECOND) == {599: 1}


def test_late_values_go_to_the_second_that_they_are_of(window: Window) -> None:
    window.add(NOW - LENGTH, 1.0, now=NOW)
    window.add(NOW - LENGTH - 1, 1.0, now=NOW)
    assert counted(window, NOW) == {60: 1}


def test_an_hour_of_traffic(window: Window) -> None:
    draw, values = random.Random(1), list[Value]()
    for now in range(NOW, NOW + HOUR, 7_919):
        some = [Value(now - draw.randint(-AHEAD, LENGTH), draw.gauss(0, 1e6)) for _ in range(20)]
        window.add_batch(*zip(*some, strict=True), now=now)
        values += some
        if now % 5 == 0:
            assert_history_right(window.history(now=now), values, now)
    assert_history_right(window.history(now=now), values, now)
    check(window)


def test_a_spike_stays_in_its_second(window: Window) -> None:
    window.add_batch([NOW, NOW + SECOND, NOW + SECOND], [1e150, 0.5, 0.25], now=NOW)
    assert window.history(now=NOW + SECOND)[-1].sum == 0.75


@pytest.mark.parametrize("ahead", [0, AHEAD, 300_000])
def test_five_seconds_back_no_row_is_missing(new_window: NewWindow, ahead: int) -> None:
    window = new_window(length_ms=LENGTH, ahead_ms=ahead)
    window.add(NOW, 1.0, now=NOW)
    later = NOW + STEP_BACK + 599 * SECOND
    window.add(later + ahead, 1.0, now=later)
    assert counted(window, later - STEP_BACK) == {599: 1}


def test_after_a_pause_nothing_old_comes_back(window: Window) -> None:
    old = range(NOW - LENGTH, NOW + 1, 100)
    window.add_batch(old, [1e16] * len(old), now=NOW)
    for pause in (11 * MINUTE, HOUR, 24 * HOUR):
        now = NOW + pause
        assert counted(window, now) == {}
        window.add(now, 1.0, now=now)
        assert window.history(now=now)[-1].sum == 1.0


def test_forgetting_forgets_the_history_too(window: Window) -> None:
    window.add_batch([NOW] * 20 + [NOW - 30_000] * 20, [1.0] * 40, now=NOW)
    window.clear()
    assert counted(window, NOW) == {}
    window.add(NOW, 0.5, now=NOW)
    assert window.history(now=NOW)[-1][1:] == (1, 0.5, 0.5, 0.5)


@pytest.mark.parametrize("jumps", [range(61, 82), range(598, 616)], ids=["a minute", "ten minutes"])
def test_a_clock_that_was_ahead_for_a_while_confuses_nothing(window: Window, jumps: range) -> None:
    """Among these jumps are those by a turn of each ring, after which another second has a value's place."""
    for jump in jumps:
        window.clear()
        ahead = NOW + jump * SECOND
        window.add(NOW, 1.0, now=NOW)
        window.add(ahead, 2.0, now=ahead)
        held = window.summary(now=NOW).sum
        assert held in (2.0, 3.0)
        assert window.summary(now=NOW + LENGTH).sum == held  # whether its second is read whole or in parts
        assert window.summary(now=ahead).sum == 2.0
        assert window.history(now=ahead)[-1].sum == 2.0
        window.add(NOW, 4.0, now=NOW)
        check(window)
        assert window.summary(now=NOW).sum in (4.0, 5.0, 6.0, 7.0)
        assert window.history(now=NOW)[-1].sum in (4.0, 5.0)
        assert window.summary(now=NOW + LENGTH + 1).sum in (0.0, 2.0)


def test_asking_changes_nothing(window: Window) -> None:
    window.add(NOW, 1.0, now=NOW)
    for elsewhen in (-HOUR, HOUR, 0):
        window.history(now=NOW + elsewhen)
        window.summary(now=NOW + elsewhen, length_ms=1)
    assert counted(window, NOW) == {0: 1}
    assert window.summary(now=NOW).count == 1


def test_zero_is_never_negative(window: Window) -> None:
    window.add(NOW, -0.0, now=NOW)
    assert repr(window.history(now=NOW)[-1][2:]) == "(0.0, 0.0, 0.0)"


# Shorter windows


@pytest.mark.parametrize("seconds", [1, 2, 10, 59, 60])
def test_a_value_is_in_each_window_to_the_millisecond(window: Window, seconds: int) -> None:
    length = seconds * SECOND
    for i in range(3):
        window.add_batch([NOW - length, NOW - length + 1], [1.0, 2.0], now=NOW - i)
    assert window.summary(now=NOW, length_ms=length) == Summary(9.0, 1.5, 2.0, 1.0, 6)
    assert window.summary(now=NOW + 1, length_ms=length) == Summary(6.0, 2.0, 2.0, 2.0, 3)
    assert window.summary(now=NOW + 2, length_ms=length) == EMPTY


@pytest.mark.parametrize("shift", [0, 1, 39, 40, 500, 999])
def test_every_length_is_exact_at_any_place_of_its_start(window: Window, shift: int) -> None:
    draw, now = random.Random(shift), NOW + shift
    values = [Value(now - draw.randint(-AHEAD, LENGTH), draw.choice((1e16, -1e16, 0.1, 3.0))) for _ in range(500)]
    window.add_batch(*zip(*values, strict=True), now=now)
    for seconds in range(1, 61):
        here = [value.amount for value in values if value.timestamp >= now - seconds * SECOND]
        assert_right(window.summary(now=now, length_ms=seconds * SECOND), here)
