"""Sorted blocks against plain sorted lists; what they cost in blocks and in levels; and the same run uncompiled."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from bisect import bisect_left, bisect_right
from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from numpy.typing import NDArray

from timeseries_project.core import kernels
from timeseries_project.core.block_kernels import BEYOND, BLOCKS, LEVEL, LOWER_BITS, ROOT, SPARE, USED
from timeseries_project.core.blocks import Blocks
from timeseries_project.core.summation import Integers
from timeseries_project.tests.block_rows import leaves_of
from timeseries_project.tests.drawn import drawn, lives

Row = tuple[int, list[int]]

SERIES = 3
WIDTHS = st.sampled_from([4, 5, 7, 24, 31])
#: Totals of a few such cells go beyond 64 bits when they are added up without parts.
CELLS = st.sampled_from([0, 1, 2**32 - 1, 2**32, 2**53 - 1, 2**62])


def used(blocks: Blocks) -> int:
    """Return how many blocks series have."""
    return int(blocks._state[USED] - blocks._state[SPARE])


def levels(blocks: Blocks, series: int) -> int:
    """Return how many blocks lie on the way to a key, the leaf included."""
    return int(blocks._links[blocks._heads[series, ROOT], LEVEL]) + 1


def add(blocks: Blocks, series: Integers, keys: Integers) -> tuple[int, int]:
    """Add rows with their places as cells; return how many blocks were said to be needed, and how many were taken."""
    leaves = leaves_of(blocks, series, keys)
    needed, before = blocks.needed(series, leaves), used(blocks)
    blocks.make_room(needed)
    blocks.commit_add(series, keys, np.zeros((len(keys), blocks._cells.shape[2]), dtype=np.int64), leaves)
    return needed, used(blocks) - before


class BlocksMachine(RuleBasedStateMachine):
    """Adds, removes and reads keys of some series, and does the same with a sorted list of rows for each."""

    @initialize(width=WIDTHS, parts=st.integers(1, 3), has_totals=st.booleans(), equal=st.booleans())
    def begin(self, width: int, parts: int, has_totals: bool, equal: bool) -> None:
        self.blocks = Blocks(width=width, parts=parts, has_totals=has_totals)
        self.blocks.reserve(SERIES)
        self.width, self.parts, self.has_totals, self.equal = width, parts, has_totals, equal
        self.rows: list[list[Row]] = [[] for _ in range(SERIES)]

    def write(self, keys: list[list[int]], cell: int, split: int) -> None:
        """Write keys of each series, as batches are: marked, counted, given room, and written in two portions."""
        series = np.repeat(np.arange(SERIES), [len(some) for some in keys])
        column = np.array([key for some in keys for key in sorted(some)], dtype=np.int64)
        leaves, known = self.looked_up(series, column)
        if not self.equal:
            series, column, leaves = series[~known], column[~known], leaves[~known]
        cells = (np.arange(column.size * self.parts).reshape(-1, self.parts) * 7919 + cell) % (2**62 + 1)
        needed, before = self.blocks.needed(series, leaves), used(self.blocks)
        self.blocks.make_room(needed)
        self.blocks.commit_promise(needed)
        split = min(split, len(column))
        self.blocks.commit_add(series, column, cells, leaves, 0, split)
        self.blocks.commit_add(series, column, cells, leaves, split)
        self.blocks.commit_promise(-needed)
        assert used(self.blocks) - before <= needed
        for number, key, row in zip(series.tolist(), column.tolist(), cells.tolist(), strict=True):
            self.rows[number].insert(bisect_right(self.rows[number], key, key=lambda r: r[0]), (key, row))

    def looked_up(self, series: Integers, column: Integers) -> tuple[Integers, NDArray[np.bool_]]:
        """Look the keys up, in two portions; check which are known. Return their leaves, and which are known."""
        known, half = np.zeros(len(column), dtype=bool), len(column) // 2
        leaves = np.zeros(len(column), dtype=np.int64)
        marked = self.blocks.look_up(series, column, leaves, known, 0, half)
        marked += self.blocks.look_up(series, column, leaves, known, half)
        seen = {(number, key) for number, rows in enumerate(self.rows) for key, _ in rows}
        expected = []
        for row in zip(series.tolist(), column.tolist(), strict=True):
            expected.append(row in seen)
            seen.add(row)
        assert known.tolist() == expected
        assert marked == sum(expected)
        return leaves, known

    def top(self, series: int) -> int:
        return self.rows[series][-1][0] if self.rows[series] else 0

    @rule(counts=st.tuples(*[st.sampled_from([0, 1, 2, 9, 70])] * SERIES), step=st.integers(1, 40), cell=CELLS)
    def add_in_order(self, counts: tuple[int, ...], step: int, cell: int) -> None:
        keys = [[self.top(s) + step * (i + 1) for i in range(count)] for s, count in enumerate(counts)]
        self.write(keys, cell, split=sum(counts) // 3)

    @rule(seed=st.integers(0, 2**32), count=st.sampled_from([1, 2, 20, 200]), cell=CELLS, split=st.integers(0, 300))
    def add_anywhere(self, seed: int, count: int, cell: int, split: int) -> None:
        draw = random.Random(seed)
        self.write([[draw.randint(0, self.top(s) + 9) for _ in range(count)] for s in range(SERIES)], cell, split)

    @rule(
        order=st.permutations(range(SERIES)),
        starts=st.lists(st.integers(0, 99), min_size=SERIES, max_size=SERIES),
        span=st.integers(0, 400),
        limit=st.integers(0, 300),
        backwards=st.booleans(),
    )
    def merge(self, order: list[int], starts: list[int], span: int, limit: int, backwards: bool) -> None:
        """The first keys of all series are read in one order, equal ones by the places of their series."""
        sign = -1 if backwards else 1
        low = -max(map(self.top, range(SERIES))) if backwards else 0
        starts, stop = [low + start for start in starts], low + span
        expected = sorted(
            (
                (sign * key, place, row)
                for place, series in enumerate(order)
                for key, row in self.rows[series][::sign]
                if starts[place] <= sign * key < stop
            ),
            key=lambda found: found[:2],
        )
        owners, keys, cells = self.blocks.merge(np.array(order), np.array(starts), stop, limit, backwards=backwards)
        found = list(zip(keys.tolist(), owners.tolist(), cells.tolist(), strict=True))
        assert found == expected[:limit]

    @rule(series=st.integers(0, SERIES - 1), part=st.floats(0, 1), count=st.integers(1, 60), cell=CELLS)
    def add_close_together(self, series: int, part: float, count: int, cell: int) -> None:
        """All into a few leaves, which are divided again and again."""
        first = int(self.top(series) * part)
        self.write([list(range(first, first + count)) if s == series else [] for s in range(SERIES)], cell, 5)

    @rule(keys=st.lists(st.integers(0, 12), max_size=30), cell=CELLS)
    def add_equal_keys(self, keys: list[int], cell: int) -> None:
        self.write([keys] * SERIES, cell, split=3)

    def removed(self, series: int, start: int, stop: int, most: int) -> int:
        """Remove keys of a series, and check that they are the first ones in the range."""
        rows = self.rows[series]
        begin, end = (bisect_left(rows, key, key=lambda r: r[0]) for key in (start, max(start, stop)))
        count = self.blocks.commit_remove(np.array([series]), start, stop, most)
        whole = begin == 0 and end == len(rows)
        assert min(most, end - begin) <= count <= (end - begin if whole else min(end - begin, most + self.width))
        del rows[begin : begin + count]
        return count

    @rule(series=st.integers(0, SERIES - 1), part=st.floats(0, 1), length=st.floats(0, 1), tenth=st.booleans())
    def remove(self, series: int, part: float, length: float, tenth: bool) -> None:
        start = int(self.top(series) * part)
        self.removed(series, start, start + int(self.top(series) * length / (10 if tenth else 1)) + 1, BEYOND)

    @rule(series=st.integers(0, SERIES - 1), part=st.floats(0, 1), most=st.integers(1, 40), halfway=st.booleans())
    def remove_in_portions(self, series: int, part: float, most: int, halfway: bool) -> None:
        start, stop = int(self.top(series) * part), int(self.top(series) * (part + 1) / 2) + 1
        while self.removed(series, start, stop, most) and not halfway:
            self.blocks._check()

    @rule(part=st.floats(0, 1))
    def cut_the_front(self, part: float) -> None:
        """As retention does: all series at once."""
        stop = int(max(map(self.top, range(SERIES))) * part)
        gone = [bisect_left(rows, stop, key=lambda r: r[0]) for rows in self.rows]
        assert self.blocks.commit_remove(np.arange(SERIES), 0, stop) == sum(gone)
        for rows, count in zip(self.rows, gone, strict=True):
            del rows[:count]

    @rule(series=st.integers(0, SERIES - 1), gap=st.integers(2, 50))
    def thin_out(self, series: int, gap: int) -> None:
        """Leave a few keys in each of many blocks."""
        rows = list(self.rows[series])
        for i in range(0, len(rows) - gap, gap):
            self.removed(series, rows[i][0] + 1, rows[i + gap][0], BEYOND)

    @rule(series=st.integers(0, SERIES - 1))
    def remove_all(self, series: int) -> None:
        self.removed(series, 0, BEYOND, 1)
        assert self.rows[series] == []

    @rule(start=st.integers(-9, 3000), length=st.integers(0, 3000), limit=st.integers(0, 60))
    def read(self, start: int, length: int, limit: int) -> None:
        stop, every = start + length, np.arange(SERIES)
        found = [[row for row in rows if start <= row[0] < stop] for rows in self.rows]
        self.check_read(self.blocks.read(every, start, stop), found)
        counts = self.blocks.count(every, start, stop, limit)
        assert counts.tolist() == [min(len(rows), limit) for rows in found]
        self.check_read(self.blocks.copy(every, start, counts), [rows[:limit] for rows in found])
        for begin in (0, start):
            latest = [[row for row in rows if begin <= row[0] < stop][::-1][:limit] for rows in self.rows]
            lengths, *copied = self.blocks.read_backwards(every, stop, limit, begin)
            assert lengths.tolist() == [len(rows) for rows in latest]
            self.check_read(tuple(copied), latest)

    @rule(size=st.integers(1, 60))
    def copy_all(self, size: int) -> None:
        portions = list(self.blocks.portions(size))
        copied = [tuple(zip(*(column.tolist() for column in portion), strict=True)) for portion in portions]
        assert list(chain.from_iterable(copied)) == [
            (series, key, cells) for series, rows in enumerate(self.rows) for key, cells in rows
        ]
        assert [len(rows) for rows in copied[:-1]] == [size] * (len(copied) - 1)

    @staticmethod
    def check_read(found: tuple[Integers, ...], expected: list[list[Row]]) -> None:
        keys, cells = found
        assert list(zip(keys.tolist(), cells.tolist(), strict=True)) == list(chain.from_iterable(expected))

    @rule(series=st.integers(0, SERIES - 1), borders=st.lists(st.integers(-1, 3000) | st.just(BEYOND), max_size=5))
    def add_up(self, series: int, borders: list[int]) -> None:
        borders.sort()
        if self.has_totals:
            up_to = [[cells for key, cells in self.rows[series] if key <= border] for border in borders]
            expected = [[len(cells), *(sum(row[i] for row in cells) for i in range(self.parts))] for cells in up_to]
            rows = self.blocks.totals_up_to(series, np.array(borders, dtype=np.int64)).tolist()
            found = [[row[0], *((row[i] << LOWER_BITS) + row[i + 1] for i in range(1, len(row), 2))] for row in rows]
            assert found == expected

    @invariant()
    def all_is_in_order(self) -> None:
        self.blocks._check()
        assert self.blocks.counts[:SERIES].tolist() == [len(rows) for rows in self.rows]
        assert self.blocks.firsts[:SERIES].tolist() == [rows[0][0] if rows else BEYOND for rows in self.rows]
        assert self.blocks.lasts[:SERIES].tolist() == [rows[-1][0] if rows else -1 for rows in self.rows]
        self.check_read(self.blocks.read(np.arange(SERIES), 0, BEYOND), self.rows)


def run_machine() -> None:
    run_state_machine_as_test(BlocksMachine, settings=lives(100, steps=30))


def run_machine_in_a_process(**variables: str) -> str:
    """Run the machine in another process; return whether kernels were compiled there."""
    program = (
        "from timeseries_project.tests import test_blocks as t; t.run_machine(); "
        "print(t.kernels.COMPILED, t.kernels._settings.BOUNDSCHECK)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=kernels.ROOT, env=os.environ | variables, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")[-2]


def test_blocks_hold_what_sorted_lists_hold() -> None:
    run_machine()


def test_plain_python_holds_the_same() -> None:
    assert run_machine_in_a_process(NUMBA_DISABLE_JIT="1").startswith("False")


def test_every_index_lies_within() -> None:
    assert run_machine_in_a_process(NUMBA_BOUNDSCHECK="1") == "True 1"


@drawn(200)
@given(WIDTHS, st.integers(1, 200_000), st.integers(0, 2**32), st.booleans())
def test_no_write_takes_more_blocks_than_are_needed(width: int, count: int, seed: int, full: bool) -> None:
    """Also where each block has as many keys as it can hold, or half of that, or deletes have thinned them out."""
    draw = np.random.default_rng(seed)
    blocks = Blocks(width=width, parts=1)
    blocks.reserve(2)
    keys = np.arange(count) * 1000
    for offset in (0, 1) if full else (0,):
        needed, taken = add(blocks, np.zeros(count, dtype=np.int64), keys + offset)
        assert taken <= needed
    for _ in range(6):
        start = int(draw.integers(0, 1000 * count))
        blocks.commit_remove(np.array([0]), start, start + int(draw.integers(0, 100 * count)))
        lengths = draw.integers(0, 300, 2)
        span = int(draw.choice([1, 2000, 1000 * count]))
        some = [np.sort(int(draw.integers(0, 1001 * count)) + draw.integers(0, span, n)) for n in lengths]
        needed, taken = add(blocks, np.repeat([0, 1], lengths), np.concatenate(some))
        assert taken <= needed


@pytest.mark.parametrize("length", [1, 22, 23, 24, 30, 600])
@pytest.mark.parametrize("key", [500, 10**6])
def test_one_key_in_each_of_many_series_needs_what_it_takes(length: int, key: int) -> None:
    """A late one, and one that is the newest."""
    blocks = Blocks(width=24, parts=1)
    blocks.reserve(10_000)
    series = np.arange(10_000)
    add(blocks, np.repeat(series, length), np.tile(np.arange(1, length + 1) * 1000, len(series)))
    needed, taken = add(blocks, series, np.full(len(series), key))
    assert needed == taken


def test_late_keys_need_little_more_than_they_take() -> None:
    blocks, draw = Blocks(width=24, parts=1), random.Random(1)
    blocks.reserve(1)
    needed = 0
    for key in draw.sample(range(10**6), 20_000):
        needed += add(blocks, np.array([0]), np.array([key]))[0]
    assert needed == used(blocks)


@pytest.mark.parametrize(("width", "left"), [(4, 4), (24, 2)])
@pytest.mark.parametrize("in_order", [True, False])
def test_the_way_to_a_key_is_logarithmic(width: int, left: int, in_order: bool) -> None:
    """No block but the root and those at the right edge has fewer than half of its places filled."""
    blocks, draw = Blocks(width=width, parts=1), random.Random(1)
    blocks.reserve(1)
    keys = list(range(50_000))
    if not in_order:
        draw.shuffle(keys)
    for begin in range(0, len(keys), 500):
        add(blocks, np.zeros(500, dtype=np.int64), np.sort(keys[begin : begin + 500]))
        most, length = 2, (begin + 500) // (width // 2)
        while length > 1:
            most, length = most + 1, length // (width // 2)
        assert levels(blocks, 0) <= most
    blocks.commit_remove(np.array([0]), 10, 49_990)
    assert levels(blocks, 0) <= left


@pytest.mark.parametrize("gap", [10, 24, 100, 700])
def test_few_keys_do_not_keep_many_blocks(gap: int) -> None:
    blocks = Blocks(width=24, parts=1)
    blocks.reserve(1)
    add(blocks, np.zeros(70_000, dtype=np.int64), np.arange(70_000))
    for start in range(0, 70_000, gap):
        blocks.commit_remove(np.array([0]), start + 1, start + gap)
    blocks._check()
    left = int(blocks.counts[0])
    assert left == -(-70_000 // gap)
    assert blocks._heads[0, BLOCKS] <= left / 6 + 3


def test_memory_does_not_creep() -> None:
    """Blocks that are freed are used again, whatever order keys come and go in."""
    blocks, draw = Blocks(width=24, parts=1), random.Random(1)
    blocks.reserve(5)
    sizes = []
    for round in range(60):
        for series in range(5):
            late = sorted(draw.sample(range(round * 1000, (round + 4) * 1000), 1000))
            add(blocks, np.full(1000, series), np.array(late))
            start = draw.randrange((round + 4) * 1000)
            blocks.commit_remove(np.array([series]), start, start + 300)
        blocks.commit_remove(np.arange(5), 0, round * 1000)
        if round % 7 == 6:
            blocks.commit_remove(np.array([draw.randrange(5)]), 0, BEYOND)
        sizes.append(blocks.nbytes)
    assert sizes[-1] == sizes[20]
    blocks.commit_remove(np.arange(5), 0, BEYOND)
    assert used(blocks) == 0


def test_rows_of_one_series_may_be_written_in_portions() -> None:
    blocks = Blocks(width=4, parts=1)
    blocks.reserve(1)
    keys = np.array(sorted(random.Random(1).choices(range(900), k=400)))
    series, cells = np.zeros(len(keys), dtype=np.int64), keys.reshape(-1, 1)
    leaves = leaves_of(blocks, series, keys)
    blocks.make_room(blocks.needed(series, leaves))
    for begin in range(0, len(keys), 7):
        blocks.commit_add(series, keys, cells, leaves, begin, begin + 7)
    assert blocks.read(np.array([0]), 0, 900)[0].tolist() == keys.tolist()
