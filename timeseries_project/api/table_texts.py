"""Tables as text: JSON objects, and rows of CSV. Each column is written at once; then cells are joined to rows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, repeat
from typing import Any, TypeGuard

import msgspec
import numpy as np

from timeseries_project.core.arrays import Cells, Column, Keys, Table
from timeseries_project.core.timestamps import rendered

_encode = msgspec.json.Encoder().encode


def json_table(table: Table) -> bytes:
    """Return a table as a JSON array of objects; NaN becomes null. O(cells).

    >>> json_table(Table({"timestamp": np.array([0], dtype="datetime64[us]"), "device": Keys(["a"]), "count": [1]}))
    b'[{"timestamp":"1970-01-01T00:00:00Z","device":"a","count":1}]'
    """
    if not len(table):
        return b"[]"
    pieces = [f'"{name}":' for name in table.columns]
    pieces = [",{" + pieces[0], *("," + piece for piece in pieces[1:]), "}"]
    columns = [_json_cells(column) for column in table.columns.values()]
    return b"[" + _joined(pieces, columns)[1:].encode() + b"]"


def csv_table(table: Table) -> bytes:
    """Return the rows of a table as CSV, without a header; NaN and None become empty cells. O(cells).

    >>> csv_table(Table({"device": Keys(["a,b", "c"]), "value": [1.5, None]}))
    b'"a,b",1.5\\r\\nc,\\r\\n'
    """
    if not len(table):
        return b""
    pieces = ["", *[","] * (len(table.columns) - 1), "\r\n"]
    return _joined(pieces, [_csv_cells(column) for column in table.columns.values()]).encode()


def _joined(pieces: Sequence[str], columns: Sequence[list[str]]) -> str:
    """Return all rows: the cells of the columns between the pieces of text, of which there is one more."""
    length = len(columns[0])
    between: list[Any] = [repeat(piece, length) for piece in pieces]
    parts = [*chain.from_iterable(zip(between[:-1], columns, strict=True)), between[-1]]
    return "".join(chain.from_iterable(zip(*parts, strict=True)))


def _json_cells(column: Cells) -> list[str]:
    if isinstance(column, Keys):
        return column.mapped(lambda name: _encode(name).decode())
    if _is_time(column):
        return [f'"{text}"' for text in _times(column)]
    return _numbers(column)


def _csv_cells(column: Cells) -> list[str]:
    if isinstance(column, Keys):
        return column.mapped(_quoted)
    if _is_time(column):
        return _times(column)
    return ["" if cell == "null" else cell for cell in _numbers(column)]


def _is_time(column: Cells) -> TypeGuard[Column]:
    return isinstance(column, np.ndarray) and column.dtype.kind == "M"


def _times(column: Column) -> list[str]:
    return rendered(column.astype("datetime64[us]").view(np.int64))


def _numbers(column: Any) -> list[str]:
    numbers = column.tolist() if isinstance(column, np.ndarray) else column
    return _encode(numbers)[1:-1].decode().split(",")


def _quoted(cell: str) -> str:
    """Quote a cell of CSV if need be (RFC 4180)."""
    return '"' + cell.replace('"', '""') + '"' if any(mark in cell for mark in ',"\r\n') else cell
