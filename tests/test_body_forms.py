"""All three apps take a batch in each form, and judge it alike in each: as a JSON array, as NDJSON and as CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.test import APIClient

from tests.batch_apps import APPS, NOW, App, apps
from timeseries_project.api import batches
from timeseries_project.tests.drawn import drawn
from timeseries_project.tests.problems import problem

pytestmark = pytest.mark.usefixtures("now")

Rows = list[dict[str, str]]


def as_array(rows: Rows) -> str:
    return f"[{','.join(map(_object, rows))}]"


def as_lines(rows: Rows) -> str:
    return "\n".join(map(_object, rows))


def _object(row: dict[str, str]) -> str:
    return "{" + ",".join(f'"{name}":{value}' for name, value in row.items()) + "}"


def as_table(rows: Rows, end: str = "\r\n", quoted: bool = False) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator=end, quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL)
    writer.writerow(rows[0])
    writer.writerows([json.loads(row[name]) if row[name][0] == '"' else row[name] for name in rows[0]] for row in rows)
    return text.getvalue()


FORMS: list[tuple[str, Callable[[Rows], str]]] = [
    ("application/json", as_array),
    ("application/x-ndjson", as_lines),
    ("text/csv", as_table),
    ("text/csv", lambda rows: "\ufeff" + as_table(rows, end="\n")),
    ("text/csv", lambda rows: as_table(rows, quoted=True)),  # a quoted header: read row by row
    ("application/json", lambda rows: " " + as_array(rows)),  # not begun with a bracket: read item by item
]


def send(api: APIClient, app: App, body: str, media_type: str) -> tuple[Any, ...]:
    """Send a batch to an empty store; return the answer, and what is stored."""
    app.clear()
    response = api.generic("POST", app.path, body, content_type=media_type)
    answer = response.json()
    faults = [(e["index"], e["field"], e["message"]) for e in answer.get("errors", [])]
    counts = answer if response.status_code == 201 else {}
    return response.status_code, counts, faults, [api.get(path).content for path in app.shown]


def spelt(app: App, **changed: str) -> dict[str, str]:
    return {name: json.dumps(value) for name, value in app.item.items()} | changed


@apps
def test_a_batch_in_each_form(api: APIClient, app: App) -> None:
    rows = [spelt(app, timestamp=str(app.item["timestamp"] - i)) for i in range(50)]
    answers = [send(api, app, make(rows), media_type) for media_type, make in FORMS]
    assert answers == [answers[0]] * len(FORMS)
    assert answers[0][0] == 201
    assert answers[0][1] in ({"created": 50}, {"accepted": 50, "expired": 0})


@apps
@pytest.mark.parametrize("media_type", ["application/x-ndjson", "text/csv"])
def test_a_batch_of_nothing(api: APIClient, app: App, media_type: str) -> None:
    header = ",".join(app.item) + "\n"
    status, counts, _, _ = send(api, app, header if media_type == "text/csv" else "\n", media_type)
    assert status == 201
    assert set(counts.values()) == {0}


@apps
def test_ordinary_rows_are_read_by_the_kernels(app: App) -> None:
    rows = [spelt(app)] * 3
    header, _, table = as_table(rows, end="\n").partition("\n")
    for columns in (
        batches.read_lines(app.serializer, as_lines(rows).encode()),
        batches.read_csv(app.serializer, table.encode(), header.split(",")),
    ):
        assert columns is not None
        assert columns.length == 3
        assert list(columns) == list(app.item)


@apps
def test_one_bad_row_names_its_place_and_stores_nothing(api: APIClient, app: App) -> None:
    name = list(app.item)[-1]
    rows = [spelt(app), spelt(app, **{name: "-1.5" if name != "user" else '" "'}), spelt(app)]
    empty = [api.get(path).content for path in app.shown]
    for media_type, make in FORMS:
        status, _, faults, stored = send(api, app, make(rows), media_type)
        assert (status, [fault[:2] for fault in faults], stored) == (400, [(1, name)], empty)


@apps
def test_a_row_of_the_future_refuses_the_whole_batch(api: APIClient, app: App) -> None:
    rows = [spelt(app), spelt(app, timestamp=str(app.item["timestamp"] * 2))]
    for media_type, make in FORMS:
        status, _, faults, _ = send(api, app, make(rows), media_type)
        assert (status, [fault[:2] for fault in faults]) == (422, [(1, "timestamp")])


@apps
def test_a_header_without_a_column_is_refused(api: APIClient, app: App) -> None:
    app.clear()
    first, *others = app.item
    body = problem(api.generic("POST", app.path, ",".join(others) + "\n", content_type="text/csv"), 400)
    assert f"lacks {first}" in body["detail"]


whole = st.one_of(
    st.integers(0, 2**53).map(str),
    st.sampled_from(["0", "-0", "1.0", "-0.0", "2e3", "1.5", "-1", "1e15", "1e300", "9" * 19, "9" * 400, "NaN"]),
)
number = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(["0", "-0", "1e150", "-1.0000001e150", "1e-400", "0.30000000000000004", "9007199254740993"]),
)
key = st.one_of(
    st.sampled_from(["a", "b", "é", "a,b", 'a"b', " a", "x" * 256, " ", "7", "\x7f", "😀"]).map(json.dumps),
    st.sampled_from(["7", "-1"]),
)
recent = st.integers(0, 100).map(lambda age: str(NOW - age))
recent_ms = st.integers(-6_000, 61_000).map(lambda age: str(NOW * 1000 - age))
ENTRIES = st.fixed_dictionaries({"device_id": key, "timestamp": recent | whole, "bytes_ts": whole, "bytes_fs": whole})
TRANSACTIONS = st.fixed_dictionaries({"amount": number, "timestamp": recent_ms | whole})


@drawn(300)
@given(data=st.data())
@pytest.mark.parametrize(("name", "items"), [("bandwidth", ENTRIES), ("transactions", TRANSACTIONS)])
def test_drawn_batches_are_judged_alike_in_each_form(
    api: APIClient, name: str, items: st.SearchStrategy[dict[str, str]], data: st.DataObject
) -> None:
    rows = data.draw(st.lists(items, min_size=1, max_size=4))
    if "NaN" in {value for row in rows for value in row.values()}:  # no JSON: there the body is malformed, not a value
        answers = [send(api, APPS[name], make(rows), media_type) for media_type, make in FORMS]
        assert {answer[0] for answer in answers} == {400}
        return
    answers = [send(api, APPS[name], make(rows), media_type) for media_type, make in FORMS]
    assert answers == [answers[0]] * len(FORMS)
