"""The datapoints in a snapshot: the columns that are taken as a batch, too, so a stream can be sent to a server."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa

from datapoints import services
from datapoints.interface import PointColumns
from timeseries_project.api.fields import MAX_MAGNITUDE
from timeseries_project.core.timestamps import END_OF_YEARS, MICROSECONDS
from timeseries_project.snapshots import columns
from timeseries_project.snapshots.columns import KEY, ROWS, checked, key_column, keys_of, told_of

name = "datapoints"
schema = pa.schema(
    {"timestamp": pa.timestamp("us", tz="UTC"), "value": pa.float64(), "device": KEY, "user": KEY},
)
settled = services.store_settled
held = services.store_held


def batches() -> Iterator[pa.RecordBatch]:
    """Yield all datapoints, series by series, ascending in each. Takes no lock."""
    for points in services.store_portions(size=ROWS):
        times, values = columns.time_column(points.times, "us"), pa.array(points.values)
        arrays = [times, values, key_column(points.devices), key_column(points.users)]
        yield pa.record_batch(arrays, schema=schema)


def restore(batches: Iterable[pa.RecordBatch], *, now: int) -> None:
    """Store the datapoints again that RETENTION still allows. `now` is in microseconds. Raises RestoreError."""
    for batch in checked(name, schema, batches):
        points = PointColumns(
            columns.integers_of(name, batch, "timestamp", END_OF_YEARS * MICROSECONDS - 1),
            columns.floats_of(name, batch, "value", MAX_MAGNITUDE),
            keys_of(name, batch, "device"),
            keys_of(name, batch, "user"),
        )
        with told_of(name):
            services.datapoints_restore(points=points, now=now)
