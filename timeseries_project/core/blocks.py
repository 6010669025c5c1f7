"""Sorted keys of many series in one pool of blocks: the one structure under all series of the process.

    series 0 ──▶ root ──▶ [·|·|·]                 a block of level 1: bounds, and the numbers of its children
                          ╱  │  ╲
                 [1 4 5]◀▶[7 9]◀▶[12 15 21]◀── tail     leaves: keys, and a row of cells beside each
    series 1 ──▶ root ──▶ [3 8]◀── tail                  few keys: one leaf, no tree

Each series is a B+ tree, and the blocks of all trees lie in one set of arrays, so a batch goes to any number of series
in one loop. See `block_kernels.py` for the arrays and the rules.

Every change has two steps. First room is made, which may fail and has no visible effect; then the change is written,
which calls nothing that can fail. Not thread-safe: the caller holds a lock. Knows no framework.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from timeseries_project.core import block_add_kernels, block_copy_kernels, block_merge_kernels, block_range_kernels
from timeseries_project.core.arrays import grow
from timeseries_project.core.block_kernels import (
    BEYOND,
    BLOCKS,
    COUNT,
    FILL,
    FIRST,
    FREED,
    HEADS,
    LAST,
    LATE,
    LEVEL,
    LINKS,
    LOWER_BITS,
    NEXT,
    NONE,
    PARENT,
    PREVIOUS,
    PROMISED,
    ROOT,
    SPARE,
    STATES,
    TAIL,
    USED,
)
from timeseries_project.core.summation import Integers

EVERYTHING = 2**62


class Blocks:
    """A sorted list of keys for each of many series, with `parts` cells of 64 bits beside each key.

    A series is a number, a key an integer from 0. Keys may be equal where the caller wants it. With `has_totals` the
    cells are integers up to 2**62, and sums of those up to any key cost O(log n).

    >>> blocks = Blocks(width=4, parts=1)
    >>> blocks.reserve(2)
    >>> series, keys, cells = np.array([0, 0, 1]), np.array([3, 9, 5]), np.array([[30], [90], [50]])
    >>> leaves, known = np.empty(3, dtype=np.int64), np.empty(3, dtype=bool)
    >>> blocks.look_up(series, keys, leaves, known)
    0
    >>> blocks.make_room(blocks.needed(series, leaves))
    >>> blocks.commit_add(series, keys, cells, leaves)
    >>> found, rows = blocks.read(np.array([0]), 0, 9)
    >>> found.tolist(), rows.tolist()
    ([3], [[30]])
    """

    def __init__(self, *, width: int, parts: int, has_totals: bool = False) -> None:
        self._keys = np.empty((0, width), dtype=np.int64)
        self._cells = np.empty((0, width, parts), dtype=np.int64)
        self._links = np.empty((0, LINKS), dtype=np.int32)
        self._totals = np.empty((0, 1 + 2 * parts if has_totals else 0), dtype=np.int64)
        self._heads = np.empty((0, HEADS), dtype=np.int64)
        self._state = np.zeros(STATES, dtype=np.int64)
        self._state[FREED] = NONE
        #: The arrays for a kernel; they grow in place.
        self.arrays = (self._keys, self._cells, self._links, self._heads, self._totals, self._state)

    @property
    def nbytes(self) -> int:
        """What blocks and series take, their spare room included. O(1)."""
        return sum(array.nbytes for array in self.arrays) - self._state.nbytes

    @property
    def promised(self) -> int:
        """How many free blocks are promised to a change that is being written."""
        return int(self._state[PROMISED])

    @property
    def series(self) -> int:
        """How many series there is room for."""
        return len(self._heads)

    @property
    def counts(self) -> Integers:
        """How many keys each series has."""
        return self._heads[:, COUNT]

    @property
    def firsts(self) -> Integers:
        """The first key of each series; of an empty one it is beyond all others."""
        return self._heads[:, FIRST]

    @property
    def lasts(self) -> Integers:
        """The last key of each series; of an empty one it is -1."""
        return self._heads[:, LAST]

    @property
    def lates(self) -> Integers:
        """How often each series was changed other than at its end; what lies before its end is then another."""
        return self._heads[:, LATE]

    def reserve(self, series: int) -> None:
        """Make room for series with numbers below this; new ones are empty. O(1) amortised."""
        known = len(self._heads)
        if series > known:
            heads = self._heads
            grow(heads, series)
            heads[known:, [ROOT, TAIL, LAST]] = NONE
            heads[known:, [BLOCKS, COUNT]] = 0
            heads[known:, FIRST] = BEYOND

    def look_up(
        self,
        series: Integers,
        keys: Integers,
        leaves: Integers,
        known: NDArray[np.bool_],
        begin: int = 0,
        end: int = EVERYTHING,
    ) -> int:
        """Find out where rows belong, which are grouped by series and ascend: write their leaves, which others need.

        Mark the rows whose key the series has already, or the row before has; return how many. O(1) for each that is
        newer than its series, else O(log n).
        """
        return int(block_add_kernels.look_up(self.arrays, series, keys, begin, min(end, len(keys)), leaves, known))

    def needed(self, series: Integers, leaves: Integers, begin: int = 0, end: int = EVERYTHING) -> int:
        """Return how many blocks rows may take at most that were looked up.

        A series must have all its rows here: two answers for one series do not add up, as both count its free places.
        O(log of its rows) for each series whose rows are all newer, else O(rows), and O(log n) for each full leaf.
        """
        return int(block_add_kernels.blocks_needed(self.arrays, series, leaves, begin, min(end, len(series))))

    def make_room(self, blocks: int) -> None:
        """Make sure that so many blocks are free, beside those that are promised. O(1) amortised."""
        used = int(self._state[USED] - self._state[SPARE] + self._state[PROMISED]) + blocks
        for column in (self._cells, self._links, self._totals, self._keys):
            grow(column, used)

    def commit_promise(self, blocks: int) -> None:
        """Keep so many free blocks, for which there is room, for a change written in portions; or less (< 0)."""
        self._state[PROMISED] += blocks

    def commit_add(
        self,
        series: Integers,
        keys: Integers,
        cells: Integers,
        leaves: Integers,
        begin: int = 0,
        end: int = EVERYTHING,
    ) -> None:
        """Add rows that were looked up, for which there is room, behind keys equal to theirs.

        O(1) for each that is newer than its series, O(log n) with totals; for late ones O(log n).
        """
        block_add_kernels.add_rows(self.arrays, series, keys, cells, leaves, begin, end)

    def commit_remove(self, series: Integers, start: int, stop: int, most: int = EVERYTHING) -> int:
        """Remove the keys with start <= key < stop of some series, about `most` of each; return how many.

        O(log n) for a series that goes whole, else O(log n + blocks of those removed).
        """
        return block_range_kernels.remove_range(self.arrays, series, start, stop, most)

    def count(self, series: Integers, start: int, stop: int, limit: int = EVERYTHING) -> Integers:
        """Return how many keys with start <= key < stop each series has, up to `limit`. O(log n + blocks) each."""
        counts = np.empty(len(series), dtype=np.int64)
        block_range_kernels.count_range(self.arrays, series, start, stop, limit, counts)
        return counts

    def copy(self, series: Integers, start: int, counts: Integers) -> tuple[Integers, Integers]:
        """Copy of each series the first `counts[i]` keys from `start` on, which it must have, and their cells."""
        total = int(counts.sum())
        keys = np.empty(total, dtype=np.int64)
        cells = np.empty((total, self._cells.shape[2]), dtype=np.int64)
        block_range_kernels.copy_range(self.arrays, series, start, counts, keys, cells)
        return keys, cells

    def read(self, series: Integers, start: int, stop: int) -> tuple[Integers, Integers]:
        """Copy the keys with start <= key < stop and their cells, series by series, ascending in each.

        O(log n for each series + what is copied).
        """
        return self.copy(series, start, self.count(series, start, stop))

    def read_backwards(
        self, series: Integers, stop: int, limit: int, start: int = 0
    ) -> tuple[Integers, Integers, Integers]:
        """Copy of each series the last keys with start <= key < stop, up to `limit`, the latest first.

        Returns how many of each series, the keys, and their cells. O(log n for each series + what is copied).
        """
        counts = np.empty(len(series), dtype=np.int64)
        total = int(block_range_kernels.count_backwards(self.arrays, series, start, stop, limit, counts))
        keys = np.empty(total, dtype=np.int64)
        cells = np.empty((total, self._cells.shape[2]), dtype=np.int64)
        block_range_kernels.copy_backwards(self.arrays, series, stop, counts, keys, cells)
        return counts, keys, cells

    def merge(
        self, series: Integers, starts: Integers, stop: int, limit: int, *, backwards: bool = False
    ) -> tuple[Integers, Integers, Integers]:
        """Copy the first keys with starts[i] <= key < stop of all series together, up to `limit`, in order.

        Returns the place of each key's series in `series`, by which equal keys are in order; the keys; and their cells.
        Backwards, the order is that of the negative keys, which `starts`, `stop` and the answer then mean. O(log n for
        each series + log(series) for each key).

        >>> blocks = Blocks(width=4, parts=1)
        >>> blocks.reserve(2)
        >>> blocks.make_room(2)
        >>> newer = np.array([-1, -1, -1])
        >>> blocks.commit_add(np.array([0, 0, 1]), np.array([3, 9, 5]), np.array([[30], [90], [50]]), newer)
        >>> owners, keys, _ = blocks.merge(np.array([1, 0]), np.array([0, 0]), 9, 5)
        >>> owners.tolist(), keys.tolist()
        ([1, 0], [3, 5])
        """
        limit = min(limit, int(self.counts[series].sum()))
        room, heap = np.empty((3, len(series)), dtype=np.int64), np.empty(len(series), dtype=np.int64)
        owners, keys = np.empty((2, limit), dtype=np.int64)
        cells = np.empty((limit, self._cells.shape[2]), dtype=np.int64)
        found = block_merge_kernels.merge_range(
            self.arrays, series, starts, stop, backwards, room, heap, owners, keys, cells
        )
        return owners[:found], keys[:found], cells[:found]

    def portions(self, size: int) -> Iterator[tuple[Integers, Integers, Integers]]:
        """Copy everything, `size` keys at a time: the series of each key, the keys, and their cells.

        Series by series, ascending in each, equal keys in their order. Nothing may be changed meanwhile. O(what is
        copied + series).

        >>> blocks = Blocks(width=4, parts=1)
        >>> blocks.reserve(3)
        >>> blocks.make_room(2)
        >>> series, keys, newer = np.array([0, 2, 2]), np.array([7, 3, 3]), np.array([-1, -1, -1])
        >>> blocks.commit_add(series, keys, np.array([[70], [30], [31]]), newer)
        >>> [[column.tolist() for column in portion] for portion in blocks.portions(2)]
        [[[0, 2], [7, 3], [[70], [30]]], [[2], [3], [[31]]]]
        """
        cursor = np.array(block_copy_kernels.BEGIN)
        while True:
            series, keys = np.empty((2, size), dtype=np.int64)
            cells = np.empty((size, self._cells.shape[2]), dtype=np.int64)
            copied = int(block_copy_kernels.copy_on(self.arrays, cursor, series, keys, cells))
            if not copied:
                return
            yield series[:copied], keys[:copied], cells[:copied]

    def totals_up_to(self, series: int, borders: Integers) -> Integers:
        """Return the totals of the keys of a series up to each border; borders ascend. O(log n) each.

        A row has the number of keys, and for each cell the sum of its upper bits and that of its lower ones.

        >>> blocks = Blocks(width=4, parts=2, has_totals=True)
        >>> blocks.reserve(1)
        >>> blocks.make_room(1)
        >>> newer = np.array([-1, -1])
        >>> blocks.commit_add(np.array([0, 0]), np.array([3, 9]), np.array([[1, 2**33], [4, 2**33]]), newer)
        >>> blocks.totals_up_to(0, np.array([2, 3, 10])).tolist()
        [[0, 0, 0, 0, 0], [1, 0, 1, 2, 0], [2, 0, 5, 4, 0]]
        """
        parts = self._totals.shape[1]
        sums = np.zeros((len(borders), parts), dtype=np.int64)
        block_range_kernels.totals_up_to(self.arrays, series, borders, np.zeros(parts, dtype=np.int64), sums)
        return sums

    def _check(self) -> None:
        """Assert the invariants. O(n)."""
        seen: set[int] = set()
        for series in range(len(self._heads)):
            blocks = self._check_series(series)
            assert not seen & blocks
            seen |= blocks
        free, block = set(), int(self._state[FREED])
        while block != NONE:
            assert block not in free
            free.add(block)
            block = int(self._links[block, NEXT])
        assert len(free) == self._state[SPARE]
        assert not seen & free
        assert seen | free == set(range(int(self._state[USED])))

    def _check_series(self, series: int) -> set[int]:
        """Assert what holds for one series; return its blocks."""
        heads = self._heads[series]
        if heads[ROOT] == NONE:
            assert heads[:LATE].tolist() == [NONE, NONE, 0, 0, BEYOND, NONE]
            return set()
        level, seen = [int(heads[ROOT])], set[int]()
        assert self._links[level[0], PARENT] == NONE
        while True:
            seen.update(level)
            neighbours = [NONE, *level, NONE]
            for before, block, after in zip(neighbours, level, neighbours[2:], strict=False):
                assert self._links[block, [PREVIOUS, NEXT]].tolist() == [before, after]
                assert 0 < self._links[block, FILL] <= self._keys.shape[1]
            if self._links[level[0], LEVEL] == 0:
                break
            level = [child for block in level for child in self._check_children(block)]
        keys = [key for block in level for key in self._keys[block, : self._links[block, FILL]].tolist()]
        assert all(a <= b for a, b in pairwise(keys))
        assert heads[[TAIL, BLOCKS, COUNT, FIRST, LAST]].tolist() == [
            level[-1],
            len(seen),
            len(keys),
            keys[0],
            keys[-1],
        ]
        return seen

    def _check_children(self, block: int) -> list[int]:
        """Assert what holds between a block and its children; return them."""
        half = self._keys.shape[1] // 2
        fill = int(self._links[block, FILL])
        children: list[int] = self._cells[block, :fill, 0].tolist()
        bounds = self._keys[block, :fill].tolist()
        assert (self._links[children, PARENT] == block).all()
        assert (self._links[children, LEVEL] == self._links[block, LEVEL] - 1).all()
        assert (self._totals[children].sum(axis=0) == self._totals[block]).all()
        assert all(self._links[pair, FILL].sum() > half for pair in pairwise(children))
        for place, child in enumerate(children):
            keys = self._keys[child, : self._links[child, FILL]]
            assert bounds[place] <= keys.min()
            assert place == fill - 1 or keys.max() <= bounds[place + 1]
            if self._links[child, LEVEL] == 0:
                self._check_totals(child)
        return children

    def _check_totals(self, leaf: int) -> None:
        if self._totals.shape[1]:
            cells = self._cells[leaf, : self._links[leaf, FILL]]
            parts = zip((cells >> LOWER_BITS).sum(axis=0), (cells & (2**LOWER_BITS - 1)).sum(axis=0), strict=True)
            assert self._totals[leaf].tolist() == [len(cells), *(part for pair in parts for part in pair)]
