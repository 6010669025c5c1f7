"""Arrow streams in all three apps: what they hold is accepted, refused and stored as the same items in JSON are."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rest_framework.test import APIClient

from datapoints import services as datapoints
from fuzz.arrow_streams import deltas, written
from tests.batch_apps import APPS, NOW, App, apps
from timeseries_project.tests.drawn import drawn

pytestmark = [pytest.mark.usefixtures("now")]

ARROW = "application/vnd.apache.arrow.stream"


def answer(api: APIClient, app: App, body: str | bytes, media_type: str, query: str = "") -> tuple[Any, ...]:
    """Send to an empty store; return status, what is wrong where, and what is stored."""
    app.clear()
    response = api.generic("POST", app.path + query, body, content_type=media_type)
    told = response.json()
    return response.status_code, told.get("errors", told), *(api.get(path).json() for path in app.shown)


def as_stream(items: Sequence[dict[str, Any]], types: dict[str, Any], pieces: int = 1) -> bytes:
    """Write items as record batches, with columns of these types."""
    table = pa.table({name: pa.array([item[name] for item in items], kind) for name, kind in types.items()})
    size = max(-(-len(items) // pieces), 1)
    return written(*table.to_batches(max_chunksize=size)) if len(items) else written(table)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(
    [
        "a",
        "b",
        "a" * 12,
        "a" * 13,
        "é" * 255,
        "é" * 256,
        "x" * 1021,
        "\N{ROCKET}" * 255,
        " ",
        "",
        "\x00",
        "\x85",
        "\xa0",
        "\x7f",
    ]
)
floats = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([0.0, -0.0, 1e150, -1.0001e150, 1.0, 2.5])
longs = st.integers(-(2**63), 2**63 - 1) | st.sampled_from([0, 1, NOW, NOW + 5, NOW + 6, NOW * 1000, 2**53, 2**53 + 1])
unsigned = st.integers(0, 2**64 - 1) | st.sampled_from([NOW, NOW * 1000, 2**63])
NUMBERS = {
    pa.float64(): floats,
    pa.float32(): st.floats(width=32, allow_nan=False, allow_infinity=False),
    pa.float16(): st.floats(width=16, allow_nan=False, allow_infinity=False),
    pa.int64(): longs,
    pa.uint64(): unsigned,
    pa.int8(): st.integers(-128, 127),
    pa.uint32(): st.integers(0, 2**32 - 1),
}
KEYS = {
    pa.string(): texts,
    pa.large_string(): texts,
    pa.string_view(): texts,
    pa.dictionary(pa.int8(), pa.string()): texts,
    pa.dictionary(pa.uint32(), pa.large_string()): texts,
    pa.dictionary(pa.int64(), pa.int32()): st.integers(-9, 9),
    pa.int64(): longs,
    pa.uint8(): st.integers(0, 255),
}
KEY_FIELDS = {"device", "user", "device_id"}


@st.composite
def streams(draw: st.DrawFn, app: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Items, and the type of each of their columns; nearly all are good, so that not each batch is refused."""
    count = draw(st.integers(0, 5))
    types, columns = {}, {}
    for name, good in APPS[app].item.items():
        kinds = KEYS if name in KEY_FIELDS else NUMBERS
        kind = types[name] = draw(st.sampled_from([*kinds]))
        best = draw(kinds[kind]) if kind not in (pa.float64(), pa.int64(), pa.string()) else good
        if pa.types.is_integer(kind) and not isinstance(best, int):
            best = 1
        cells = st.one_of(st.just(best), st.just(best), st.just(best), kinds[kind], st.none())
        columns[name] = draw(st.lists(cells, min_size=count, max_size=count))
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)], types


@pytest.mark.parametrize("name", APPS)
@drawn(300, least=60)
@given(data=st.data(), pieces=st.integers(1, 3))
def test_the_same_items_get_the_same_answer_as_in_json(
    api: APIClient, name: str, data: st.DataObject, pieces: int
) -> None:
    items, types = data.draw(streams(name))
    assert answer(api, APPS[name], as_stream(items, types, pieces), ARROW) == answer(
        api, APPS[name], json.dumps(items), "application/json"
    )


instants = st.integers(-(2**63), 2**63 - 1) | st.integers(0, NOW * 10**6) | st.sampled_from([NOW * 1000, NOW * 10**6])
epoch = dt.datetime(1970, 1, 1)


@drawn(200)
@given(
    st.lists(instants, min_size=1, max_size=4),
    st.sampled_from(["s", "ms", "us", "ns"]),
    st.sampled_from([None, "Asia/Tokyo"]),
)
@example([1_999], "ns", None)
@example([-1], "ns", "UTC")
def test_timestamps_are_instants_whatever_their_unit_and_zone(
    api: APIClient, values: list[int], unit: str, zone: str | None
) -> None:
    ticks = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    stream = as_stream(
        [{"timestamp": value, "value": 1, "device": str(row), "user": "u"} for row, value in enumerate(values)],
        {"timestamp": pa.timestamp(unit, zone), "value": pa.int64(), "device": pa.string(), "user": pa.string()},
    )
    items = []
    for row, value in enumerate(values):
        microseconds = value * 10**6 // ticks
        try:
            timestamp: object = (epoch + dt.timedelta(microseconds=microseconds)).isoformat() + "Z"
        except OverflowError:
            timestamp = microseconds // 10**6
        items.append({"timestamp": timestamp, "value": 1, "device": str(row), "user": "u"})
    app = APPS["datapoints"]
    found, due = answer(api, app, stream, ARROW), answer(api, app, json.dumps(items), "application/json")
    assert found == due


@pytest.mark.parametrize(
    ("name", "kind", "value", "message"),
    [
        ("bandwidth", pa.timestamp("s"), NOW, None),
        ("bandwidth", pa.timestamp("ns", "UTC"), NOW * 10**9, None),
        ("bandwidth", pa.timestamp("us"), NOW * 10**6 + 1, "must be a whole number of epoch seconds."),
        ("bandwidth", pa.timestamp("ms"), -1, "lies before 1970."),
        ("bandwidth", pa.date32(), 20_000, None),
        ("transactions", pa.timestamp("s"), NOW, None),
        ("transactions", pa.timestamp("us"), NOW * 10**6 - 1_000, None),
        ("transactions", pa.timestamp("ns"), NOW * 10**9 - 1, "must be a whole number of epoch milliseconds."),
        ("datapoints", pa.date32(), 20_000, None),
        ("datapoints", pa.date64(), 86_400_000, None),
        ("datapoints", pa.date32(), -1, "lies before 1970."),
    ],
)
def test_times_are_taken_where_nothing_is_lost(api: APIClient, name: str, kind: Any, value: int, message: str) -> None:
    app = APPS[name]
    raw = pa.array([value], pa.int32() if kind == pa.date32() else pa.int64()).view(kind)
    row = {field: pa.array([cell]) for field, cell in app.item.items()} | {"timestamp": raw}
    status, told, *_ = answer(api, app, written(pa.table(row)), ARROW)
    if message is None:
        assert status == 201, told
    else:
        assert (status, told) == (400, [{"index": 0, "field": "timestamp", "message": message}])


@apps
def test_numbers_that_are_none_are_refused_by_row_and_field(api: APIClient, app: App) -> None:
    number = next(name for name in ("value", "amount", "bytes_ts") if name in app.item)
    table = pa.table({name: [value] * 4 for name, value in app.item.items()})
    cells = pa.array([1.0, float("nan"), float("inf"), -float("inf")])
    status, errors, *_ = answer(
        api, app, written(table.set_column(table.schema.get_field_index(number), number, cells)), ARROW
    )
    assert status == 400
    assert [(error["index"], error["field"]) for error in errors] == [(1, number), (2, number), (3, number)]


@apps
def test_nulls_are_refused_by_row_over_the_whole_stream(api: APIClient, app: App) -> None:
    table = pa.table({name: [value, value, value] for name, value in app.item.items()})
    for place, name in enumerate(app.item):
        column = pa.array([None, app.item[name], None], table.schema.field(name).type)
        status, errors, *_ = answer(api, app, written(table, table.set_column(place, name, column)), ARROW)
        assert status == 400
        assert errors == [{"index": i, "field": name, "message": "must not be null."} for i in (3, 5)]


@apps
def test_a_column_of_nulls_is_refused_in_its_first_hundred_rows(api: APIClient, app: App) -> None:
    table = pa.table({name: [value] * 3_000 for name, value in app.item.items()})
    for place, name in enumerate(app.item):
        _, errors, *_ = answer(api, app, written(table.set_column(place, name, pa.nulls(3_000))), ARROW)
        assert [error["index"] for error in errors] == [*range(100)]


@apps
def test_columns_come_in_any_order_with_others_between(api: APIClient, app: App) -> None:
    table = pa.table({name: [value] for name, value in app.item.items()})
    due = answer(api, app, written(table), ARROW)
    assert due[0] == 201
    other = pa.array([{"a": [1, None], "b": "x"}])
    columns = {"nested": other} | {name: table[name] for name in reversed(table.column_names)} | {"more": other}
    assert answer(api, app, written(pa.table(columns)), ARROW) == due


@apps
def test_a_stream_without_rows_is_valid_and_stores_nothing(api: APIClient, app: App) -> None:
    schema = pa.table({name: [value] for name, value in app.item.items()}).schema
    for batches in ([schema.empty_table()], [pa.RecordBatch.from_pylist([], schema)] * 3):
        status, told, *_ = answer(api, app, written(*batches), ARROW)
        assert (status, {*told.values()}) == (201, {0})


def test_dictionaries_that_grow_and_change_between_record_batches(api: APIClient) -> None:
    status, told, listing, _ = answer(api, APPS["datapoints"], deltas(), ARROW)
    assert (status, told) == (201, {"created": 6})
    assert [(row["device"], row["user"]) for row in listing["results"]] == [
        ("a", "u"), ("b", "v"), ("c", "w"), ("b", "v"), ("y", "v"), ("x", "u"),
    ]  # fmt: skip


def test_entries_of_a_dictionary_that_no_row_names_are_no_fault(api: APIClient) -> None:
    """And no devices either; but a null among the entries is a null in each row that names it."""
    names = pa.array(["a", None, "", "b" * 300, "a", "c"])
    table = pa.table({"timestamp": [1, 2], "value": [1, 2], "user": ["u", "u"]})
    for codes, status in (([0, 4], 201), ([0, 1], 400), ([3, 0], 400)):
        device = pa.DictionaryArray.from_arrays(pa.array(codes, pa.int16()), names)
        found = answer(api, APPS["datapoints"], written(table.append_column("device", device)), ARROW)
        assert found[0] == status
        assert [one["device"] for one in found[-1]] == (["a"] if status == 201 else [])


@pytest.mark.storages("redis", "cluster")
class TestWhereverTheDataLive:
    @apps
    def test_a_batch_is_stored_whole(self, api: APIClient, app: App) -> None:
        items = [app.item | dict.fromkeys(KEY_FIELDS & {*app.item}, f"k{i % 3}") for i in range(9)]
        items = [item | ({"timestamp": NOW - row} if "amount" not in item else {}) for row, item in enumerate(items)]
        columns = {name: pa.array([item[name] for item in items]) for name in items[0]}
        for name in KEY_FIELDS & {*columns}:
            columns[name] = columns[name].dictionary_encode()
        body = written(*pa.table(columns).to_batches(max_chunksize=4))
        found = answer(api, app, body, ARROW)
        assert found[0] == 201
        assert found == answer(api, app, json.dumps(items), "application/json")

    def test_duplicates_are_skipped_replaced_or_refused(self, api: APIClient) -> None:
        app = APPS["datapoints"]
        table = pa.table({"timestamp": [1, 1, 2], "value": [1.0, 2.0, 3.0], "device": ["d"] * 3, "user": ["u"] * 3})
        for query, status, told, values in (
            ("?on_duplicate=skip", 201, {"created": 2, "skipped": 1}, [1, 3]),
            ("?on_duplicate=replace", 201, {"created": 2, "replaced": 1}, [2, 3]),
            ("", 409, None, []),
        ):
            found = answer(api, app, written(table), ARROW, query)
            assert found[0] == status
            assert told is None or found[1] == told
            assert [row["value"] for row in found[2]["results"]] == values


def test_a_future_row_is_422_unless_another_is_wrong(api: APIClient) -> None:
    table = pa.table({"timestamp": [NOW + 6, 1], "value": [1.0, 1e151], "device": ["d", "d"], "user": ["u", "u"]})
    assert answer(api, APPS["datapoints"], written(table), ARROW)[0] == 400
    assert answer(api, APPS["datapoints"], written(table.slice(0, 1)), ARROW)[0] == 422


def test_many_rows_in_parts(api: APIClient) -> None:
    """More rows than are read together, more keys than are remembered, and texts longer than there is room for."""
    count = 70_000
    keys = [f"{row:0>{240 if row < 9_000 else 6}}" for row in range(count)]
    table = pa.table({"timestamp": np.arange(count), "value": np.ones(count), "user": ["u"] * count})
    for kind in (pa.string(), pa.string_view(), pa.large_string()):
        datapoints.store.clear()
        body = written(table.append_column("device", pa.array(keys, kind)))
        assert api.generic("POST", "/datapoints", body, content_type=ARROW).json() == {"created": count}
        assert {one.key for one in datapoints.keys_list(axis="device")} == {*keys}
        wrong = [*keys[:66_000], " ", *keys[66_001:]]
        body = written(table.append_column("device", pa.array(wrong, kind)))
        errors = api.generic("POST", "/datapoints", body, content_type=ARROW).json()["errors"]
        assert [error["index"] for error in errors] == [66_000]
