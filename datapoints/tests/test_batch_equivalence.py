"""Whatever way an item comes, alone or in a batch, as JSON, NDJSON or CSV: it is accepted and refused alike."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rest_framework.test import APIClient

from datapoints import services
from timeseries_project.tests.drawn import drawn

pytestmark = pytest.mark.usefixtures("now")

#: Values as JSON spells them.
numbers = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers().map(str),
    st.sampled_from(["0", "-0", "-0.0", "1e150", "-1e150", "1.0000001e150", "1e999", "1E5", "1" + "0" * 160, "NaN"]),
)
times = st.one_of(
    st.integers(0, 1769860805).map(str),
    st.floats(0, 2**31, allow_nan=False).map(repr),
    st.sampled_from(["-1", "1e300", "8589934592", "1769860805.000001", "1769860806", "-0.0", "1" + "0" * 400]),
    st.datetimes().map(lambda t: json.dumps(t.isoformat() + "Z")),
    st.datetimes().map(lambda t: json.dumps(t.isoformat(timespec="seconds") + "Z")),
    st.sampled_from(['"2026-01-31"', '"2026-02-30T00:00:00Z"', '"1969-12-31T23:59:59Z"', '"x"', '""', "null", "[]"]),
)
keys = st.one_of(
    st.text(min_size=0, max_size=6).map(json.dumps),
    st.sampled_from(['"a"', '"b"', '" "', '"\\u0085"', "7", "1.5", "true", "null", '"' + "x" * 256 + '"', '"\\ud800"']),
)
items = st.fixed_dictionaries(
    {"timestamp": times, "device": keys, "user": st.just('"u"')},
    optional={"value": numbers | st.sampled_from(['"1"', "true", "null"]), "extra": numbers},
)

DRAWN = drawn(300)


def spell(item: dict[str, str]) -> str:
    return "{" + ",".join(f'"{name}":{value}' for name, value in item.items()) + "}"


def send(api: APIClient, body: str, media_type: str = "application/json") -> tuple[int, Any, Any]:
    """Send to an empty store; return status, what is wrong where, and what is stored."""
    services.store.clear()
    response = api.generic("POST", "/datapoints", body, content_type=media_type)
    problem = response.json()
    errors = [(e["field"], e["message"]) for e in problem.get("errors", [])]
    return response.status_code, errors, api.get("/datapoints").json()["results"]


@DRAWN
@given(items)
@example({"timestamp": "1.0", "value": "1", "device": '"d"', "user": '"u"'})
@example({"timestamp": "1", "value": "1", "device": '"d"', "user": '"u"', "extra": "1e999"})
@example({"timestamp": "1", "value": "1", "device": '"d"', "user": '"u"', "extra": '"\\ud800"'})
@example({"timestamp": "1", "value": "1", "device": '"d"', "user": '"u"', "extra": "[" * 5_000 + "]" * 5_000})
@example({"timestamp": "1", "value": '1,"value":2', "device": '"d","device":"e"', "user": '"u"'})
@example({"timestamp": "1", "value": '"x","value":2', "device": '"d"', "user": '1.5,"user":"u"'})
def test_one_item_is_judged_alike_alone_and_in_each_kind_of_batch(api: APIClient, item: dict[str, str]) -> None:
    text = spell(item)
    alone = send(api, text)
    assert send(api, f"[{text}]") == alone
    assert send(api, f" [{text}]") == alone  # not begun with a bracket: read item by item
    assert send(api, text, "application/x-ndjson") == alone


@DRAWN
@given(st.lists(items, min_size=2, max_size=5))
def test_a_batch_is_judged_alike_the_fast_way_and_item_by_item(api: APIClient, batch: list[dict[str, str]]) -> None:
    text = ",".join(map(spell, batch))
    assert send(api, f"[{text}]") == send(api, f" [{text}]")


cells = st.one_of(
    numbers,
    times.map(lambda text: text.strip('"')),
    st.sampled_from(["", " ", "1_0", "nan", "inf", "٣", "1|2", "1,5", "+1", "1.", ".5", "1e", "0x1", "1 ", "--1"]),
    st.text(max_size=5),
)


@DRAWN
@given(st.lists(st.tuples(cells, cells, cells, st.just("u")), min_size=1, max_size=4))
def test_csv_is_judged_alike_the_fast_way_and_row_by_row(api: APIClient, rows: list[tuple[str, ...]]) -> None:
    text = io.StringIO()
    csv.writer(text).writerows([("timestamp", "value", "device", "user"), *rows])
    together = send(api, text.getvalue(), "text/csv")
    apart = []
    for row in rows:
        text = io.StringIO()
        # A second row that is wrong makes the batch extraordinary, so the first is read by the fields.
        csv.writer(text).writerows([("timestamp", "value", "device", "user"), row, ("", "", "", "")])
        apart.append(send(api, text.getvalue(), "text/csv")[1][:-4])
    assert (together[0] == 400) == any(apart)
    assert apart.count([]) == len(rows) or together[1] == [error for errors in apart for error in errors]


pieces = [",", "\n", "\r", "\r\n", '"', "1,2,a,u", "2,2,a,u\n", "a", "1", "é", "\ufeff", "\x00", "\u2028", " "]
plain = st.lists(st.sampled_from(pieces), max_size=12).map("".join)


@DRAWN
@given(plain)
@example("\n")
@example("1,2,a,u,")
@example("1,2,a,u\n\n2,2,a,u")
@example("1,2,a\n2,u,2,a,u")
@example("1,2,a,u\r2,2,a,u")
@example("1,2,a" + "a" * 131_072 + ",u")
def test_csv_is_cut_into_cells_as_the_csv_module_cuts_it(api: APIClient, rows: str) -> None:
    """A quoted name in the header keeps the fast way from being taken."""
    header, quoted = "timestamp,value,device,user", 'timestamp,value,device,"user"'
    for more in ("", ",extra"):
        answers = [send(api, f"{names}{more}\n{rows}", "text/csv") for names in (header, quoted)]
        assert answers[0] == answers[1]


@pytest.mark.parametrize(
    "lines",
    [
        ["{A},{A", '"x":1}'],
        ['{A},{A,"x":[{}', "{}]}"],
        ["{A} {A}"],
        ["{A}{A}"],
        ["{A},"],
        ["[{A}]"],
    ],
)
def test_a_line_of_ndjson_is_one_document(api: APIClient, lines: list[str]) -> None:
    """Lines that are documents only when they are joined are none."""
    count = 0

    def fill(line: str) -> str:
        nonlocal count
        while "A" in line:
            count += 1
            line = line.replace("A", f'"timestamp":{count},"value":1,"device":"d","user":"u"', 1)
        return line

    assert send(api, "\n".join(map(fill, lines)), "application/x-ndjson")[0] == 400
