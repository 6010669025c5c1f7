"""Arrow streams as people's libraries write them, sent to the real server: pyarrow, Polars, pandas and DuckDB."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import httpx
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from tests.served import Served

ARROW = {"Content-Type": "application/vnd.apache.arrow.stream"}
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
COUNT = 700
DATA: dict[str, list[Any]] = {
    "timestamp": [NOON + timedelta(seconds=i, microseconds=i) for i in range(COUNT)],
    "value": [i / 8 for i in range(COUNT)],
    "device": [f"device with a long name {i % 7}" for i in range(COUNT)],
    "user": [f"user {i % 3}" for i in range(COUNT)],
}


def stream_of(batches: pa.Table | pa.RecordBatchReader) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, batches.schema) as writer:
        for batch in batches.to_batches(max_chunksize=200) if isinstance(batches, pa.Table) else batches:
            writer.write(batch)
    return sink.getvalue()


def by_pyarrow() -> bytes:
    return stream_of(pa.table(DATA))


def by_pyarrow_in_dictionaries() -> bytes:
    table = pa.table(DATA)
    return stream_of(table.set_column(2, "device", table["device"].dictionary_encode()))


def by_polars() -> bytes:
    sink = io.BytesIO()
    pl.DataFrame(DATA).write_ipc_stream(sink)
    return sink.getvalue()


def by_polars_in_categories() -> bytes:
    sink = io.BytesIO()
    pl.DataFrame(DATA).with_columns(pl.col("device", "user").cast(pl.Categorical)).write_ipc_stream(sink)
    return sink.getvalue()


def by_polars_in_its_older_form() -> bytes:
    sink = io.BytesIO()
    pl.DataFrame(DATA).write_ipc_stream(sink, compat_level=pl.CompatLevel.oldest())
    return sink.getvalue()


def by_pandas() -> bytes:
    return stream_of(pa.Table.from_pandas(pd.DataFrame(DATA)))


def by_pandas_in_categories() -> bytes:
    frame = pd.DataFrame(DATA).astype({"device": "category", "user": "category"})
    return stream_of(pa.Table.from_pandas(frame, preserve_index=False))


def by_duckdb() -> bytes:
    frame = pd.DataFrame(DATA)
    with duckdb.connect() as connection:
        connection.register("frame", frame)
        return stream_of(connection.sql("SELECT user, device, value, timestamp FROM frame").to_arrow_table())


def by_duckdb_batch_by_batch() -> bytes:
    query = f"""
        SELECT TIMESTAMP '2026-01-31 12:00:00' + INTERVAL (i) SECOND + INTERVAL (i) MICROSECOND AS timestamp,
               CAST(i AS DOUBLE) / 8 AS value, 'device with a long name ' || i % 7 AS device, 'user ' || i % 3 AS user
        FROM range({COUNT}) AS r(i) ORDER BY i
    """
    with duckdb.connect() as connection:
        return stream_of(connection.sql(query).to_arrow_reader(200))


WRITERS = [
    by_pyarrow,
    by_pyarrow_in_dictionaries,
    by_polars,
    by_polars_in_categories,
    by_polars_in_its_older_form,
    by_pandas,
    by_pandas_in_categories,
    by_duckdb,
    by_duckdb_batch_by_batch,
]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with Served() as served:
        served.wait()
        yield f"http://localhost:{served.port}"
        assert served.stopped()[::2] == (0, "")


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_what_they_write_is_stored(url: str, write: Callable[[], bytes], packed: bool) -> None:
    for i in range(7):
        httpx.delete(f"{url}/devices/device with a long name {i}/datapoints")
    body = write()
    headers = ARROW | ({"Content-Encoding": "gzip"} if packed else {})
    answer = httpx.post(f"{url}/datapoints", content=gzip.compress(body) if packed else body, headers=headers)
    assert (answer.status_code, answer.json()) == (201, {"created": COUNT})
    listed = httpx.get(f"{url}/datapoints", params={"limit": COUNT}).json()["results"]
    assert [datetime.fromisoformat(row["timestamp"]) for row in listed] == DATA["timestamp"]
    for name in ("value", "device", "user"):
        assert [row[name] for row in listed] == DATA[name]


def test_the_media_types_that_are_taken_are_named(url: str) -> None:
    answer = httpx.post(
        f"{url}/datapoints", content=b"x", headers={"Content-Type": "application/vnd.apache.arrow.file"}
    )
    assert answer.status_code == 415
    assert ARROW["Content-Type"] in answer.json()["detail"]
