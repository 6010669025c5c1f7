"""Lists of devices and users on pages: which rows a page of the list has, its headings, and its links.

A list is read in the order of names, which costs no more than its rows. Any other order needs all rows that match, and
is offered up to `MOST_SORTED` of them: no page looks at a million.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from django.http import QueryDict

from timeseries_project.api.fields import CursorField
from timeseries_project.api.sorting import BY_NAME, ListPlace, Order
from timeseries_project.core.arrays import gathered
from timeseries_project.core.offload import leave_loop

T = TypeVar("T")

#: Rows of a page.
ROWS = 100
#: Rows that are all read, so that they can be counted and added up, if the list has no more.
MOST_COUNTED = 1_000
#: The most rows that are sorted by anything but their names.
MOST_SORTED = 10_000
#: Rows that are read at once.
PORTION = 1_000
#: Rows from which on reading and rendering them takes some milliseconds.
MANY = 20
#: Seconds between two updates of a list of up to MOST_SORTED rows.
REFRESH_LIST = 30

_cursors = CursorField(ListPlace)


@dataclass(frozen=True, slots=True)
class Source(Generic[T]):
    """Where rows come from: those that match, after a name, in portions of a size; and what is read of a row."""

    portions: Callable[[str | None, int], Iterator[list[T]]]
    is_searched: bool
    #: How many rows there are at most.
    total: int
    name: Callable[[T], str]
    values: Mapping[str, Callable[[T], int]]


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows of a list in order; `begin` is the place of the first one among `found`, all that match.

    Where these are too many to be read, both are None, and the rows are in the order of their names.
    """

    rows: list[T]
    order: Order
    can_sort: bool
    next: ListPlace | None
    is_first: bool
    begin: int | None = None
    found: list[T] | None = None
    previous: ListPlace | None = None


def read_page(source: Source[T], order: Order, cursor: ListPlace | None) -> Page[T]:
    """Return the rows after a cursor, or the first ones. O(rows found) up to MOST_SORTED."""
    if source.total > MANY:
        leave_loop()
    can_sort = source.total <= MOST_SORTED or source.is_searched
    most = MOST_COUNTED if order == BY_NAME else MOST_SORTED
    if source.total <= most or (source.is_searched and order != BY_NAME):
        found = gathered(source.portions(None, PORTION), most + 1)
        if len(found) <= most:
            return _page_of(found, source, order, cursor)
        can_sort = order == BY_NAME
    rows = gathered(source.portions(cursor[1] if cursor else None, ROWS + 1), ROWS + 1)
    following = (0, source.name(rows[ROWS - 1])) if len(rows) > ROWS else None
    return Page(rows[:ROWS], BY_NAME, can_sort, following, cursor is None)


def _page_of(found: list[T], source: Source[T], order: Order, cursor: ListPlace | None) -> Page[T]:
    """Return the part of all rows, given by name, that comes after a cursor. Equal ones stay in the order of names."""
    name, value = source.name, source.values.get(order.column, _nothing)
    begin, sign = 0, -1 if order.descending else 1
    if order.column != BY_NAME.column:
        rows = sorted(found, key=value, reverse=order.descending)
        if cursor is not None:
            begin = bisect_right(rows, (sign * cursor[0], cursor[1]), key=lambda row: (sign * value(row), name(row)))
    elif order.descending:
        rows = found[::-1]
        if cursor is not None:
            begin = len(rows) - bisect_left(found, cursor[1], key=name)
    else:
        rows = found
        if cursor is not None:
            begin = bisect_right(found, cursor[1], key=name)

    def place(at: int) -> ListPlace | None:
        return (value(rows[at]), name(rows[at])) if 0 <= at < len(rows) - 1 else None

    some = rows[begin : begin + ROWS]
    return Page(some, order, True, place(begin + ROWS - 1), begin == 0, begin, found, place(begin - ROWS - 1))


def _nothing(row: object) -> int:
    """Return the value of a row in the order of names, which has none."""
    return 0


def refresh_of(total: int) -> int | None:
    """Return after how many seconds a list of so many rows is brought up to date; None for a long one."""
    return REFRESH_LIST if total <= MOST_SORTED else None


class Heading(NamedTuple):
    """The heading of a column: where it leads to sort by it, and how the list is sorted by it now."""

    title: str
    url: str | None
    sorted: str | None


def address_with(path: str, parameters: QueryDict, **changes: str | None) -> str:
    """Return the address of the list with some parameters changed; without a cursor, unless one is given.

    >>> address_with("/list", QueryDict("search=a&cursor=x&sort=last"), sort="-last")
    '/list?search=a&sort=-last'
    """
    changed = parameters.copy()
    for name, text in {"cursor": None, **changes}.items():
        changed.pop(name, None)
        if text is not None:
            changed[name] = text
    return f"{path}?{changed.urlencode()}" if changed else path


def list_context(
    page: Page[Any], path: str, parameters: QueryDict, columns: Sequence[tuple[str, str]], nouns: str
) -> dict[str, Any]:
    """Return what the templates in `list/` need; columns are names of orders and titles, `nouns` what the rows are.

    Names ascend at first, and everything else descends: the most and the newest come first.
    """

    def to(**changes: str | None) -> str:
        return address_with(path, parameters, **changes)

    def heading(column: str, title: str) -> Heading:
        is_sorted = page.order.column == column
        wanted = Order(column, not page.order.descending if is_sorted else column != BY_NAME.column)
        words = ("descending" if page.order.descending else "ascending") if is_sorted else None
        return Heading(title, to(sort=str(wanted)) if page.can_sort else None, words)

    def to_place(place: ListPlace) -> str:
        return to(cursor=_cursors.to_representation(place))

    found = page.found
    is_second = page.begin is not None and not page.is_first and page.previous is None
    return {
        "path": path,
        "nouns": nouns,
        "search": parameters.get("search", ""),
        "hidden": [
            (name, text) for name, texts in parameters.lists() if name not in ("search", "cursor") for text in texts
        ],
        "all": to(search=None),
        "headings": {column: heading(column, title) for column, title in columns},
        "unsorted": None if page.can_sort else f"{MOST_SORTED:,}",
        "found": None if found is None else f"{len(found):,}",
        "begin": None if page.begin is None or not page.rows else f"{page.begin + 1:,}",
        "stop": None if page.begin is None else f"{page.begin + len(page.rows):,}",
        "is_end": not page.rows and not page.is_first,
        "start": to(),
        "first": None if page.is_first or is_second else to(),
        "previous": to() if is_second else to_place(page.previous) if page.previous else None,
        "next": None if page.next is None else to_place(page.next),
    }
