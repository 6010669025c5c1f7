"""Kernels that read one value from the bytes of a text: a number, or a date and time.

They know ordinary spellings only. A text ends with a byte of zero, which belongs to no value, so every loop stops
there at the latest.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from timeseries_project.core.kernels import helper, routine
from timeseries_project.core.summation import Integers

Bytes = NDArray[np.uint8]

#: Digits that surely fit in 64 bits, and integers and powers of ten that are exact as doubles.
MOST_DIGITS, EXACT, EXACT_POWER = 18, 2**53, 22
POWERS = 10.0 ** np.arange(EXACT_POWER + 1)
TENS = 10 ** np.arange(7)
#: What halves the digits of a double.
SPLITTER = 2.0**27 + 1

#: In each of eight bytes: the upper half, the digit zero, and what brings a byte beyond nine into another upper half.
_UPPER, _ZEROS, _SIXES = -0x0F0F_0F0F_0F0F_0F10, 0x3030_3030_3030_3030, 0x0606_0606_0606_0606

TAB, LINE_FEED, RETURN, BLANK, QUOTE, PLUS, COMMA, MINUS, POINT = 9, 10, 13, 32, 34, 43, 44, 45, 46
ZERO, NINE, COLON, LARGE_E, LARGE_T, LARGE_Z, BACKSLASH, BRACKET, SMALL_E = 48, 57, 58, 69, 84, 90, 92, 93, 101
OPEN, CLOSE, LAST_ASCII = 123, 125, 126

DATE_TIME = tuple(b"0000-00-00T00:00:00")
OFFSET = tuple(b"+00:00")
DAYS_BEFORE = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365)


@routine(checked=True)
def blanks(text: Bytes, at: int, lines: bool) -> int:
    """Return where the white space of JSON ends; between lines, a line end is none."""
    while text[at] == BLANK or text[at] == TAB or text[at] == RETURN or (text[at] == LINE_FEED and not lines):
        at += 1
    return at


@routine()
def all_digits(word: int) -> bool:
    """Return whether eight bytes, in the order of the machine, are digits."""
    return bool(word & _UPPER == _ZEROS and (word + _SIXES) & _UPPER == _ZEROS)


@routine()
def eight_digits(word: int) -> int:
    """Return the number that eight digits spell: neighbours are joined to pairs, pairs to fours, these to the whole.

    The first digit is the lowest byte. See D. Lemire, "Number parsing at a gigabyte per second", Software: Practice and
    Experience 51 (2021).
    """
    digits = word - _ZEROS
    pairs = (digits * 10 + (digits >> 8)) & 0x00FF_00FF_00FF_00FF
    fours = (pairs * 100 + (pairs >> 16)) & 0x0000_FFFF_0000_FFFF
    return (fours * 10_000 + (fours >> 32)) & 0xFFFF_FFFF


@routine(checked=True)
def read_number(text: Bytes, words: Integers, at: int) -> tuple[int, int, int, int]:
    """Read a number of JSON: where it ends, its digits as an integer, its power of ten, how many digits.

    It ends at -1 if it is none, or a negative zero. Of more than MOST_DIGITS digits the integer is wrong.
    """
    negative = text[at] == MINUS
    if negative:
        at += 1
    first = at
    mantissa = 0
    if all_digits(int(words[at])):
        mantissa = eight_digits(int(words[at]))
        at += 8
    while ZERO <= text[at] <= NINE:
        mantissa = mantissa * 10 + int(text[at]) - ZERO
        at += 1
    digits = at - first
    if digits == 0 or (text[first] == ZERO and digits > 1):
        return -1, 0, 0, 0
    power = 0
    if text[at] == POINT:
        at += 1
        while ZERO <= text[at] <= NINE:
            mantissa = mantissa * 10 + int(text[at]) - ZERO
            at += 1
            power -= 1
        if power == 0:
            return -1, 0, 0, 0
        digits -= power
    if text[at] == LARGE_E or text[at] == SMALL_E:
        at += 1
        sign = -1 if text[at] == MINUS else 1
        if text[at] == MINUS or text[at] == PLUS:
            at += 1
        first = at
        exponent = 0
        while ZERO <= text[at] <= NINE and at - first < 4:
            exponent = exponent * 10 + int(text[at]) - ZERO
            at += 1
        if at == first:
            return -1, 0, 0, 0
        power += sign * exponent
    if negative:
        if mantissa == 0:
            return -1, 0, 0, 0
        mantissa = -mantissa
    return at, mantissa, power, digits


@routine(checked=True)
def read_date_time(text: Bytes, at: int) -> tuple[int, int]:
    """Read a date and time since 1970 in UTC: where it ends, -1 if it is none, and its microseconds since then."""
    digits = 0
    for place in range(len(DATE_TIME)):
        byte = int(text[at + place])
        if DATE_TIME[place] == ZERO:
            if byte < ZERO or byte > NINE:
                return -1, 0
            digits = digits * 10 + byte - ZERO
        elif byte != DATE_TIME[place] and not (byte == BLANK and DATE_TIME[place] == LARGE_T):
            return -1, 0
    at += len(DATE_TIME)
    second, minute, hour = digits % 100, digits // 100 % 100, digits // 10_000 % 100
    day, month, year = digits // 10**6 % 100, digits // 10**8 % 100, digits // 10**10
    if year < 1970 or month < 1 or month > 12 or hour > 23 or minute > 59 or second > 59:
        return -1, 0
    leap = 1 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 0
    length = DAYS_BEFORE[month] - DAYS_BEFORE[month - 1] + (leap if month == 2 else 0)
    if day < 1 or day > length:
        return -1, 0
    before = year - 1
    days = before * 365 + before // 4 - before // 100 + before // 400 - 719_162
    days += DAYS_BEFORE[month - 1] + (leap if month > 2 else 0) + day - 1
    microseconds = (((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000_000
    if text[at] == POINT:
        at += 1
        unit = 1_000_000
        first = at
        while ZERO <= text[at] <= NINE:
            unit //= 10  # zero behind the sixth digit: those are cut
            microseconds += (int(text[at]) - ZERO) * unit
            at += 1
        if at == first:
            return -1, 0
    if text[at] == LARGE_Z:
        at += 1
    elif text[at] == PLUS:
        for place in range(len(OFFSET)):
            if text[at + place] != OFFSET[place]:
                return -1, 0
        at += len(OFFSET)
    return at, microseconds


@routine(checked=True)
def nearest_double(mantissa: int, power: int) -> float:
    """Return the double nearest to an integer times a power of ten, NaN where that is not plain to see.

    A quotient that is not exact is worked out as a pair of doubles. The first is the nearest one if the second,
    with a bound on its error added or taken away, does not change it.
    """
    if abs(power) > EXACT_POWER:
        return np.nan
    high = float(mantissa)
    if power == 0:
        return high
    tens = float(POWERS[abs(power)])
    if abs(mantissa) <= EXACT:
        return high / tens if power < 0 else high * tens
    if power > 0:
        return np.nan
    quotient = high / tens
    # quotient * tens as a pair, after Dekker: halves of 26 bits have exact products.
    left = quotient * SPLITTER - (quotient * SPLITTER - quotient)
    right = tens * SPLITTER - (tens * SPLITTER - tens)
    left_rest, right_rest = quotient - left, tens - right
    product = quotient * tens
    rest = ((left * right - product) + left * right_rest + left_rest * right) + left_rest * right_rest
    correction = (((high - product) - rest) + float(mantissa - int(high))) / tens
    nearest = quotient + correction
    remainder = correction - (nearest - quotient)
    bound = abs(correction) * 2.0**-50
    if nearest + (remainder + bound) == nearest and nearest + (remainder - bound) == nearest:
        return nearest
    return np.nan


@helper
def cut_seconds(seconds: float) -> int:
    """Return epoch seconds cut to the microsecond, as `timestamps.column_from_seconds` does."""
    microseconds = np.rint(seconds * 1e6)
    if microseconds / 1e6 > seconds:
        microseconds -= 1
    if (microseconds + 1) / 1e6 <= seconds:
        microseconds += 1
    return int(microseconds)
