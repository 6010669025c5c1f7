"""Rows of columns as the server's functions merge them, against Python."""

from __future__ import annotations

import struct
from bisect import bisect_left
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from datapoints.redis.library import LIBRARY
from timeseries_project.core.rounding_kernels import add_sums
from timeseries_project.storage.client import Call, Storage
from timeseries_project.storage.lua import Constant, Library
from timeseries_project.tests.lua import Lua

SIZES: dict[str, Constant] = {"POINTS_BLOCK": 64, "SUMS_BLOCK": 80}

#: Number of a quarter-hour -> count, high, low, error.
Sums = dict[int, tuple[int, float, float, float]]


def test_names_of_blocks_are_decimal(layout: Lua) -> None:
    numbers = [0, 1, 999_999, 10**15, 1_767_225_600_000_000, 2**53 - 1]
    assert layout.results(f"decimal({number})" for number in numbers) == [[str(number)] for number in numbers]


@given(numbers=st.lists(st.integers(0, 2**53 - 1), min_size=1, max_size=50))
def test_names_of_blocks_are_decimal_whatever_is_drawn(layout: Lua, numbers: list[int]) -> None:
    assert layout.results(f"decimal({number})" for number in numbers) == [[str(number)] for number in numbers]


@pytest.fixture(scope="module")
def layout() -> Lua:
    return Lua(["layout"], LIBRARY.folder, SIZES)


# SeriesRows are read with Redis' own struct library, which a plain interpreter does not have.
MERGED = """--- @include command
--- @include merging
command('test_merged', READS, function(keys, args)
  local found, rows, runs = {}, merged(args[1], args[2], SUMS, combined)
  local _, same = matched(args[1], args[2], SUMS, function(_, new, row) found[#found + 1] = row end)
  return {rows, runs, same, found}
end)
"""


@pytest.fixture(scope="module")
def merging(tmp_path_factory: pytest.TempPathFactory) -> Library:
    folder: Path = tmp_path_factory.mktemp("merging")
    (folder / "merged.lua").write_text(MERGED)
    (folder / "includes").symlink_to(LIBRARY.folder / "includes")
    return Library("test", folder, SIZES)


def packed(sums: Sums) -> bytes:
    return b"".join(struct.pack("<ddddd", number, *sums[number]) for number in sorted(sums))


def runs_of(stored: list[int], new: list[int]) -> int:
    """Count the stretches of new numbers between the same stored ones; each that is stored is one by itself."""
    return len({(bisect_left(stored, number), number in stored) for number in new})


FINITE = st.floats(min_value=-1e15, max_value=1e15) | st.sampled_from([1e60, 1e30, 1.0, -1e30, -1e60, 1e150])
BOUNDS = st.just(0.0) | st.floats(0.0, 1e15)
SUMS = st.dictionaries(st.integers(0, 40), st.tuples(st.integers(1, 1_000), FINITE, FINITE, BOUNDS), max_size=30)


@given(stored=SUMS, new=SUMS)
@example(stored={}, new={1: (1, 0.1, 0.0, 0.0)})
@example(stored={1: (1, 0.1, 0.0, 0.0)}, new={})
@example(stored={1: (1, 1e15, 0.0, 0.0)}, new={1: (2, 0.1, 1e-9, 0.0)})
@example(stored={1: (2, 1e60, 1e30, 0.0)}, new={1: (2, 1.0, 0.0, 0.0)})
@example(stored={1: (2, 1e60, 1e30, 1.0)}, new={1: (2, -1e60, -1e30, 1.0)})
@example(
    stored={2: (1, 0.1, 0.0, 0.0), 9: (1, 0.1, 0.0, 0.0)},
    new=dict.fromkeys((0, 1, 3, 4, 9, 10, 11), (1, 0.5, 0.0, 0.0)),
)
def test_sums_of_one_quarter_hour_become_one(merging: Library, redis_storage: Storage, stored: Sums, new: Sums) -> None:
    expected = dict(stored)
    for number, (count, *total) in new.items():
        before, *known = stored.get(number, (0, 0.0, 0.0, 0.0))
        expected[number] = before + count, *(add_sums(*known, *total) if number in stored else total)
    call = Call(merging.function("test_merged"), [b"k"], [packed(stored), packed(new)], read_only=True)
    runs = runs_of(sorted(stored), sorted(new))
    both = [row for row, number in enumerate(sorted(new)) if number in stored]
    assert redis_storage.call(call) == [packed(expected), runs, runs, both]
