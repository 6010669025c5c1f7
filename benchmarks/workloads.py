"""The data that servers are sent: the same points in the format of each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from client import request
from numpy.typing import NDArray

BATCH = 10_000
SERIES = 1_000
USERS = 100
QUARTER_HOUR = 900

#: Random, but the same in every run.
rng = np.random.default_rng(3)


@dataclass(frozen=True)
class Points:
    """Points in the order of sending: times in milliseconds, values, and the numbers of their series."""

    times: NDArray[np.int64]
    values: NDArray[np.float64]
    series: NDArray[np.int64]
    prefix: str = "device"

    def __len__(self) -> int:
        return len(self.times)

    def shuffled(self) -> Points:
        """Return the same points in random order."""
        order = rng.permutation(len(self))
        return Points(self.times[order], self.values[order], self.series[order], self.prefix)

    def part(self, start: int, stop: int) -> Points:
        """Return the points from one place to another."""
        return Points(self.times[start:stop], self.values[start:stop], self.series[start:stop], self.prefix)

    def renamed(self, prefix: str) -> Points:
        """Return the same points of other devices."""
        return Points(self.times, self.values, self.series, prefix)

    def rows(self, key_format: str) -> Iterator[tuple[int, float, str]]:
        """Yield (milliseconds, value, keys); the format names `device` and `user`."""
        keys = [
            key_format.format(device=f"{self.prefix}-{i:04d}", user=f"user-{i % USERS:02d}")
            for i in range(int(self.series.max()) + 1)
        ]
        return zip(self.times.tolist(), self.values.tolist(), map(keys.__getitem__, self.series.tolist()), strict=True)


def joined(parts: list[Points]) -> Points:
    """Return the points of all parts, one after the other."""
    times, values, series = zip(*((part.times, part.values, part.series) for part in parts), strict=True)
    return Points(np.concatenate(times), np.concatenate(values), np.concatenate(series), parts[0].prefix)


def sampled(times: NDArray[np.int64], series: NDArray[np.int64] | None = None, prefix: str = "device") -> Points:
    """Return points at these times, with values as of a sensor; by default of one series."""
    if series is None:
        series = np.zeros(len(times), dtype=np.int64)
    return Points(times, rng.normal(20, 5, len(times)).round(2), series, prefix)


def steps(first_ms: int, count: int, *, series: int = SERIES, step_ms: int = 1_000, prefix: str = "device") -> Points:
    """Return points at `count` steps in time; every series reports once in each."""
    times = np.repeat(first_ms + step_ms * np.arange(count), series)
    return sampled(times, np.tile(np.arange(series), count), prefix)


def days_ago(days: float) -> int:
    """Return a whole second that many days ago, in milliseconds."""
    return int(time.time() - days * 86_400) * 1_000


# Each of these functions writes a batch as one whole HTTP request.


def as_json(points: Points) -> bytes:
    """Write a JSON array with timestamps in seconds, as integers if all are whole."""
    rows = points.rows('"device":"{device}","user":"{user}"')
    if (points.times % 1_000).any():
        body = ",".join([f'{{"timestamp":{t / 1000},"value":{v},{keys}}}' for t, v, keys in rows])
    else:
        body = ",".join([f'{{"timestamp":{t // 1000},"value":{v},{keys}}}' for t, v, keys in rows])
    return request("POST", "/datapoints", f"[{body}]".encode())


def as_iso_json(points: Points) -> bytes:
    """Write a JSON array with ISO 8601 timestamps."""
    return request("POST", "/datapoints", b"[" + b",".join(_iso_objects(points)) + b"]")


def as_ndjson(points: Points) -> bytes:
    """Write one JSON object per line, with ISO 8601 timestamps."""
    return request("POST", "/datapoints", b"\n".join(_iso_objects(points)), "application/x-ndjson")


def as_arrow(points: Points) -> bytes:
    """Write an Arrow stream with plain strings."""
    return _arrow(points, lambda names, series: pa.array(names, pa.string()).take(pa.array(series)))


def as_coded_arrow(points: Points) -> bytes:
    """Write an Arrow stream whose strings are entries of dictionaries."""
    return _arrow(points, lambda names, series: pa.DictionaryArray.from_arrays(pa.array(series, pa.int32()), names))


def _arrow(points: Points, keys: Callable[[list[str], NDArray[np.int64]], Any]) -> bytes:
    devices = [f"{points.prefix}-{i:04d}" for i in range(int(points.series.max()) + 1)]
    users = [f"user-{i:02d}" for i in range(USERS)]
    table = pa.record_batch(
        {
            "timestamp": pa.array(points.times * 1_000, pa.timestamp("us", "UTC")),
            "value": pa.array(points.values),
            "device": keys(devices, points.series),
            "user": keys(users, points.series % USERS),
        }
    )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write(table)
    return request("POST", "/datapoints", sink.getvalue().to_pybytes(), "application/vnd.apache.arrow.stream")


def as_csv(points: Points) -> bytes:
    """Write CSV with ISO 8601 timestamps."""
    rows = zip(_iso(points), points.rows("{device},{user}"), strict=True)
    lines = [f"{iso},{value},{keys}" for iso, (_, value, keys) in rows]
    return request("POST", "/datapoints", "\n".join(["timestamp,value,device,user", *lines]).encode(), "text/csv")


def as_line_protocol(points: Points) -> bytes:
    """Write InfluxDB's line protocol, which VictoriaMetrics reads, too."""
    lines = [f"dp,{keys} value={value} {t}" for t, value, keys in points.rows("device={device},user={user}")]
    return request("POST", "/write?db=bench&precision=ms", "\n".join(lines).encode(), "text/plain")


def as_import(points: Points) -> bytes:
    """Write VictoriaMetrics' JSON lines, one per series: the client groups the points for the server."""
    rows: dict[str, tuple[list[str], list[str]]] = {}
    for t, value, keys in points.rows('"device":"{device}","user":"{user}"'):
        times, values = rows.setdefault(keys, ([], []))
        times.append(str(t))
        values.append(str(value))
    lines = [
        f'{{"metric":{{"__name__":"dp_value",{keys}}},"values":[{",".join(values)}],"timestamps":[{",".join(times)}]}}'
        for keys, (times, values) in rows.items()
    ]
    return request("POST", "/api/v1/import", "\n".join(lines).encode(), "text/plain")


def _iso(points: Points) -> list[str]:
    unit: Literal["ms", "s"] = "ms" if (points.times % 1_000).any() else "s"
    text = np.datetime_as_string(points.times.astype("datetime64[ms]"), unit)
    return [f"{instant}Z" for instant in text.tolist()]


def _iso_objects(points: Points) -> list[bytes]:
    rows = zip(_iso(points), points.rows('"device":"{device}","user":"{user}"'), strict=True)
    return [f'{{"timestamp":"{iso}","value":{value},{keys}}}'.encode() for iso, (_, value, keys) in rows]


Spelling = Callable[[Points], bytes]


def batches(points: Points, spelling: Spelling = as_json, size: int = BATCH) -> list[bytes]:
    """Cut points into batches, and write each as one request."""
    return [
        spelling(
            Points(points.times[i : i + size], points.values[i : i + size], points.series[i : i + size], points.prefix)
        )
        for i in range(0, len(points), size)
    ]


def transactions(count: int) -> bytes:
    """Write a batch of transactions of the last 50 seconds."""
    now = int(time.time() * 1_000)
    rows = zip(
        rng.normal(50, 20, count).round(2).tolist(), rng.integers(now - 50_000, now, count).tolist(), strict=True
    )
    body = ",".join([f'{{"amount":{amount},"timestamp":{timestamp}}}' for amount, timestamp in rows])
    return request("POST", "/api/transactions", f"[{body}]".encode())


def bandwidth(device: str, first: int, count: int, devices: int = 1) -> bytes:
    """Write a batch of bandwidth entries, one a second from `first` on, of each of so many devices in turn."""
    sizes = rng.integers(0, 1_000_000, (count, 2)).tolist()
    names = [device] if devices == 1 else [f"{device}-{i:04d}" for i in range(devices)]
    body = ",".join(
        [
            f'{{"device_id":"{names[i % devices]}","timestamp":{first + i // devices},"bytes_ts":{to},"bytes_fs":{of}}}'
            for i, (to, of) in enumerate(sizes)
        ]
    )
    return request("POST", "/api/bandwidth", f"[{body}]".encode())
