"""How numbers of bytes are written: what is rounded, and what carries."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandwidth.units import Unit, family, in_full, parse_rate, percentile_95, write

FITTING = [Unit.BYTES, Unit.BINARY, Unit.BITS]


@pytest.mark.parametrize(
    ("count", "unit", "text"),
    [
        (0, Unit.BYTES, "0 B"),
        (999, Unit.BYTES, "999 B"),
        (1_000, Unit.BYTES, "1.0 kB"),
        (999_949, Unit.BYTES, "999.9 kB"),
        (999_950, Unit.BYTES, "1.0 MB"),
        (999_999_999_999, Unit.BYTES, "1.0 TB"),
        (10**27, Unit.BYTES, "1,000.0 YB"),
        (1_023, Unit.BINARY, "1,023 B"),
        (1_048_524, Unit.BINARY, "1,023.9 KiB"),
        (1_048_575, Unit.BINARY, "1.0 MiB"),
        (124, Unit.BITS, "992 bit"),
        (125, Unit.BITS, "1.0 kbit"),
        (1_572, Unit.B, "1,572 B"),
        (1_572, Unit.MB, "0.001572 MB"),
        (1_572, Unit.KBIT, "12.58 kbit"),
        (1, Unit.TIB, "0.000000000000909 TiB"),
    ],
)
def test_a_number_has_few_digits_and_carries_into_the_next_unit(count: int, unit: Unit, text: str) -> None:
    assert write(count, unit) == text


def test_a_rate_carries_too() -> None:
    assert write(99_996, divisor=100, rate=True) == "1.0 kB/s"  # 999.96 B/s, which is 1000.0 with four digits
    assert write(87, divisor=10, rate=True) == "8.7 B/s"


@given(st.sampled_from(FITTING), st.integers(0, 10**24), st.integers(1, 10**6))
def test_what_fits_is_near_and_less_than_the_next_unit(unit: Unit, count: int, divisor: int) -> None:
    symbols, base, per_byte = family(unit)
    number, symbol = write(count, unit, divisor=divisor).replace(",", "").split()
    power = symbols.index(symbol)
    exact = Fraction(count * per_byte, divisor * base**power)

    assert abs(Fraction(number) - exact) <= max(Fraction(1, 20) if power else 0, exact / 2_000)
    assert Fraction(number) < base
    assert power == 0 or Fraction(number) >= 1


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=200))
def test_billing_takes_the_nearest_rank(counts: list[int]) -> None:
    rank = math.ceil(Fraction(95, 100) * len(counts))

    assert percentile_95(counts) == sorted(counts)[rank - 1]


def test_all_digits_are_there_where_they_are_rounded_away() -> None:
    assert in_full(999, Unit.BYTES) == ""
    assert in_full(2**53, Unit.GB) == "9,007,199,254,740,992 bytes"
    assert in_full(1_000, Unit.BITS) == "8,000 bits"


@pytest.mark.parametrize(("text", "rate"), [("0", 0), ("1.5", Fraction(3, 2)), ("10k", 10_000), ("1Gi", 2**30)])
def test_a_rate_may_have_a_prefix(text: str, rate: Fraction) -> None:
    assert parse_rate(text) == (text, rate)


@pytest.mark.parametrize("text", ["", "-1", "1e6", "1 M", "m", "1m", "1ki", "٣", "1.", "1" * 16])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be a number of bytes or bits per second"):
        parse_rate(text)
