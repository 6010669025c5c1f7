"""Sums of bytes as the Lua functions add them, against Python's integers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandwidth.redis.library import LIBRARY
from timeseries_project.tests.lua import Lua

WORD = 2**48
#: The largest sum that a row can hold.
MAX_WHOLE = 2**96 - 1

Sums = tuple[int, int, int]
Item = tuple[int, Sums]


@pytest.fixture(scope="module")
def lua() -> Lua:
    return Lua(["sums", "merging"], LIBRARY.folder, {"ROW_SIZE": 37, "LEAF_ROWS": 4, "INNER_ROWS": 3})


def table(time: int, sums: Sums) -> str:
    """Return sums as a Lua list."""
    entries, to, back = sums
    return f"{{{time}, {entries}, {to % WORD}, {to // WORD}, {back % WORD}, {back // WORD}}}"


def read(numbers: list[float]) -> Item:
    """Return time and sums from a Lua list; its words must be whole numbers within their bounds."""
    time, entries, to, to_high, back, back_high = map(int, numbers)
    assert numbers == [time, entries, to, to_high, back, back_high]
    assert all(0 <= word < WORD for word in (to, to_high, back, back_high))
    return time, (entries, to + to_high * WORD, back + back_high * WORD)


BYTES = st.integers(0, MAX_WHOLE) | st.sampled_from([0, 1, WORD - 1, WORD, WORD + 1, 2 * WORD - 1, MAX_WHOLE])
SUMS = st.tuples(st.integers(0, 2**48 - 1), BYTES, BYTES)


def halves(sums: Sums) -> st.SearchStrategy[tuple[Sums, Sums]]:
    """Draw two triples of sums that add up to these."""
    parts = st.tuples(*(st.integers(0, number) | st.sampled_from([0, number, number // 2]) for number in sums))
    return parts.map(lambda part: (part, tuple(whole - own for whole, own in zip(sums, part, strict=True))))  # type: ignore[arg-type]


@given(cases=st.lists(SUMS.flatmap(halves), min_size=1, max_size=10))
def test_are_added_and_taken_apart_as_integers(lua: Lua, cases: list[tuple[Sums, Sums]]) -> None:
    both = [(a, b, (a[0] + b[0], a[1] + b[1], a[2] + b[2])) for a, b in cases]
    added = lua.numbers(f"unpack(plus({table(1, a)}, {table(2, b)}, 3), 1, 6)" for a, b, _ in both)
    assert [read(numbers) for numbers in added] == [(3, total) for _, _, total in both]
    left = lua.numbers(f"unpack(minus({table(1, total)}, {table(2, b)}, 3), 1, 6)" for _, b, total in both)
    assert [read(numbers) for numbers in left] == [(3, a) for a, _, _ in both]


@pytest.mark.parametrize(("a", "total"), [(WORD - 1, WORD), (2 * WORD - 1, 2 * WORD), (WORD, WORD + 1)])
def test_carry_from_word_to_word(lua: Lua, a: int, total: int) -> None:
    for sums, one, both in (((1, a, 5), (1, 1, 0), (2, total, 5)), ((1, 5, a), (1, 0, 1), (2, 5, total))):
        added, taken = lua.numbers(
            [
                f"unpack(plus({table(0, sums)}, {table(0, one)}, 7, 9))",
                f"unpack(minus({table(0, both)}, {table(0, one)}, 7, 9))",
            ]
        )
        assert (added.pop(), taken.pop()) == (9, 9)  # the child's number
        assert (read(added), read(taken)) == ((7, both), (7, sums))


def test_nothing_is_added_and_taken_away(lua: Lua) -> None:
    sums = table(7, (3, WORD + 5, WORD - 1))
    for call in (f"plus({sums}, NOTHING, 7)", f"plus(NOTHING, {sums}, 7)", f"minus({sums}, NOTHING, 7)"):
        assert read(lua.numbers([f"unpack({call}, 1, 6)"])[0]) == (7, (3, WORD + 5, WORD - 1))
    assert lua.numbers([f"unpack(minus({sums}, {sums}, 0), 1, 6)"]) == [[0] * 6]


ITEMS = st.dictionaries(st.integers(0, 30), st.tuples(*[st.integers(1, 2 * WORD)] * 3), max_size=12).map(
    lambda found: sorted(found.items())
)


@given(ours=ITEMS, theirs=ITEMS.filter(bool), data=st.data())
def test_items_of_one_time_become_one(lua: Lua, ours: list[Item], theirs: list[Item], data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(theirs) - 1))
    stop = data.draw(st.integers(start + 1, len(theirs)))
    a, b = ("{" + ", ".join(table(*item) for item in items) + "}" for items in (ours, theirs))
    flat = f"""(function()
        local all = {{}}
        for _, item in ipairs(interleaved({a}, {b}, {start + 1}, {stop})) do
          for i = 1, 6 do all[#all + 1] = item[i] end
        end
        return unpack(all)
    end)()"""
    [numbers] = lua.numbers([flat])
    expected = dict(ours)
    for time, sums in theirs[start:stop]:
        known = expected.get(time, (0, 0, 0))
        expected[time] = (known[0] + sums[0], known[1] + sums[1], known[2] + sums[2])
    assert [read(numbers[at : at + 6]) for at in range(0, len(numbers), 6)] == sorted(expected.items())


@pytest.mark.parametrize(
    ("rows", "kept", "total", "evenly"),
    [
        (4, 0, 4, False),  # fits
        (4, 4, 5, False),  # grows at its end: filled up
        (4, 3, 9, False),  # a little before its end: filled up too
        (4, 2, 5, True),
        (4, 0, 5, True),
        (0, 0, 5, False),  # new
    ],
)
def test_nodes_that_grow_elsewhere_than_at_their_end_are_divided(
    lua: Lua, rows: int, kept: int, total: int, evenly: bool
) -> None:
    assert lua.results([f"divides(LEAF, {rows}, {kept}, {total})"]) == [[str(evenly).lower()]]
