"""Windows of either kind through drawn sequences of hours, and under many threads."""

import random
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import patch

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from timeseries_project.tests.drawn import lives
from transactions.interface import Summary, Window
from transactions.memory import sliding_window
from transactions.memory.sliding_window import SlidingWindow
from transactions.redis import window as redis_window
from transactions.redis.window import RedisWindow
from transactions.tests import stripes
from transactions.tests.oracle import (
    AHEAD,
    HOUR,
    LENGTH,
    NOW,
    STEP_BACK,
    NewWindow,
    Value,
    ages,
    amounts,
    assert_history_right,
    assert_right,
    check,
    steps,
)

pytestmark = pytest.mark.storages("redis", "cluster")


class Life(RuleBasedStateMachine):
    """A window, and an oracle that keeps every value, through the same sequence of calls."""

    def __init__(self, window: Window) -> None:
        super().__init__()
        self.window = window

    @initialize(start=st.integers(0, 20_000) | st.integers(NOW, NOW + 20_000))
    def begin(self, start: int) -> None:
        self.now = self.latest = start
        self.values: list[Value] = []

    def counted(self, age: int, amount: float) -> bool:
        """Have the oracle count an amount; return whether it is young enough."""
        if age <= LENGTH:
            self.values.append(Value(self.now - age, amount))
        return age <= LENGTH

    @rule(step=steps)
    def time_passes(self, step: int) -> None:
        self.now += step
        self.latest = max(self.latest, self.now)

    @rule(step=st.integers(0, STEP_BACK))
    def the_clock_steps_back_a_little(self, step: int) -> None:
        self.now = max(self.now - step, self.latest - STEP_BACK)

    @rule(age=ages, amount=amounts)
    def one_comes(self, age: int, amount: float) -> None:
        counts = self.counted(age, amount)
        assert self.window.add(self.now - age, amount, now=self.now) is counts

    @rule(batch=st.lists(st.tuples(ages, amounts), max_size=20), large=st.sampled_from([0, sliding_window.LARGE]))
    def a_batch_comes(self, batch: list[tuple[int, float]], large: int) -> None:
        accepted = sum(self.counted(age, amount) for age, amount in batch)
        timestamps = [self.now - age for age, _ in batch]
        portion = 3 if large == 0 else redis_window.PORTION
        with patch.object(sliding_window, "LARGE", large), patch.object(redis_window, "PORTION", portion):
            assert self.window.add_batch(timestamps, [x for _, x in batch], now=self.now) == accepted

    @rule(batch=st.lists(st.tuples(ages, amounts), max_size=20))
    def one_comes_and_its_process_dies_before_it_is_settled(self, batch: list[tuple[int, float]]) -> None:
        with patch.object(RedisWindow, "_settle"):
            self.a_batch_comes(batch, 0)

    @rule(portions=st.integers(1, 3))
    def another_process_settles(self, portions: int) -> None:
        if isinstance(self.window, RedisWindow):
            stripes.settle(self.window, portions)

    @precondition(lambda self: self.values)
    @rule(amount=amounts, data=st.data())
    def another_comes_for_the_same_millisecond(self, amount: float, data: st.DataObject) -> None:
        timestamp = data.draw(st.sampled_from(self.values)).timestamp
        if timestamp <= self.now + AHEAD:
            self.one_comes(self.now - timestamp, amount)

    @precondition(lambda self: self.values)
    @rule(data=st.data(), past=st.integers(0, 1))
    def one_is_just_about_to_leave(self, data: st.DataObject, past: int) -> None:
        then = data.draw(st.sampled_from(self.values)).timestamp + LENGTH + past
        if then >= self.now:
            self.time_passes(then - self.now)

    @rule(excess=st.integers(1, HOUR), amount=amounts)
    def one_from_too_far_ahead_is_refused(self, excess: int, amount: float) -> None:
        with pytest.raises(ValueError, match="ahead"):
            self.window.add(self.now + AHEAD + excess, amount, now=self.now)

    @rule(batch=st.lists(st.tuples(ages, amounts), max_size=5), data=st.data())
    def a_batch_with_one_from_too_far_ahead_is_refused(
        self, batch: list[tuple[int, float]], data: st.DataObject
    ) -> None:
        timestamps = [self.now - age for age, _ in batch]
        timestamps.insert(data.draw(st.integers(0, len(batch))), self.now + AHEAD + 1)
        with pytest.raises(ValueError, match="ahead"):
            self.window.add_batch(timestamps, [1.0] * len(timestamps), now=self.now)

    @rule(ahead=st.sampled_from([AHEAD, 2 * AHEAD]))
    def it_is_copied(self, ahead: int) -> None:
        """As for a snapshot: another window in memory, perhaps a longer one, takes over what this one holds."""
        if isinstance(self.window, SlidingWindow):
            copy = SlidingWindow(length_ms=LENGTH, ahead_ms=ahead)
            copy.restore(self.window.cells(), now=self.now)
            assert copy.summary(now=self.now) == self.window.summary(now=self.now)
            assert copy.history(now=self.now) == self.window.history(now=self.now)
            if ahead == AHEAD:
                self.window = copy

    @rule()
    def all_is_forgotten(self) -> None:
        self.window.clear()
        self.values.clear()

    @invariant()
    def the_structure_is_sound(self) -> None:
        if isinstance(self.window, SlidingWindow):  # the other kind is checked at the end
            check(self.window)

    @invariant()
    def the_answer_is_right(self) -> None:
        here = [value.amount for value in self.values if value.timestamp >= self.now - LENGTH]
        assert_right(self.window.summary(now=self.now), here)

    @rule(length=st.sampled_from([1, 40, 1_000, 10_000, LENGTH - 1]) | st.integers(1, LENGTH))
    def a_shorter_window_is_asked_for(self, length: int) -> None:
        here = [value.amount for value in self.values if value.timestamp >= self.now - length]
        assert_right(self.window.summary(now=self.now, length_ms=length), here)

    @rule()
    def the_history_is_asked_for(self) -> None:
        assert_history_right(self.window.history(now=self.now), self.values, self.now)

    def teardown(self) -> None:
        if isinstance(self.window, RedisWindow):
            stripes.settle(self.window)
        check(self.window)


def test_it_is_right_at_all_times(new_window: NewWindow, storage_kind: str) -> None:
    run_state_machine_as_test(
        lambda: Life(new_window(length_ms=LENGTH, ahead_ms=AHEAD)),
        settings=lives(150 if storage_kind == "memory" else 30, steps=40),
    )


# Threads

THREADS = 16


@pytest.fixture
def eager_switching() -> Iterator[None]:
    """Make the interpreter switch threads as often as possible, so that a missing lock shows."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("eager_switching")
@pytest.mark.parametrize("large", [0, sliding_window.LARGE])
def test_threads_lose_nothing_and_see_nothing_half_done(
    window: Window, large: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of them add singles and batches of zero sum, half read, each by a clock of its own pace."""
    monkeypatch.setattr(sliding_window, "LARGE", large)
    monkeypatch.setattr(redis_window, "PORTION", large or 30)
    rounds, reads, batch = 20, 300, 200

    def write(thread: int) -> None:
        draw = random.Random(thread)
        for now in range(NOW, NOW + rounds):
            timestamps = [now - draw.randint(-AHEAD, 50_000) for _ in range(batch)]
            window.add(timestamps[0], 0.0, now=now)
            assert window.add_batch(timestamps, [1.0, -1.0] * (batch // 2), now=now) == batch

    def read(thread: int) -> None:
        seen = 0
        for now in range(NOW, NOW + reads):
            answer = window.summary(now=now)
            assert answer.sum == 0.0
            assert answer.count >= seen
            seen = answer.count

    with ThreadPoolExecutor(THREADS) as pool:
        for done in [pool.submit((write, read)[thread % 2], thread) for thread in range(THREADS)]:
            done.result()

    check(window)
    assert window.summary(now=NOW) == Summary(0.0, 0.0, 1.0, -1.0, THREADS // 2 * rounds * (batch + 1))


@pytest.mark.usefixtures("eager_switching")
def test_threads_at_one_millisecond_count_every_amount(window: Window) -> None:
    adds = 300

    def work(thread: int) -> None:
        for i in range(adds):
            window.add(NOW, float(thread * adds + i), now=NOW)

    with ThreadPoolExecutor(THREADS) as pool:
        for done in [pool.submit(work, thread) for thread in range(THREADS)]:
            done.result()

    total = THREADS * adds
    right = total * (total - 1) / 2
    assert window.summary(now=NOW) == Summary(right, right / total, total - 1.0, 0.0, total)
    check(window)
