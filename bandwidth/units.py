"""The units in which numbers of bytes are shown, and how they are written. The charts' part is `static/units.js`."""

from __future__ import annotations

import re
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple

#: Significant digits of a number that is written in a unit of somebody's choice; digits before the point are all kept.
DIGITS = 4
#: Most digits after the point.
MAX_DECIMALS = 15

_RATE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?)([kKMGTP]?|[KMGTP]i)")


class Unit(StrEnum):
    """A unit; the first three are families, of which the unit that fits each number is taken."""

    BYTES = "bytes"
    BINARY = "binary"
    BITS = "bits"
    B = "B"
    KB = "kB"
    MB = "MB"
    GB = "GB"
    TB = "TB"
    KIB = "KiB"
    MIB = "MiB"
    GIB = "GiB"
    TIB = "TiB"
    BIT = "bit"
    KBIT = "kbit"
    MBIT = "Mbit"
    GBIT = "Gbit"
    TBIT = "Tbit"


class Per(StrEnum):
    """What the bytes of a window are divided by."""

    WINDOW = "window"
    SECOND = "second"


class Family(NamedTuple):
    """Units that are powers of `base`, each `per_byte` to the byte."""

    symbols: tuple[str, ...]
    base: int
    per_byte: int


class Threshold(NamedTuple):
    """A rate to compare windows with: as it was given, and in bytes or bits per second."""

    text: str
    rate: Fraction


_FAMILIES = {
    Unit.BYTES: Family(("B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"), 1000, 1),
    Unit.BINARY: Family(("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"), 1024, 1),
    Unit.BITS: Family(("bit", "kbit", "Mbit", "Gbit", "Tbit", "Pbit", "Ebit", "Zbit", "Ybit"), 1000, 8),
}


def family(unit: Unit) -> Family:
    """Return the family of a unit; of B, which two have, the decimal one."""
    return _FAMILIES.get(unit) or next(each for each in _FAMILIES.values() if unit in each.symbols)


def write(count: int, unit: Unit = Unit.BYTES, *, divisor: int = 1, rate: bool = False) -> str:
    """Write a number of bytes, divided by `divisor`; `rate` says that it is one per second.

    Of a family, the unit is taken that leaves less than its base before the point, and one digit is written after it.
    A number in a unit that was chosen, or without a prefix, has up to four significant digits. Halves are rounded up.

    >>> write(999), write(1_500_000), write(999_950), write(1_572, Unit.KB, divisor=180, rate=True)
    ('999 B', '1.5 MB', '1.0 MB', '0.008733 kB/s')
    >>> write(125_000_000, Unit.BITS, rate=True), write(1536, Unit.BINARY), write(1572, Unit.B)
    ('1.0 Gbit/s', '1.5 KiB', '1,572 B')
    """
    symbols, base, per_byte = family(unit)
    fitting = unit in _FAMILIES
    power = 0 if fitting else symbols.index(unit)
    while True:
        numerator, denominator = count * per_byte, divisor * base**power
        decimals = 1 if fitting and power else _decimals(numerator, denominator)
        scaled = (2 * numerator * 10**decimals + denominator) // (2 * denominator)
        if not fitting or power == len(symbols) - 1 or scaled < base * 10**decimals:
            break
        power += 1
    whole, part = divmod(scaled, 10**decimals)
    digits = f"{part:0{decimals}}" if decimals else ""
    if not (fitting and power):
        digits = digits.rstrip("0")
    return f"{whole:,}{'.' if digits else ''}{digits} {symbols[power]}{'/s' if rate else ''}"


def _decimals(numerator: int, denominator: int) -> int:
    """Return how many digits after the point a quotient has if it has `DIGITS` significant ones."""
    if numerator >= denominator or not numerator:
        return max(DIGITS - len(str(numerator // denominator)), 0)
    decimals = DIGITS
    while numerator * 10 ** (decimals - DIGITS + 1) < denominator and decimals < MAX_DECIMALS:
        decimals += 1
    return decimals


def in_full(count: int, unit: Unit) -> str:
    """Write a number of bytes with all its digits, in bytes or bits; empty where `write` shows them all.

    >>> in_full(1572, Unit.KB), in_full(1572, Unit.BITS), in_full(999, Unit.BYTES)
    ('1,572 bytes', '12,576 bits', '')
    """
    per_byte = family(unit).per_byte
    number = count * per_byte
    return f"{number:,} {'bits' if per_byte == 8 else 'bytes'}" if number >= 1000 else ""


def parse_rate(text: str) -> Threshold:
    """Read a rate: a number, and k, M, G, T or P, or Ki, Mi, Gi, Ti or Pi after it. Raises ValueError.

    >>> parse_rate("1.5M").rate, parse_rate("2Ki").rate
    (Fraction(1500000, 1), Fraction(2048, 1))
    """
    match = _RATE.fullmatch(text)
    if match is None:
        raise ValueError("must be a number of bytes or bits per second such as 1500000, 1.5M or 1.5Mi.")
    number, prefix = match.groups()
    power = " kMGTP".index(prefix[0].replace("K", "k")) if prefix else 0
    return Threshold(text, Fraction(number) * (1024 if prefix.endswith("i") else 1000) ** power)


def percentile_95(counts: list[int]) -> int:
    """Return what billing takes for the 95th percentile: the largest count after the top 5 % are left out.

    That is the nearest rank: of fewer than twenty, none is left out.

    >>> percentile_95(list(range(1, 101))), percentile_95([7, 9, 8])
    (95, 9)
    """
    return sorted(counts)[len(counts) - len(counts) // 20 - 1]
