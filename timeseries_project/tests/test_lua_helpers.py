"""The Lua helpers that all apps share, against the same in Python."""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeseries_project.core.rounding_kernels import add_sums, add_to_sum
from timeseries_project.core.summation import add_to_pair
from timeseries_project.storage.client import Call, Storage
from timeseries_project.storage.lua import Function, Library
from timeseries_project.tests.lua import Lua

EDGES = [0.0, -0.0, 1.0, -1.0, 0.1, 5e-324, 2.0**-1022, 2.0**53, 2.0**53 + 2, 1e16, -1e16, 1e300, -1e300]
NUMBERS = st.floats(min_value=-1e300, max_value=1e300, allow_nan=False)


@pytest.fixture(scope="module")
def pairs() -> Lua:
    return Lua(["add_to_pair"])


def bits(numbers: tuple[float, ...] | list[float]) -> list[bytes]:
    return [struct.pack("<d", number) for number in numbers]


class TestAddToPair:
    def hold(self, pairs: Lua, cases: list[tuple[float, float, float]]) -> None:
        found = pairs.numbers("add_to_pair({:.17g}, {:.17g}, {:.17g})".format(*case) for case in cases)
        for case, numbers in zip(cases, found, strict=True):
            assert bits(numbers) == bits(add_to_pair(*case)), case

    def test_is_pythons_bit_for_bit(self, pairs: Lua) -> None:
        self.hold(pairs, [(high, low, x) for high in EDGES for low in (0.0, 1e-17, -3.5) for x in EDGES])

    @given(cases=st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), min_size=1, max_size=100))
    def test_is_pythons_bit_for_bit_whatever_is_drawn(
        self, pairs: Lua, cases: list[tuple[float, float, float]]
    ) -> None:
        self.hold(pairs, cases)

    def test_keeps_what_a_double_would_lose(self, pairs: Lua) -> None:
        assert pairs.numbers(["add_to_pair(1e16, 0, 1)", "add_to_pair(-1e16, -1, 1e16)"]) == [[1e16, 1], [-1, 0]]


SPIKES = st.sampled_from([1e60, 1e30, 1.0, -1e30, -1e60, 1e16, -1e16, 1e150, -1e150, 5e-324, 0.1])
SUMS = st.tuples(NUMBERS | SPIKES, NUMBERS | SPIKES, st.just(0.0) | st.floats(0.0, 1e300))


@pytest.fixture(scope="module")
def sums() -> Lua:
    return Lua(["add_to_sum"])


def written(numbers: Iterable[float]) -> str:
    """Return arguments for a call in Lua, where a literal -0 beside a literal 0 would be the same constant."""
    return ", ".join("-1 / math.huge" if str(number) == "-0.0" else format(number, ".17g") for number in numbers)


class TestAddToSum:
    def hold(self, sums: Lua, name: str, function: Callable[..., tuple[float, ...]], cases: list[list[float]]) -> None:
        found = sums.numbers(f"{name}({written(case)})" for case in cases)
        for case, numbers in zip(cases, found, strict=True):
            assert bits(numbers) == bits(function(*case)), case

    def test_is_pythons_bit_for_bit(self, sums: Lua) -> None:
        lows = [(0.0, 0.0), (1e-17, 0.0), (-3.5, 5e-324), (1e30, 1.0)]
        self.hold(sums, "add_to_sum", add_to_sum, [[high, *rest, x] for high in EDGES for rest in lows for x in EDGES])

    @given(cases=st.lists(st.tuples(SUMS, NUMBERS | SPIKES), min_size=1, max_size=100))
    def test_is_pythons_bit_for_bit_whatever_is_drawn(
        self, sums: Lua, cases: list[tuple[tuple[float, ...], float]]
    ) -> None:
        self.hold(sums, "add_to_sum", add_to_sum, [[*total, x] for total, x in cases])

    @given(cases=st.lists(st.tuples(SUMS, SUMS), min_size=1, max_size=100))
    def test_of_sums_is_pythons_bit_for_bit(
        self, sums: Lua, cases: list[tuple[tuple[float, ...], tuple[float, ...]]]
    ) -> None:
        self.hold(sums, "add_sums", add_sums, [[*one, *other] for one, other in cases])

    @given(values=st.lists(NUMBERS | SPIKES, max_size=30))
    def test_adds_up_values_one_by_one_as_python_does(self, sums: Lua, values: list[float]) -> None:
        call, total = "0, 0, 0", (0.0, 0.0, 0.0)
        for value in values:
            [numbers] = sums.numbers([f"add_to_sum({call}, {written([value])})"])
            total = add_to_sum(*total, value)
            assert bits(numbers) == bits(total)
            call = written(numbers)


# Rows are read with Redis' own struct library, which a plain interpreter does not have.
ROWS = """--- @include command
--- @include rows
command('test_first_from', READS, function(keys, args)
  local kind, found = {key = args[1], width = tonumber(args[2])}, {}
  for i = 4, #args, 2 do found[#found + 1] = first_from(args[3], kind, tonumber(args[i]), tonumber(args[i + 1])) end
  return found
end)
"""
SLICES = """--- @include command
--- @include rows
command('test_slices', READS, function(keys, args)
  local kind = {key = args[1], width = tonumber(args[2])}
  local from, to = tonumber(args[4]), tonumber(args[5])
  return {slice(args[3], kind, from, to), from < to and format('%.17g', key_of(args[3], kind, from)) or ''}
end)
"""


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Library:
    folder: Path = tmp_path_factory.mktemp("rows")
    (folder / "first_from.lua").write_text(ROWS)
    (folder / "slices.lua").write_text(SLICES)
    return Library("test", folder)


def packed(keys: list[int], key_format: str, width: int) -> bytes:
    """Return rows of these keys, as doubles or as integers of seven bytes; the bytes after a key do not matter."""
    written = [struct.pack("<d", key) if key_format == "<d" else key.to_bytes(7, "little") for key in keys]
    return b"".join(key + b"\xff" * (width - len(key)) for key in written)


KINDS = st.sampled_from([("<d", 8), ("<d", 16), ("<d", 32), ("<I7", 7), ("<I7", 37), ("<I7", 41)])
KEYS = st.lists(st.integers(0, 2**53 - 1) | st.integers(0, 60), unique=True, max_size=60).map(sorted)


class TestRows:
    @given(kind=KINDS, keys=KEYS, more=st.lists(st.integers(0, 61), max_size=5), data=st.data())
    def test_first_from_is_bisection(
        self,
        rows: Library,
        redis_storage: Storage,
        kind: tuple[str, int],
        keys: list[int],
        more: list[int],
        data: st.DataObject,
    ) -> None:
        wanted = [*keys, *(key + 1 for key in keys), *more]
        lows = [data.draw(st.integers(0, len(keys)), label="low") for _ in wanted[:5]] + [0] * len(wanted[5:])
        arguments = [part for pair in zip(wanted, lows, strict=True) for part in pair]
        function: Function = rows.function("test_first_from")
        call = Call(function, [b"k"], [*kind, packed(keys, *kind), *arguments], read_only=True)
        found = redis_storage.call(call)
        assert found == [bisect_left(keys, key, low) for key, low in zip(wanted, lows, strict=True)]

    @given(kind=KINDS, keys=KEYS, data=st.data())
    def test_slices_are_whole_rows(
        self, rows: Library, redis_storage: Storage, kind: tuple[str, int], keys: list[int], data: st.DataObject
    ) -> None:
        start = data.draw(st.integers(0, len(keys)))
        stop = data.draw(st.integers(start, len(keys)))
        call = Call(rows.function("test_slices"), [b"k"], [*kind, packed(keys, *kind), start, stop], read_only=True)
        cut, first = redis_storage.call(call)
        assert cut == packed(keys[start:stop], *kind)
        assert [int(float(first))] == keys[start : start + 1] if first else start == stop
