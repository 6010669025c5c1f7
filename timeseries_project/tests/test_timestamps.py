"""Timestamps: which forms are read, to the microsecond, and how they are written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import ROUND_FLOOR, Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeseries_project.core.timestamps import column_from_seconds, from_seconds, parse, render

microseconds = st.integers(0, 253_402_300_799_999_999)


@given(microseconds)
def test_what_is_written_is_read_back(timestamp: int) -> None:
    text = render(timestamp)
    assert text.endswith("Z")
    assert ("." in text) == (timestamp % 1_000_000 != 0)
    assert parse(text) == timestamp


@given(
    st.datetimes(datetime(1971, 1, 1), datetime(9998, 1, 1)),
    st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes))),
    st.sampled_from(["T", "t", " "]),
)
def test_offsets_are_honoured(moment: datetime, zone: timezone, separator: str) -> None:
    local = moment.replace(tzinfo=zone)
    exact = (local - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert parse(local.isoformat(separator)) == exact


@given(st.integers(0, 2**33 * 1_000_000))
def test_seconds_are_kept_to_the_microsecond(timestamp: int) -> None:
    assert from_seconds(timestamp / 1_000_000) == timestamp


@given(st.floats(0, 2**33))
def test_further_digits_of_seconds_are_cut(seconds: float) -> None:
    """The digits are those of the shortest decimal spelling, which is what a client wrote."""
    spelt = Decimal(repr(seconds)) * 1_000_000
    assert from_seconds(seconds) == int(spelt.to_integral_value(ROUND_FLOOR))


@given(st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False)))
def test_any_finite_number_is_some_time(seconds: float) -> None:
    timestamp = from_seconds(seconds)
    assert (timestamp < 0) == (seconds < 0)
    assert abs(timestamp - int(seconds) * 10**6) <= 10**6


@given(st.text())
def test_any_text_is_a_timestamp_or_refused_in_a_sentence(text: str) -> None:
    reason = ""
    try:
        assert parse(text) == parse(render(parse(text)))
    except ValueError as error:
        reason = str(error)
    assert reason in ("", reason.rstrip(".") + ".")


@pytest.mark.parametrize("digits", ["1234567", "1234569999999999999", "123456"])
def test_digits_of_a_fraction_beyond_the_sixth_are_cut(digits: str) -> None:
    assert parse(f"1970-01-01T00:00:00.{digits}Z") == 123456


@given(st.lists(st.floats(0, 2**33), min_size=1, max_size=50))
def test_columns_of_seconds_are_read_as_single_ones(seconds: list[float]) -> None:
    assert column_from_seconds(np.array(seconds)).tolist() == [from_seconds(s) for s in seconds]
