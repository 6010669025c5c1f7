"""Windows of either kind, against brute force in exact arithmetic."""

import math
import random
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transactions.interface import Summary, Window
from transactions.memory.sliding_window import SlidingWindow
from transactions.tests.oracle import (
    AHEAD,
    EMPTY,
    HOUR,
    LENGTH,
    NOW,
    STEP_BACK,
    NewWindow,
    ages,
    amounts,
    assert_right,
    check,
    often,
)

pytestmark = pytest.mark.storages("redis", "cluster")


def summary_of(window: Window, amounts: list[float]) -> Summary:
    window.clear()
    window.add_batch([NOW] * len(amounts), amounts, now=NOW)
    return window.summary(now=NOW)


# What a user sees first


def test_summarises_what_was_added(window: Window) -> None:
    assert window.add(NOW - 10, 12.3, now=NOW) is True
    assert window.add(NOW - 2_000, -2.3, now=NOW) is True
    assert window.summary(now=NOW) == Summary(sum=10.0, avg=5.0, max=12.3, min=-2.3, count=2)


def test_is_all_zeros_when_empty(window: Window) -> None:
    assert repr(window.summary(now=NOW)) == "Summary(sum=0.0, avg=0.0, max=0.0, min=0.0, count=0)"


def test_is_all_zeros_again_once_everything_has_left(window: Window) -> None:
    window.add(NOW, -7.5, now=NOW)
    assert repr(window.summary(now=NOW + LENGTH + 1)) == repr(EMPTY)


# Borders in time


@pytest.mark.parametrize("now", [NOW, NOW + 1, NOW + 24, NOW + 499, NOW + 9_999, 0, 5, 60_000])
@pytest.mark.parametrize(("age", "counts"), [(59_999, True), (60_000, True), (60_001, False)])
def test_exactly_sixty_seconds_old_still_counts(window: Window, now: int, age: int, counts: bool) -> None:
    assert window.add(now - age, 5.0, now=now) is counts
    assert window.add_batch([now - age], [5.0], now=now) == counts
    assert window.summary(now=now).count == 2 * counts
    check(window)


@given(start=st.integers(0, 4 * 10_000), data=st.data())
@often
def test_each_value_leaves_at_its_own_millisecond(window: Window, start: int, data: st.DataObject) -> None:
    window.clear()
    times = sorted(data.draw(st.lists(st.integers(start, start + LENGTH), min_size=1, max_size=20)))
    for time in times:
        window.add(time, float(time), now=start + LENGTH)
    for time in times:
        here = [float(t) for t in times if t >= time]
        assert_right(window.summary(now=time + LENGTH), here)
        assert_right(window.summary(now=time + LENGTH + 1), [x for x in here if x > time])


def test_a_timestamp_ahead_of_now_counts_at_once_and_until_it_is_too_old(window: Window) -> None:
    window.add(NOW + AHEAD, 3.0, now=NOW)
    assert window.summary(now=NOW).count == 1
    assert window.summary(now=NOW + AHEAD + LENGTH).count == 1
    assert window.summary(now=NOW + AHEAD + LENGTH + 1) == EMPTY


def test_a_timestamp_too_far_ahead_is_refused(window: Window) -> None:
    for timestamp in (NOW + AHEAD + 1, NOW + HOUR, 10**30):
        with pytest.raises(ValueError, match="ahead"):
            window.add(timestamp, 1.0, now=NOW)
    assert window.summary(now=NOW) == EMPTY


def test_without_allowance_only_the_past_and_the_present_are_taken(new_window: NewWindow) -> None:
    window = new_window(length_ms=LENGTH, ahead_ms=0)
    assert window.add(NOW, 1.0, now=NOW)
    with pytest.raises(ValueError, match="ahead"):
        window.add(NOW + 1, 1.0, now=NOW)


@pytest.mark.parametrize("length_ms", [1, 24, 25, 999, 9_999, 10_000, 61_234])
@pytest.mark.parametrize("ahead_ms", [0, 1, 4_999, 300_000])
def test_any_length_and_allowance_hold_all_that_they_promise(
    new_window: NewWindow, length_ms: int, ahead_ms: int
) -> None:
    window = new_window(length_ms=length_ms, ahead_ms=ahead_ms)
    for now in range(NOW, NOW + 10_000, 1_237):
        window.clear()
        window.add(now - length_ms, 1.0, now=now)
        window.add(now + ahead_ms, 2.0, now=now)
        window.add(now, 4.0, now=now)
        assert window.summary(now=now).sum == 7.0
        assert window.summary(now=now + 1).sum == 6.0
    check(window)


# Batches


def test_a_batch_counts_what_is_young_enough(window: Window) -> None:
    ages = [0, 60_000, 60_001, -AHEAD, HOUR]
    assert window.add_batch([NOW - age for age in ages], [1.0, 2.0, 4.0, 8.0, 16.0], now=NOW) == 3
    assert window.summary(now=NOW).sum == 11.0


def test_an_empty_batch_changes_nothing(window: Window) -> None:
    assert window.add_batch([], [], now=NOW) == 0
    assert window.summary(now=NOW) == EMPTY


@pytest.mark.parametrize(
    ("timestamps", "amounts", "error"),
    [
        ([NOW, NOW + AHEAD + 1, NOW], [1.0, 2.0, 3.0], ValueError),
        ([NOW, NOW], [1.0, 2.0, 3.0], ValueError),
        ([NOW, NOW, NOW], [1.0, 2.0], ValueError),
        ([NOW, NOW], [1.0, "2"], TypeError),
        ([NOW, NOW], [1.0, None], TypeError),
    ],
)
def test_a_batch_with_one_fault_counts_nothing(
    window: SlidingWindow, timestamps: list[int], amounts: list[float], error: type[Exception]
) -> None:
    window.add(NOW, 0.5, now=NOW)
    with pytest.raises(error):
        window.add_batch(timestamps, amounts, now=NOW)
    assert window.summary(now=NOW) == Summary(0.5, 0.5, 0.5, 0.5, 1)
    check(window)


# Numbers


@pytest.mark.parametrize("spike", [1e16, -1e16, 1e150, -1e150])
@pytest.mark.parametrize("distance", [1, 24, 25, 499, 500, 9_999, 10_000, 30_000])
def test_a_spike_that_has_left_leaves_no_trace(window: Window, spike: float, distance: int) -> None:
    window.add(NOW, spike, now=NOW)
    for amount in (0.1, 0.2, 0.7):
        window.add(NOW + distance, amount, now=NOW + distance)
    window.add(NOW, spike / 3, now=NOW + distance)
    answer = window.summary(now=NOW + LENGTH + 1)
    assert_right(answer, [0.1, 0.2, 0.7])
    assert answer.sum == 1.0


def test_spikes_that_cancel_inside_the_window_do_not_swallow_the_rest(window: Window) -> None:
    assert summary_of(window, [1.0, 1e16, 1.0, -1e16] * 1_000).sum == 2_000.0


@pytest.mark.parametrize("distance", [1, 30, 600, 20_000])
def test_sums_that_cancel_leave_what_is_between_them(window: Window, distance: int) -> None:
    large, small = [1e15] * 3_000, [1.0] * 3
    window.add_batch([NOW - 2 * distance] * 3_003, large + small, now=NOW)
    window.add_batch([NOW - distance] * 3, small, now=NOW)
    window.add_batch([NOW] * 3_000, [-x for x in large], now=NOW)
    for start in (NOW, NOW - 2 * distance + LENGTH):
        assert window.summary(now=start).sum == 6.0


@given(values=st.lists(amounts, min_size=1, max_size=60))
@often
def test_one_millisecond_may_hold_any_amounts(window: Window, values: list[float]) -> None:
    assert_right(summary_of(window, values), values)


@pytest.mark.parametrize("spread", [0, 20, 3_000, 60_000])
def test_many_values_are_summed_as_exactly_as_few(window: Window, spread: int) -> None:
    draw = random.Random(spread)
    values = [draw.choice((-1, 1)) * draw.random() * 10.0 ** draw.randint(-8, 8) for _ in range(20_000)]
    window.add_batch([NOW - draw.randint(0, spread) for _ in values], values, now=NOW)
    assert_right(window.summary(now=NOW), values)
    check(window)


def test_the_largest_amounts_do_not_overflow(window: Window) -> None:
    answer = summary_of(window, [1e150] * 1_000)
    assert_right(answer, [1e150] * 1_000)
    assert math.isfinite(answer.sum)


@pytest.mark.parametrize("values", [[-0.0], [-0.0, 0.0], [0.0, -0.0], [1.5, -1.5], [-5e-324, 0.0, 0.0]])
def test_zero_is_never_negative(window: Window, values: list[float]) -> None:
    assert "-0.0" not in map(repr, summary_of(window, values))


@given(data=st.data())
@often
def test_the_order_of_arrival_does_not_matter(window: Window, data: st.DataObject) -> None:
    values = data.draw(st.lists(st.tuples(st.integers(-AHEAD, LENGTH), amounts), max_size=30))
    shuffled = data.draw(st.permutations(values))
    cut = data.draw(st.integers(0, len(values)))

    window.clear()
    window.add_batch([NOW - age for age, _ in shuffled[:cut]], [amount for _, amount in shuffled[:cut]], now=NOW)
    for age, amount in shuffled[cut:]:
        window.add(NOW - age, amount, now=NOW)

    check(window)
    for later in (0, 1, 25, 10_000, LENGTH):
        here = [amount for age, amount in values if age + later <= LENGTH]
        assert_right(window.summary(now=NOW + later), here)


# Time goes on


@pytest.mark.parametrize("pause", [80_000, 90_000, 100_000, 180_000, 900_000, 24 * HOUR])
def test_after_a_pause_nothing_old_comes_back(window: Window, pause: int) -> None:
    old = range(NOW - LENGTH, NOW + 1, 7)
    window.add_batch(old, [1e16] * len(old), now=NOW)
    later = NOW + pause
    assert window.summary(now=later) == EMPTY
    for age in (0, 3, 30, 700, 12_000, 60_000):
        window.add(later - age, 1.0, now=later)
        check(window)
    assert window.summary(now=later) == Summary(6.0, 1.0, 1.0, 1.0, 6)


def test_clearing_forgets_everything_and_starts_afresh(window: Window) -> None:
    window.add_batch([NOW, NOW - 1, NOW - 30_000], [1e16, 2.0, 3.0], now=NOW)
    window.clear()
    assert window.summary(now=NOW) == EMPTY
    window.add(NOW, 0.5, now=NOW)
    assert window.summary(now=NOW) == Summary(0.5, 0.5, 0.5, 0.5, 1)
    check(window)


@pytest.mark.parametrize("elsewhen", [-10 * HOUR, -2 * LENGTH, 2 * LENGTH, 10 * HOUR])
def test_asking_for_another_time_changes_nothing(window: Window, elsewhen: int) -> None:
    window.add(NOW, 1.0, now=NOW)
    window.summary(now=NOW + elsewhen)
    assert window.summary(now=NOW).count == 1


@pytest.mark.parametrize(("length_ms", "ahead_ms"), [(60_000, 5_000), (60_000, 300_000), (999, 1), (61_234, 0)])
def test_five_seconds_back_nothing_is_missing(new_window: NewWindow, length_ms: int, ahead_ms: int) -> None:
    for now in range(NOW, NOW + 10_000, 1_237):
        window = new_window(length_ms=length_ms, ahead_ms=ahead_ms)
        back = now - STEP_BACK
        window.add(back - length_ms, 1.0, now=back)
        window.add(now + ahead_ms, 2.0, now=now)
        assert window.summary(now=now).sum == 2.0
        assert window.summary(now=back).sum == 3.0
        window.add(back - length_ms, 4.0, now=back)
        assert window.summary(now=back).sum == 7.0
    check(window)


def test_far_back_an_old_value_costs_no_more_than_the_place_it_needs(window: Window) -> None:
    window.add_batch([NOW - 40_000, NOW], [1.0, 2.0], now=NOW)
    back = NOW - 30_000
    assert window.add(back - LENGTH, 4.0, now=back)
    assert window.summary(now=back).sum in (5.0, 7.0)  # nothing more is expected of the newest one
    check(window)


@given(moves=st.lists(st.tuples(st.integers(-3 * LENGTH, 3 * LENGTH) | st.just(-HOUR) | st.just(HOUR), ages)))
@often
def test_a_clock_that_jumps_about_corrupts_nothing(window: Window, moves: list[tuple[int, int]]) -> None:
    """Each amount is a different power of two, so that a sum tells its values."""
    window.clear()
    now, values, last_step_back = NOW, list[int](), 0

    def counted(later: int) -> set[int]:
        answer = window.summary(now=now + later)
        indices = {i for i in range(len(values)) if int(answer.sum) >> i & 1}
        assert answer.count == len(indices)  # none twice
        return indices

    def young(indices: Iterable[int], later: int) -> set[int]:
        return {i for i in indices if values[i] >= now + later - LENGTH}

    for step, age in moves[:50]:
        now += step
        if step < 0:
            last_step_back = len(values)
        if window.add(now - age, 2.0 ** len(values), now=now):
            values.append(now - age)
        held = counted(0)
        assert young(range(last_step_back, len(values)), 0) <= held <= young(range(len(values)), 0)
        for later in (1, 9_999, 30_000, LENGTH):
            assert counted(later) == young(held, later)  # each leaves when its time comes
    check(window)


def test_takes_memory_of_one_size() -> None:
    window = SlidingWindow(length_ms=LENGTH, ahead_ms=AHEAD)
    nbytes = window.nbytes
    assert nbytes > LENGTH * 40
    window.add(NOW, 1.0, now=NOW)
    window.add(NOW - LENGTH - 1, 1.0, now=NOW)
    for size in (3, 300):
        assert window.add_batch([NOW] * size + [0], [1.0] * (size + 1), now=NOW) == size
    window.clear()
    assert window.nbytes == nbytes


def test_every_change_makes_another_version_and_nothing_else_does() -> None:
    window = SlidingWindow()
    seen = [window.version()]

    def unchanged() -> bool:
        window.summary(now=2_000), window.history(now=2_000)
        return window.version() == seen[-1]

    for write in (
        lambda: window.add(1_000, 1.0, now=2_000),
        lambda: window.add_batch([1_000], [1.0], now=2_000),
        lambda: window.add_batch([1_000] * 20_001, [1.0] * 20_001, now=2_000),
        window.clear,
        lambda: window.add(1_000, 2.0, now=2_000),
    ):
        assert unchanged()
        write()
        assert window.version() not in seen
        seen.append(window.version())
    assert not window.add(1_000, 1.0, now=61_001)
    assert unchanged()
