"""Where the items of a JSON array end, found without parsing them: a few array operations per block of bytes.

A parser builds objects, and a few bytes can ask for many: eleven million empty lists fit in a body. So an array
that is read item by item is first cut at the commas between its items. A comma separates items if it stands outside
of strings, within exactly one bracket. Whether the items are valid JSON is for the parser to say.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from timeseries_project.core.summation import Integers

#: Bytes looked at together: some milliseconds of work.
BLOCK = 512 * 1024

_QUOTE, _COMMA = ord('"'), ord(",")
_OPENING, _CLOSING = (np.array([c in brackets for c in range(256)]) for brackets in (b"[{", b"]}"))


def item_ends(text: bytes, start: int) -> Iterator[Integers]:
    """Yield where items of an array end, block by block: at a comma, or at the bracket that closes the array.

    `start` is where its first item begins, or any later one. The last place that is yielded is the closing
    bracket's; if there is none the array is not closed. O(len(text)) for all of them.

    >>> [ends.tolist() for ends in item_ends(b'[1, {"a": [2, 3]}, ",]"] ', 1)]
    [[2, 17, 23]]
    """
    in_string, escaped, depth = False, False, 1
    for begin in range(start, len(text), BLOCK):
        block = text[begin : begin + BLOCK]
        if escaped:
            block = b"_" + block[1:]
        # Escapes are blotted out, so that each quote left begins or ends a string. Pairs of backslashes go first.
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
