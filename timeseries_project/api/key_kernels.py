"""Kernels that find the code of a key in the tables of those that were read before, the same in every body.

A table holds the keys of one field. What a key is called by, its code, counts them as they came. Within a portion of a
batch the keys that occur are numbered anew, from 0, because few of those that are known may occur.

Bytes are compared by eights: `words[at]` are the eight bytes from `at` on, as an integer, of a text or of what is kept
of texts before. A word may reach beyond what is compared; its other bytes are masked.
"""

from __future__ import annotations

from typing import NamedTuple

from timeseries_project.api.value_kernels import BACKSLASH, BLANK, COMMA, LINE_FEED, QUOTE, RETURN, Bytes
from timeseries_project.core.arrays import Codes
from timeseries_project.core.kernels import routine
from timeseries_project.core.summation import Integers

#: What `counts` holds: where the next spelling is kept, the code of the last key in the first table, whether a table is
#: of no more use, and then for each table how many keys are known and how many occur in the portion.
ROOM, LATEST, FULL, TABLES = range(4)
KNOWN, PRESENT = range(2)

#: Keys that a search looks at; chosen ones could make it long.
PROBES = 64

_MANY_BITS = 2**63 - 1
_FACTOR = 0x1E37_79B9_7F4A_7C15


class KnownKeys(NamedTuple):
    """The keys that were read, in a table for each field of keys.

    A slot holds a code, `numbers` and `followers` too, and each is 1 more than it means: 0 stands for none.
    """

    #: slots[table, slot]: the key that was put there by its hash.
    slots: Codes
    #: spans[table, code]: where its spelling begins in `spellings`, and how many bytes it has.
    spans: Integers
    spellings: Bytes
    words: Integers
    #: followers[table, code]: the key that came last after that key of the first table.
    followers: Codes
    #: numbers[table, code]: the number of the key in the portion; present[table, number]: its code.
    numbers: Codes
    present: Codes
    counts: Integers


#: The same as they are passed to a kernel; and their types there.
KeyArrays = tuple[Codes, Integers, Bytes, Integers, Codes, Codes, Codes, Integers]
WORDS = "Array(int64, 1, 'A', aligned=False)"
KEY_ARRAYS = (
    f"Tuple((int32[:, ::1], int64[:, :, ::1], uint8[::1], {WORDS}, int32[:, ::1], int32[:, ::1], int32[:, ::1],"
    " int64[::1]))"
)


@routine(checked=True)
def same(words: Integers, at: int, others: Integers, other: int, length: int) -> bool:
    """Return whether so many bytes are the same in two places."""
    place = 0
    while place + 8 <= length:
        if words[at + place] != others[other + place]:
            return False
        place += 8
    if place == length:
        return True
    mask = (1 << 8 * (length - place)) - 1
    return bool((words[at + place] ^ others[other + place]) & mask == 0)


@routine(checked=True)
def hash_of(words: Integers, start: int, end: int) -> int:
    """Return a hash of the bytes from one place to another."""
    length = int(end - start)
    mixed = length
    for place in range(0, length, 8):
        word = int(words[start + place])
        if length - place < 8:
            word &= (1 << 8 * (length - place)) - 1
        mixed = ((mixed ^ word) * _FACTOR) & _MANY_BITS
        mixed ^= mixed >> 32
    return mixed


@routine(checked=True)
def pass_key(text: Bytes, at: int, json: bool, quoted: bool) -> int:
    """Return where a key ends, -1 if that is not plain to see."""
    start = at
    while True:
        byte = text[at]
        if byte == QUOTE:
            if not quoted:
                return -1
            break
        if not quoted and byte in (COMMA, LINE_FEED, RETURN):
            break
        if byte < BLANK:
            return -1
        if byte == BACKSLASH and json:
            at += 1
            if text[at] < BLANK:
                return -1
        at += 1
    return at if at > start else -1


@routine(checked=True)
def _entered(text: Bytes, start: int, end: int, table: int, keys: KnownKeys) -> int:
    """Take in a new key; return its code, -1 if there is no room."""
    counts = keys.counts
    code, room = counts[TABLES + 2 * table + KNOWN], counts[ROOM]
    if code == keys.spans.shape[1] or room + end - start + 8 > len(keys.spellings):
        counts[FULL] = 1
        return -1
    for place in range(end - start):
        keys.spellings[room + place] = text[start + place]
    keys.spans[table, code, 0] = room
    keys.spans[table, code, 1] = end - start
    counts[ROOM] = room + end - start
    counts[TABLES + 2 * table + KNOWN] = code + 1
    return int(code)


@routine(checked=True)
def find_key(text: Bytes, words: Integers, start: int, end: int, table: int, keys: KnownKeys) -> int:
    """Return the code of a key, which may be new; -1 if the search for it takes too long or there is no room."""
    slots, spans = keys.slots, keys.spans
    slot = hash_of(words, start, end) & (slots.shape[1] - 1)
    for _ in range(PROBES):
        code = int(slots[table, slot]) - 1
        if code < 0:
            code = _entered(text, start, end, table, keys)
            slots[table, slot] = code + 1
            return code
        if spans[table, code, 1] == end - start and same(words, start, keys.words, spans[table, code, 0], end - start):
            return code
        slot = (slot + 1) & (slots.shape[1] - 1)
    keys.counts[FULL] = 1
    return -1


@routine(checked=True)
def number_of(table: int, code: int, keys: KnownKeys) -> int:
    """Return the number in this portion of a key, the next one if it is new in there."""
    number = int(keys.numbers[table, code])
    if number == 0:
        place = TABLES + 2 * table + PRESENT
        keys.present[table, keys.counts[place]] = code
        number = int(keys.counts[place]) + 1
        keys.counts[place] = number
        keys.numbers[table, code] = number
    return number - 1
