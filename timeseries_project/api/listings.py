"""Lists of rows read in portions: sent whole as they are read, or up to a limit with a link to the next rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from rest_framework.request import Request
from rest_framework.utils.urls import replace_query_param

from timeseries_project.api.fields import CursorField
from timeseries_project.api.framework import Response
from timeseries_project.core.arrays import Table, gathered

Row = dict[str, Any]
T = TypeVar("T")

#: Rows that are read, written and sent at once.
PORTION = 1_000


#: Makes rows of items. The flag says that they are only a part of the answer, whose other parts are not known yet.
Writer = Callable[[Sequence[T], bool], "list[Row] | Table"]


class PortionedRows:
    """A list of rows that is read portion by portion while it is sent; only the first two portions are read at once.

    It can be iterated once. `total` returns the number of rows, if that is known without counting them.
    """

    #: Bytes that it holds at most: two portions.
    nbytes = 2**20

    def __init__(self, portions: Iterator[list[T]], write: Writer[T], total: Callable[[], int] | None) -> None:
        first, second = next(portions, []), next(portions, None)
        self.first = write(first, second is not None)
        self._next = None if second is None else write(second, True)
        self._rest = (write(portion, True) for portion in portions)
        self.total = total

    @property
    def is_whole(self) -> bool:
        """Whether the first portion is the only one."""
        return self._next is None

    def __iter__(self) -> Iterator[Any]:
        """Yield all portions, once."""
        yield self.first
        if self._next is not None:
            yield self._next
            yield from self._rest


def listed(
    request: Request,
    portions: Iterator[list[T]],
    write: Writer[T],
    key: Callable[[T], str],
    *,
    limit: int | None,
    total: Callable[[], int] | None,
) -> Response:
    """Answer with all rows, or with up to `limit` of them and a link to the next ones if there are more."""
    if limit is None:
        rows = PortionedRows(portions, write, total)
        return Response(rows.first if rows.is_whole else rows)
    items = gathered(portions, limit + 1)
    response = Response(write(items[:limit], False))
    if len(items) > limit:
        link_next(response, request, CursorField(str).to_representation(key(items[limit - 1])))
    return response


def rows_of(data: Any, view: Any) -> Any:
    """Return the rows of an answer: a member of it, which the view's `rows_member` names, or all of it."""
    return data[view.rows_member] if isinstance(data, dict) else data


def link_next(response: Response, request: Request, cursor: str) -> None:
    """Add a `Link` header with the absolute address of the next part of a listing."""
    url = replace_query_param(request.build_absolute_uri(), "cursor", cursor)
    response["Link"] = f'<{url}>; rel="next"'


def portion_size(limit: int | None) -> int:
    """Return how many rows to read at once: one more than the limit shows whether there are more."""
    return PORTION if limit is None else min(PORTION, limit + 1)
