"""Arrow streams that are refused: damaged ones, other kinds, and those that would cost more than their bytes."""

from __future__ import annotations

import io
import random
import struct
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import feather
from rest_framework.exceptions import ParseError

from datapoints.serializers import DatapointSerializer
from fuzz.arrow_streams import cut, damaged, deltas, samples, written
from fuzz.targets import read_arrow
from timeseries_project.api.arrow.messages import MAX_MESSAGES, survey
from timeseries_project.api.arrow.reading import ArrowStream
from timeseries_project.tests.drawn import THOROUGH

COLUMNS: dict[str, Any] = {
    "timestamp": pa.array([1, 2], pa.timestamp("us", "UTC")),
    "value": pa.array([1.0, 2.0]),
    "device": pa.array(["a", "b"]),
    "user": pa.array(["u", "u"]),
}
GOOD = written(pa.table(COLUMNS))
END = GOOD[-8:]


def read(body: bytes) -> dict[str, Any]:
    return DatapointSerializer.read_batch(ArrowStream(body))


def refusal(body: bytes) -> str:
    with pytest.raises(ParseError) as caught:
        read(body)
    return str(caught.value.detail)


def changed(**columns: Any) -> bytes:
    return written(pa.table(COLUMNS | columns))


def as_file() -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_file(sink, pa.table(COLUMNS).schema) as writer:
        writer.write(pa.table(COLUMNS))
    return sink.getvalue()


def as_feather() -> bytes:
    sink = io.BytesIO()
    feather.write_feather(pa.table({"value": [1.0]}), sink)
    return sink.getvalue()


def as_tensor() -> bytes:
    sink = io.BytesIO()
    pa.ipc.write_tensor(pa.Tensor.from_numpy(np.eye(2)), pa.PythonFile(sink))
    return sink.getvalue() + END


def many(count: int) -> bytes:
    batch = pa.RecordBatch.from_pylist([], pa.table(COLUMNS).schema)
    one, two = written(batch), written(batch, batch)
    message = two[len(one) - 8 : -8]
    return one[:-8] + message * (count - 2) + END


def big_endian() -> bytes:
    table = struct.unpack_from("<I", GOOD, 8)[0] + 8  # the message's table, and from there that of the schema
    index = table - struct.unpack_from("<i", GOOD, table)[0]
    header = table + struct.unpack_from("<H", GOOD, index + 8)[0]
    schema = header + struct.unpack_from("<I", GOOD, header)[0]
    index = schema - struct.unpack_from("<i", GOOD, schema)[0]
    endianness = struct.unpack_from("<H", GOOD, index + 4)[0]
    if not endianness:  # left out, as it is little: its place becomes that of the fields, an offset that is not 0
        index_entry = struct.pack("<H", struct.unpack_from("<H", GOOD, index + 6)[0])
        return GOOD[: index + 4] + index_entry + GOOD[index + 6 :]
    return GOOD[: schema + endianness] + b"\1" + GOOD[schema + endianness + 1 :]


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing": (lambda: b"", "The body is empty"),
    "JSON": (lambda: b'[{"timestamp": 1}]', "is not an Arrow IPC stream"),
    "a file": (as_file, "This is an Arrow file; the stream format is expected"),
    "Feather": (as_feather, "This is an Arrow file"),
    "Feather of the first version": (lambda: b"FEA1" + bytes(20), "This is a Feather file"),
    "Parquet": (lambda: b"PAR1" + bytes(20), "This is a Parquet file"),
    "a tensor": (as_tensor, "is a tensor; only tables are taken"),
    "no end": (lambda: GOOD[:-8], "is cut off"),
    "something behind the end": (lambda: GOOD + b"\0", "Something follows the end"),
    "two streams": (lambda: GOOD + GOOD, "Something follows the end"),
    "two schemas": (lambda: GOOD[: survey(GOOD).schema_end] + GOOD, "the first message of an Arrow stream"),
    "no schema": (lambda: END, "has no schema"),
    "record batches alone": (lambda: GOOD[survey(GOOD).schema_end :], "The schema must be the first message"),
    "lz4": (lambda: written(pa.table(COLUMNS), compression="lz4"), "has compressed buffers"),
    "zstd": (lambda: written(pa.table(COLUMNS), compression="zstd"), "has compressed buffers"),
    "big-endian": (big_endian, "is big-endian"),
    "an old format": (lambda: written(pa.table(COLUMNS), use_legacy_format=True), "does not begin with a message"),
    "too many messages": (lambda: many(MAX_MESSAGES + 1), "more than 10,000 messages"),
    "no column": (lambda: written(pa.table({"value": [1.0]})), "lacks the columns timestamp, device, user."),
    "names in capitals": (lambda: written(pa.table({k.upper(): v for k, v in COLUMNS.items()})), "lacks the columns"),
    "a column twice": (
        lambda: written(pa.Table.from_arrays([*COLUMNS.values(), COLUMNS["value"]], [*COLUMNS, "value"])),
        "more than one column value",
    ),
    "too many columns": (lambda: changed(**{f"x{i}": COLUMNS["value"] for i in range(97)}), "more than 100 columns"),
    "text for a time": (lambda: changed(timestamp=pa.array(["2026-01-31", ""])), "string; a timestamp, or numbers"),
    "a time of day": (lambda: changed(timestamp=pa.array([1, 2], pa.time64("us"))), "has the type time64[us]"),
    "a duration": (lambda: changed(timestamp=pa.array([1, 2], pa.duration("s"))), "has the type duration[s]"),
    "booleans": (lambda: changed(value=pa.array([True, False])), "value has the type bool; integers or floats"),
    "text for a number": (lambda: changed(value=pa.array(["1", "2"])), "value has the type string"),
    "decimals": (lambda: changed(value=pa.array([1, 2]).cast(pa.decimal128(20, 1))), "has the type decimal128(20, 1)"),
    "a list": (lambda: changed(value=pa.array([[1.0], [2.0]])), "value has the type list"),
    "a struct": (lambda: changed(device=pa.array([{"a": 1}, {"a": 2}])), "device has the type struct"),
    "a map": (lambda: changed(user=pa.array([[("a", 1)], []], pa.map_(pa.string(), pa.int8()))), "has the type map"),
    "bytes for a key": (lambda: changed(device=pa.array([b"a", b"b"])), "device has the type binary"),
    "floats for a key": (lambda: changed(device=pa.array([1.5, 2.5])), "device has the type double"),
    "runs": (
        lambda: changed(value=pa.RunEndEncodedArray.from_arrays([1, 2], [1.0, 2.0])),
        "value has the type run_end_encoded",
    ),
    "a union": (
        lambda: changed(value=pa.UnionArray.from_sparse(pa.array([0, 0], pa.int8()), [pa.array([1.0, 2.0])])),
        "value has the type sparse_union",
    ),
    "a dictionary of numbers for a number": (
        lambda: changed(value=pa.array([1.0, 2.0]).dictionary_encode()),
        "value has the type dictionary",
    ),
    "text that is not UTF-8": (
        lambda: changed(device=pa.array([b"a", b"\xff"]).view(pa.string())),
        "The Arrow stream is malformed",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_told_why(name: str) -> None:
    made, reason = REFUSED[name]
    assert reason in refusal(made())


def test_as_many_messages_as_may_be_are_read() -> None:
    assert len(read(many(MAX_MESSAGES))["timestamp"]) == 0


@pytest.mark.parametrize("stream", samples()[0][:3], ids=["plain", "dictionaries", "views"])
def test_a_stream_cut_off_at_any_byte_is_refused(stream: bytes) -> None:
    read(stream)
    for part in cut(stream):
        refusal(part)


def test_columns_that_are_not_asked_for_are_not_looked_at() -> None:
    """Not even if they are damaged."""
    body = changed(more=pa.array(["ABCDE", "FGHIJ"]))
    assert len(read(with_offsets(body, 0, 2**30, 5))["value"]) == 2


def with_offsets(body: bytes, *offsets: int) -> bytes:
    """Return a stream in which the column of two strings of five letters has other offsets."""
    before = struct.pack("<iii", 0, 5, 10)
    assert body.count(before) == 1
    return body.replace(before, struct.pack("<iii", *offsets))


def strings(*offsets: int) -> bytes:
    return with_offsets(changed(device=pa.array(["ABCDE", "FGHIJ"])), *offsets)


def entries(*offsets: int) -> bytes:
    return with_offsets(changed(device=pa.array(["ABCDE", "FGHIJ"]).dictionary_encode()), *offsets)


def viewed(length: int, buffer: int, begin: int) -> bytes:
    body = changed(device=pa.array(["a", "abcdefghijklmnop"], pa.string_view()))
    before = struct.pack("<i4sii", 16, b"abcd", 0, 0)
    assert body.count(before) == 1
    return body.replace(before, struct.pack("<i4sii", length, b"abcd", buffer, begin))


def indexed(kind: Any, index: int) -> bytes:
    return changed(device=pa.DictionaryArray.from_arrays(pa.array([0, index], kind), pa.array(["a"]), safe=False))


@pytest.mark.parametrize(
    "body",
    [
        strings(0, 2, 1),
        strings(-1, 1, 2),
        strings(0, 1, 2**30),
        strings(0, 2**31 - 1, 3),
        entries(0, 2, 1),
        entries(0, 5, 11),
        viewed(13, 1, 0),
        viewed(13, -1, 0),
        viewed(13, 0, 20),
        viewed(13, 0, -1),
        viewed(-1, 0, 0),
        viewed(13, 2**30, 0),
        viewed(13, 0, 2**31 - 1),
        indexed(pa.int8(), 1),
        indexed(pa.int8(), -1),
        indexed(pa.uint64(), 2**63),
    ],
    ids=range(16),
)
def test_what_points_outside_of_its_buffer_is_refused(body: bytes) -> None:
    assert "The Arrow stream is malformed" in refusal(body)


def test_a_view_of_much_is_no_key_and_not_read() -> None:
    """Thousands of views of the same megabyte: each would be validated, and copied, if it were looked at."""
    rows = 20_000
    views = struct.pack("<i4sii", 2**20, b"xxxx", 0, 0) * rows
    device = pa.Array.from_buffers(pa.string_view(), rows, [None, pa.py_buffer(views), pa.py_buffer(b"x" * 2**20)])
    table = pa.table({"timestamp": np.arange(rows), "value": np.ones(rows), "device": device, "user": ["u"] * rows})
    body = written(table)
    tracemalloc.start()
    with pytest.raises(Exception, match="item 0: device must have at most 255 characters") as caught:
        read(body)
    assert len(caught.value.errors) == 100  # type: ignore[attr-defined]
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()


def test_views_that_share_their_text_may_not_be_much_more_than_the_body() -> None:
    rows, text = 40_000, b"abcdefgh" * 5_200
    views = b"".join(struct.pack("<i4sii", 250, text[row : row + 4], 0, row) for row in range(rows))
    # No two are alike, as each has a number somewhere.
    text = b"".join(b"%06d" % number for number in range(7_000))
    device = pa.Array.from_buffers(pa.string_view(), rows, [None, pa.py_buffer(views), pa.py_buffer(text)])
    table = pa.table({"timestamp": np.arange(rows), "value": np.ones(rows), "device": device, "user": ["u"] * rows})
    assert "views share their text" in refusal(written(table))


def test_rows_that_take_no_bytes_are_refused() -> None:
    nulls = pa.table({name: pa.nulls(10**9) for name in COLUMNS})
    assert "says it has 1,000,000,000 rows" in refusal(written(nulls))
    names = pa.DictionaryArray.from_arrays(pa.array([0, 0], pa.int8()), pa.nulls(10**9))
    assert "far more entries than bytes" in refusal(changed(device=names))


def test_dictionaries_that_grow_in_many_steps_are_refused() -> None:
    """With each step the whole dictionary is written anew."""
    names = [f"{i:0250}" for i in range(3_000)]
    batches = [
        pa.record_batch(
            {
                "timestamp": [step],
                "value": [1.0],
                "device": pa.DictionaryArray.from_arrays(pa.array([0]), pa.array(names[: 1_000 + step])),
                "user": ["u"],
            }
        )
        for step in range(100)
    ]
    assert "grow in too many small steps" in refusal(written(*batches, emit_dictionary_deltas=True))
    assert len(read(deltas())["value"]) == 6


def test_damaged_streams_never_break_a_property() -> None:
    """Nothing is raised but documented faults, and columns mean what their items mean one by one."""
    source = random.Random(7)
    for _ in range(100_000 if THOROUGH else 3_000):
        app = source.randrange(3)
        read_arrow(bytes([app]) + damaged(source.choice(samples()[app]), source))
