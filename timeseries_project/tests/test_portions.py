"""Batches read in portions: together they mean the same as the whole, and cost as much as their bytes."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework.exceptions import ParseError

from bandwidth.serializers import EntrySerializer
from datapoints.serializers import DatapointSerializer
from timeseries_project.api import portions, scanner
from timeseries_project.api.portions import CSVTable, JSONArray, JSONLines
from timeseries_project.api.serializers import Batch, Columns, InputSerializer, Portion
from timeseries_project.core import offload
from timeseries_project.core.arrays import Keys
from timeseries_project.core.errors import InvalidInputError

HEADER = b"timestamp,value,device,user\n"
DRAWN = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(params=[7, 64, 1_000], ids=lambda size: f"blocks-of-{size}")
def small_blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Blocks so small that every text is cut in many places."""
    for module in (scanner, portions):
        monkeypatch.setattr(module, "BLOCK", request.param)
    size: int = request.param
    return size


def items(batch: Batch, serializer: type[InputSerializer] = DatapointSerializer) -> list[object]:
    """Return the items of a batch as they were sent, read one by one."""
    found: list[object] = []
    for portion in batch.portions(serializer, ordinary=False):
        assert not isinstance(portion, Columns)
        found += portion
    return found


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text('a\\"[]{},é ', max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('k"\\,}', max_size=3), inner, max_size=3),
    max_leaves=12,
)


@DRAWN
@given(st.lists(json_values, max_size=12), st.sampled_from([None, 1]), st.booleans())
def test_an_array_is_cut_into_its_items(small_blocks: int, values: list[Any], indent: int, ascii_only: bool) -> None:
    text = json.dumps(values, indent=indent, ensure_ascii=ascii_only).encode()
    assert items(JSONArray(text)) == values
    assert items(JSONArray(b" \n" + text + b"\r\n")) == values


@DRAWN
@given(st.lists(st.sampled_from(["[", "]", "{", "}", ",", ":", '"', "\\", "1", '"a"', " ", "{}", "[]"]), max_size=14))
def test_what_is_no_array_is_refused_wherever_it_is_cut(small_blocks: int, tokens: list[str]) -> None:
    text = "[" + "".join(tokens)
    try:
        whole = json.loads(text)
    except ValueError:
        with pytest.raises(ParseError):
            items(JSONArray(text.encode()))
    else:
        assert items(JSONArray(text.encode())) == whole


points = st.lists(
    st.fixed_dictionaries(
        {
            "timestamp": st.integers(0, 2**31),
            "value": st.integers(-5, 5).map(float),
            "device": st.text('a},{"\\', min_size=1, max_size=5),
            "user": st.sampled_from(["u", "},{", "é"]),
        }
    ),
    max_size=12,
)


def plain(columns: dict[str, Any]) -> dict[str, list[Any]]:
    """Return columns as lists."""
    return {
        name: [column.names[code] for code in column.codes] if isinstance(column, Keys) else np.asarray(column).tolist()
        for name, column in columns.items()
    }


def as_csv(rows: list[dict[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, ["timestamp", "value", "device", "user"])
    writer.writeheader()
    for row in rows:
        seconds = str(row["timestamp"])
        writer.writerow({**row, "timestamp": f"{seconds}.0" if len(seconds) in (4, 8) else seconds})
    return text.getvalue().encode()


@DRAWN
@given(points)
def test_a_batch_means_the_same_in_each_form_however_it_is_cut(small_blocks: int, rows: list[dict[str, Any]]) -> None:
    lines = "\n".join(json.dumps(row) for row in rows).encode()
    forms = [JSONArray(json.dumps(rows).encode()), JSONArray(json.dumps(rows, separators=(",", ":")).encode())]
    forms += [JSONLines(lines), JSONLines(b"\n \n" + lines.replace(b"\n", b"\r\n\n")), CSVTable(as_csv(rows))]
    expected: dict[str, list[Any]] = {name: [row[name] for row in rows] for name in DatapointSerializer.wire_fields()}
    expected["timestamp"] = [seconds * 1_000_000 for seconds in expected["timestamp"]]
    for form in forms:
        assert plain(DatapointSerializer.read_batch(form)) == expected


@pytest.mark.parametrize("end", [",]", ",,]", "", "]]", "}]"])
def test_an_array_that_does_not_end_well_is_refused_wherever_it_is_cut(small_blocks: int, end: str) -> None:
    row = '{"timestamp":%d,"value":1,"device":"d","user":"u"}'
    for count in range(1, 60):
        text = "[" + ",".join(row % i for i in range(count)) + end
        with pytest.raises(ParseError):
            DatapointSerializer.read_batch(JSONArray(text.encode()))


cells = st.lists(
    st.sampled_from([",", "\n", "\r", "\r\n", '"', "1,2,a,u", "2,2,b,u\n", '"x"', "a", "é", " "]), max_size=14
)


@DRAWN
@given(cells)
def test_csv_is_cut_as_the_csv_module_cuts_it(small_blocks: int, tokens: list[str]) -> None:
    text = "".join(tokens)
    try:
        records = csv.reader(io.StringIO(text, newline=""), strict=True)
        rows = [row for row in records if len(row) > 1 or (row and not row[0].isspace())]
    except csv.Error:
        rows = None
    body = HEADER + text.encode()
    if rows is None or any(len(row) != 4 for row in rows):
        with pytest.raises(ParseError):
            items(CSVTable(body))
    else:
        assert items(CSVTable(body)) == [
            dict(zip(HEADER.decode().strip().split(","), row, strict=True)) for row in rows
        ]


def test_a_fault_is_named_by_its_place_in_the_whole_batch(small_blocks: int) -> None:
    good = [{"timestamp": i, "value": i, "device": "d", "user": "u"} for i in range(40)]
    for place in (0, 17, 39):
        bad = [*good[:place], {**good[place], "value": "x"}, *good[place + 1 :]]
        lines = "\n".join(map(json.dumps, bad)).encode()
        for batch in (JSONArray(json.dumps(bad).encode()), JSONLines(lines), CSVTable(as_csv(bad))):
            with pytest.raises(InvalidInputError) as error:
                DatapointSerializer.read_batch(batch)
            line = None if isinstance(batch, JSONArray) else place + 1 + isinstance(batch, CSVTable)
            assert [(e.index, e.line, e.field) for e in error.value.errors] == [(place, line, "value")]


def test_a_malformed_line_is_named_by_its_number(small_blocks: int) -> None:
    line = b'{"timestamp":1,"value":1,"device":"d","user":"u"}\n'
    with pytest.raises(ParseError, match=r"^Line 33: "):
        DatapointSerializer.read_batch(JSONLines(b"\n" + line * 31 + b"{\n" + line))
    with pytest.raises(ParseError, match=r"^CSV line 33 has 3 cells"):
        DatapointSerializer.read_batch(CSVTable(HEADER + b"1,1,d,u\n" * 30 + b"\n1,1,d\n" + b"1,1,d,u\n"))
    with pytest.raises(ParseError, match=r"^CSV line 33 is malformed"):
        DatapointSerializer.read_batch(CSVTable(HEADER + b"1,1,d,u\n" * 30 + b'\n1,1,"d"d,u\n'))


class Counted(Batch):
    """A batch that counts how many of its portions were read."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self.read = 0

    def portions(self, serializer: type[InputSerializer], *, ordinary: bool = True) -> Iterator[Portion]:
        """Yield the portions."""
        for portion in self._batch.portions(serializer, ordinary=ordinary):
            self.read += 1
            yield portion


@pytest.mark.parametrize(
    "batch",
    [
        JSONArray(b"[" + b"[]," * 1_000_000 + b"[]]"),
        JSONArray(b"[" + b"1," * 1_000_000 + b"1]"),
        JSONLines(b"{}\n" * 1_000_000),
        CSVTable(HEADER + b"x,1,d,u\n" * 200_000),
        CSVTable(HEADER + b'"x",1,d,u\n' * 200_000),
    ],
    ids=["lists", "numbers", "lines", "csv", "quoted"],
)
def test_reading_stops_at_the_hundredth_fault(batch: Batch) -> None:
    counted = Counted(batch)
    with pytest.raises(InvalidInputError) as error:
        DatapointSerializer.read_batch(counted)
    assert (counted.read, len(error.value.errors)) == (1, 100)


DEAR = {
    "empty lists": (b"[" + b"[]," * 1_500_000 + b"[]]", JSONArray),
    "nesting": (b"[" * 2_000_000 + b"]" * 2_000_000, JSONArray),
    "quotes": (b'["' + b'"' * 4_000_000, JSONArray),
    "backslashes": (b'["' + b"\\" * 4_000_000, JSONArray),
    "one long item": (b'[{"x":[' + b"[]," * 1_500_000 + b"[]]}]", JSONArray),
    "blank lines": (b"\n" * 4_000_000, JSONLines),
    "one long line": (b'{"x":"' + b"a" * 4_000_000 + b'"}', JSONLines),
    "names": (b",".join(b"n%d" % i for i in range(500_000)) + b"\n", CSVTable),
    "commas": (HEADER + b"," * 4_000_000, CSVTable),
    "line ends": (HEADER + b"\n" * 4_000_000, CSVTable),
    "quoted rows": (HEADER + b'"1",1,d,u\n' * 400_000, CSVTable),
    "plain rows": (HEADER + b"1,1,d,u\n" * 500_000, CSVTable),
    "a quote that never ends": (HEADER + b'1,1,"d' + b"\n" * 4_000_000, CSVTable),
}


@pytest.mark.parametrize("name", DEAR)
def test_no_body_takes_more_than_five_times_its_size(name: str) -> None:
    body, kind = DEAR[name]
    tracemalloc.start()
    with contextlib.suppress(ParseError, InvalidInputError):
        DatapointSerializer.read_batch(kind(body))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5 * len(body) + 2**24


@pytest.mark.parametrize("form", [JSONArray, JSONLines, CSVTable])
def test_an_item_has_a_megabyte_at_most(form: type[Batch]) -> None:
    name = "d" * (portions.MAX_ITEM - 100)
    good, long = (f'{{"timestamp":1,"value":1,"device":"d","user":"u","x":"{text}"}}' for text in (name, name * 2))
    if form is CSVTable:
        field = csv.field_size_limit()
        columns = "timestamp,value,device,user," + ",".join(f"x{i}" for i in range(20)) + "\n"
        good, long = (columns + "1,1,d,u," + ",".join(["x" * size] * 20) for size in (field // 3, field))
    elif form is JSONArray:
        good, long = f"[{good}]", f"[{long}]"
    assert len(DatapointSerializer.read_batch(form(good.encode()))["value"]) == 1  # type: ignore[call-arg]
    with pytest.raises(ParseError, match="longer than"):
        DatapointSerializer.read_batch(form(long.encode()))  # type: ignore[call-arg]


def test_a_csv_document_has_a_hundred_columns_at_most() -> None:
    for more in (96, 97):
        header = HEADER.strip() + b"".join(b",x%d" % i for i in range(more))
        table = CSVTable(header + b"\n1,1,d,u" + b"," * more + b"\n")
        if more == 96:
            assert len(DatapointSerializer.read_batch(table)["value"]) == 1
        else:
            with pytest.raises(ParseError, match="more than 100 columns"):
                DatapointSerializer.read_batch(table)


def test_many_unusual_items_leave_the_loop_before_anything_is_read_of_them() -> None:
    row = b'{"timestamp":"2026-01-01 ","value":1,"device":"d","user":"u"}\n'
    few, many = JSONLines(row * 100), JSONLines(row * 1_000)
    with pytest.raises(InvalidInputError):
        offload.inline(DatapointSerializer.read_batch, few)
    with pytest.raises(offload.Offload):
        offload.inline(DatapointSerializer.read_batch, many)
    with pytest.raises(InvalidInputError):
        DatapointSerializer.read_batch(many)


def test_numbers_beyond_64_bits_keep_their_value() -> None:
    """It is the service that decides whether they lie in the future or look like another unit."""
    huge = 10**30
    columns = DatapointSerializer.read_batch(
        JSONLines(b'{"timestamp":1,"value":1,"device":"d","user":"u"}\n' * 2)  # a portion of small numbers
    )
    assert columns["timestamp"].dtype == np.int64
    row = json.dumps({"timestamp": huge, "value": 1, "device": "d", "user": "u"}).encode()
    columns = DatapointSerializer.read_batch(JSONLines(row + b"\n" + row))
    assert columns["timestamp"] == [huge * 1_000_000] * 2


def test_entries_are_read_alike() -> None:
    """What holds for one app's items holds for all apps' items, because the fields decide."""
    row = {"device_id": "d", "timestamp": 1, "bytes_ts": 2, "bytes_fs": 3}
    columns = EntrySerializer.read_batch(JSONArray(json.dumps([row, {**row, "bytes_ts": 2.0}]).encode()))
    assert plain(columns) == {name: [value] * 2 for name, value in row.items()}
