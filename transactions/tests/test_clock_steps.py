"""The window while the server's clock is set back or ahead, by seconds, minutes or a day, and then set right again."""

from __future__ import annotations

import pytest

from transactions.memory.sliding_window import SlidingWindow
from transactions.tests.oracle import AHEAD, LENGTH, NOW, STEP_BACK, Value, assert_right

SECOND = 1_000
PHASE = 90 * SECOND
REACH = 80 * SECOND  # the window, the allowed skew and the step back, in whole cells
STEPS = [sign * step * SECOND for step in (1, 4, 5, 30, 60, 300, 86_400) for sign in (-1, 1)]


class Traffic:
    """A sender that stamps a value each second, with a clock that may differ from the server's."""

    def __init__(self) -> None:
        self.window = SlidingWindow(length_ms=LENGTH, ahead_ms=AHEAD)
        self.accepted: list[Value] = []

    def send(self, timestamp: int, now: int) -> None:
        """Add a value as the service does: refuse it if it lies in the future, ignore it if it is too old."""
        amount = float(timestamp % 9_973)
        if timestamp <= now + AHEAD and self.window.add(timestamp, amount, now=now):
            self.accepted.append(Value(timestamp, amount))

    def due(self, now: int, since: int = 0) -> list[float]:
        """Return the amounts that belong in the window, of those accepted from number `since` on."""
        return [value.amount for value in self.accepted[since:] if value.timestamp >= now - LENGTH]


@pytest.mark.parametrize(
    "sender_too", [False, True], ids=["the sender's clock is right", "the sender's clock is the server's"]
)
@pytest.mark.parametrize("step", STEPS)
def test_the_clock_steps_and_is_set_right_again(step: int, sender_too: bool) -> None:
    """After a step within five seconds nothing is ever missing; after a longer one, all is right a window later."""
    traffic, small, stepped_at = Traffic(), abs(step) <= STEP_BACK, 0
    for elapsed in range(0, 4 * PHASE, SECOND):
        right = NOW + elapsed
        wrong = PHASE <= elapsed < 2 * PHASE
        now = right + step if wrong else right
        if elapsed in (PHASE, 2 * PHASE):
            stepped_at = len(traffic.accepted)
        traffic.send(now if sender_too else right, now)
        traffic.window._check() if elapsed % (30 * SECOND) == 0 else None
        answer = traffic.window.summary(now=now)
        everything, since = traffic.due(now), traffic.due(now, stepped_at)
        if small or (elapsed < 2 * PHASE and step > 0):
            # A step ahead only makes values age faster.
            assert_right(answer, everything)
        # Each value added since the step counts once; of the earlier ones some may be missing.
        assert len(since) <= answer.count <= len(everything)
        # By now, values stamped ahead and still in reach have come due.
        if elapsed >= 2 * PHASE + LENGTH + min(abs(step), REACH):
            assert_right(answer, since)


@pytest.mark.parametrize("step", STEPS)
def test_a_clock_that_was_ahead_cost_nothing_where_senders_were_right(step: int) -> None:
    """Once the clock is right again, all accepted values are still there: no other value needed their place."""
    if step < 0:
        step = -step
    traffic = Traffic()
    for elapsed in range(0, LENGTH, SECOND):
        traffic.send(NOW + elapsed, NOW + elapsed)
    right = NOW + LENGTH
    for elapsed in range(0, 10 * SECOND, SECOND):
        traffic.send(right + elapsed, right + elapsed + step)
    now = right + 10 * SECOND
    assert_right(traffic.window.summary(now=now), traffic.due(now))
