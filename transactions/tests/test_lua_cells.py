"""Cells and rings in Lua, against Python."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeseries_project.core.summation import add_to_pair
from timeseries_project.tests.lua import Lua
from transactions.redis.library import BLOCK_MS, CONSTANTS, LIBRARY, SECOND_MS, TOP_MS
from transactions.redis.window import CELL, TOP

Values = tuple[float, float, float, float, float]


@pytest.fixture(scope="module")
def lua() -> Lua:
    return Lua(["cells", "ring", "server_time"], LIBRARY.folder, CONSTANTS)


def numbers(lua: Lua, *cells: Values) -> list[float]:
    """Return an empty cell's content after these cells have been added to it, one after the other."""
    adding = " ".join(f"add_cell(cell, {', '.join(f'{value:.17g}' for value in cell)})" for cell in cells)
    [found] = lua.numbers(
        [
            f"""(function()
                local cell = cell_of(0, 0, 0, 0, 0, 0)
                {adding}
                return cell.high, cell.low, cell.count, cell.least, cell.most
            end)()"""
        ]
    )
    return found


AMOUNTS = st.floats(min_value=-1e15, max_value=1e15, allow_nan=False)
LOWS = st.just(0.0) | st.floats(min_value=-1e-3, max_value=1e-3, allow_nan=False)
CELLS = st.builds(
    lambda high, low, count, a, b: (high, low, float(count), min(a, b), max(a, b)),
    AMOUNTS,
    LOWS,
    st.integers(1, 2**30),
    AMOUNTS,
    AMOUNTS,
)


@given(cells=st.lists(CELLS, min_size=1, max_size=20))
def test_a_cell_is_all_that_was_added_to_it(lua: Lua, cells: list[Values]) -> None:
    high, low = cells[0][:2]
    for cell in cells[1:]:
        for part in cell[:2] if cell[1] else cell[:1]:
            high, low = add_to_pair(high, low, part)
    _, _, counts, leasts, mosts = zip(*cells, strict=True)
    assert numbers(lua, *cells) == [high, low, math.fsum(counts), min(leasts), max(mosts)]


def test_an_empty_cell_becomes_the_first_that_is_added(lua: Lua) -> None:
    assert numbers(lua) == [0] * 5
    # A minimum above the empty cell's 0, or a maximum below it.
    for cell in ((8.0, 0.25, 2.0, 3.0, 5.0), (-8.0, 0.25, 2.0, -5.0, -3.0)):
        assert numbers(lua, cell) == list(cell)


@pytest.mark.parametrize("span", [TOP_MS, 72_000, 368_000])
def test_rings_lie_one_after_the_other(lua: Lua, span: int) -> None:
    seconds = span // SECOND_MS + 600
    sizes = [span // TOP_MS * TOP.size, span // BLOCK_MS * CELL.size, span * CELL.size, seconds * TOP.size]
    [found] = lua.numbers(
        [
            f"""(function()
                local ring = layout({span}, {seconds})
                return ring.tops, ring.blocks, ring.blocks_at, ring.points_at, ring.seconds_at, ring.size
            end)()"""
        ]
    )
    assert found == [span // TOP_MS, span // BLOCK_MS, *(sum(sizes[:n]) for n in range(1, 5))]
    assert lua.numbers(["TOP_SIZE", "CELL_SIZE", "BLOCKS * BLOCK_MS", "POINTS"]) == [
        [TOP.size],
        [CELL.size],
        [TOP_MS],
        [BLOCK_MS],
    ]


def test_the_time_that_is_given_is_taken(lua: Lua) -> None:
    assert lua.numbers(["server_time('1767225600123')", "server_time('-1')"]) == [[1767225600123], [-1]]
