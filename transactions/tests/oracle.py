"""The oracle of the sliding windows, and the strategies of their tests."""

from collections import defaultdict
from fractions import Fraction
from typing import NamedTuple, Protocol

from hypothesis import strategies as st

from timeseries_project.tests.drawn import drawn
from transactions.interface import HISTORY_SECONDS, Second, Summary, Window
from transactions.memory.sliding_window import SlidingWindow
from transactions.redis.window import RedisWindow
from transactions.tests import stripes

LENGTH = 60_000
AHEAD = 5_000
STEP_BACK = 5_000
NOW = 1_478_192_204_000

HOUR = 3_600_000

EMPTY = Summary(0.0, 0.0, 0.0, 0.0, 0)

# Fixtures here only make windows, so examples may share them.
often = drawn(100)

PRECISION = Fraction(1, 2**50)
# An exact average between two subnormal doubles may be half their distance away from both.
LAST_PLACE = Fraction(1, 2**1075)


class Value(NamedTuple):
    """A counted amount, as the oracle remembers it."""

    timestamp: int
    amount: float


class NewWindow(Protocol):
    """A function that makes an empty window."""

    def __call__(self, *, length_ms: int, ahead_ms: int) -> Window: ...


def check(window: Window) -> None:
    """Assert the invariants of a window of either kind."""
    if isinstance(window, SlidingWindow):
        window._check()
    else:
        assert isinstance(window, RedisWindow)
        stripes.check(window)


def assert_right(answer: Summary, amounts: list[float]) -> None:
    """Check a summary against the exact sum of all amounts it should cover."""
    assert answer.count == len(amounts)
    assert "-0.0" not in map(repr, answer)
    if not amounts:
        assert answer == EMPTY
        return
    assert answer.max == max(amounts)
    assert answer.min == min(amounts)
    exact = sum(map(Fraction, amounts), Fraction(0))
    largest = Fraction(max(map(abs, amounts)))
    for given_, right in ((answer.sum, exact), (answer.avg, exact / len(amounts))):
        allowed = max(PRECISION * max(abs(right), largest), LAST_PLACE)
        assert abs(Fraction(given_) - right) <= allowed


def assert_history_right(history: list[Second], values: list[Value], now: int) -> None:
    """Hold a history against all amounts that were ever counted, summed exactly, of whatever second."""
    last = now // 1_000
    assert [second.timestamp for second in history] == list(range(last - HISTORY_SECONDS + 1, last + 1))
    amounts = defaultdict[int, list[float]](list)
    for value in values:
        amounts[value.timestamp // 1_000].append(value.amount)
    for second in history:
        here = amounts[second.timestamp]
        assert second.count == len(here)
        if not here:
            assert second[1:] == (0, None, None, None)
            continue
        assert second.sum is not None
        assert "-0.0" not in map(repr, second)
        assert (second.min, second.max) == (min(here), max(here))
        exact = sum(map(Fraction, here), Fraction(0))
        assert abs(Fraction(second.sum) - exact) <= PRECISION * max(abs(exact), *map(Fraction, map(abs, here)))


amounts = st.one_of(
    st.floats(-1_000, 1_000),
    st.floats(-1e150, 1e150),
    st.sampled_from([1e16, -1e16, 1e150, -1e150, 1.0, -1.0, 0.1, 0.0, -0.0, 1e-300, 5e-324, -5e-324]),
)
borders = [0, 1, 24, 25, 26, 499, 500, 9_999, 10_000, 59_999, 60_000, 60_001, 70_000, -1, 1 - AHEAD, -AHEAD]
ages = st.one_of(st.sampled_from(borders), st.integers(-AHEAD, LENGTH + 5_000))
steps = st.one_of(
    st.integers(0, 50),
    st.integers(0, 2 * LENGTH),
    st.sampled_from([25, 500, 1_000, 10_000, 59_999, 60_000, 60_001, 80_000, 90_000, 90_001, 180_000, HOUR]),
    st.integers(0, 100 * HOUR),
)
