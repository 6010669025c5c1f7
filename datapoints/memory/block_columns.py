"""Columns of many series in the blocks of one pool, and the methods that read them.

Plain Python and NumPy; knows no framework.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from datapoints.memory.free_list import Vacancies
from datapoints.memory.plans import LARGEST, NO_BLOCK, NO_KEY, Directory
from timeseries_project.core.arrays import grow
from timeseries_project.core.summation import Integers

#: Blocks that are copied out to be searched at once, so that a large batch of late keys takes little memory.
ROWS_AT_ONCE = 16384


class BlockColumns:
    """The blocks of `SortedBlocks`, with spare room for more, and all methods that only read."""

    def __init__(self, width: int, *dtypes: DTypeLike) -> None:
        self._width = width
        self._limit = width - width // 16
        self._keys = np.empty((0, width), dtype=np.int64)
        self.columns = [np.empty((0, width), dtype=dtype) for dtype in dtypes]
        self._fills = np.empty(0, dtype=np.int32)
        self._vacant = Vacancies()
        # By series. Those of one block need no directory.
        self.counts = np.empty(0, dtype=np.int64)
        self.firsts = np.empty(0, dtype=np.int64)
        self.lasts = np.empty(0, dtype=np.int64)
        self._tails = np.empty(0, dtype=np.int32)
        self._bounds = np.empty(0, dtype=np.int64)
        self._directories: list[Directory | None] = []

    @property
    def nbytes(self) -> int:
        """What the columns take, their spare room included; directories do not count. O(1)."""
        by_block = (self._keys, *self.columns, self._fills)
        by_series = (self.counts, self.firsts, self.lasts, self._tails, self._bounds)
        return sum(column.nbytes for column in (*by_block, *by_series))

    def reserve(self, series: int) -> None:
        """Make room for series with numbers below this; new ones are empty."""
        if series <= len(self._directories):  # which are lengthened last
            return
        for column, empty in (
            (self.counts, 0),
            (self.firsts, LARGEST),
            (self.lasts, NO_KEY),
            (self._tails, NO_BLOCK),
            (self._bounds, NO_KEY),
        ):
            known = len(column)
            if series > known:
                grow(column, series)
                column[known:] = empty
        self._directories.extend([None] * (len(self.counts) - len(self._directories)))

    def find(self, series: Integers, keys: Integers) -> tuple[Integers, Integers]:
        """Return, for each key of a series, the block it belongs to and its place there; -1 where there is none."""
        blocks = self._tails[series].astype(np.int64)
        places = np.full(len(keys), -1)
        old = np.flatnonzero(keys <= self.lasts[series])
        inner = old[keys[old] < self._bounds[series[old]]]
        directories = map(self._directories.__getitem__, series[inner].tolist())
        blocks[inner] = [
            directory.blocks[bisect_right(directory.bounds, key)]  # type: ignore[union-attr]  # of several blocks
            for directory, key in zip(directories, keys[inner].tolist(), strict=True)
        ]
        for begin in range(0, len(old), ROWS_AT_ONCE):
            part = old[begin : begin + ROWS_AT_ONCE]
            # `take` gathers rows several times as fast as an index does.
            equal = self._keys.take(blocks[part], axis=0) == keys[part, np.newaxis]
            if equal.any():
                at = equal.argmax(axis=1)
                places[part] = np.where(equal[np.arange(len(part)), at], at, -1)
        return blocks, places

    def find_one(self, series: int, key: int) -> tuple[int, int]:
        """Do what `find` does for one key."""
        if key > self.lasts.item(series):
            return self._tails.item(series), -1
        if key >= self._bounds.item(series):
            block = self._tails.item(series)
        else:
            directory = self._directory(series)
            block = directory.blocks[directory.place(key)]
        row = self._keys[block].tolist()
        return block, row.index(key) if key in row else -1

    def _new_page(self) -> int:
        """Return the number of the next empty block."""
        block = self._vacant.first()
        for column in (self._keys, *self.columns, self._fills):
            grow(column, block + 1)
        self._keys[block] = NO_KEY
        return block

    def _new_blocks(self, count: int, taken: int) -> Integers:
        """Return the numbers of so many empty blocks, the next after those taken already in the same plan."""
        blocks = self._vacant.next(count, taken)
        if count:
            for column in (self._keys, *self.columns, self._fills):
                grow(column, int(blocks.max()) + 1)
            self._keys[blocks] = NO_KEY
            self._fills[blocks] = 0
        return blocks

    def read(self, series: Sequence[int] | Integers, start: int, stop: int) -> tuple[NDArray[Any], ...]:
        """Copy keys with start <= key < stop, and their cells: columns, series by series.

        Those of a series are in order except inside a block. O(log n for each series + what is copied).
        """
        numbers = np.array(series, dtype=np.int64)
        numbers = numbers[(stop > self.firsts[numbers]) & (start <= self.lasts[numbers]) & (start < stop)]
        index = self._tails[numbers].astype(np.int64)
        if (self._bounds[numbers] != NO_KEY).any():  # of several blocks
            blocks = array("i")
            for directory in map(self._directory, numbers.tolist()):
                blocks.extend(directory.blocks[directory.place(start) : directory.place(stop - 1) + 1])
            index = np.array(blocks, dtype=np.int64)
        keys = self._keys.take(index, axis=0)
        wanted = (keys >= start) & (keys < stop)
        return keys[wanted], *(column.take(index, axis=0)[wanted] for column in self.columns)

    def read_first(self, series: Integers, start: int, stop: int, count: int) -> tuple[NDArray[Any], ...]:
        """Copy of each series the first keys with start <= key < stop, `count` or some more if there are so many.

        Columns: where in `series` the key's series stands, keys, cells; in any order. O(series + what is copied), and
        O(log n) for each series that reaches over several blocks from there on.
        """
        at = np.flatnonzero((self.firsts[series] < stop) & (self.lasts[series] >= start))
        numbers = series[at]
        in_tail = self._bounds[numbers] <= start
        owners, blocks = array("q"), array("i")
        for owner, number in zip(at[~in_tail].tolist(), numbers[~in_tail].tolist(), strict=True):
            found = self._first_blocks(number, start, stop, count)
            owners.extend([owner] * len(found))
            blocks.extend(found)
        owner_of = np.concatenate((at[in_tail], np.array(owners, dtype=np.int64)))
        index: Integers = np.concatenate((self._tails[numbers[in_tail]], np.array(blocks)), dtype=np.int64)
        keys = self._keys.take(index, axis=0)
        wanted = (keys >= start) & (keys < stop)
        rows = np.repeat(owner_of, np.count_nonzero(wanted, axis=1))
        return rows, keys[wanted], *(column.take(index, axis=0)[wanted] for column in self.columns)

    def _first_blocks(self, series: int, start: int, stop: int, count: int) -> array[int]:
        """Return the blocks with the first keys from `start` on: so many keys at least, or all before `stop`."""
        directory = self._directory(series)
        first = directory.place(start)
        end, last, rows = first + 1, directory.place(stop - 1), 0
        while end <= last and rows < count:
            rows += self._fills.item(directory.blocks[end])
            end += 1
        return directory.blocks[first:end]

    def _directory(self, series: int) -> Directory:
        return self._directories[series] or Directory(self._tails.item(series))

    def items_from(self, series: int, start: int) -> Iterator[tuple[Any, ...]]:
        """Yield (key, *cells) of a series from the first key that is at least `start`, in order."""
        if start > self.lasts.item(series):
            return
        directory = self._directory(series)
        for place in range(directory.place(start), directory.length):
            block = directory.blocks[place]
            fill = self._fills.item(block)
            columns = (self._keys[block, :fill], *(column[block, :fill] for column in self.columns))
            for row in sorted(zip(*(column.tolist() for column in columns), strict=True)):
                if row[0] >= start:
                    yield row

    def before(self, series: int, key: int) -> int:
        """Return the last key of a series before this one, or -1. O(width + log n)."""
        if key > self.lasts.item(series):
            return self.lasts.item(series)
        if key <= self.firsts.item(series):
            return NO_KEY
        directory = self._directory(series)
        place = directory.place(key)
        rows = self._keys[directory.blocks[max(place - 1, 0) : place + 1]]
        return int(np.max(rows, where=rows < key, initial=NO_KEY))

    def _check(self) -> None:
        free = self._vacant.free()
        assert len(set(free)) == len(free)
        seen: list[int] = []
        for number in range(len(self.counts)):
            if self._tails[number] == NO_BLOCK:
                assert self._directories[number] is None
                assert (self.counts[number], self.firsts[number], self.lasts[number]) == (0, LARGEST, NO_KEY)
                continue
            directory = self._directory(number)
            length = directory.length
            assert set(directory.bounds[length - 1 :]) <= {LARGEST}
            blocks, bounds = directory.blocks[:length].tolist(), [NO_KEY, *directory.bounds[: length - 1]]
            seen += blocks
            assert (self._tails[number], self._bounds[number]) == (blocks[-1], bounds[-1])
            rows = [sorted(self._keys[block, : self._fills[block]].tolist()) for block in blocks]
            assert all(rows)
            assert all((self._keys[block, self._fills[block] :] == NO_KEY).all() for block in blocks)
            assert all(bound <= row[0] for bound, row in zip(bounds, rows, strict=True))
            assert all(row[-1] < bound for row, bound in zip(rows, bounds[1:], strict=False))
            keys = [key for row in rows for key in row]
            assert all(a < b for a, b in pairwise(keys))
            assert (self.counts[number], self.firsts[number], self.lasts[number]) == (len(keys), keys[0], keys[-1])
        assert sorted([*seen, *free]) == list(range(self._vacant.used))
