"""The width of buckets that a chart is drawn with."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datapoints.bucket_widths import LADDER, LEAST_CHOSEN, MOST_DRAWN, Width, count, suitable

CENTURIES = 500 * 365 * 86_400
times = st.integers(0, CENTURIES // 2)
lengths = st.one_of(st.integers(1, 10_000), st.integers(1, CENTURIES // 2))
widths = st.integers(1, 366 * 86_400)


@given(start=times, length=st.integers(0, 300), width=st.integers(1, 40))
def test_buckets_are_counted_as_times_fall_into_them(start: int, length: int, width: int) -> None:
    assert count(start, start + length, width) == len({time // width for time in range(start, start + length)})


@given(start=times, length=lengths)
def test_without_a_width_the_widest_that_gives_enough_buckets_is_chosen(start: int, length: int) -> None:
    width, too_many = suitable(start, start + length, None)

    assert too_many is None
    assert width in LADDER
    assert count(start, start + length, width) >= LEAST_CHOSEN or width == LADDER[0]
    assert count(start, start + length, width) <= 500
    for wider in LADDER[LADDER.index(width) + 1 :]:
        assert count(start, start + length, wider) < LEAST_CHOSEN


@given(start=times, length=lengths, asked=widths)
def test_a_width_is_drawn_as_asked_for_unless_it_is_too_narrow(start: int, length: int, asked: int) -> None:
    width, too_many = suitable(start, start + length, asked)

    buckets = count(start, start + length, asked)
    if buckets <= MOST_DRAWN:
        assert (width, too_many) == (asked, None)
    else:
        assert too_many == buckets
        assert width > asked
        assert count(start, start + length, width) <= MOST_DRAWN
        for narrower in LADDER[: LADDER.index(width)]:
            assert narrower <= asked or count(start, start + length, narrower) > MOST_DRAWN


@given(start=times, length=lengths, asked=st.none() | widths)
def test_the_unit_of_time_makes_no_difference(start: int, length: int, asked: int | None) -> None:
    stop = start + length

    assert suitable(start * 10**6, stop * 10**6, asked, unit=10**6) == suitable(start, stop, asked)


@pytest.mark.parametrize(
    ("length", "asked", "drawn"),
    [
        (59, None, Width(1, None)),
        (299, None, Width(5, None)),
        (86_400, None, Width(900, None)),
        (7 * 86_400, None, Width(3_600, None)),
        (0, None, Width(1, None)),
        (0, 7, Width(7, None)),
        (2_000, 1, Width(1, None)),
        (2_001, 1, Width(5, 2_001)),
        (940_000 * 900, 900, Width(7 * 86_400, 940_000)),
    ],
)
def test_examples(length: int, asked: int | None, drawn: Width) -> None:
    assert suitable(0, length, asked) == drawn
