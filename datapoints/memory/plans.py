"""The parts of blocks of sorted columns, and the plans of changes to them.

Plain Python and NumPy; knows no framework. `SortedBlocks` makes plans and carries them out.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from timeseries_project.core.summation import Integers

Booleans = NDArray[np.bool_]

NO_BLOCK = -1
NO_KEY = -1
LARGEST = 2**63 - 1


class SeriesRows(NamedTuple):
    """Keys of some series, and the cells beside them."""

    series: Integers
    keys: Integers
    cells: Sequence[NDArray[Any]]

    def where(self, chosen: Integers | Booleans) -> SeriesRows:
        """Return the chosen rows, or all in another order."""
        return SeriesRows(self.series[chosen], self.keys[chosen], [column[chosen] for column in self.cells])

    def followed_by(self, other: SeriesRows) -> SeriesRows:
        """Return these rows and those."""
        cells = [np.concatenate(pair) for pair in zip(self.cells, other.cells, strict=True)]
        return SeriesRows(np.concatenate((self.series, other.series)), np.concatenate((self.keys, other.keys)), cells)


class Directory:
    """The blocks of one series in order, and the least key that may stand in each but the first.

    There is room behind them, so that a block is entered by assigning; the bounds there are beyond every key.
    """

    __slots__ = ("blocks", "bounds", "length")

    def __init__(self, block: int) -> None:
        self.blocks = array("i", [block])
        self.bounds = array("q")
        self.length = 1

    def place(self, key: int) -> int:
        """Return which of the blocks a key belongs to. O(log blocks)."""
        return bisect_right(self.bounds, key, 0, self.length - 1)

    def make_room(self, blocks: int) -> None:
        """Prepare to enter so many blocks. O(1) amortised."""
        if self.length + blocks > len(self.blocks):
            spare = blocks + self.length // 8
            # The blocks last: should there be no memory for them, what the bounds have more is never read.
            self.bounds.extend(array("q", [LARGEST]) * spare)
            self.blocks.extend(array("i", [NO_BLOCK]) * spare)


class Write(NamedTuple):
    """Cells of blocks to write: the slots, and each column, flattened, with the new contents of these slots."""

    slots: Integers
    columns: list[tuple[NDArray[Any], NDArray[Any]]]
    blocks: Integers
    fills: Integers


class Links(NamedTuple):
    """Blocks to enter into directories, by replacing the contents of these from some place on."""

    directories: list[tuple[int, Directory]]
    changes: list[tuple[Directory, int, int, array[int], array[int]]]
    tails: tuple[Integers, Integers, Integers]


class Addition(NamedTuple):
    """What adding keys will change."""

    taken: int
    heads: tuple[Integers, Integers]
    cleared: Integers
    writes: list[Write]
    links: Links
    series: Integers
    counts: Integers
    firsts: Integers
    lasts: Integers


#: What adding one key will change, a plain tuple for speed: series, key and cells, the block and place where they will
#: stand, whether the key is its series' last and its first, the directory that a new block is entered into; or, if the
#: block is full and has to be divided, what that will change.
Entry = tuple[int, int, tuple[float, ...], int, int, bool, bool, Directory | None, Addition | None]


class Cut(NamedTuple):
    """What forgetting the first keys of series will change; `gone` are the series that lose all."""

    gone: Integers
    numbers: list[int]
    blocks: Integers
    fronts: list[tuple[Directory, int]]
    homes: Integers
    columns: list[tuple[NDArray[Any], NDArray[Any]]]
    fills: Integers
    rest: Integers
    counts: Integers
    firsts: Integers
    bounds: Integers
    removed: int


class Changes(NamedTuple):
    """New values of cells at these places of these blocks, column by column."""

    blocks: Integers
    places: Integers
    cells: tuple[NDArray[Any], ...]

    def apply(self, homes: Integers, columns: list[NDArray[Any]]) -> None:
        """Change copies of some blocks, whose numbers are `homes`. O(n log n)."""
        order = np.argsort(homes)
        rows = order[np.searchsorted(homes, self.blocks, sorter=order).clip(max=len(homes) - 1)]
        here = homes[rows] == self.blocks
        for column, cells in zip(columns, self.cells, strict=True):
            column[rows[here], self.places[here]] = cells[here]


class Pieces(NamedTuple):
    """Rows and where they go: each to a place in a piece of its block, the block itself or a new one that follows."""

    rows: SeriesRows
    homes: Integers
    pieces: Integers
    places: Integers


def merged(old: tuple[array[int], array[int]], new: tuple[array[int], array[int]]) -> tuple[array[int], array[int]]:
    """Insert bounds and their blocks among others. O(those others) for each."""
    bounds, blocks = old
    for bound, block in zip(*new, strict=True):
        place = bisect_right(bounds, bound)
        bounds.insert(place, bound)
        blocks.insert(place, block)
    return bounds, blocks
