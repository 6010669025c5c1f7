"""Kernels that number the strings of Arrow columns: equal ones get the same number, in the order of first occurrence.

Offsets come from the network. Callers check that they ascend and stay within their text, and the kernels, which are
checked, would stop at a wrong one all the same.
"""

from __future__ import annotations

from timeseries_project.api.key_kernels import KEY_ARRAYS, WORDS, KeyArrays, KnownKeys, find_key, number_of, same
from timeseries_project.api.value_kernels import BLANK, Bytes
from timeseries_project.core.arrays import Codes
from timeseries_project.core.kernels import kernel, routine
from timeseries_project.core.summation import Integers

# Bytes that are only read: those of a body cannot be written.
READABLE = "Array(uint8, 1, 'C', readonly=True)"

#: The most bytes of a key: 255 code points of four bytes.
LONGEST = 4 * 255
#: The bytes of a string that stands in its view itself; of a longer one its beginning does.
INLINE = 12


@routine(checked=True)
def _is_plain(text: Bytes, start: int, end: int) -> bool:
    """Return whether a string may be a key: neither empty nor too long, and without the control characters of ASCII."""
    if not 0 < end - start <= LONGEST:
        return False
    place = start
    while place < end and text[place] >= BLANK:
        place += 1
    return bool(place == end)


@kernel(f"void(uint8[::1], {WORDS}, int64[::1], int64, int32[::1], int32[::1], {KEY_ARRAYS})", checked=True)
def number_strings(
    text: Bytes, words: Integers, offsets: Integers, table: int, codes: Codes, followers: Codes, arrays: KeyArrays
) -> None:
    """Number the strings that lie between offsets in a text, as keys of a table; -1 where one needs a closer look.

    Most columns repeat their keys in one order, so each is first compared with the one that came last after the key
    of the row before. `followers[code]` is 1 more than the code of that, and 0 at first. O(bytes).
    """
    keys = KnownKeys(*arrays)
    before = -1
    for row in range(len(codes)):
        start, end = offsets[row], offsets[row + 1]
        code = before
        for attempt in range(2):
            if code >= 0 and not (
                keys.spans[table, code, 1] == end - start
                and same(words, start, keys.words, keys.spans[table, code, 0], end - start)
            ):
                code = -1
            if code >= 0 or attempt == 1:
                break
            code = followers[before] - 1 if before >= 0 else -1
        if code < 0 and _is_plain(text, start, end):
            code = find_key(text, words, start, end, table, keys)
        if code < 0:
            codes[row] = -1
            continue
        if before >= 0:
            followers[before] = code + 1
        codes[row] = number_of(table, code, keys)
        before = code


@kernel("int64(int64[::1], int32[::1], int32[::1], int32[::1], int32[::1])", checked=True)
def number_indices(indices: Integers, entries: Codes, numbers: Codes, present: Codes, codes: Codes) -> int:
    """Number the names that occur in a column of indices into a dictionary; return how many do. O(rows).

    `entries` has the name of each entry of the dictionary, -1 where it has none, which becomes the code of the row.
    `numbers[name]` becomes 1 more than the number of a name, and `present[number]` the name.
    """
    count = 0
    for row in range(len(indices)):
        name = entries[indices[row]]
        if name < 0:
            codes[row] = -1
            continue
        if numbers[name] == 0:
            present[count] = name
            count += 1
            numbers[name] = count
        codes[row] = numbers[name] - 1
    return count


@kernel("void(uint8[:, ::1], int64[::1], int64[::1], uint8[::1])", checked=True)
def gather_inline(views: Bytes, rows: Integers, offsets: Integers, text: Bytes) -> None:
    """Write strings that stand in their views to where `offsets` say. O(bytes)."""
    for i in range(len(rows)):
        row = rows[i]
        start = offsets[row]
        for place in range(offsets[row + 1] - start):
            text[start + place] = views[row, 4 + place]


@kernel(f"void(int32[:, ::1], {READABLE}, int64[::1], int64[::1], uint8[::1])", checked=True)
def gather_outside(views: Codes, data: Bytes, rows: Integers, offsets: Integers, text: Bytes) -> None:
    """Write strings to which views refer, all in one buffer, to where `offsets` say. O(bytes)."""
    for i in range(len(rows)):
        row = rows[i]
        start, begin = offsets[row], views[row, 3]
        for place in range(offsets[row + 1] - start):
            text[start + place] = data[begin + place]
