"""Sorted columns of many series in one pool of blocks, so that a batch goes to all of its series at once.

Plain Python and NumPy; knows no framework.

Every change has two steps. `plan...` computes the change and allocates all memory that it needs; it may fail, and has
no visible effect. `commit...` only assigns the results in place: it calls nothing that could fail, so no change is ever
half made.
"""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datapoints.memory.block_columns import BlockColumns
from datapoints.memory.plans import (
    LARGEST,
    NO_BLOCK,
    NO_KEY,
    Addition,
    Changes,
    Cut,
    Directory,
    Entry,
    Links,
    Pieces,
    SeriesRows,
    Write,
    merged,
)
from timeseries_project.core.arrays import run_lengths, run_starts, stable_order
from timeseries_project.core.summation import Integers

NONE = np.empty(0, dtype=np.int64)


class SortedBlocks(BlockColumns):
    """A sorted set of keys for each of many series, and further columns with a cell beside each key.

    A series is a number, a key an integer from 0. Keys live in blocks of `width`, all in one pool of columns,
    so that one scatter writes to any number of series. The blocks of a series follow one another; inside a block
    keys stand as they came, and whoever reads them sorts them if need be. As in a B+ tree a block that overflows
    is divided; but what arrives in order fills block after block, and leaves a sixteenth of each for late keys.

    Adding costs O(1) for the newest keys of a series and O(width + log n) for others; each new block is also inserted
    into the directory of its series. Not thread-safe: the caller holds the store's lock from plan to commit.
    """

    def plan_one(self, series: int, key: int, block: int, *cells: float) -> Entry:
        """Prepare to add a key that its series lacks, to the block that `find_one` tells."""
        if block == NO_BLOCK:
            return series, key, cells, self._new_page(), 0, True, True, None, None
        place = self._fills.item(block)
        if key > self.lasts.item(series):
            if place < self._limit:
                return series, key, cells, block, place, True, False, None, None
            directory = self._directory(series)
            directory.make_room(1)
            return series, key, cells, self._new_page(), 0, True, False, directory, None
        if place < self._width:
            return series, key, cells, block, place, False, key < self.firsts.item(series), None, None
        columns = (np.array([cell], column.dtype) for cell, column in zip(cells, self.columns, strict=True))
        addition = self.plan(*(np.array([number], dtype=np.int64) for number in (series, key, block)), *columns)
        return series, key, cells, block, place, False, False, None, addition

    def commit_one(self, entry: Entry) -> None:
        """Add the key of a plan."""
        series, key, cells, block, place, is_last, is_first, directory, addition = entry
        if addition is not None:
            self.commit(addition)
            return
        if place == 0:
            self._vacant.commit_take(1)
            if directory is not None:
                length = directory.length
                directory.bounds[length - 1] = self._bounds[series] = key
                directory.blocks[length] = block
                directory.length = length + 1
                self._directories[series] = directory
            self._tails[series] = block
        self._keys[block, place] = key
        at = 0
        for column in self.columns:
            column[block, place] = cells[at]
            at += 1  # noqa: SIM113 - to enumerate is to call
        self._fills[block] = place + 1
        self.counts[series] += 1
        if is_last:
            self.lasts[series] = key
        if is_first:
            self.firsts[series] = key

    def plan(
        self,
        series: Integers,
        keys: Integers,
        blocks: Integers,
        *cells: NDArray[Any],
        changes: Changes | None = None,
    ) -> Addition:
        """Prepare to add keys that their series lack, to the blocks that `find` tells, with their cells.

        Series by series and ascending inside each: so what belongs to one block stands together. `changes` are cells
        that whoever commits this will have assigned before.
        """
        rows = SeriesRows(series, keys, cells)
        starts = run_starts(series, blocks)
        homes, owners = blocks[starts], series[starts]
        new = homes == NO_BLOCK
        heads = self._new_blocks(int(np.count_nonzero(new)), 0)
        homes[new] = heads
        sizes = run_lengths(starts, len(keys))
        newest = keys[starts] > self.lasts[owners]
        crowded = ~newest & (self._fills[homes] + sizes > self._width)
        # Those that run on beyond the block's last need not be divided from it.
        crowded[crowded] = keys[starts[crowded]] < self._keys.take(homes[crowded], axis=0).max(axis=1)
        limits = np.where(newest, self._limit, self._width)
        parts, cleared = [], homes[crowded]
        if crowded.any():
            parts.append(self._divided(rows.where(np.repeat(crowded, sizes)), cleared, sizes[crowded], changes))
            rest = ~crowded
            rows, homes, sizes, limits = rows.where(np.repeat(rest, sizes)), homes[rest], sizes[rest], limits[rest]
        if len(homes):
            parts.append(self._filled(rows, homes, sizes, limits))
        return self._addition(series, keys, (owners[new], heads), cleared, parts)

    def _addition(
        self,
        series: Integers,
        keys: Integers,
        heads: tuple[Integers, Integers],
        cleared: Integers,
        parts: list[Pieces],
    ) -> Addition:
        """Number the new blocks among the pieces, and lay down what is to be written."""
        taken = len(heads[1])
        entered: list[tuple[Integers, Integers, Integers]] = []
        targets = []
        for rows, homes, pieces, places in parts:
            beyond = pieces > 0
            begins = beyond & (places == 0)
            firsts = np.flatnonzero(begins)
            blocks = homes
            if len(firsts):
                new = self._new_blocks(len(firsts), taken)
                taken += len(firsts)
                blocks = np.where(beyond, new[np.cumsum(begins) - 1], homes)
                entered.append((rows.series[firsts], rows.keys[firsts], new))
            targets.append(blocks)
        # All blocks are there: the columns stay where they are until the commit.
        writes = [self._write(part, blocks) for part, blocks in zip(parts, targets, strict=True)]
        links = self._links(entered, heads)
        starts = run_starts(series)
        sizes = run_lengths(starts, len(keys))
        owners = series[starts]
        return Addition(
            taken,
            heads,
            cleared,
            writes,
            links,
            owners,
            self.counts[owners] + sizes,
            np.minimum(self.firsts[owners], keys[starts]),
            np.maximum(self.lasts[owners], keys[starts + sizes - 1]),
        )

    def _write(self, part: Pieces, blocks: Integers) -> Write:
        rows = part.rows
        starts = run_starts(blocks)
        ends = starts + run_lengths(starts, len(blocks)) - 1
        columns = zip((self._keys, *self.columns), (rows.keys, *rows.cells), strict=True)
        flat = [(column.reshape(-1), cells) for column, cells in columns]
        return Write(blocks * self._width + part.places, flat, blocks[ends], part.places[ends] + 1)

    def commit(self, addition: Addition) -> None:
        """Add the keys of a plan."""
        self._vacant.commit_take(addition.taken)
        self._tails[addition.heads[0]] = addition.heads[1]
        self._keys[addition.cleared] = NO_KEY
        for slots, columns, blocks, fills in addition.writes:
            for column, cells in columns:
                column[slots] = cells
            self._fills[blocks] = fills
        series = addition.series
        self.counts[series], self.firsts[series] = addition.counts, addition.firsts
        self.lasts[series] = addition.lasts
        links = addition.links
        for owner, directory in links.directories:
            self._directories[owner] = directory
        for directory, place, stop, bounds, numbers in links.changes:
            # As many for as many: nothing moves, nothing is allocated.
            directory.bounds[place:stop] = bounds
            directory.blocks[place + 1 : stop + 1] = numbers
            directory.length = stop + 1
        # Of several blocks of one series the last is assigned last, and stays.
        owners, tails, lasts = links.tails
        self._tails[owners], self._bounds[owners] = tails, lasts

    def _filled(self, rows: SeriesRows, homes: Integers, sizes: Integers, limits: Integers) -> Pieces:
        """Put `sizes` rows behind those of each block, up to its limit, and what is left over into new blocks."""
        fills = self._fills[homes]
        here = np.clip(limits - fills, 0, sizes)
        ranks = np.arange(len(rows.keys)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        left = ranks - np.repeat(here, sizes)
        pieces, places = np.divmod(left, self._limit)
        stays = left < 0
        pieces = np.where(stays, 0, pieces + 1)
        places = np.where(stays, ranks + np.repeat(fills, sizes), places)
        return Pieces(rows, np.repeat(homes, sizes), pieces, places)

    def _divided(self, rows: SeriesRows, homes: Integers, sizes: Integers, changes: Changes | None) -> Pieces:
        """Merge `sizes` rows with those of each block, and divide them evenly among it and new blocks."""
        fills = self._fills[homes]
        there = np.arange(self._width) < fills[:, np.newaxis]
        old = [column.take(homes, axis=0) for column in (self._keys, *self.columns)]
        if changes is not None:
            changes.apply(homes, old[1:])
        old_keys, *old_cells = (column[there] for column in old)
        present = SeriesRows(np.repeat(rows.series[np.cumsum(sizes) - sizes], fills), old_keys, old_cells)
        groups = np.arange(len(homes))
        groups = np.concatenate((np.repeat(groups, sizes), np.repeat(groups, fills)))
        rows = rows.followed_by(present)
        order = stable_order(rows.keys, groups)
        rows, groups = rows.where(order), groups[order]
        totals = sizes + fills
        counts, total = -(-totals // self._limit)[groups], totals[groups]
        ranks = np.arange(len(order)) - (np.cumsum(totals) - totals)[groups]
        pieces = ranks * counts // total
        begins = -(-pieces * total // counts)
        return Pieces(rows, homes[groups], pieces, ranks - begins)

    def _links(self, entered: list[tuple[Integers, Integers, Integers]], heads: tuple[Integers, Integers]) -> Links:
        """Prepare to enter blocks into the directories of their series, each for the keys from its bound on."""
        if not entered:
            return Links([], [], (NONE, NONE, NONE))
        series, bounds, blocks = map(np.concatenate, zip(*entered, strict=True))
        if len(entered) > 1:
            order = stable_order(bounds, series)
            series, bounds, blocks = series[order], bounds[order], blocks[order]
        last = bounds > self._bounds[series]
        links = Links([], [], (series[last], blocks[last], bounds[last]))
        alone = dict(zip(*(column.tolist() for column in heads), strict=True))
        new_bounds, new_blocks = array("q", bounds.tolist()), array("i", blocks.tolist())
        starts = run_starts(series)
        stops = starts + run_lengths(starts, len(series))
        for owner, start, stop in zip(series[starts].tolist(), starts.tolist(), stops.tolist(), strict=True):
            directory = self._directories[owner]
            if directory is None or owner in alone:
                directory = Directory(alone[owner] if owner in alone else self._tails.item(owner))
                links.directories.append((owner, directory))
            directory.make_room(stop - start)
            end = directory.length - 1
            at = directory.place(new_bounds[start])
            numbers = new_blocks[start:stop]
            lower = new_bounds[start:stop]
            if at < end:
                present = directory.bounds[at:end], directory.blocks[at + 1 : end + 1]
                if lower[-1] < present[0][0]:
                    lower, numbers = lower + present[0], numbers + present[1]
                else:
                    lower, numbers = merged(present, (lower, numbers))
            links.changes.append((directory, at, end + stop - start, lower, numbers))
        return links

    def plan_cut(self, series: Integers, key: int) -> Cut:
        """Prepare to forget the keys before this one of distinct series, each of which has some.

        O(series * log n + blocks that are left).
        """
        whole = self.lasts[series] < key
        gone, rest = series[whole], series[~whole]
        left = array("i")
        for number in gone.tolist():
            directory = self._directory(number)
            left += directory.blocks[: directory.length]
        if not len(rest):
            self._vacant.make_room(len(left))
            removed = int(self.counts[gone].sum())
            blocks = np.array(left, dtype=np.int64)
            return Cut(gone, gone.tolist(), blocks, [], NONE, [], NONE, NONE, NONE, NONE, NONE, removed)
        directories = [self._directory(number) for number in rest.tolist()]
        places = [directory.place(key) for directory in directories]
        homes = self._homes(directories, places)
        # Where a block ends before the key, the next one is the first that is kept.
        for i in np.flatnonzero(self._keys.take(homes, axis=0).max(axis=1, initial=NO_KEY) < key).tolist():
            places[i] += 1
        homes = self._homes(directories, places)
        fronts = []
        for directory, place in zip(directories, places, strict=True):
            if place:
                left += directory.blocks[:place]
                fronts.append((directory, place))
        blocks = np.array(left, dtype=np.int64)
        fills = np.concatenate(([0], np.cumsum(self._fills[blocks], dtype=np.int64)))
        stops = fills[len(blocks) - sum(places) :][np.cumsum([0, *places])]
        rows = self._keys.take(homes, axis=0)
        kept = rows >= key
        sizes = np.count_nonzero(kept, axis=1)
        counts = self.counts[rest] - np.diff(stops) - (self._fills[homes] - sizes)
        order = np.argsort(~kept, axis=1, kind="stable")
        columns = [(column, np.take_along_axis(column.take(homes, axis=0), order, axis=1)) for column in self.columns]
        firsts = np.min(rows, axis=1, where=kept, initial=LARGEST)
        rows = np.where(np.arange(self._width) < sizes[:, np.newaxis], np.take_along_axis(rows, order, axis=1), NO_KEY)
        single = np.array([directory.length - place == 1 for directory, place in zip(directories, places, strict=True)])
        bounds = np.where(single, NO_KEY, self._bounds[rest]) if len(rest) else NONE
        self._vacant.make_room(len(blocks))
        return Cut(
            gone,
            gone.tolist(),
            blocks,
            fronts,
            homes,
            [(self._keys, rows), *columns],
            sizes,
            rest,
            counts,
            firsts,
            bounds,
            removed=int(self.counts[series].sum() - counts.sum()),
        )

    def commit_cut(self, cut: Cut) -> None:
        """Forget the keys of a plan, and let their blocks be used again."""
        self._vacant.commit_return(cut.blocks)
        gone = cut.gone
        self.counts[gone], self.firsts[gone], self.lasts[gone] = 0, LARGEST, NO_KEY
        self._tails[gone], self._bounds[gone] = NO_BLOCK, NO_KEY
        for number in cut.numbers:
            self._directories[number] = None
        for directory, place in cut.fronts:
            del directory.bounds[:place]
            del directory.blocks[:place]
            directory.length -= place
        for column, cells in cut.columns:
            column[cut.homes] = cells
        self._fills[cut.homes] = cut.fills
        self.counts[cut.rest], self.firsts[cut.rest], self._bounds[cut.rest] = cut.counts, cut.firsts, cut.bounds

    def _homes(self, directories: list[Directory], places: list[int]) -> Integers:
        blocks = [directory.blocks[place] for directory, place in zip(directories, places, strict=True)]
        return np.array(blocks, dtype=np.int64)
