"""What is remembered from items and bodies before changes nothing in what is read."""

from __future__ import annotations

import json
from random import Random
from threading import Thread

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datapoints.serializers import DatapointSerializer
from timeseries_project.api import key_kernels, workbench
from timeseries_project.api.batches import read_csv, read_json, read_lines
from timeseries_project.tests.drawn import drawn

POINT = {"timestamp": 1, "value": 2.5, "device": "d", "user": "u"}
Rows = list[tuple[int, float, str, str]]

#: Keys that begin like one another, that have escapes, and that are as long as words of eight bytes, or nearly.
KEYS = ["a", "ab", "abc", "abcdefg", "abcdefgh", "abcdefghi", "abcdefgh" * 2, 'a"', "a\\", 'a\\"', "é", "日本"]


@pytest.fixture(autouse=True)
def new_benches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbench, "_idle", {})


def rows_of(columns: dict[str, object]) -> Rows:
    names = DatapointSerializer.wire_fields()
    lists = [_values(columns[name]) for name in names]
    return list(zip(*lists, strict=True))


def _values(column: object) -> list[object]:
    names = getattr(column, "names", None)
    if names is not None:
        return [names[code] for code in column.codes.tolist()]  # type: ignore[attr-defined]
    return column.tolist()  # type: ignore[no-any-return,attr-defined]


def read(rows: Rows, *, spelt: str = "json") -> Rows:
    """Write rows, each item in a style of its own, read them the fast way, and return what was read."""
    items = []
    for number, (time, value, device, user) in enumerate(rows):
        members = [("timestamp", time), ("value", value), ("device", device), ("user", user)]
        if number % 5 == 3:
            members.reverse()
        separators = (", ", ": ") if number % 7 == 5 else (",", ":")
        items.append(json.dumps(dict(members), separators=separators, ensure_ascii=number % 2 == 0))
    if spelt == "json":
        items_read = read_json(DatapointSerializer, (",".join(items) + "]").encode())
        assert items_read is not None
        assert items_read.closed
        columns = items_read.columns
    else:
        lines = read_lines(DatapointSerializer, "\n".join(items).encode())
        assert lines is not None
        columns = lines
    return [(time // 10**6, value, device, user) for time, value, device, user in rows_of(columns)]


@given(st.lists(st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(KEYS)), min_size=1, max_size=20), max_size=4))
@drawn(200)
def test_bodies_one_after_another_are_read_as_they_are(bodies: list[list[tuple[str, str]]]) -> None:
    for body in bodies:
        rows = [(i, i / 4, *pair) for i, pair in enumerate(body)]
        assert read(rows) == rows
        assert read(rows, spelt="lines") == rows


def test_more_keys_than_there_is_room_for_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbench, "MOST_KEYS", 64)
    rows = [(i, 0.5, f"d{i}", f"u{i % 7}") for i in range(60)]
    for _ in range(3):
        assert read(rows) == rows
        rows = [(time, value, f"{device}+", user) for time, value, device, user in rows]


def test_keys_beyond_the_room_are_left_and_the_next_text_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbench, "MOST_KEYS", 64)
    header = ["device", "user", "timestamp", "value"]
    assert read_csv(DatapointSerializer, b"".join(b"d%d,u,1,1\n" % i for i in range(65)), header) is None
    columns = read_csv(DatapointSerializer, b"new,u,1,1\n", header)
    assert columns is not None
    assert rows_of(columns) == [(10**6, 1.0, "new", "u")]


def test_many_and_long_keys_are_forgotten() -> None:
    for count, key in ((workbench.REMEMBERED + 1, "d{}"), (2_000, "d{}" + "x" * 200)):
        rows = [(i, 0.5, key.format(i), "u") for i in range(count)]
        assert read(rows) == rows
        [bench] = workbench._idle[DatapointSerializer, True]
        assert bench._names == [[], []]
    read([(1, 0.5, "d", "u")])
    assert bench._names == [["d"], ["u"]]


def test_keys_that_no_field_accepts_do_not_spoil_the_next_body() -> None:
    bad = [{**POINT, "device": " "}, {**POINT, "device": "x" * 256}, {**POINT, "user": "\ud800"}]
    for item in bad:
        assert read_json(DatapointSerializer, json.dumps([item]).encode()[1:]) is None
        rows = [(1, 0.5, "d", "u"), (2, 0.5, "e", "u")]
        assert read(rows) == rows


def test_a_comma_in_a_key_that_is_known_still_parts_cells() -> None:
    header = ["device", "user", "timestamp", "value"]
    assert read_csv(DatapointSerializer, b'"a,b",u,1,1\n', header) is not None
    columns = read_csv(DatapointSerializer, b"a,b,1,1\n", header)
    assert columns is not None
    assert rows_of(columns) == [(10**6, 1.0, "a", "b")]


def test_an_item_like_the_one_before_may_not_go_on_differently() -> None:
    first = json.dumps(POINT, separators=(",", ":"))
    for other in (
        first.replace("}", ',"x":1}'),
        first[:-1],
        first.replace('"user"', '"device"'),
        first + "}",
        first[:-1] + "]",
    ):
        items = read_json(DatapointSerializer, f"{first},{first},{other},{first}]".encode())
        assert items is not None
        assert items.columns.length == 2


def test_a_portion_numbers_only_its_own_keys() -> None:
    read([(i, 0.5, f"d{i}", f"u{i}") for i in range(50)])
    items = read_json(DatapointSerializer, (json.dumps({**POINT, "device": "d40"}) + "]").encode())
    assert items is not None
    assert items.columns["device"].names == ["d40"]
    assert items.columns["device"].codes.tolist() == [0]


def test_threads_read_at_the_same_time() -> None:
    wrong: list[int] = []

    def work(number: int) -> None:
        random = Random(number)
        for _ in range(30):
            rows = [(i, i / 8, f"d{random.randrange(40)}", f"u{random.randrange(4)}") for i in range(300)]
            if read(rows) != rows:
                wrong.append(number)

    threads = [Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_words_are_compared_up_to_the_last_byte() -> None:
    random = Random(3)
    for length in range(25):
        text = np.array([random.randrange(1, 256) for _ in range(length)] + [0] * 8, dtype=np.uint8)
        words = workbench.words_of(text)
        behind = text.copy()
        behind[length:] = 7
        assert key_kernels.same(words, 0, workbench.words_of(behind), 0, length)
        assert key_kernels.hash_of(words, 0, length) == key_kernels.hash_of(workbench.words_of(behind), 0, length)
        for place in range(length):
            other = text.copy()
            other[place] ^= 1
            assert not key_kernels.same(words, 0, workbench.words_of(other), 0, length)
