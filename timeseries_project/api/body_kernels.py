"""Kernels that read the items of a body from its bytes into columns: JSON arrays, lines of JSON, and rows of CSV.

They know ordinary spellings only: an item with each field once, numbers as JSON spells them, dates as
`2026-01-31T12:00:00.5Z`. Where anything else stands they stop, and say how far they came. They never say that
something is wrong.

A text ends with a line end and a byte of zero, which belongs to no item, so every loop stops there at the latest.
What a field is stands in its row of `layout`. Values go to `columns[field, row]`, and those of doubles to `numbers`,
the same memory seen as doubles. A key is the number that it has among the keys of the text (`key_kernels.py`). A number
whose digits alone do not make the nearest double is put off: its column holds where it stands, `put_off` lists its
cell, and the caller reads it.

Items of one body look alike: between their values stand the same pieces of text. So an item is first read as if its
pieces were those of the item before. Only where they are not, the item is looked through for its own.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from timeseries_project.api.key_kernels import (
    KEY_ARRAYS,
    KNOWN,
    LATEST,
    TABLES,
    WORDS,
    KeyArrays,
    KnownKeys,
    find_key,
    number_of,
    pass_key,
    same,
)
from timeseries_project.api.value_kernels import (
    BACKSLASH,
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
    read_date_time,
    read_number,
)
from timeseries_project.core.kernels import helper, kernel, routine
from timeseries_project.core.summation import Floats, Integers

#: What a row of `layout` tells of a field.
KIND, NAME_LENGTH, LEAST, MOST, TABLE = range(5)
TIMESTAMP, NUMBER, INTEGER, KEY = range(4)

#: A number that is put off is where it begins, times this, and its length.
SPAN = 1024

#: Epoch seconds that are surely no date beyond the year 9999, and exact in a double to the microsecond.
LAST_SECOND = 2**33
#: Bytes of a cell of CSV that no field asks for.
LONGEST_CELL = 1_000


class Rows(NamedTuple):
    """What is told of the fields, and where their values go; `put_off[0]` is how many cells are listed behind it."""

    layout: Integers
    columns: Integers
    numbers: Floats
    put_off: Integers


#: The same as they are passed to a kernel; and their types there.
RowArrays = tuple[Integers, Integers, Floats, Integers]
ROW_ARRAYS = "Tuple((int64[:, ::1], int64[:, ::1], float64[:, ::1], int64[::1]))"


@helper
def _decimal(text: Bytes, words: Integers, start: int, field: int, row: int, json: bool, rows: Rows) -> int:
    """Read a number into its column: where it ends, -1 if it is not ordinary."""
    layout, columns = rows.layout, rows.columns
    kind = layout[field, KIND]
    at, mantissa, power, digits = read_number(text, words, start)
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
            rows.put_off[0] += 1
            rows.put_off[rows.put_off[0]] = field * columns.shape[1] + row
        elif kind == NUMBER:
            rows.numbers[field, row] = number
        elif 0 <= number < LAST_SECOND:
            columns[field, row] = cut_seconds(number)
        else:
            return -1
    return at


@helper
def _key(
    text: Bytes, words: Integers, at: int, table: int, json: bool, quoted: bool, keys: KnownKeys
) -> tuple[int, int]:
    """Read a key: where it ends, -1 if it is not ordinary; and its code.

    First it is compared with the one that came last after the same key of the first table; a quote tells where it ends.
    """
    latest = keys.counts[LATEST]
    code = int(keys.followers[table, latest]) - 1
    end = -1
    if quoted and 0 <= code < keys.counts[TABLES + 2 * table + KNOWN]:
        length = keys.spans[table, code, 1]
        if same(words, at, keys.words, keys.spans[table, code, 0], length) and text[at + length] == QUOTE:
            end = at + length
    if end < 0:
        end = pass_key(text, at, json, quoted)
        code = find_key(text, words, at, end, table, keys) if end >= 0 else -1
        if code < 0:
            return -1, 0
        keys.followers[table, latest] = code + 1
    if table == 0:
        keys.counts[LATEST] = code
    return end, code


@helper
def _value(
    text: Bytes, words: Integers, at: int, field: int, row: int, json: bool, quoted: bool, rows: Rows, keys: KnownKeys
) -> int:
    """Read a value, from behind its first quote if it has one: where it ends, -1 if it is not ordinary."""
    kind = rows.layout[field, KIND]
    if kind == KEY:
        table = rows.layout[field, TABLE]
        end, code = _key(text, words, at, table, json, quoted, keys)
        if end >= 0:
            rows.columns[field, row] = number_of(table, code, keys)
        return end
    if kind == TIMESTAMP and (quoted or not json):
        end, microseconds = read_date_time(text, at)
        if end >= 0:
            rows.columns[field, row] = microseconds
            return end
        if json:
            return -1
    return _decimal(text, words, at, field, row, json, rows)


@helper
def _named(text: Bytes, at: int, field: int, layout: Integers, names: Bytes) -> bool:
    """Return whether the name of a field, with the quote behind it, stands here."""
    length, place = layout[field, NAME_LENGTH], 0
    while place < length and text[at + place] == names[field, place]:
        place += 1
    return bool(place == length)


@routine(checked=True)
def _field_named(text: Bytes, at: int, layout: Integers, names: Bytes) -> int:
    """Return the field whose name, with quotes around it, stands here; -1 if it is none's."""
    if text[at] == QUOTE:
        for field in range(len(layout)):
            if _named(text, at + 1, field, layout, names):
                return field
    return -1


@routine(checked=True)
def _pass_value(text: Bytes, at: int, quoted: bool) -> int:
    """Return where a value ends, from behind its first quote if it has one; -1 if it has no end."""
    if quoted:
        while text[at] != QUOTE:
            if text[at] == BACKSLASH:
                at += 1
            if text[at] < BLANK:
                return -1
            at += 1
    else:
        while text[at] > BLANK and text[at] != COMMA and text[at] != CLOSE:
            at += 1
    return at


@routine(checked=True)
def _learn(
    text: Bytes, at: int, lines: bool, layout: Integers, names: Bytes, order: Integers, pieces: Integers
) -> bool:
    """Look an object through: each field once, in whatever order, and what stands around the values.

    `pieces[member]` is where the piece before the value begins, and its length; the last one closes the object.
    """
    begin, seen = at, 0
    at += 1
    for member in range(len(layout)):
        at = blanks(text, at, lines)
        field = _field_named(text, at, layout, names)
        if field < 0 or seen & (1 << field):
            return False
        seen |= 1 << field
        order[member] = field
        at = blanks(text, at + 1 + layout[field, NAME_LENGTH], lines)
        if text[at] != COLON:
            return False
        at = blanks(text, at + 1, lines)
        kind, quoted = layout[field, KIND], text[at] == QUOTE
        if quoted != (kind == KEY) and not (quoted and kind == TIMESTAMP):
            return False
        if quoted:
            at += 1
        pieces[member, 0], pieces[member, 1] = begin, at - begin
        begin = at = _pass_value(text, at, quoted)
        if at < 0:
            return False
        at = blanks(text, at + 1 if quoted else at, lines)
        if text[at] != (COMMA if member < len(layout) - 1 else CLOSE):
            return False
        at += 1
    pieces[len(layout), 0], pieces[len(layout), 1] = begin, at - begin
    return True


@helper
def _item(
    text: Bytes,
    words: Integers,
    at: int,
    row: int,
    order: Integers,
    pieces: Integers,
    rows: Rows,
    keys: KnownKeys,
) -> int:
    """Read the values of an object between the pieces: where it ends, -1 if it has others or is not ordinary."""
    for member in range(len(order)):
        length = pieces[member, 1]
        if not same(words, at, words, pieces[member, 0], length):
            return -1
        at += length
        at = _value(text, words, at, order[member], row, True, text[at - 1] == QUOTE, rows, keys)
        if at < 0:
            return -1
    length = pieces[len(order), 1]
    return at + length if same(words, at, words, pieces[len(order), 0], length) else -1


@kernel(
    f"UniTuple(int64, 3)(uint8[::1], {WORDS}, boolean, uint8[:, ::1], int64[::1], int64[:, ::1],"
    f" {ROW_ARRAYS}, {KEY_ARRAYS})",
    checked=True,
)
def read_items(
    text: Bytes,
    words: Integers,
    lines: bool,
    names: Bytes,
    order: Integers,
    pieces: Integers,
    row_arrays: RowArrays,
    key_arrays: KeyArrays,
) -> tuple[int, int, int]:
    """Read JSON objects, each on a line of its own, or with commas between them up to a bracket.

    Return how many were read, where what follows them begins, and whether that is behind the bracket. `order` is that
    of the fields in the item before, `pieces` what stood around its values; there is none before the first.
    """
    rows, keys = Rows(*row_arrays), KnownKeys(*key_arrays)
    count, at, begin = 0, 0, 0
    learnt = False
    while count < rows.columns.shape[1]:
        at = blanks(text, at, False)
        if text[at] != OPEN:
            break
        put_off = rows.put_off[0]
        end = -1
        for attempt in range(2):
            if attempt == 1:
                learnt = _learn(text, at, lines, rows.layout, names, order, pieces)
            if learnt and end < 0:
                rows.put_off[0] = put_off
                end = _item(text, words, at, count, order, pieces, rows, keys)
            if end >= 0:
                break
        if end < 0:
            break
        at = blanks(text, end, lines)
        if text[at] == BRACKET and not lines:
            return count + 1, at + 1, 1
        if text[at] != (LINE_FEED if lines else COMMA):
            break
        at += 1
        count += 1
        begin = at
    return count, begin, 0


@kernel(
    f"UniTuple(int64, 2)(uint8[::1], {WORDS}, int64[::1], {ROW_ARRAYS}, {KEY_ARRAYS})",
    checked=True,
)
def read_rows(
    text: Bytes, words: Integers, header: Integers, row_arrays: RowArrays, key_arrays: KeyArrays
) -> tuple[int, int]:
    """Read rows of CSV; blank lines are none. `header` tells each column's field, -1 if none asks for it.

    Return how many were read, and where what follows them begins.
    """
    rows, keys = Rows(*row_arrays), KnownKeys(*key_arrays)
    count, at, begin = 0, 0, 0
    while True:
        while text[at] == LINE_FEED or (text[at] == RETURN and text[at + 1] == LINE_FEED):
            at += 1
        begin = at
        if text[at] == 0 or count == rows.columns.shape[1]:
            return count, begin
        for place in range(len(header)):
            if header[place] >= 0:
                quoted = text[at] == QUOTE
                at += quoted
                at = _value(text, words, at, header[place], count, False, quoted, rows, keys)
                if at < 0 or (quoted and text[at] != QUOTE):
                    return count, begin
                at += quoted
            else:
                first = at
                while BLANK <= text[at] <= LAST_ASCII and text[at] != QUOTE and text[at] != COMMA:
                    at += 1
                if at - first > LONGEST_CELL:
                    return count, begin
            if place < len(header) - 1:
                if text[at] != COMMA:
                    return count, begin
                at += 1
        if text[at] == RETURN:
            at += 1
        if text[at] != LINE_FEED:
            return count, begin
        count += 1
