"""Arrow streams for the fuzzer and the tests: small ones of every kind that is taken, and damaged ones."""

from __future__ import annotations

import io
import random
import struct
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa

#: What damage writes: lengths and offsets that are absurd, or nearly right.
_EDGES = (
    0,
    1,
    2,
    7,
    8,
    63,
    64,
    127,
    128,
    255,
    2**15,
    2**16 - 1,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**63 - 1,
    2**63,
    2**64 - 1,
)


def written(*batches: Any, **options: Any) -> bytes:
    """Return the stream of record batches or tables of one schema."""
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, batches[0].schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        for batch in batches:
            writer.write(batch)
    return sink.getvalue()


@cache
def samples() -> tuple[tuple[bytes, ...], ...]:
    """Return valid streams of datapoints, of bandwidth and of transactions."""
    return _datapoints(), _bandwidth(), _transactions()


def _datapoints() -> tuple[bytes, ...]:
    times = pa.array([1_000_000, 2_000_000, 3_000_001], pa.timestamp("us", "UTC"))
    values = pa.array([1.5, -0.0, 3.0])
    devices, users = ["a", "b", "a"], ["u", "user of more than twelve", "é"]
    plain = pa.table({"timestamp": times, "value": values, "device": devices, "user": users})
    coded = plain.set_column(2, "device", plain["device"].dictionary_encode())
    coded = coded.set_column(3, "user", plain["user"].dictionary_encode()).combine_chunks()
    views = plain.set_column(3, "user", pa.array(users, pa.string_view()))
    nulls = plain.set_column(0, "timestamp", pa.array([1, None, 3], pa.timestamp("ns")))
    others = pa.table(
        {
            "extra": pa.array([[1], None, [2, 3]]),
            "user": pa.array(users, pa.large_string()),
            "device": pa.array([7, 8, 7], pa.uint16()),
            "value": pa.array([1, 2, 3], pa.int8()),
            "timestamp": pa.array([1.5, 2.0, 0.0], pa.float32()),
        }
    )
    hole = pa.DictionaryArray.from_arrays(pa.array([0, 1, 0], pa.int8()), pa.array(["a", None]))
    return (
        written(plain),
        written(coded),
        written(views),
        written(nulls),
        written(others),
        written(plain.set_column(2, "device", hole)),
        written(plain.schema.empty_table()),
        written(*plain.to_batches(), *plain.slice(1).to_batches()),
        deltas(),
    )


def deltas() -> bytes:
    """Return a stream whose dictionaries grow, and are replaced, between record batches."""
    batches = [
        pa.record_batch(
            {
                "timestamp": pa.array([10 * number + row for row in range(len(codes))]),
                "value": pa.array(np.arange(len(codes)) + 0.5),
                "device": pa.DictionaryArray.from_arrays(pa.array(codes, pa.int8()), pa.array(names)),
                "user": pa.DictionaryArray.from_arrays(pa.array(codes, pa.uint32()), pa.array(["u", "v", "w"])),
            }
        )
        for number, (codes, names) in enumerate(
            [([0, 1], ["a", "b"]), ([2, 1], ["a", "b", "c"]), ([1, 0], ["x", "y"])], 1
        )
    ]
    return written(*batches, emit_dictionary_deltas=True)


def _bandwidth() -> tuple[bytes, ...]:
    table = pa.table(
        {
            "device_id": ["d", "e"],
            "timestamp": pa.array([1, 2], pa.timestamp("s")),
            "bytes_ts": pa.array([1, 2**53 - 1], pa.uint64()),
            "bytes_fs": pa.array([1.0, 0.0]),
        }
    )
    return (written(table), written(table.set_column(1, "timestamp", pa.array([1, 2]))))


def _transactions() -> tuple[bytes, ...]:
    table = pa.table({"amount": pa.array([1, -2], pa.float16()), "timestamp": pa.array([1, 2], pa.date32())})
    return (written(table), written(table.set_column(1, "timestamp", pa.array([5, 2**63], pa.uint64()))))


def damaged(stream: bytes, source: random.Random) -> bytes:
    """Return a stream in which bytes, offsets or lengths are wrong, or that is cut, or repeats a part of itself."""
    body = bytearray(stream)
    for _ in range(source.choice((1, 1, 1, 2, 4))):
        kind, at = source.randrange(7), source.randrange(max(len(body), 1))
        if kind == 0:
            body[at : at + 1] = bytes([source.randrange(256)])
        elif kind == 1:
            body[at : at + 1] = bytes([body[at] ^ 1 << source.randrange(8)] if body else [])
        elif kind in (2, 3, 4):
            at -= at % (4 if kind != 4 else 2)
            edge = source.choice(_EDGES) if source.random() < 0.7 else source.randrange(1024)
            form = "<Q" if kind == 2 else "<I" if kind == 3 else "<H"
            packed = struct.pack(form, edge % 256 ** struct.calcsize(form))
            body[at : at + len(packed)] = packed
        elif kind == 5:
            del body[at : at + source.choice((1, 4, 8, 64, len(body)))]
        else:
            body[at:at] = body[at : at + source.choice((1, 8, 64))]
    return bytes(body)


def cut(stream: bytes) -> Iterator[bytes]:
    """Yield a stream cut off at each byte."""
    for end in range(len(stream)):
        yield stream[:end]
