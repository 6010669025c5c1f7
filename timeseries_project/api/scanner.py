"""Finding the ends of the items of a JSON array without parsing them, by a few array operations per block of bytes.

A parser builds objects, and a body can hold many small ones, such as eleven million empty lists. So an array that is
read item by item is first cut at the commas between its items. A comma separates items if it is outside of strings
and inside exactly one bracket. Whether the items are valid JSON is left to the parser.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from timeseries_project.core.summation import Integers

#: Bytes scanned at once: some milliseconds of work.
BLOCK = 256 * 1024

_QUOTE, _COMMA = ord('"'), ord(",")
_OPENING, _CLOSING = (np.array([c in brackets for c in range(256)]) for brackets in (b"[{", b"]}"))


def item_ends(text: bytes, start: int) -> Iterator[Integers]:
    """Yield, block by block, the positions where the items end: at a comma, or at the closing bracket of the array.

    `start` is the position of the first item, or of a later one. The last position yielded is that of the closing
    bracket; without it the array is not closed. O(len(text)) for all blocks.

    >>> [ends.tolist() for ends in item_ends(b'[1, {"a": [2, 3]}, ",]"] ', 1)]
    [[2, 17, 23]]
    """
    in_string, escaped, depth = False, False, 1
    for begin in range(start, len(text), BLOCK):
        block = text[begin : begin + BLOCK]
        if escaped:
            block = b"_" + block[1:]
        # Overwrite escapes, so that each remaining quote begins or ends a string; pairs of backslashes go first.
        bare = block.replace(b"\\\\", b"__").replace(b'\\"', b"__")
        escaped = bare.endswith(b"\\")
        characters = np.frombuffer(bare, dtype=np.uint8)
        inside = np.logical_xor.accumulate(characters == _QUOTE) ^ in_string
        in_string = bool(inside[-1])
        steps = _OPENING[characters].astype(np.int8) - _CLOSING[characters]
        steps[inside] = 0
        depths = np.cumsum(steps, dtype=np.int64) + depth
        depth = int(depths[-1])
        ends = np.flatnonzero(((characters == _COMMA) & ~inside & (depths == 1)) | ((steps < 0) & (depths == 0)))
        closing = np.flatnonzero(depths[ends] == 0)
        if len(closing):
            yield ends[: closing[0] + 1] + begin
            return
        yield ends + begin
