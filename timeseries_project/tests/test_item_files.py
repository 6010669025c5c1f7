"""Files of items: which items they hold, on which lines, and the errors of unreadable ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeseries_project.client.item_files import FileError, Item, opened
from timeseries_project.client.target import targets
from timeseries_project.tests.drawn import drawn

POINT = '{"timestamp": 1, "value": 1, "device": "d", "user": "u"}'
ENTRY = '{"timestamp": 1, "bytes_ts": 1, "bytes_fs": 1, "device_id": "d"}'
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
objects = st.lists(st.dictionaries(st.text(), values, max_size=4).map(lambda d: json.loads(POINT) | d), max_size=6)


def read(path: Path, app: str | None = None) -> list[Item]:
    with opened(path, app) as found:
        return list(found.items)


@drawn(100)
@given(items=objects, indent=st.none() | st.integers(0, 3), escaped=st.booleans(), bom=st.booleans())
def test_items_of_json_are_found_as_they_are_spelt(
    tmp_path: Path, items: list[dict[str, object]], indent: int | None, escaped: bool, bom: bool
) -> None:
    path = tmp_path / "drawn.json"
    text = "\n" + json.dumps(items, indent=indent, ensure_ascii=escaped) + " \n"
    path.write_bytes(text.encode("utf-8-sig" if bom else "utf-8"))
    found = read(path)
    assert [json.loads(item.body) for item in found] == items
    lines = text.split("\n")
    for item in found:
        assert item.body.decode().split("\n")[0] in lines[item.line - 1]
        assert 0 < item.read <= path.stat().st_size
    path = tmp_path / "drawn.ndjson"
    path.write_bytes("\n".join(json.dumps(item, ensure_ascii=escaped) + "\r\n" for item in items).encode())
    assert [(json.loads(item.body), item.line) for item in read(path)] == [
        (item, 2 * place + 1) for place, item in enumerate(items)
    ]


def test_numbers_stay_as_they_are_spelt(tmp_path: Path) -> None:
    body = POINT.replace('"value": 1', '"value": 1.10000000000000000000E+2')
    for name, text in (("a.json", f"[{body} , {body}]"), ("a.ndjson", f"{body}\n{body}"), ("lone.json", body)):
        (tmp_path / name).write_text(text)
        assert {item.body for item in read(tmp_path / name)} == {body.encode()}


@pytest.mark.parametrize(
    ("app", "header", "row", "item"),
    [
        (
            "datapoints",
            "value,device,user,timestamp",
            '-1.5e1,"1,""\n2",3,2026-01-31',
            '{"value":-15,"device":"1,\\"\\n2","user":"3","timestamp":"2026-01-31"}',
        ),
        (
            "datapoints",
            " value,device,user ,timestamp",
            " 2024\t, d,20240131,20240131",
            '{"value":2024,"device":" d","user":"20240131","timestamp":"20240131"}',
        ),
        (
            "bandwidth",
            "x,device_id,timestamp,bytes_ts,bytes_fs",
            "9,007,1.0,+2,003",
            '{"device_id":"007","timestamp":1,"bytes_ts":2,"bytes_fs":3}',
        ),
        ("transactions", "timestamp,amount", "1_0,inf", '{"timestamp":"1_0","amount":"inf"}'),
        ("transactions", "timestamp,amount", "١,nan", '{"timestamp":"١","amount":"nan"}'),
        ("transactions", "timestamp,amount", ",-1e999", '{"amount":"-1e999"}'),
    ],
)
def test_cells_are_what_they_are_in_the_api(tmp_path: Path, app: str, header: str, row: str, item: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"\ufeff{header}\r\n \t\r\n{row}\r\n", encoding="utf-8")
    with opened(path) as found:
        assert found.target is targets()[app]
        (first,) = found.items
    assert json.loads(first.body) == json.loads(item)
    assert first.line == 3
    assert 0 < first.read <= path.stat().st_size


def test_large_files_are_read_as_they_are_sent(tmp_path: Path) -> None:
    """Nothing after the first fault is read, and no item is read before it is needed."""
    for name, text in (("a.ndjson", f"{POINT}\n" * 3 + "oops"), ("a.csv", "amount,timestamp\n1,1\n1,1\n1,1\n1")):
        (tmp_path / name).write_text(text)
        with opened(tmp_path / name) as found:
            assert [next(found.items).line for _ in range(3)][-1] == 3 + name.endswith("csv")
            with pytest.raises(FileError):
                next(found.items)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("absent.json", None, ": No such file or directory."),
        ("null\0.json", None, ": embedded null byte."),
        ("notes.txt", "", ": its name must end in .py, .json, .ndjson, .jsonl, .csv or .arrow."),
        ("empty.json", "", ", line 1: this is not valid JSON: Expecting value."),
        ("cut.json", f"[\n{POINT}\n,\n", ", line 4: this is not valid JSON: Expecting value."),
        ("unclosed.json", f"[\n{POINT}\n\n", ", line 4: this is not valid JSON: a comma or ] is due."),
        ("more.json", f"[\n{POINT}\n]\n[]", ", line 4: this is not valid JSON: something follows its end."),
        ("lone.json", f"{POINT}\n{POINT}", ", line 2: this is not valid JSON: something follows its end."),
        ("nan.json", f"[{POINT},\n{POINT.replace('1', 'NaN')}]", ", line 2: this is not valid JSON: "),
        ("surrogate.json", f'[{POINT},\n{{"a": "\\ud800"}}]', ", line 2: this is not valid JSON: "),
        ("deep.json", "[" * 100_000, ", line 1: this is not valid JSON: nested too deeply."),
        ("deep.ndjson", "[" * 100_000, ", line 1: this is not valid JSON: "),
        ("bytes.json", b'\n[{"a": "\xff"}]', ", line 2: it is not UTF-8."),
        ("number.json", "[5]", ", line 1: an item must be a JSON object."),
        ("other.ndjson", '{"a": 1}\n', ", line 1: its fields (a) are those of no app; --app says for which it is."),
        ("both.ndjson", POINT.replace("{", '{"amount": 1, '), ", line 1: its fields (amount, timestamp, value, device"),
        ("bytes.ndjson", b'{"a": "\xff"}\n', ", line 1: this is not valid JSON: "),
        ("long.ndjson", " " * 2_000_000, ", line 1: it is longer than 1048576 bytes."),
        ("bytes.csv", b"amount,timestamp\n1,1\n\xff,1\n", ", line 3: it is not UTF-8."),
        ("empty.csv", "", ", line 1: its columns (none) are those of no app."),
        ("header.csv", "amount,time\n1,1\n", ", line 1: its columns (amount, time) are those of no app."),
        ("twice.csv", "amount,timestamp,amount\n1,1,1\n", ", line 1: the header names amount twice."),
        ("wide.csv", 'amount,timestamp\n1,1\n""\n', ", line 3: the row has 1 cells, the header 2."),
        ("short.csv", 'amount,timestamp,"no\nte"\n\n1,1,1\n1,1\n', ", line 5: the row has 2 cells, the header 3."),
        ("quote.csv", 'amount,timestamp\n1,"1\n', ", line 2: this is not valid CSV: "),
        ("code.py", "import os", ": its one statement must be BANDWIDTHS = [...]."),
        ("call.py", f"BANDWIDTHS = [\n  {ENTRY},\n  print(1),\n]", ": it holds something other than literals"),
        ("number.py", f"BANDWIDTHS = [\n{ENTRY},\n\n5]", ", line 4: an entry must be a dict."),
        ("bytes.py", "BANDWIDTHS = [\n" + ENTRY.replace(': "', ': b"') + "]", ", line 2: the entry holds something"),
        ("inf.py", f"BANDWIDTHS = [\n{ENTRY.replace('1', '1e999')}]", ", line 2: the entry holds something"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, name: str, content: str | bytes | None, reason: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(FileError) as caught:
        read(path)
    assert reason in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path))
    assert str(caught.value).isprintable()


def test_a_header_must_have_what_the_named_app_needs(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("amount,timestamp\n1,1\n")
    assert len(read(path, "transactions")) == 1
    with pytest.raises(FileError, match="line 1: the header must name timestamp, value, device, user"):
        read(path, "datapoints")


@pytest.mark.parametrize(("name", "text"), [("a.json", "[]"), ("a.ndjson", "\n\n"), ("a.py", "BANDWIDTHS = []")])
def test_a_file_may_be_empty(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert read(tmp_path / name) == []
