"""Sorted columns of many series in one pool of pages, so that a batch goes to all of its series at once.

Plain Python and NumPy; knows no framework.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from timeseries_project.columns import run_lengths, run_starts, stable_order
from timeseries_project.summation import Integers

Booleans = NDArray[np.bool_]

NO_PAGE = -1
NO_KEY = -1
LARGEST = 2**63 - 1

#: Pages that are added to a pool at once at most: what growing costs at a time.
GROWTH = 8192

#: Pages that are copied out to be searched at once, so that a large batch of late keys takes little memory.
ROWS_AT_ONCE = 16384


class _Rows(NamedTuple):
    """Keys of some series, and the cells beside them."""

    series: Integers
    keys: Integers
    cells: Sequence[NDArray[Any]]

    def where(self, chosen: Integers | Booleans) -> _Rows:
        """Return the chosen rows, or all in another order."""
        return _Rows(self.series[chosen], self.keys[chosen], [column[chosen] for column in self.cells])

    def followed_by(self, other: _Rows) -> _Rows:
        """Return these rows and those."""
        cells = [np.concatenate(pair) for pair in zip(self.cells, other.cells, strict=True)]
        return _Rows(np.concatenate((self.series, other.series)), np.concatenate((self.keys, other.keys)), cells)


class _Directory:
    """The pages of one series in order, and the least key that may stand in each but the first."""

    __slots__ = ("bounds", "pages")

    def __init__(self, page: int) -> None:
        self.pages = array("i", [page])
        self.bounds = array("q")

    def place(self, key: int) -> int:
        """Return which of the pages a key belongs to. O(log pages)."""
        return bisect_right(self.bounds, key)


class SortedPages:
    """A sorted set of keys for each of many series, and further columns with a cell beside each key.

    A series is a number, a key an integer from 0. Keys live in pages of `width`, all in one pool of columns,
    so that one scatter writes to any number of series. The pages of a series follow one another; inside a page
    keys stand as they came, and whoever reads them sorts them if need be. As in a B+ tree a page that overflows
    is divided; but what arrives in order fills page after page, and leaves a sixteenth of each for late keys.

    Adding costs O(1) for the newest keys of a series, O(width + log n) for others, and for every so many the
    insertion of a page into the directory of its series. Nothing is thread-safe: the store's lock guards it.
    """

    def __init__(self, width: int, *dtypes: DTypeLike) -> None:
        self._width = width
        self._limit = width - width // 16
        self._keys = np.empty((0, width), dtype=np.int64)
        self.columns = [np.empty((0, width), dtype=dtype) for dtype in dtypes]
        self._fills = np.empty(0, dtype=np.int32)
        self._used = 0
        self._free = array("i")
        # By series. Those of one page have no directory.
        self.counts = np.empty(0, dtype=np.int64)
        self.firsts = np.empty(0, dtype=np.int64)
        self.lasts = np.empty(0, dtype=np.int64)
        self._tails = np.empty(0, dtype=np.int32)
        self._bounds = np.empty(0, dtype=np.int64)
        self._directories: dict[int, _Directory] = {}

    @property
    def nbytes(self) -> int:
        """What the columns take, their spare room included; directories do not count. O(1)."""
        by_page = (self._keys, *self.columns, self._fills)
        by_series = (self.counts, self.firsts, self.lasts, self._tails, self._bounds)
        return sum(column.nbytes for column in (*by_page, *by_series))

    def reserve(self, series: int) -> None:
        """Make room for series with numbers below this; new ones are empty."""
        known = len(self.counts)
        if series <= known:
            return
        for column in (self.counts, self.firsts, self.lasts, self._tails, self._bounds):
            _grow(column, series)
        self._empty(slice(known, None))

    def _empty(self, series: slice | Integers) -> None:
        self.counts[series] = 0
        self.firsts[series] = LARGEST
        self.lasts[series] = NO_KEY
        self._tails[series] = NO_PAGE
        self._bounds[series] = NO_KEY

    def find(self, series: Integers, keys: Integers) -> tuple[Integers, Integers]:
        """Return, for each key of a series, the page it belongs to and its place there; -1 where there is none."""
        pages = self._tails[series].astype(np.int64)
        places = np.full(len(keys), -1)
        old = np.flatnonzero(keys <= self.lasts[series])
        inner = old[keys[old] < self._bounds[series[old]]]
        directories = map(self._directories.__getitem__, series[inner].tolist())
        pages[inner] = [
            directory.pages[bisect_right(directory.bounds, key)]
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

    def _page(self, series: int, key: int) -> int:
        """Return the page of a series to which a key belongs."""
        if key >= self._bounds.item(series):
            return self._tails.item(series)
        directory = self._directories[series]
        return directory.pages[directory.place(key)]

    def find_one(self, series: int, key: int) -> tuple[int, int]:
        """Do what `find` does for one key."""
        if key > self.lasts.item(series):
            return self._tails.item(series), -1
        page = self._page(series, key)
        row = self._keys[page].tolist()
        return page, row.index(key) if key in row else -1

    def add_one(self, series: int, key: int, page: int, *cells: float) -> None:
        """Add a key that its series lacks, to the page that `find_one` tells, with its cells."""
        if page == NO_PAGE:
            page = self._tails[series] = self._allocate(1).item()
        place = self._fills.item(page)
        if place >= self._limit and key > self.lasts.item(series):
            new = self._allocate(1)
            self._link(np.array([series]), np.array([key]), new)
            page, place = new.item(), 0
        if place == self._width:
            columns = (np.array([cell], column.dtype) for cell, column in zip(cells, self.columns, strict=True))
            self.add(*(np.array([number], dtype=np.int64) for number in (series, key, page)), *columns)
            return
        self._keys[page, place] = key
        for cell, column in zip(cells, self.columns, strict=True):
            column[page, place] = cell
        self._fills[page] = place + 1
        self.counts[series] += 1
        if key > self.lasts.item(series):
            self.lasts[series] = key
        if key < self.firsts.item(series):
            self.firsts[series] = key

    def add(self, series: Integers, keys: Integers, pages: Integers, *cells: NDArray[Any]) -> None:
        """Add keys that their series lack, to the pages that `find` tells, with their cells.

        Series by series and ascending inside each: so what belongs to one page stands together.
        """
        rows = _Rows(series, keys, cells)
        starts = run_starts(series, pages)
        homes, owners = pages[starts], series[starts]
        new = homes == NO_PAGE
        if new.any():
            homes[new] = self._tails[owners[new]] = self._allocate(int(np.count_nonzero(new)))
        sizes = run_lengths(starts, len(keys))
        newest = keys[starts] > self.lasts[owners]
        crowded = ~newest & (self._fills[homes] + sizes > self._width)
        # Those that run on beyond the page's last need not be divided from it.
        crowded[crowded] = keys[starts[crowded]] < self._keys.take(homes[crowded], axis=0).max(axis=1)
        self._count(series, keys)
        limits = np.where(newest, self._limit, self._width)
        if crowded.any():
            self._divide(rows.where(np.repeat(crowded, sizes)), homes[crowded], sizes[crowded])
            rest = ~crowded
            rows, homes, sizes, limits = rows.where(np.repeat(rest, sizes)), homes[rest], sizes[rest], limits[rest]
        if len(homes):
            self._fill(rows, homes, sizes, limits)

    def _count(self, series: Integers, keys: Integers) -> None:
        """Take note of keys that are added: how many, the first and the last of each series."""
        starts = run_starts(series)
        sizes = run_lengths(starts, len(keys))
        owners = series[starts]
        self.counts[owners] += sizes
        self.firsts[owners] = np.minimum(self.firsts[owners], keys[starts])
        self.lasts[owners] = np.maximum(self.lasts[owners], keys[starts + sizes - 1])

    def _fill(self, rows: _Rows, homes: Integers, sizes: Integers, limits: Integers) -> None:
        """Put `sizes` rows behind those of each page, up to its limit, and what is left over into new pages."""
        fills = self._fills[homes]
        here = np.clip(limits - fills, 0, sizes)
        ranks = np.arange(len(rows.keys)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        left = ranks - np.repeat(here, sizes)
        pieces, places = np.divmod(left, self._limit)
        stays = left < 0
        pieces = np.where(stays, 0, pieces + 1)
        places = np.where(stays, ranks + np.repeat(fills, sizes), places)
        self._write(rows, np.repeat(homes, sizes), pieces, places)

    def _divide(self, rows: _Rows, homes: Integers, sizes: Integers) -> None:
        """Merge `sizes` rows with those of each page, and divide them evenly among it and new pages."""
        fills = self._fills[homes]
        there = np.arange(self._width) < fills[:, np.newaxis]
        old_keys, *old_cells = (column.take(homes, axis=0)[there] for column in (self._keys, *self.columns))
        old = _Rows(np.repeat(rows.series[np.cumsum(sizes) - sizes], fills), old_keys, old_cells)
        groups = np.arange(len(homes))
        groups = np.concatenate((np.repeat(groups, sizes), np.repeat(groups, fills)))
        rows = rows.followed_by(old)
        order = stable_order(rows.keys, groups)
        rows, groups = rows.where(order), groups[order]
        totals = sizes + fills
        counts, total = -(-totals // self._limit)[groups], totals[groups]
        ranks = np.arange(len(order)) - (np.cumsum(totals) - totals)[groups]
        pieces = ranks * counts // total
        begins = -(-pieces * total // counts)
        self._keys[homes] = NO_KEY
        self._write(rows, homes[groups], pieces, ranks - begins)

    def _write(self, rows: _Rows, homes: Integers, pieces: Integers, places: Integers) -> None:
        """Write each row to a place in a piece of its page: the page itself, or a new one that follows it."""
        beyond = pieces > 0
        begins = beyond & (places == 0)
        firsts = np.flatnonzero(begins)
        pages = homes
        if len(firsts):
            new = self._allocate(len(firsts))
            pages = np.where(beyond, new[np.cumsum(begins) - 1], homes)
            self._link(rows.series[firsts], rows.keys[firsts], new)
        slots = pages * self._width + places
        for column, cells in zip((self._keys, *self.columns), (rows.keys, *rows.cells), strict=True):
            column.reshape(-1)[slots] = cells
        starts = run_starts(pages)
        ends = starts + run_lengths(starts, len(pages)) - 1
        self._fills[pages[ends]] = places[ends] + 1

    def _link(self, series: Integers, bounds: Integers, pages: Integers) -> None:
        """Enter pages into the directories of their series, each for the keys from its bound on."""
        directories = self._directories
        for owner, bound, page in zip(series.tolist(), bounds.tolist(), pages.tolist(), strict=True):
            directory = directories.get(owner)
            if directory is None:
                directory = directories[owner] = _Directory(self._tails.item(owner))
            if not directory.bounds or bound > directory.bounds[-1]:
                directory.bounds.append(bound)
                directory.pages.append(page)
            else:
                place = directory.place(bound)
                directory.bounds.insert(place, bound)
                directory.pages.insert(place + 1, page)
        last = bounds > self._bounds[series]
        # Of several pages of one series the last is assigned last, and stays.
        self._tails[series[last]], self._bounds[series[last]] = pages[last], bounds[last]

    def _allocate(self, count: int) -> Integers:
        """Return the numbers of so many empty pages."""
        reused = self._free[max(len(self._free) - count, 0) :]
        del self._free[len(self._free) - len(reused) :]
        used = self._used + count - len(reused)
        pages = np.concatenate((np.array(reused, dtype=np.int64), np.arange(self._used, used)))
        if used > len(self._fills):
            for column in (self._keys, *self.columns, self._fills):
                _grow(column, used)
        self._used = used
        self._keys[pages] = NO_KEY
        self._fills[pages] = 0
        return pages

    def drop(self, series: Integers) -> None:
        """Forget all keys of these series. O(their pages)."""
        for number in series.tolist():
            self._free.extend(self._directory(number).pages)
            self._directories.pop(number, None)
        self._empty(series)

    def read(self, series: Sequence[int], start: int, stop: int) -> tuple[NDArray[Any], ...]:
        """Copy keys with start <= key < stop, and their cells: columns, series by series.

        Those of a series are in order except inside a page. O(log n for each series + what is copied).
        """
        pages = array("i")
        for number in series:
            if stop > self.firsts.item(number) and start <= self.lasts.item(number) and start < stop:
                directory = self._directory(number)
                pages.extend(directory.pages[directory.place(start) : directory.place(stop - 1) + 1])
        index = np.array(pages, dtype=np.int64)
        keys = self._keys.take(index, axis=0)
        wanted = (keys >= start) & (keys < stop)
        return keys[wanted], *(column.take(index, axis=0)[wanted] for column in self.columns)

    def _directory(self, series: int) -> _Directory:
        return self._directories.get(series) or _Directory(self._tails.item(series))

    def items_from(self, series: int, start: int) -> Iterator[tuple[Any, ...]]:
        """Yield (key, *cells) of a series from the first key that is at least `start`, in order."""
        if start > self.lasts.item(series):
            return
        directory = self._directory(series)
        for place in range(directory.place(start), len(directory.pages)):
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
        free = set(self._free)
        assert len(free) == len(self._free)
        seen: list[int] = []
        for number in range(len(self.counts)):
            if self._tails[number] == NO_PAGE:
                assert number not in self._directories
                assert (self.counts[number], self.firsts[number], self.lasts[number]) == (0, LARGEST, NO_KEY)
                continue
            directory = self._directory(number)
            pages, bounds = directory.pages.tolist(), [NO_KEY, *directory.bounds]
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
        assert sorted([*seen, *free]) == list(range(self._used))


def _grow(column: NDArray[Any], length: int) -> None:
    """Lengthen a column in place, by an eighth at least, so that adding one by one stays cheap.

    The allocator moves large columns by their page tables: nothing is copied, and nothing held twice.
    """
    spare = min(max(len(column) // 8, 64), GROWTH)
    # No view of a pool's column outlives the call that made it.
    column.resize((length + spare, *column.shape[1:]), refcheck=False)
