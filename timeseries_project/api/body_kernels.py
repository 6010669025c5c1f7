"""Kernels that read the items of a body from its bytes into columns: JSON arrays, lines of JSON, and rows of CSV.

They know ordinary spellings only: an item with each field once, numbers as JSON spells them, dates as
`2026-01-31T12:00:00.5Z`. Where anything else stands they stop, and say how far they came. They never say that
something is wrong.

A text ends with a line end and a byte of zero, which belongs to no item, so every loop stops there at the latest.
What a field is stands in its row of `layout`. Values go to `columns[field, row]`, and those of doubles to `numbers`,
the same memory seen as doubles. A key is the code of its spelling: `slots[table, slot]` finds the code by a hash,
`spellings[table, code]` tells where the key begins and ends in the text. A number whose digits alone do not make the
nearest double is put off: its column holds where it stands, `put_off` lists its cell, and the caller reads it.
"""

from __future__ import annotations

import numpy as np

from timeseries_project.core.kernels import helper, kernel
from timeseries_project.core.summation import Floats, Integers

#: What a row of `layout` tells of a field.
KIND, NAME_LENGTH, LEAST, MOST, TABLE = range(5)
TIMESTAMP, NUMBER, INTEGER, KEY = range(4)

#: Where `counts` holds how many numbers are put off; behind it, how many keys each table holds.
PUT_OFF = 0
#: A number that is put off is where it begins, times this, and its length.
SPAN = 1024

#: Keys that a search looks at; chosen ones could make it long.
PROBES = 64
#: Bytes of a cell of CSV that no field asks for.
LONGEST_CELL = 1_000
#: Epoch seconds that are surely no date beyond the year 9999, and exact in a double to the microsecond.
LAST_SECOND = 2**33
#: Digits that surely fit in 64 bits, and integers and powers of ten that are exact as doubles.
MOST_DIGITS, EXACT, EXACT_POWER = 18, 2**53, 22
POWERS = 10.0 ** np.arange(EXACT_POWER + 1)
TENS = 10 ** np.arange(7)
#: What halves the digits of a double.
SPLITTER = 2.0**27 + 1

TAB, LINE_FEED, RETURN, BLANK, QUOTE, PLUS, COMMA, MINUS, POINT = 9, 10, 13, 32, 34, 43, 44, 45, 46
ZERO, NINE, COLON, LARGE_E, LARGE_T, LARGE_Z, BACKSLASH, SMALL_E, OPEN, CLOSE = 48, 57, 58, 69, 84, 90, 92, 101, 123, 125
BRACKET, LAST_ASCII = 93, 126

DATE_TIME = tuple(b"0000-00-00T00:00:00")
OFFSET = tuple(b"+00:00")
DAYS_BEFORE = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365)


@helper
def _blanks(text: Integers, at: int, lines: bool) -> int:
    """Return where the white space of JSON ends; between lines, a line end is none."""
    while text[at] == BLANK or text[at] == TAB or text[at] == RETURN or (text[at] == LINE_FEED and not lines):
        at += 1
    return at


@kernel("UniTuple(int64, 4)(uint8[::1], int64)", checked=True)
def _number(text: Integers, at: int) -> tuple[int, int, int, int]:
    """Read a number of JSON: where it ends (-1 if it is none, or -0), its digits as an integer, the power of ten
    that this is multiplied by, and how many digits there are. Of more than MOST_DIGITS the integer is wrong.
    """
    negative = text[at] == MINUS
    if negative:
        at += 1
    first = at
    mantissa = 0
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


@kernel("UniTuple(int64, 2)(uint8[::1], int64)", checked=True)
def _date_time(text: Integers, at: int) -> tuple[int, int]:
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


@helper
def _key(text: Integers, at: int, json: bool, quoted: bool) -> tuple[int, int]:
    """Pass over a key: where it ends, -1 if that is not plain to see, and a hash of its bytes."""
    start = at
    mixed = 18_652_613
    while True:
        byte = int(text[at])
        if byte == QUOTE:
            if not quoted:
                return -1, 0
            break
        if not quoted and (byte == COMMA or byte == LINE_FEED or byte == RETURN):
            break
        if byte < BLANK:
            return -1, 0
        if byte == BACKSLASH and json:
            at += 1
            if text[at] < BLANK:
                return -1, 0
            mixed = ((mixed ^ byte) * 16_777_619) & 0x7FFF_FFFF
            byte = int(text[at])
        mixed = ((mixed ^ byte) * 16_777_619) & 0x7FFF_FFFF
        at += 1
    if at == start:
        return -1, 0
    return at, mixed ^ (mixed >> 15)


@helper
def _code(
    text: Integers, start: int, end: int, mixed: int, table: int, slots: Integers, spellings: Integers, counts: Integers
) -> int:
    """Return the code of a key, the next one if it is new; -1 if the search for it takes too long."""
    slot = mixed & (slots.shape[1] - 1)
    for _ in range(PROBES):
        code = int(slots[table, slot])
        if code < 0:
            code = int(counts[1 + table])
            counts[1 + table] = code + 1
            slots[table, slot] = code
            spellings[table, code, 0] = start
            spellings[table, code, 1] = end
            return code
        known = int(spellings[table, code, 0])
        if spellings[table, code, 1] - known == end - start:
            place = 0
            while place < end - start and text[start + place] == text[known + place]:
                place += 1
            if place == end - start:
                return code
        slot = (slot + 1) & (slots.shape[1] - 1)
    return -1


@kernel("float64(int64, int64)")
def _double(mantissa: int, power: int) -> float:
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
def _microseconds(seconds: float) -> int:
    """Return epoch seconds cut to the microsecond, as `timestamps.column_from_seconds` does."""
    microseconds = np.rint(seconds * 1e6)
    if microseconds / 1e6 > seconds:
        microseconds -= 1
    if (microseconds + 1) / 1e6 <= seconds:
        microseconds += 1
    return int(microseconds)


@helper
def _decimal(
    text: Integers,
    start: int,
    field: int,
    row: int,
    json: bool,
    layout: Integers,
    columns: Integers,
    numbers: Floats,
    counts: Integers,
    put_off: Integers,
) -> int:
    """Read a number into its column: where it ends, -1 if it is not ordinary."""
    kind = layout[field, KIND]
    at, mantissa, power, digits = _number(text, start)
    if at < 0 or at - start >= SPAN:
        return -1
    few = digits <= MOST_DIGITS
    if kind == INTEGER:
        if not few or power != 0 or mantissa < layout[field, LEAST] or mantissa > layout[field, MOST]:
            return -1
        columns[field, row] = mantissa
    elif kind == TIMESTAMP and few and -6 <= power <= 0:
        if mantissa < 0 or mantissa >= LAST_SECOND * TENS[-power]:
            return -1
        if not json and (digits == 4 or digits == 8):
            return -1  # may be a year or a date
        # So few decimals are whole microseconds, and so the nearest double is cut to these.
        columns[field, row] = mantissa * TENS[6 + power]
    else:
        number = _double(mantissa, power) if few else np.nan
        if number != number:
            columns[field, row] = start * SPAN + at - start
            put_off[counts[PUT_OFF]] = field * columns.shape[1] + row
            counts[PUT_OFF] += 1
        elif kind == NUMBER:
            numbers[field, row] = number
        elif 0 <= number < LAST_SECOND:
            columns[field, row] = _microseconds(number)
        else:
            return -1
    return at


@helper
def _behind(text: Integers, at: int, quoted: bool) -> int:
    """Return where what follows a value begins, -1 if it lacks its second quote."""
    if quoted and at >= 0:
        return at + 1 if text[at] == QUOTE else -1
    return at


@helper
def _value(
    text: Integers,
    at: int,
    field: int,
    row: int,
    json: bool,
    layout: Integers,
    columns: Integers,
    numbers: Floats,
    slots: Integers,
    spellings: Integers,
    counts: Integers,
    put_off: Integers,
) -> int:
    """Read a value, in quotes or without, into its column: where it ends, -1 if it is not ordinary."""
    kind = layout[field, KIND]
    quoted = text[at] == QUOTE
    if quoted:
        at += 1
    if json and quoted != (kind == KEY) and not (quoted and kind == TIMESTAMP):
        return -1
    start = at
    if kind == KEY:
        at, mixed = _key(text, at, json, quoted)
        if at < 0:
            return -1
        table = layout[field, TABLE]
        code = _code(text, start, at, mixed, table, slots, spellings, counts)
        if code < 0:
            return -1
        columns[field, row] = code
        return _behind(text, at, quoted)
    if kind == TIMESTAMP and (quoted or not json):
        at, microseconds = _date_time(text, at)
        if at >= 0:
            columns[field, row] = microseconds
            return _behind(text, at, quoted)
        if json:
            return -1
    at = _decimal(text, start, field, row, json, layout, columns, numbers, counts, put_off)
    return _behind(text, at, quoted)


@helper
def _named(text: Integers, at: int, field: int, layout: Integers, names: Integers) -> bool:
    """Return whether the name of a field, with the quote behind it, stands here."""
    for place in range(layout[field, NAME_LENGTH]):
        if text[at + place] != names[field, place]:
            return False
    return True


@kernel(
    "UniTuple(int64, 3)(uint8[::1], boolean, int64[:, ::1], uint8[:, ::1], int64[::1], int64[:, ::1],"
    " float64[:, ::1], int32[:, ::1], int64[:, :, ::1], int64[::1], int64[::1])",
    checked=True,
)
def read_items(
    text: Integers,
    lines: bool,
    layout: Integers,
    names: Integers,
    order: Integers,
    columns: Integers,
    numbers: Floats,
    slots: Integers,
    spellings: Integers,
    counts: Integers,
    put_off: Integers,
) -> tuple[int, int, int]:
    """Read JSON objects, each on a line of its own, or with commas between them up to a bracket.

    Return how many were read, where what follows them begins, and whether that is behind the bracket. `order` is
    that in which the fields were found last, where the next item's are looked for first.
    """
    rows, at, begin = 0, 0, 0
    fields = len(layout)
    while rows < columns.shape[1]:
        at = _blanks(text, at, False)
        if text[at] != OPEN:
            break
        at += 1
        seen = 0
        for member in range(fields):
            at = _blanks(text, at, lines)
            field = order[member]
            if text[at] != QUOTE:
                return rows, begin, 0
            at += 1
            if not _named(text, at, field, layout, names):
                field = 0
                while field < fields and not _named(text, at, field, layout, names):
                    field += 1
                if field == fields:
                    return rows, begin, 0
                order[member] = field
            if seen & (1 << field):
                return rows, begin, 0
            seen |= 1 << field
            at = _blanks(text, at + layout[field, NAME_LENGTH], lines)
            if text[at] != COLON:
                return rows, begin, 0
            at = _blanks(text, at + 1, lines)
            at = _value(text, at, field, rows, True, layout, columns, numbers, slots, spellings, counts, put_off)
            if at < 0:
                return rows, begin, 0
            at = _blanks(text, at, lines)
            if text[at] != (COMMA if member < fields - 1 else CLOSE):
                return rows, begin, 0
            at += 1
        at = _blanks(text, at, lines)
        if text[at] == BRACKET and not lines:
            return rows + 1, at + 1, 1
        if text[at] != (LINE_FEED if lines else COMMA):
            break
        at += 1
        rows += 1
        begin = at
    return rows, begin, 0


@kernel(
    "UniTuple(int64, 2)(uint8[::1], int64[:, ::1], int64[::1], int64[:, ::1], float64[:, ::1], int32[:, ::1],"
    " int64[:, :, ::1], int64[::1], int64[::1])",
    checked=True,
)
def read_rows(
    text: Integers,
    layout: Integers,
    header: Integers,
    columns: Integers,
    numbers: Floats,
    slots: Integers,
    spellings: Integers,
    counts: Integers,
    put_off: Integers,
) -> tuple[int, int]:
    """Read rows of CSV; blank lines are none. `header` tells each column's field, -1 if none asks for it.

    Return how many were read, and where what follows them begins.
    """
    rows, at, begin = 0, 0, 0
    while True:
        while text[at] == LINE_FEED or (text[at] == RETURN and text[at + 1] == LINE_FEED):
            at += 1
        begin = at
        if text[at] == 0 or rows == columns.shape[1]:
            return rows, begin
        for place in range(len(header)):
            field = header[place]
            if field >= 0:
                at = _value(text, at, field, rows, False, layout, columns, numbers, slots, spellings, counts, put_off)
                if at < 0:
                    return rows, begin
            else:
                first = at
                while BLANK <= text[at] <= LAST_ASCII and text[at] != QUOTE and text[at] != COMMA:
                    at += 1
                if at - first > LONGEST_CELL:
                    return rows, begin
            if place < len(header) - 1:
                if text[at] != COMMA:
                    return rows, begin
                at += 1
        if text[at] == RETURN:
            at += 1
        if text[at] != LINE_FEED:
            return rows, begin
        rows += 1
