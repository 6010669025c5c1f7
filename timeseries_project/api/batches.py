"""The fast way for portions of a batch: kernels read ordinary items from their bytes into columns.

It never decides that a batch is wrong: where anything is out of the ordinary it stops, and the portion is read
item by item, which says what is wrong or accepts it. So what is valid has one definition, that of the fields, and
this is only a shorter way for batches that are valid beyond doubt.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from timeseries_project.api.body_kernels import read_items, read_rows
from timeseries_project.api.serializers import Columns, InputSerializer
from timeseries_project.api.workbench import Text, lent


class Items(NamedTuple):
    """Ordinary items that a text begins with."""

    columns: Columns
    #: Where in the text the next one begins, or what follows the bracket that closes the array.
    end: int
    closed: bool


def read_json(serializer: type[InputSerializer], text: Text) -> Items | None:
    """Read the ordinary items that a text begins with, each followed by a comma or a closing bracket. O(text)."""
    return _items(serializer, text, lines=False)


def read_lines(serializer: type[InputSerializer], text: bytes) -> Columns | None:
    """Read JSON documents, one per line; None unless all are ordinary."""
    read = _items(serializer, text, lines=True)
    return read.columns if read and not text[read.end :].strip() else None


def read_csv(serializer: type[InputSerializer], text: bytes, header: Sequence[str]) -> Columns | None:
    """Read rows of CSV; None unless all are ordinary."""
    wire = [*serializer.wire_fields()]
    places = np.array([wire.index(name) if name in wire else -1 for name in header])
    with lent(serializer, text, json=False) as bench:
        rows, end = read_rows(bench.lay(text), bench.words, places, bench.row_arrays, bench.key_arrays)
        columns = bench.columns(rows)
    return columns if end >= len(text) else None


def _items(serializer: type[InputSerializer], text: Text, *, lines: bool) -> Items | None:
    with lent(serializer, text, json=True) as bench:
        fields = len(bench.layout.fields)
        rows, end, closed = read_items(
            bench.lay(text),
            bench.words,
            lines,
            bench.layout.names,
            np.arange(fields),
            np.empty((fields + 1, 2), dtype=np.int64),
            bench.row_arrays,
            bench.key_arrays,
        )
        columns = bench.columns(rows)
    return Items(columns, int(end), bool(closed)) if columns is not None and rows else None
