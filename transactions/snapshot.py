"""The window of transactions and its history in a snapshot: cells of a second, 40 ms and a millisecond."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import nullcontext

import numpy as np
import pyarrow as pa

from timeseries_project.api.fields import MAX_MAGNITUDE, MAX_SAFE_INTEGER
from timeseries_project.core.timestamps import END_OF_YEARS
from timeseries_project.snapshots.columns import ROWS, checked, floats_of, integers_of, time_column
from timeseries_project.snapshots.parts import RestoreError
from transactions import services
from transactions.interface import CellColumns

name = "transactions"
#: `sum + rest` is the sum of a cell, which begins at `timestamp` and is `milliseconds` wide.
schema = pa.schema(
    {
        "timestamp": pa.timestamp("ms", tz="UTC"),
        "milliseconds": pa.int64(),
        "count": pa.int64(),
        "sum": pa.float64(),
        "rest": pa.float64(),
        "min": pa.float64(),
        "max": pa.float64(),
    },
)
settled = nullcontext  # a large batch is counted elsewhere, and added at once
held = services.window_held

WIDTHS = (1, 40, 1_000)
#: More rows than the longest window has.
MAX_ROWS = 1_000_000
MAX_COUNT = MAX_SAFE_INTEGER


def batches() -> Iterator[pa.RecordBatch]:
    """Yield all cells, the wide ones first. Takes no lock."""
    starts, *others = services.cells_get()
    columns = [time_column(starts, "ms"), *map(pa.array, others)]
    for begin in range(0, len(starts), ROWS):
        yield pa.record_batch([column.slice(begin, ROWS) for column in columns], schema=schema)


def restore(batches: Iterable[pa.RecordBatch], *, now: int) -> None:
    """Hold the cells again. `now` is in microseconds. Raises RestoreError."""
    portions: list[CellColumns] = []
    rows = 0
    for batch in checked(name, schema, batches):
        rows += len(batch)
        if rows > MAX_ROWS:
            raise RestoreError(f"holds more than {MAX_ROWS:,} rows of {name!r}")
        portions.append(_columns(batch))
    if portions:
        cells = CellColumns(*map(np.concatenate, zip(*portions, strict=True)))
        if len(np.unique(cells.starts * max(WIDTHS) + cells.widths - 1)) < rows:
            raise RestoreError(f"has a row of {name!r} twice")
        services.cells_restore(cells=cells, now=now // 1_000)


def _columns(batch: pa.RecordBatch) -> CellColumns:
    """Return the cells of a checked batch. Raises RestoreError if one could not be that of a window."""
    columns = CellColumns(
        integers_of(name, batch, "timestamp", END_OF_YEARS * 1_000 - 1),
        integers_of(name, batch, "milliseconds", max(WIDTHS)),
        integers_of(name, batch, "count", MAX_COUNT),
        floats_of(name, batch, "sum", MAX_MAGNITUDE * MAX_COUNT),
        floats_of(name, batch, "rest", MAX_MAGNITUDE * MAX_COUNT),
        floats_of(name, batch, "min", MAX_MAGNITUDE),
        floats_of(name, batch, "max", MAX_MAGNITUDE),
    )
    if not np.isin(columns.widths, WIDTHS).all() or (columns.starts % columns.widths).any():
        raise RestoreError(f"has rows of {name!r} that are not 1, 40 or 1,000 ms wide, or begin elsewhere")
    if (columns.counts == 0).any() or (columns.least > columns.most).any():
        raise RestoreError(f"has rows of {name!r} in which nothing was counted")
    return columns
