"""Pages of lists against sorting everything: each order, each page, forwards and back, and what is too much to sort."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from operator import attrgetter
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeseries_project.api.sorting import BY_NAME, ListPlace, Order
from timeseries_project.core.offload import Offload, inline
from timeseries_project.tests.drawn import drawn
from timeseries_project.web import lists
from timeseries_project.web.lists import Page, Source, read_page
from timeseries_project.web.outlines import DAY, outline, span_of


class Row(NamedTuple):
    name: str
    last: int


def source_of(rows: list[Row], *, read: list[int] | None = None, search: str | None = None) -> Source[Row]:
    matching = [row for row in sorted(rows) if search is None or search in row.name]

    def portions(after: str | None, size: int) -> Iterator[list[Row]]:
        some = [row for row in matching if after is None or row.name > after]
        for begin in range(0, len(some), size):
            if read is not None:
                read.append(len(some[begin : begin + size]))
            yield some[begin : begin + size]

    return Source(portions, search is not None, len(rows), attrgetter("name"), {"last": attrgetter("last")})


def in_order(rows: list[Row], order: Order) -> list[Row]:
    rows = sorted(rows, reverse=order == Order("name", True))
    return rows if order.column == "name" else sorted(rows, key=attrgetter("last"), reverse=order.descending)


def pages(source: Source[Row], order: Order) -> list[Page[Row]]:
    found = [read_page(source, order, None)]
    while found[-1].next is not None:
        found.append(read_page(source, order, found[-1].next))
    return found


orders = st.sampled_from([Order(column, down) for column in ("name", "last") for down in (False, True)])
rows = st.lists(st.builds(Row, st.text("ab1é😀", min_size=1, max_size=3), st.integers(0, 4)), unique_by=lambda r: r[0])


@drawn(200)
@given(rows, orders, st.integers(1, 5), st.sampled_from([0, 3, 1_000]))
def test_pages_are_what_sorting_everything_gives(stored: list[Row], order: Order, size: int, counted: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lists, "ROWS", size)
        patch.setattr(lists, "PORTION", 2)
        patch.setattr(lists, "MOST_COUNTED", counted)
        found = pages(source_of(stored), order)
        assert [row for page in found for row in page.rows] == in_order(stored, order)
        assert [len(page.rows) for page in found[:-1]] == [size] * (len(found) - 1)
        assert [page.is_first for page in found] == [True] + [False] * (len(found) - 1)
        if found[0].begin is None:
            assert order == BY_NAME
            assert len(stored) > counted
            return
        assert [page.begin for page in found] == list(range(0, max(len(stored), 1), size))
        assert all(sorted(page.found or []) == sorted(stored) for page in found)
        for before, page in pairwise(found[1:]):
            assert read_page(source_of(stored), order, page.previous).rows == before.rows
        assert all(page.previous is None for page in found[:2])


@drawn(100)
@given(rows, orders, st.tuples(st.integers(-1, 5) | st.just(10**400), st.text("ab1é", max_size=3)))
def test_a_cursor_need_not_be_that_of_a_row(stored: list[Row], order: Order, cursor: ListPlace) -> None:
    """Rows come and go, and the value of the row that it names may have changed."""
    page = read_page(source_of(stored), order, cursor)
    sign = -1 if order.descending else 1

    def comes_after(row: Row) -> bool:
        if order.column == "name":
            return row.name < cursor[1] if order.descending else row.name > cursor[1]
        return (sign * row.last, row.name) > (sign * cursor[0], cursor[1])

    assert page.rows == [row for row in in_order(stored, order) if comes_after(row)]


class TestTooManyToSort:
    ROWS = [Row(f"n{number:03}", -number) for number in range(40)]

    @pytest.fixture(autouse=True)
    def few(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in (("ROWS", 3), ("PORTION", 5), ("MOST_COUNTED", 6), ("MOST_SORTED", 12)):
            monkeypatch.setattr(lists, name, value)

    def test_they_come_by_name_and_few_are_read(self) -> None:
        read: list[int] = []
        page = read_page(source_of(self.ROWS, read=read), Order("last", True), None)
        assert (page.rows, page.order, page.can_sort) == (self.ROWS[:3], BY_NAME, False)
        assert sum(read) == 4
        assert [row for page in pages(source_of(self.ROWS), Order("last", False)) for row in page.rows] == self.ROWS

    def test_a_search_that_finds_few_is_sorted(self) -> None:
        page = read_page(source_of(self.ROWS, search="n00"), Order("last", False), None)
        assert (page.rows, page.can_sort) == (self.ROWS[:10][::-1][:3], True)

    def test_a_search_that_finds_too_many_is_not(self) -> None:
        read: list[int] = []
        page = read_page(source_of(self.ROWS, search="n0", read=read), Order("last", False), None)
        assert (page.rows, page.order, page.can_sort) == (self.ROWS[:3], BY_NAME, False)
        assert sum(read) <= 12 + 5 + 4

    def test_by_name_one_page_is_read(self) -> None:
        read: list[int] = []
        page = read_page(source_of(self.ROWS, read=read), BY_NAME, (0, "n007"))
        assert (page.rows, page.can_sort) == (self.ROWS[8:11], False)
        assert sum(read) == 4


def test_a_long_list_leaves_the_event_loop() -> None:
    few = source_of([Row(f"n{number}", 0) for number in range(lists.MANY)])
    assert inline(read_page, few, BY_NAME, None).next is None
    with pytest.raises(Offload):
        inline(read_page, source_of([Row(f"n{number}", 0) for number in range(lists.MANY + 1)]), BY_NAME, None)


def test_curves_show_the_day_up_to_now_if_anything_came_in_it_else_that_of_the_newest() -> None:
    now = 10**9 + 1_234
    assert span_of([now - DAY + 1], [0], now, of_sums=False) == (10**9 + 4_400, 3_600, True)
    assert span_of([now - DAY + 1], [0], now, of_sums=True) == (10**9 + 800, 3_600, True)
    assert span_of([now - DAY], [0], now, of_sums=True).end == -(-(now - DAY) // 3_600) * 3_600
    assert not span_of([now - DAY], [0], now, of_sums=False).is_now
    assert span_of([now + 5], [0], now, of_sums=False).end >= now + 5


def test_a_curve_has_gaps_and_dots() -> None:
    drawn_lines = outline([1.0, 2.0, None, 3.0, None, 1.0, 1.0, 1.0], 1.0, 3.0)
    assert 'points="1,21 5,11"' in drawn_lines
    assert 'points="13,1 13,1"' in drawn_lines
    assert 'points="21,21 29,21"' in drawn_lines
    assert "style" not in drawn_lines
