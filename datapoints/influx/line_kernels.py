"""The kernel that reads lines of InfluxDB's line protocol from their bytes into columns.

    cpu,host=a,cpu=cpu0 usage_user=1.5,usage_system=0.5 1700000000000000000
    └────── head ─────┘ └── field ───┘ └─── field ────┘ └───── time ──────┘

It knows ordinary spellings only, and where anything else stands it stops and says how far it came; it never says that
something is wrong. A text ends with a line end and a byte of zero, which belongs to no line, so every loop stops there
at the latest.

Lines of one body are alike, so nothing in them is taken apart twice. A head, all that stands before the first blank,
is found by its bytes in a table of heads (`key_kernels.py`), and the name of a field in a table of names. A head and a
name make a series, which a third table finds by the codes of both; what device and user it means is worked out by the
caller, once. Before anything is looked up it is compared with what came last time in its place: the head that followed
the same head, and the series that followed the same series. An expectation may be out of date: the bytes decide.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from timeseries_project.api.key_kernels import (
    FULL,
    KEY_ARRAYS,
    KNOWN,
    PRESENT,
    PROBES,
    TABLES,
    WORDS,
    KeyArrays,
    KnownKeys,
    find_key,
    number_of,
    same,
)
from timeseries_project.api.value_kernels import (
    BACKSLASH,
    BLANK,
    COMMA,
    LINE_FEED,
    MINUS,
    MOST_DIGITS,
    NINE,
    QUOTE,
    RETURN,
    TAB,
    ZERO,
    Bytes,
    all_digits,
    eight_digits,
    nearest_double,
    read_number,
)
from timeseries_project.core.kernels import helper, kernel, routine
from timeseries_project.core.summation import Floats, Integers

#: The tables. The `spans` of a series are the codes of its head and of its name; the `followers` of names are unused,
#: and those in row FIRST belong to heads: the series with which the line of a head began last.
HEADS, NAMES, SERIES = range(3)
FIRST = NAMES
#: What `state` holds: how many rows and lines were read, how many numbers were put off, and the head that came last.
ROWS, LINES, PUT_OFF, LAST_HEAD = range(4)
#: What `clock` holds: how many microseconds the unit of times is, or how many of it one microsecond is; and now.
FACTOR, DIVISOR, NOW = range(3)

HASH, EQUALS, SMALL_I, SMALL_U = 35, 61, 105, 117
#: Digits of a time that surely fit in 64 bits unless the first of so many is 9.
TIME_DIGITS = 19
#: The latest time that is told from others; whatever lies there lies in the future.
LATEST_TIME = 2**62

_TRUE = (b"t", b"T", b"true", b"True", b"TRUE")
_FALSE = (b"f", b"F", b"false", b"False", b"FALSE")
#: The spellings of booleans, each with its length and what it means.
WORDS_OF_TRUTH = np.zeros((len(_TRUE) + len(_FALSE), 5), dtype=np.uint8)
TRUTHS = np.array([[len(word), word in _TRUE] for word in (*_TRUE, *_FALSE)], dtype=np.int64)
for _place, _word in enumerate((*_TRUE, *_FALSE)):
    WORDS_OF_TRUTH[_place, : len(_word)] = [*_word]


class Points(NamedTuple):
    """Where the datapoints go: `series` are the numbers that they have in the text; `lines` count from 0.

    A number whose digits alone do not make the nearest double is put off: `put_off[i]` is its row, where it begins and
    where it ends.
    """

    times: Integers
    values: Floats
    series: Integers
    lines: Integers
    put_off: Integers
    state: Integers


#: The same as they are passed to a kernel; and their types there.
PointArrays = tuple[Integers, Floats, Integers, Integers, Integers, Integers]
POINT_ARRAYS = "Tuple((int64[::1], float64[::1], int64[::1], int64[::1], int64[:, ::1], int64[::1]))"


@routine(checked=True)
def _end_of_head(text: Bytes, at: int) -> int:
    """Return where a head ends, at the first blank that no backslash precedes; -1 if its line has none."""
    escaped = False
    while text[at] != BLANK or escaped:
        if text[at] < BLANK:
            return -1
        escaped = text[at] == BACKSLASH
        at += 1
    return at


@routine(checked=True)
def _end_of_name(text: Bytes, at: int) -> int:
    """Return where the name of a field ends, at the first equals sign that no backslash precedes; -1 without one."""
    start, escaped = at, False
    while text[at] != EQUALS or escaped:
        if text[at] < BLANK or ((text[at] == BLANK or text[at] == COMMA) and not escaped):
            return -1
        escaped = text[at] == BACKSLASH
        at += 1
    return at if at > start else -1


@routine(checked=True)
def _pass_string(text: Bytes, at: int, state: Integers) -> int:
    """Return where a string ends, from behind its first quote on; -1 if it has no end. Its line ends are counted."""
    while text[at] != QUOTE:
        if text[at] == 0:
            return -1
        if text[at] == BACKSLASH:
            at += 1
        if text[at] == LINE_FEED:
            state[LINES] += 1
        at += text[at] != 0
    return at + 1


@helper
def _ends_value(byte: int) -> bool:
    """Return whether a byte follows a value."""
    return byte in (COMMA, BLANK, LINE_FEED, RETURN)


@routine(checked=True)
def _read_truth(text: Bytes, at: int) -> tuple[int, float]:
    """Read a boolean: where it ends, -1 if it is none; and 1 or 0."""
    for word in range(len(TRUTHS)):
        length = TRUTHS[word, 0]
        place = 0
        while place < length and text[at + place] == WORDS_OF_TRUTH[word, place]:
            place += 1
        if place == length and _ends_value(text[at + length]):
            return at + length, float(TRUTHS[word, 1])
    return -1, 0.0


@helper
def _read_value(text: Bytes, words: Integers, start: int, row: int, points: Points) -> int:
    """Read a number or a boolean into its row: where it ends, -1 if it is not ordinary."""
    if text[start] != MINUS and (text[start] < ZERO or text[start] > NINE):
        at, truth = _read_truth(text, start)
        points.values[row] = truth
        return at
    at, mantissa, power, digits = read_number(text, words, start)
    if at < 0:
        return -1
    if text[at] == SMALL_I or text[at] == SMALL_U:
        negative = text[start] == MINUS
        if digits > MOST_DIGITS or at - start != digits + negative or (negative and text[at] == SMALL_U):
            return -1
        points.values[row] = float(mantissa)
        at += 1
    else:
        number = nearest_double(mantissa, power) if digits <= MOST_DIGITS else np.nan
        points.values[row] = number
        if number != number:
            late = points.state[PUT_OFF]
            points.put_off[late, 0], points.put_off[late, 1], points.put_off[late, 2] = row, start, at
            points.state[PUT_OFF] = late + 1
    return at if _ends_value(text[at]) else -1


@routine(checked=True)
def _read_time(text: Bytes, words: Integers, at: int, clock: Integers) -> tuple[int, int]:
    """Read a time: where it ends, -1 if it is not ordinary; and its microseconds."""
    start, number = at, 0
    for _ in range(2):
        if all_digits(int(words[at])):
            number = number * 100_000_000 + eight_digits(int(words[at]))
            at += 8
    while ZERO <= text[at] <= NINE and at - start < TIME_DIGITS:
        number = number * 10 + int(text[at]) - ZERO
        at += 1
    digits = at - start
    if digits == 0 or ZERO <= text[at] <= NINE or (digits == TIME_DIGITS and text[start] == NINE):
        return -1, 0
    number //= clock[DIVISOR]
    if number > LATEST_TIME // clock[FACTOR]:
        return -1, 0
    return at, number * clock[FACTOR]


@routine(checked=True)
def _entered(head: int, name: int, keys: KnownKeys) -> int:
    """Take in a new series; return its code, -1 if there is no room."""
    place = TABLES + 2 * SERIES + KNOWN
    code = keys.counts[place]
    if code == keys.spans.shape[1]:
        keys.counts[FULL] = 1
        return -1
    keys.spans[SERIES, code, 0] = head
    keys.spans[SERIES, code, 1] = name
    keys.counts[place] = code + 1
    return int(code)


@routine(checked=True)
def find_series(head: int, name: int, keys: KnownKeys) -> int:
    """Return the code of a series, which may be new; -1 if the search for it takes too long or there is no room."""
    slots, spans = keys.slots, keys.spans
    mixed = (head * 0x9E37_79B1 + name) * 0x85EB_CA77 & (2**62 - 1)
    slot = (mixed ^ (mixed >> 29)) & (slots.shape[1] - 1)
    for _ in range(PROBES):
        code = int(slots[SERIES, slot]) - 1
        if code < 0:
            code = _entered(head, name, keys)
            slots[SERIES, slot] = code + 1
            return code
        if spans[SERIES, code, 0] == head and spans[SERIES, code, 1] == name:
            return code
        slot = (slot + 1) & (slots.shape[1] - 1)
    keys.counts[FULL] = 1
    return -1


@helper
def _find_head(text: Bytes, words: Integers, at: int, last: int, keys: KnownKeys) -> tuple[int, int]:
    """Return where a head ends, and its code; -1 if it is not ordinary. First it is compared with the one expected."""
    code = int(keys.followers[HEADS, last]) - 1
    if 0 <= code < keys.counts[TABLES + 2 * HEADS + KNOWN]:
        length = keys.spans[HEADS, code, 1]
        if same(words, at, keys.words, keys.spans[HEADS, code, 0], length) and text[at + length] == BLANK:
            return at + length, code
    end = _end_of_head(text, at)
    if end < 0:
        return -1, -1
    code = find_key(text, words, at, end, HEADS, keys)
    if code >= 0:
        keys.followers[HEADS, last] = code + 1
    return end, code


@helper
def _find_field(text: Bytes, words: Integers, at: int, head: int, last: int, keys: KnownKeys) -> tuple[int, int]:
    """Return where the name of a field ends, and the code of its series; -1 if it is not ordinary.

    `last` is the series before it in the line, -1 if it is the first one.
    """
    code = (int(keys.followers[FIRST, head]) if last < 0 else int(keys.followers[SERIES, last])) - 1
    if 0 <= code < keys.counts[TABLES + 2 * SERIES + KNOWN] and keys.spans[SERIES, code, 0] == head:
        name = keys.spans[SERIES, code, 1]
        length = keys.spans[NAMES, name, 1]
        if same(words, at, keys.words, keys.spans[NAMES, name, 0], length) and text[at + length] == EQUALS:
            return at + length, code
    end = _end_of_name(text, at)
    if end < 0:
        return -1, -1
    name = find_key(text, words, at, end, NAMES, keys)
    code = find_series(head, name, keys) if name >= 0 else -1
    if code >= 0:
        if last < 0:
            keys.followers[FIRST, head] = code + 1
        else:
            keys.followers[SERIES, last] = code + 1
    return end, code


@helper
def _read_fields(text: Bytes, words: Integers, at: int, head: int, points: Points, keys: KnownKeys) -> int:
    """Read the fields of a line: where they end, -1 if one is not ordinary. Strings are passed over."""
    last = -1
    while True:
        at, series = _find_field(text, words, at, head, last, keys)
        row = points.state[ROWS]
        if at < 0 or series < 0 or row == len(points.times):
            return -1
        at += 1
        if text[at] == QUOTE:
            at = _pass_string(text, at + 1, points.state)
            if at < 0 or not _ends_value(text[at]):
                return -1
        else:
            at = _read_value(text, words, at, row, points)
            if at < 0:
                return -1
            points.series[row] = number_of(SERIES, series, keys)
            points.state[ROWS] = row + 1
        last = series
        if text[at] != COMMA:
            return at
        at += 1


@routine(checked=True)
def _forget_numbers(first: int, keys: KnownKeys) -> None:
    """Take back the numbers of series from `first` on, which were given in a line that is not read."""
    place = TABLES + 2 * SERIES + PRESENT
    for number in range(first, keys.counts[place]):
        keys.numbers[SERIES, keys.present[SERIES, number]] = 0
    keys.counts[place] = first


@routine(checked=True)
def _pass_line_end(text: Bytes, at: int) -> int:
    """Return where the next line begins, -1 if anything but blanks stands before it."""
    while text[at] == BLANK or text[at] == TAB or text[at] == RETURN:
        at += 1
    return at + 1 if text[at] == LINE_FEED else -1


@kernel(f"int64(uint8[::1], {WORDS}, int64[::1], {POINT_ARRAYS}, {KEY_ARRAYS})", checked=True)
def read_lines(text: Bytes, words: Integers, clock: Integers, point_arrays: PointArrays, key_arrays: KeyArrays) -> int:
    """Read lines until one is not ordinary, or the text ends; return where what follows them begins."""
    points, keys = Points(*point_arrays), KnownKeys(*key_arrays)
    state = points.state
    at = 0
    while True:
        begin, rows, lines, late = at, state[ROWS], state[LINES], state[PUT_OFF]
        numbers = keys.counts[TABLES + 2 * SERIES + PRESENT]
        while text[at] == BLANK or text[at] == TAB or text[at] == RETURN:
            at += 1
        if text[at] == 0:
            return begin
        if text[at] == HASH:
            while text[at] != LINE_FEED and text[at] != 0:
                at += 1
        if text[at] == LINE_FEED:
            at += 1
            state[LINES] = lines + 1
            continue
        at, head = _find_head(text, words, at, state[LAST_HEAD], keys)
        if head >= 0:
            while text[at] == BLANK:
                at += 1
            at = _read_fields(text, words, at, head, points, keys)
        else:
            at = -1
        time = clock[NOW]
        if at >= 0:
            while text[at] == BLANK:
                at += 1
            if ZERO <= text[at] <= NINE:
                at, time = _read_time(text, words, at, clock)
        if at >= 0:
            at = _pass_line_end(text, at)
        if at < 0:
            state[ROWS], state[LINES], state[PUT_OFF] = rows, lines, late
            _forget_numbers(numbers, keys)
            return begin
        for row in range(rows, state[ROWS]):
            points.times[row] = time
            points.lines[row] = lines
        state[LINES] += 1
        state[LAST_HEAD] = head
