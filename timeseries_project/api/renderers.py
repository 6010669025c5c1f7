"""The renderers of answers: JSON, CSV, problem details and the browsable page; long answers slice by slice."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import urlencode

import msgspec
import numpy as np
from django.core.exceptions import SuspiciousOperation
from rest_framework.renderers import BaseRenderer
from rest_framework.renderers import BrowsableAPIRenderer as BaseBrowsableAPIRenderer

from timeseries_project.api.listings import PortionedRows, rows_of
from timeseries_project.api.row_kernels import TIME, write_rows
from timeseries_project.api.serializers import NoParameters
from timeseries_project.api.table_texts import csv_table, json_table
from timeseries_project.core.arrays import Column, ColumnarRows, Fields, Table
from timeseries_project.core.offload import leave_loop

#: Rows written at once: enough for NumPy to pay off, few enough to bound memory and latency.
SLICE = 8192
#: Most items of an answer that the browsable page shows.
BROWSABLE_ITEMS = 1_000


def _raw(table: object) -> msgspec.Raw:
    """Return what msgspec knows no form of, a table, as JSON."""
    if not isinstance(table, Table):
        raise NotImplementedError(f"{type(table)} has no form in JSON")
    return msgspec.Raw(json_table(table))


_encode = msgspec.json.Encoder(enc_hook=_raw).encode


def _bounds(rows: ColumnarRows) -> Iterator[tuple[int, int]]:
    for start in range(0, len(rows), SLICE):
        yield start, min(start + SLICE, len(rows))


def _written(pieces: Sequence[bytes], columns: tuple[Column, ...]) -> memoryview:
    """Write rows: the cells of the columns, of which the first are times, between the pieces of text."""
    times, *others = columns
    cells = [_encode(column.tolist())[1:-1] + b"," for column in others]
    ends = np.cumsum([0, *map(len, cells)])
    borders = np.cumsum([0, *map(len, pieces)])
    text = np.empty(len(times) * (int(borders[-1]) + TIME) + int(ends[-1]), dtype=np.uint8)
    template, read = (np.frombuffer(b"".join(parts), dtype=np.uint8) for parts in (pieces, cells))
    length = write_rows(times.astype(np.int64), template, borders, read, ends[:-1], text)
    return text[:length].data


def _json_rows(rows: ColumnarRows, start: int, stop: int) -> memoryview:
    """Write the rows from `start` to before `stop` as JSON objects, each with a comma before it."""
    time, *names = rows.names
    first, *others = (f'"{name}":'.encode() for name in names)
    pieces = [f',{{"{time}":"'.encode(), b'",' + first, *(b"," + name for name in others), b"}"]
    return _written(pieces, rows.columns(start, stop))


def json_bytes(data: object, *, indent: bool = False) -> bytes:
    """Encode as JSON, tables as lists of objects; NaN becomes null.

    Integers of any size are exact: sums of bytes can exceed 64 bits.

    >>> json_bytes({"value": float("nan"), "sum": 2**64})
    b'{"value":null,"sum":18446744073709551616}'
    """
    text = _encode(data)
    return msgspec.json.format(text, indent=2) if indent else text


class JSONRenderer(BaseRenderer):
    """`application/json`."""

    media_type = "application/json"
    format = "json"
    charset = None
    render_style = "text"

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        """Write any answer; None becomes an empty body."""
        if data is None:
            return b""
        if isinstance(data, ColumnarRows):
            return b"".join(self.stream(data))
        return json_bytes(data)

    def stream(self, rows: ColumnarRows | PortionedRows, fields: Fields | None = None) -> Iterator[bytes]:
        """Write rows slice by slice."""
        opening = b"["
        if isinstance(rows, PortionedRows):
            for portion in rows:
                yield opening + json_bytes(portion)[1:-1]
                opening = b","
            yield b"]"
            return
        for start, stop in _bounds(rows):
            text = _json_rows(rows, start, stop)
            yield bytes(text) if start else b"[" + text[1:]
        yield b"]" if len(rows) else b"[]"


class ProblemRenderer(JSONRenderer):
    """`application/problem+json` (RFC 9457)."""

    media_type = "application/problem+json"
    format = "problem"


class CSVRenderer(BaseRenderer):
    """`text/csv` (RFC 4180): the rows of an answer under a header; null is an empty cell."""

    media_type = "text/csv"
    format = "csv"
    charset = "utf-8"

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        """Write the rows of a list answer."""
        if isinstance(data, ColumnarRows):
            return b"".join(self.stream(data))
        view = (renderer_context or {})["view"]
        rows = rows_of(data, view)
        if isinstance(rows, Table):
            return _csv([], list(rows.columns), header=True) + csv_table(rows)
        return _csv(rows, list(view.row_fields()), header=True)

    def stream(self, rows: ColumnarRows | PortionedRows, fields: Fields | None = None) -> Iterator[bytes]:
        """Write rows slice by slice under a header; `fields` are the columns of rows that come in portions."""
        if isinstance(rows, PortionedRows):
            names = list(fields or ())
            yield _csv([], names, header=True)
            for portion in rows:
                yield _csv(portion, names, header=False)
            return
        yield ",".join(rows.names).encode() + b"\r\n"
        pieces = [b"", *[b","] * (len(rows.names) - 1), b"\r\n"]
        for start, stop in _bounds(rows):
            # Cells are numbers and timestamps, so "null" is never part of a text.
            yield bytes(_written(pieces, rows.columns(start, stop))).replace(b"null", b"")


def _csv(rows: Iterable[Mapping[str, Any]], names: Sequence[str], *, header: bool) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=names)
    if header:
        writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


class BrowsableAPIRenderer(BaseBrowsableAPIRenderer):
    """An HTML page that shows the answer to people; it has only the raw-data form, and cuts long answers."""

    renderer_context: Mapping[str, Any]  # set by the framework
    #: Shown above an answer that was cut.
    _CUT: ClassVar[str] = "Showing the first {shown:,} of {total:,} items; ask for JSON or CSV to get all."
    _CUT_OF_UNKNOWN: ClassVar[str] = "Showing the first {shown:,} items; ask for JSON or CSV to get all."

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> str | bytes:
        """Render the page; a 204 answer stays without content, where the framework would make it a 200."""
        response = (renderer_context or {})["response"]
        if response.status_code == 204:
            return b""
        page: str = super().render(data, accepted_media_type, renderer_context)
        return page

    def get_default_renderer(self, view: Any) -> BaseRenderer:
        """Show every answer as JSON, as clients that ask for it get it: an error as problem details."""
        return ProblemRenderer() if self.renderer_context["response"].status_code >= 400 else JSONRenderer()

    def get_content(self, renderer: Any, data: Any, accepted_media_type: Any, renderer_context: Any) -> str:
        """Return the answer as indented JSON, with at most its first thousand items."""
        view = renderer_context["view"]
        member = getattr(view, "rows_member", None)
        items = data[member] if isinstance(data, dict) and member in data else data
        note = ""
        if isinstance(items, PortionedRows):
            leave_loop()  # nothing was changed: rows are read by GET only
            data = _first(items.first, BROWSABLE_ITEMS)
            cut = self._CUT_OF_UNKNOWN if items.total is None else self._CUT
            note = cut.format(shown=len(data), total=items.total and items.total()) + "\n\n"
        elif isinstance(items, ColumnarRows | Table | list):
            total = len(items)
            shown = _first(items, BROWSABLE_ITEMS)
            if total > len(shown):
                note = self._CUT.format(shown=len(shown), total=total) + "\n\n"
            data = {**data, member: shown} if items is not data else shown
        return note + ("" if data is None else json_bytes(data, indent=True).decode())

    def get_rendered_html_form(self, data: Any, view: Any, method: str, request: Any) -> Any:
        """Return buttons for DELETE and OPTIONS, but no forms with fields."""
        if method not in ("DELETE", "OPTIONS"):
            return None
        return super().get_rendered_html_form(data, view, method, request)

    def get_raw_data_form(self, data: Any, view: Any, method: str, request: Any) -> Any:
        """Return the raw-data form with an example that can be sent as it is."""
        form = super().get_raw_data_form(data, view, method, request)
        example: Callable[[], object] | None = getattr(view, "example", None)
        if form and example:
            shown = example()
            text = shown if isinstance(shown, str) else json_bytes(shown, indent=True).decode()
            form.fields["_content"].initial = text
        return form

    def get_breadcrumbs(self, request: Any) -> list[tuple[str, str]]:
        """Return no breadcrumbs: the parent paths of an endpoint are not endpoints."""
        return []

    def get_context(self, data: Any, accepted_media_type: Any, renderer_context: Any) -> dict[str, Any]:
        """Return the template's context, with the formats of this operation, and where to send the form."""
        context: dict[str, Any] = super().get_context(data, accepted_media_type, renderer_context)
        view = renderer_context["view"]
        if data is None:
            del context["response_headers"]["Content-Type"]  # an empty body has none
        return {
            **context,
            "available_formats": [renderer.format for renderer in view.get_renderers()],
            "post_address": context["raw_data_post_form"] and _address(view, context["request"], "post"),
            "delete_address": context["delete_form"] and _address(view, context["request"], "delete"),
        }


def _address(view: Any, request: Any, method: str) -> str:
    """Return the address of a page without the parameters that another method does not know, to send that to."""
    address, _, _ = request.get_full_path().partition("?")
    serializer = view.query_serializers.get(getattr(view, "action_map", {}).get(method, method), NoParameters)
    known = {"format", *serializer.wire_fields()}
    try:
        kept = [(name, text) for name, texts in request.GET.lists() for text in texts if name in known]
    except SuspiciousOperation:  # too many parameters
        kept = []
    return f"{address}?{urlencode(kept)}" if kept else address


def _first(items: ColumnarRows | Table | list[Any], count: int) -> Table | list[Any]:
    if isinstance(items, list):
        return items[:count]
    if isinstance(items, Table):
        return items.first(count)
    shown = min(count, len(items))
    rows: list[Any] = msgspec.json.decode(b"[" + (_json_rows(items, 0, shown)[1:] if shown else b"") + b"]")
    return rows
