"""Columns of many series in pages of one pool, and what can be read of them.

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

from datapoints.page_plans import LARGEST, NO_KEY, NO_PAGE, Directory
from datapoints.vacancies import Vacancies
from timeseries_project.columns import grow
from timeseries_project.summation import Integers

#: Pages that are copied out to be searched at once, so that a large batch of late keys takes little memory.
ROWS_AT_ONCE = 16384


class PagedColumns:
    """The pages behind `SortedPages`, room for more of them, and all that only reads."""

    def __init__(self, width: int, *dtypes: DTypeLike) -> None:
        self._width = width
        self._limit = width - width // 16
        self._keys = np.empty((0, width), dtype=np.int64)
        self.columns = [np.empty((0, width), dtype=dtype) for dtype in dtypes]
        self._fills = np.empty(0, dtype=np.int32)
        self._vacant = Vacancies()
        # By series. Those of one page need no directory.
        self.counts = np.empty(0, dtype=np.int64)
        self.firsts = np.empty(0, dtype=np.int64)
        self.lasts = np.empty(0, dtype=np.int64)
        self._tails = np.empty(0, dtype=np.int32)
        self._bounds = np.empty(0, dtype=np.int64)
        self._directories: list[Directory | None] = []

    @property
    def nbytes(self) -> int:
        """What the columns take, their spare room included; directories do not count. O(1)."""
        by_page = (self._keys, *self.columns, self._fills)
        by_series = (self.counts, self.firsts, self.lasts, self._tails, self._bounds)
        return sum(column.nbytes for column in (*by_page, *by_series))

    def reserve(self, series: int) -> None:
        """Make room for series with numbers below this; new ones are empty."""
        if series <= len(self._directories):  # which are lengthened last
            return
        for column, empty in (
            (self.counts, 0),
            (self.firsts, LARGEST),
            (self.lasts, NO_KEY),
            (self._tails, NO_PAGE),
            (self._bounds, NO_KEY),
        ):
            known = len(column)
            if series > known:
                grow(column, series)
                column[known:] = empty
        self._directories.extend([None] * (len(self.counts) - len(self._directories)))

    def find(self, series: Integers, keys: Integers) -> tuple[Integers, Integers]:
        """Return, for each key of a series, the page it belongs to and its place there; -1 where there is none."""
        pages = self._tails[series].astype(np.int64)
        places = np.full(len(keys), -1)
        old = np.flatnonzero(keys <= self.lasts[series])
        inner = old[keys[old] < self._bounds[series[old]]]
        directories = map(self._directories.__getitem__, series[inner].tolist())
        pages[inner] = [
            directory.pages[bisect_right(directory.bounds, key)]  # type: ignore[union-attr]  # of several pages
            for directory, key in zip(directories, keys[inner].tolist(), strict=True)
        ]
        for begin in range(0, len(old), ROWS_AT_ONCE):
            part = old[begin : begin + ROWS_AT_ONCE]
            # `take` gathers rows several times as fast as an index does.
            equal = self._keys.take(pages[part], axis=0) == keys[part, np.newaxis]
            if equal.any():
                at = equal.argmax(axis=1)
                places[part] = np.where(equal[np.arange(len(part)), at], at, -1)
        return pages, places

    def find_one(self, series: int, key: int) -> tuple[int, int]:
        """Do what `find` does for one key."""
        if key > self.lasts.item(series):
            return self._tails.item(series), -1
        if key >= self._bounds.item(series):
            page = self._tails.item(series)
        else:
            directory = self._directory(series)
            page = directory.pages[directory.place(key)]
        row = self._keys[page].tolist()
        return page, row.index(key) if key in row else -1

    def _new_page(self) -> int:
        """Return the number of the next empty page."""
        page = self._vacant.first()
        for column in (self._keys, *self.columns, self._fills):
            grow(column, page + 1)
        self._keys[page] = NO_KEY
        return page

    def _new_pages(self, count: int, taken: int) -> Integers:
        """Return the numbers of so many empty pages, the next after those taken already in the same plan."""
        pages = self._vacant.next(count, taken)
        if count:
            for column in (self._keys, *self.columns, self._fills):
                grow(column, int(pages.max()) + 1)
            self._keys[pages] = NO_KEY
            self._fills[pages] = 0
        return pages

    def read(self, series: Sequence[int] | Integers, start: int, stop: int) -> tuple[NDArray[Any], ...]:
        """Copy keys with start <= key < stop, and their cells: columns, series by series.

        Those of a series are in order except inside a page. O(log n for each series + what is copied).
        """
        numbers = np.array(series, dtype=np.int64)
        numbers = numbers[(stop > self.firsts[numbers]) & (start <= self.lasts[numbers]) & (start < stop)]
        index = self._tails[numbers].astype(np.int64)
        if (self._bounds[numbers] != NO_KEY).any():  # of several pages
            pages = array("i")
            for directory in map(self._directory, numbers.tolist()):
                pages.extend(directory.pages[directory.place(start) : directory.place(stop - 1) + 1])
            index = np.array(pages, dtype=np.int64)
        keys = self._keys.take(index, axis=0)
        wanted = (keys >= start) & (keys < stop)
        return keys[wanted], *(column.take(index, axis=0)[wanted] for column in self.columns)

    def read_first(self, series: Integers, start: int, stop: int, count: int) -> tuple[NDArray[Any], ...]:
        """Copy of each series the first keys with start <= key < stop, `count` or some more if there are so many.

        Columns: where in `series` the key's series stands, keys, cells; in any order. O(series + what is copied), and
        O(log n) for each series that reaches over several pages from there on.
        """
        at = np.flatnonzero((self.firsts[series] < stop) & (self.lasts[series] >= start))
        numbers = series[at]
        in_tail = self._bounds[numbers] <= start
        owners, pages = array("q"), array("i")
        for owner, number in zip(at[~in_tail].tolist(), numbers[~in_tail].tolist(), strict=True):
            found = self._first_pages(number, start, stop, count)
            owners.extend([owner] * len(found))
            pages.extend(found)
        owner_of = np.concatenate((at[in_tail], np.array(owners, dtype=np.int64)))
        index: Integers = np.concatenate((self._tails[numbers[in_tail]], np.array(pages)), dtype=np.int64)
        keys = self._keys.take(index, axis=0)
        wanted = (keys >= start) & (keys < stop)
        rows = np.repeat(owner_of, np.count_nonzero(wanted, axis=1))
        return rows, keys[wanted], *(column.take(index, axis=0)[wanted] for column in self.columns)

    def _first_pages(self, series: int, start: int, stop: int, count: int) -> array[int]:
        """Return the pages with the first keys from `start` on: so many keys at least, or all before `stop`."""
        directory = self._directory(series)
        first = directory.place(start)
        end, last, rows = first + 1, directory.place(stop - 1), 0
        while end <= last and rows < count:
            rows += self._fills.item(directory.pages[end])
            end += 1
        return directory.pages[first:end]

    def _directory(self, series: int) -> Directory:
        return self._directories[series] or Directory(self._tails.item(series))

    def items_from(self, series: int, start: int) -> Iterator[tuple[Any, ...]]:
        """Yield (key, *cells) of a series from the first key that is at least `start`, in order."""
        if start > self.lasts.item(series):
            return
        directory = self._directory(series)
        for place in range(directory.place(start), directory.length):
            page = directory.pages[place]
            fill = self._fills.item(page)
            columns = (self._keys[page, :fill], *(column[page, :fill] for column in self.columns))
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
        rows = self._keys[directory.pages[max(place - 1, 0) : place + 1]]
        return int(np.max(rows, where=rows < key, initial=NO_KEY))

    def _check(self) -> None:
        free = self._vacant.free()
        assert len(set(free)) == len(free)
        seen: list[int] = []
        for number in range(len(self.counts)):
            if self._tails[number] == NO_PAGE:
                assert self._directories[number] is None
                assert (self.counts[number], self.firsts[number], self.lasts[number]) == (0, LARGEST, NO_KEY)
                continue
            directory = self._directory(number)
            length = directory.length
            assert set(directory.bounds[length - 1 :]) <= {LARGEST}
            pages, bounds = directory.pages[:length].tolist(), [NO_KEY, *directory.bounds[: length - 1]]
            seen += pages
            assert (self._tails[number], self._bounds[number]) == (pages[-1], bounds[-1])
            rows = [sorted(self._keys[page, : self._fills[page]].tolist()) for page in pages]
            assert all(rows)
            assert all((self._keys[page, self._fills[page] :] == NO_KEY).all() for page in pages)
            assert all(bound <= row[0] for bound, row in zip(bounds, rows, strict=True))
            assert all(row[-1] < bound for row, bound in zip(rows, bounds[1:], strict=False))
            keys = [key for row in rows for key in row]
            assert all(a < b for a, b in pairwise(keys))
            assert (self.counts[number], self.firsts[number], self.lasts[number]) == (len(keys), keys[0], keys[-1])
        assert sorted([*seen, *free]) == list(range(self._vacant.used))
