"""The kernels that read bodies mean what the fields mean, or leave it to them; compiled and as plain Python."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import pytest

from bandwidth.serializers import EntrySerializer
from datapoints.serializers import DatapointSerializer
from fuzz.targets import read_body
from timeseries_project.api import key_kernels, portions, scanner, value_kernels, workbench
from timeseries_project.api.batches import read_csv, read_json, read_lines
from timeseries_project.api.portions import JSONArray
from timeseries_project.api.serializers import Columns
from timeseries_project.core import timestamps
from timeseries_project.tests.made_bodies import BODIES, bodies
from timeseries_project.tests.processes import run_uncompiled

POINT = {"timestamp": 1, "value": 2.5, "device": "d", "user": "u"}
HEADER = ["timestamp", "value", "device", "user"]


def point(**spelt: str) -> bytes:
    """Return the text of an array of one datapoint, from its first item on."""
    texts = {"timestamp": "1", "value": "1", "device": '"d"', "user": '"u"'} | spelt
    return ("{" + ",".join(f'"{name}":{text}' for name, text in texts.items()) + "}]").encode()


def values(name: str, text: str) -> list[Any] | None:
    read = read_json(DatapointSerializer, point(**{name: text}))
    return None if read is None else read.columns[name].tolist()


@pytest.mark.parametrize("size", [7, 64, 300, 2**19])
def test_made_bodies_mean_the_same_the_fast_way_and_item_by_item(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    for module in (scanner, portions):
        monkeypatch.setattr(module, "BLOCK", size)
    for body in bodies(size, BODIES // 4):
        read_body(body)


def test_as_plain_python_they_read_the_same() -> None:
    status, out = run_uncompiled("-m", "timeseries_project.tests.made_bodies", str(BODIES // 10), "5")
    assert status == 0, out


@pytest.mark.parametrize(
    "text", ["0", "-2.50", "1e150", "0.30000000000000004", "9007199254740993", "4503599627370497.5", "1e-30", "1E+2"]
)
def test_numbers_are_the_nearest_double(text: str) -> None:
    assert values("value", text) == [float(text)]


@pytest.mark.parametrize(
    "text",
    ["-0", "-0.0", "01", "1.", ".5", "+1", "1e", "-", "NaN", "1e-400", "1.1e150", "1e999", '"1"', "true"],
)
def test_other_numbers_are_left_to_the_fields(text: str) -> None:
    assert values("value", text) is None


def test_any_number_of_digits_is_the_nearest_double_or_left() -> None:
    """Decimals at random, and ones that lie halfway between two doubles."""
    random, left = Random(1), 0
    for _ in range(20_000):
        mantissa, power = random.randrange(-(10**18), 10**18), random.randint(-24, 2)
        if random.random() < 0.2:
            power = random.randint(-3, 0)
            mantissa = (random.randrange(2**53, 2**54) | 1) * 5**-power
        if abs(mantissa) < 10**18:
            number = value_kernels.nearest_double(mantissa, power)
            left += number != number
            assert number != number or number == float(f"{mantissa}e{power}")
    assert left < 10_000


@pytest.mark.parametrize(
    "text", ["1769860800", "0.000001", "8589934591.999999", "1769860800.1234567", "1769860805.0000001", "0.0000009"]
)
def test_epoch_seconds_are_cut_to_the_microsecond(text: str) -> None:
    assert values("timestamp", text) == [timestamps.from_seconds(float(text))]


@pytest.mark.parametrize("text", ["2024-02-29T23:59:59Z", "2000-02-29T00:00:00.1", "2026-03-01 12:00:00.1234569+00:00"])
def test_dates_are_read(text: str) -> None:
    assert values("timestamp", f'"{text}"') == [timestamps.parse(text)]


def test_every_day_is_read_as_a_date() -> None:
    for day in range(0, 60_000, 7):
        text = timestamps.render(day * 86_400 * timestamps.MICROSECONDS)
        assert values("timestamp", f'"{text}"') == [timestamps.parse(text)]


@pytest.mark.parametrize(
    "text",
    [
        *("2023-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z"),
        *(
            "2200-02-29T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "2026-01-31T24:00:00Z",
            "2026-01-31T00:00:00.Z",
            "2026-01-31T00:00:00+01:00",
        ),
        "2026-01-31",
    ],
)
def test_other_dates_are_left_to_the_fields(text: str) -> None:
    assert values("timestamp", f'"{text}"') is None


def test_a_text_that_is_cut_off_anywhere_is_read_up_to_its_last_whole_item() -> None:
    rows = [POINT, {**POINT, "timestamp": "2026-01-31T12:00:00.5Z"}, POINT]
    spelt = [json.dumps(row).encode() for row in rows]
    text, lines = b",".join(spelt) + b"]", b"\n".join(spelt)
    table = b"1,2.5,d,u\n2026-01-31T12:00:00.5Z,2.5,d,u\n"
    for end in range(len(text)):
        read = read_json(DatapointSerializer, text[:end])
        assert (read.columns.length if read else 0) == text[:end].count(b"},")
        assert read is None or not read.closed
    readers: list[tuple[bytes, Callable[[bytes], Columns | None], bytes]] = [
        (lines, lambda text: read_lines(DatapointSerializer, text), b"}"),
        (table, lambda text: read_csv(DatapointSerializer, text, HEADER), b"u"),
    ]
    for whole, reader, last in readers:
        for end in range(1, len(whole)):
            read_all = reader(whole[:end])
            assert (read_all is not None) == (whole[:end].rstrip()[-1:] == last)


def test_fields_come_in_any_order() -> None:
    rows = [POINT, dict(reversed(POINT.items())), POINT]
    read = read_json(DatapointSerializer, json.dumps(rows, indent=1).encode()[1:])
    assert read is not None
    assert read.columns["value"].tolist() == [2.5] * 3


def test_keys_are_told_apart_by_what_they_mean() -> None:
    """Two spellings of one key are one key."""
    body = json.dumps([{**POINT, "device": "é"}] * 2).encode()
    other = json.dumps([{**POINT, "device": "é"}], ensure_ascii=False).encode()
    keys = DatapointSerializer.read_batch(JSONArray(body[:-1] + b"," + other[1:]))["device"]
    assert (keys.names, keys.codes.tolist()) == (["é"], [0, 0, 0])


def test_many_keys_with_one_hash_end_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chosen keys must not make the table slow: it gives up, and is begun anew."""
    monkeypatch.setattr(workbench, "MOST_KEYS", 512)
    monkeypatch.setattr(workbench, "_idle", {})

    def hashed(text: bytes) -> int:
        words = workbench.words_of(np.frombuffer(text + bytes(7), dtype=np.uint8))
        return int(key_kernels.hash_of(words, 0, len(text))) & 0x3FF

    keys = [key for i in range(200_000) if hashed(key := b"k%d" % i) == 0][: key_kernels.PROBES + 1]
    rows = [json.dumps({**POINT, "timestamp": i, "device": key.decode()}) for i, key in enumerate(keys)]
    body = ("[" + ",".join(rows) + "]").encode()
    read = read_json(DatapointSerializer, body[1:])
    assert read is not None
    assert read.columns.length == key_kernels.PROBES
    assert len(DatapointSerializer.read_batch(JSONArray(body))["device"].names) == len(keys)


def test_integers_have_the_bounds_of_their_field() -> None:
    for number, ordinary in ((0, True), (2**53 - 1, True), (2**53, False), (-1, False)):
        row = {"device_id": "d", "timestamp": 1, "bytes_ts": number, "bytes_fs": 1}
        read = read_json(EntrySerializer, json.dumps([row]).encode()[1:])
        assert (read is not None) == ordinary


def test_a_bare_year_or_date_in_csv_is_left_to_the_field() -> None:
    for text, ordinary in (("2026", False), ("20260131", False), ("20260", True), ("2026.0", True)):
        assert (read_csv(DatapointSerializer, f"{text},1,d,u".encode(), HEADER) is not None) == ordinary
