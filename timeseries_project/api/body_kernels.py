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

from timeseries_project.api.value_kernels import (
    BLANK,
    BRACKET,
    CLOSE,
    COLON,
    COMMA,
    LAST_ASCII,
    LINE_FEED,
    MOST_DIGITS,
    OPEN,
    QUOTE,
    RETURN,
    TENS,
    Bytes,
    blanks,
    cut_seconds,
    nearest_double,
    pass_key,
    read_date_time,
    read_number,
)
from timeseries_project.core.arrays import Codes
from timeseries_project.core.kernels import helper, kernel, routine
from timeseries_project.core.summation import Floats, Integers

#: What a row of `layout` tells of a field.
KIND, NAME_LENGTH, LEAST, MOST, TABLE = range(5)
TIMESTAMP, NUMBER, INTEGER, KEY = range(4)

#: Where `counts` holds how many numbers are put off; behind it, how many keys each table holds.
PUT_OFF = 0
#: A number that is put off is where it begins, times this, and its length.
SPAN = 1024

#: Epoch seconds that are surely no date beyond the year 9999, and exact in a double to the microsecond.
LAST_SECOND = 2**33
#: Keys that a search looks at; chosen ones could make it long.
PROBES = 64
#: Bytes of a cell of CSV that no field asks for.
LONGEST_CELL = 1_000


@routine(checked=True)
def _code(
    text: Bytes, start: int, end: int, mixed: int, table: int, slots: Codes, spellings: Integers, counts: Integers
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


@helper
def _decimal(
    text: Bytes,
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
    at, mantissa, power, digits = read_number(text, start)
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
        number = nearest_double(mantissa, power) if few else np.nan
        if number != number:
            columns[field, row] = start * SPAN + at - start
            put_off[counts[PUT_OFF]] = field * columns.shape[1] + row
            counts[PUT_OFF] += 1
        elif kind == NUMBER:
            numbers[field, row] = number
        elif 0 <= number < LAST_SECOND:
            columns[field, row] = cut_seconds(number)
        else:
            return -1
    return at


@helper
def _behind(text: Bytes, at: int, quoted: bool) -> int:
    """Return where what follows a value begins, -1 if it lacks its second quote."""
    if quoted and at >= 0:
        return at + 1 if text[at] == QUOTE else -1
    return at


@helper
def _value(
    text: Bytes,
    at: int,
    field: int,
    row: int,
    json: bool,
    layout: Integers,
    columns: Integers,
    numbers: Floats,
    slots: Codes,
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
        at, mixed = pass_key(text, at, json, quoted)
        if at < 0:
            return -1
        table = layout[field, TABLE]
        code = _code(text, start, at, mixed, table, slots, spellings, counts)
        if code < 0:
            return -1
        columns[field, row] = code
        return _behind(text, at, quoted)
    if kind == TIMESTAMP and (quoted or not json):
        at, microseconds = read_date_time(text, at)
        if at >= 0:
            columns[field, row] = microseconds
            return _behind(text, at, quoted)
        if json:
            return -1
    at = _decimal(text, start, field, row, json, layout, columns, numbers, counts, put_off)
    return _behind(text, at, quoted)


@helper
def _named(text: Bytes, at: int, field: int, layout: Integers, names: Bytes) -> bool:
    """Return whether the name of a field, with the quote behind it, stands here."""
    length, place = layout[field, NAME_LENGTH], 0
    while place < length and text[at + place] == names[field, place]:
        place += 1
    return bool(place == length)


@helper
def _item(
    text: Bytes,
    at: int,
    row: int,
    lines: bool,
    layout: Integers,
    names: Bytes,
    order: Integers,
    columns: Integers,
    numbers: Floats,
    slots: Codes,
    spellings: Integers,
    counts: Integers,
    put_off: Integers,
) -> int:
    """Read the members of a JSON object, each field once: where it ends, -1 if it is not ordinary."""
    fields = len(layout)
    seen = 0
    for member in range(fields):
        at = blanks(text, at, lines)
        if text[at] != QUOTE:
            return -1
        at += 1
        field = order[member]
        if not _named(text, at, field, layout, names):
            field = 0
            while field < fields and not _named(text, at, field, layout, names):
                field += 1
            if field == fields:
                return -1
            order[member] = field
        if seen & (1 << field):
            return -1
        seen |= 1 << field
        at = blanks(text, at + layout[field, NAME_LENGTH], lines)
        if text[at] != COLON:
            return -1
        at = blanks(text, at + 1, lines)
        at = _value(text, at, field, row, True, layout, columns, numbers, slots, spellings, counts, put_off)
        if at < 0:
            return -1
        at = blanks(text, at, lines)
        if text[at] != (COMMA if member < fields - 1 else CLOSE):
            return -1
        at += 1
    return at


@kernel(
    "UniTuple(int64, 3)(uint8[::1], boolean, int64[:, ::1], uint8[:, ::1], int64[::1], int64[:, ::1],"
    " float64[:, ::1], int32[:, ::1], int64[:, :, ::1], int64[::1], int64[::1])",
    checked=True,
)
def read_items(
    text: Bytes,
    lines: bool,
    layout: Integers,
    names: Bytes,
    order: Integers,
    columns: Integers,
    numbers: Floats,
    slots: Codes,
    spellings: Integers,
    counts: Integers,
    put_off: Integers,
) -> tuple[int, int, int]:
    """Read JSON objects, each on a line of its own, or with commas between them up to a bracket.

    Return how many were read, where what follows them begins, and whether that is behind the bracket. `order` is
    that in which the fields were found last, where the next item's are looked for first.
    """
    rows, at, begin = 0, 0, 0
    while rows < columns.shape[1]:
        at = blanks(text, at, False)
        if text[at] != OPEN:
            break
        at = _item(text, at + 1, rows, lines, layout, names, order, columns, numbers, slots, spellings, counts, put_off)
        if at < 0:
            break
        at = blanks(text, at, lines)
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
    text: Bytes,
    layout: Integers,
    header: Integers,
    columns: Integers,
    numbers: Floats,
    slots: Codes,
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
