"""The width of buckets that a chart is drawn with."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datapoints.bucket_widths import CALENDAR_LADDER, LADDER, LEAST_CHOSEN, MOST_DRAWN, suitable
from datapoints.divisions import Division
from timeseries_project.core import spans
from timeseries_project.core.spans import Span
from timeseries_project.core.timestamps import MICROSECONDS

CENTURIES = 500 * 365 * 86_400 * MICROSECONDS
times = st.integers(0, CENTURIES // 2)
lengths = st.one_of(st.integers(1, 10_000 * MICROSECONDS), st.integers(1, CENTURIES // 2))
widths = st.integers(1, 366 * 86_400).map(lambda seconds: Span(seconds, "s"))
calendar = st.sampled_from(sorted(spans.CALENDAR)).flatmap(
    lambda unit: st.builds(Span, st.integers(1, spans.most(unit)), st.just(unit))
)
zones = st.sampled_from(["Asia/Kathmandu", "Pacific/Apia", "America/St_Johns"])


@given(start=st.integers(0, 10**9), length=st.integers(0, 10**9), width=st.integers(1, 40), offset=st.integers(0, 39))
def test_buckets_are_counted_as_times_fall_into_them(start: int, length: int, width: int, offset: int) -> None:
    offset %= width
    numbers = {
        (time - offset * MICROSECONDS) // (width * MICROSECONDS)
        for time in (*range(start, start + length, MICROSECONDS), *([start + length - 1] if length else []))
    }
    assert Division(Span(width, "s"), offset=offset).buckets_in(start, start + length) == len(numbers)


@given(start=times, length=lengths, tz=st.none() | zones)
def test_without_a_width_the_widest_with_enough_buckets_is_chosen(start: int, length: int, tz: str | None) -> None:
    division, too_many = suitable(start, start + length, None, tz)

    ladder = LADDER if tz is None else CALENDAR_LADDER
    assert too_many is None
    assert division.span in ladder
    assert division.buckets_in(start, start + length) >= LEAST_CHOSEN or division.span == ladder[0]
    assert division.buckets_in(start, start + length) <= 500
    for wider in ladder[ladder.index(division.span) + 1 :]:
        assert Division(wider, tz).buckets_in(start, start + length) < LEAST_CHOSEN


@given(start=times, length=lengths, asked=widths | calendar, tz=st.none() | zones)
def test_a_width_is_drawn_as_asked_for_unless_it_is_too_narrow(
    start: int, length: int, asked: Span, tz: str | None
) -> None:
    division, too_many = suitable(start, start + length, asked, tz)

    buckets = Division(asked, tz).buckets_in(start, start + length)
    if buckets <= MOST_DRAWN:
        assert (division.span, too_many) == (asked, None)
    else:
        assert too_many == buckets
        assert division.nominal > Division(asked, tz).nominal
        assert division.buckets_in(start, start + length) <= MOST_DRAWN


@pytest.mark.parametrize(
    ("length", "asked", "drawn", "too_many"),
    [
        (59, None, "1s", None),
        (299, None, "5s", None),
        (86_400, None, "15m", None),
        (7 * 86_400, None, "1h", None),
        (0, None, "1s", None),
        (0, "7s", "7s", None),
        (2_000, "1s", "1s", None),
        (2_001, "1s", "5s", 2_001),
        (940_000 * 900, "15m", "7d", 940_000),
        (50 * 365 * 86_400, "1w", "1mo", 2_608),
        (50 * 365 * 86_400, "1mo", "1mo", None),
    ],
)
def test_examples(length: int, asked: str | None, drawn: str, too_many: int | None) -> None:
    width = suitable(0, length * MICROSECONDS, None if asked is None else spans.parse(asked))
    assert (str(width.division.span), width.too_many) == (drawn, too_many)


def test_a_zone_makes_no_difference_to_short_buckets_and_the_calendar_is_used_for_long_ones() -> None:
    day = 86_400 * MICROSECONDS
    assert suitable(0, day, None, "Asia/Tokyo").division == Division(Span(15, "m"))
    assert suitable(0, 100 * day, None, "Asia/Tokyo").division == Division(Span(1, "d"), "Asia/Tokyo")
    assert suitable(0, 3_000 * day, None, "Asia/Tokyo").division == Division(Span(1, "mo"), "Asia/Tokyo")
    assert suitable(0, 20_000 * day, Span(1, "h"), "Asia/Tokyo").division == Division(Span(1, "mo"), "Asia/Tokyo")
