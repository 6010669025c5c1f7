"""The bandwidth entries in a snapshot, one by one as they are stored: so none is beyond 64 bits, as their sums may be.

The columns are those that are taken as a batch, too, so a stream can be sent to a server.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa

from bandwidth import services
from bandwidth.interface import EntryColumns
from timeseries_project.api.fields import MAX_SAFE_INTEGER
from timeseries_project.core.timestamps import END_OF_YEARS, MICROSECONDS
from timeseries_project.snapshots.columns import (
    KEY,
    ROWS,
    checked,
    integers_of,
    key_column,
    keys_of,
    time_column,
    told_of,
)

name = "bandwidth"
schema = pa.schema(
    {"device_id": KEY, "timestamp": pa.timestamp("s", tz="UTC"), "bytes_ts": pa.int64(), "bytes_fs": pa.int64()},
)
settled = services.store_settled
held = services.store_held


def batches() -> Iterator[pa.RecordBatch]:
    """Yield all entries, device by device, in order of time. Takes no lock."""
    for devices, times, bytes_ts, bytes_fs in services.store_portions(size=ROWS):
        arrays = [key_column(devices), time_column(times, "s"), pa.array(bytes_ts), pa.array(bytes_fs)]
        yield pa.record_batch(arrays, schema=schema)


def restore(batches: Iterable[pa.RecordBatch], *, now: int) -> None:
    """Store the entries again that RETENTION still allows. `now` is in microseconds. Raises RestoreError."""
    for batch in checked(name, schema, batches):
        entries = EntryColumns(
            keys_of(name, batch, "device_id"),
            integers_of(name, batch, "timestamp", END_OF_YEARS - 1),
            integers_of(name, batch, "bytes_ts", MAX_SAFE_INTEGER),
            integers_of(name, batch, "bytes_fs", MAX_SAFE_INTEGER),
        )
        with told_of(name):
            services.entries_restore(entries=entries, now=now // MICROSECONDS)
