"""`manage.py load` of files of Arrow: sent as Arrow, or as JSON to a server that does not take it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any
from urllib.request import urlopen

import pyarrow as pa
import pytest

from timeseries_project.client import arrow_files
from timeseries_project.client.item_files import FileError
from timeseries_project.core import clock
from timeseries_project.tests.processes import Request, answering, run, serving
from transactions import services as transactions

#: Ten series, a hundred points each, not in order.
POINTS = [
    {
        "timestamp": 1_769_860_800 + (i * 37) % 1_000 + 0.25,
        "value": i / 8,
        "device": f'sensor "{i % 10}",\u2028/ü',
        "user": "o'neil\\",
    }
    for i in range(1_000)
]
UNSUPPORTED = json.dumps({"title": "Unsupported Media Type", "status": 415, "detail": "Send JSON."}).encode()
TOO_LARGE = json.dumps({"title": "Too large", "status": 413, "detail": "Too large."}).encode()
REFUSED = b'{"status": 400, "detail": "no", "errors": [{"field": "value", "message": "must not be null.", "index": 3}]}'


def table(points: list[dict[str, Any]] = POINTS, time: pa.DataType | None = None) -> pa.Table:
    """Return datapoints as columns, in another order and with one that is not wanted."""
    times = pa.array([round(p["timestamp"] * 1e6) for p in points]).cast(pa.timestamp("us", tz="UTC"))
    return pa.table(
        {
            "note": ["x"] * len(points),
            "user": [p["user"] for p in points],
            "value": [p["value"] for p in points],
            "device": [p["device"] for p in points],
            "timestamp": times if time is None else times.cast(time),
        }
    )


def write(path: Path, found: pa.Table, *, rows: int = 64, stream: bool = False) -> Path:
    """Write a file, or a stream, in record batches of some rows."""
    opened = pa.ipc.new_stream if stream else pa.ipc.new_file
    with pa.OSFile(str(path), "wb") as sink, opened(sink, found.schema) as writer:
        writer.write_table(found, max_chunksize=rows)
    return path


def older(taken: list[dict[str, Any]], most: int = 1 << 20) -> Callable[[Request], tuple[int, dict[str, str], bytes]]:
    """Return what a server does that takes JSON of some bytes, and no Arrow."""

    def respond(request: Request) -> tuple[int, dict[str, str], bytes]:
        if request.command == "GET":
            return 200, {}, b'{"status": "ok"}'
        if "arrow" in request.headers["Content-Type"]:
            return 415, {}, UNSUPPORTED
        if len(request.body) > most:
            return 413, {}, TOO_LARGE
        items = json.loads(request.body)
        if any(item["value"] is None for item in items):
            return 400, {}, REFUSED
        taken.extend(items)
        return 201, {}, json.dumps({"created": len(items), "skipped": 0}).encode()

    return respond


def ordered(points: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(points, key=lambda point: (point["timestamp"], point["device"], point["user"]))


def stored(url: str) -> list[dict[str, Any]]:
    """Return the stored datapoints in the form in which they were sent."""
    with urlopen(f"{url}/datapoints?limit=10000") as answer:
        found = json.load(answer)["results"]
    return [point | {"timestamp": datetime.fromisoformat(point["timestamp"]).timestamp()} for point in found]


@pytest.mark.parametrize("stream", [False, True], ids=["file", "stream"])
@pytest.mark.parametrize("rows", [1, 64, 5_000])
def test_datapoints_arrive_whatever_the_record_batches_are(tmp_path: Path, stream: bool, rows: int) -> None:
    path = write(tmp_path / "points.arrow", table(), rows=rows, stream=stream)
    with serving() as server:
        status, out, err = run("load", path, "--url", server.url, "--batch-size", 300)
        assert (status, err) == (0, "")
        assert "datapoints: 1,000 sent, 1,000 created" in out
        assert server.posts == 4
        assert "1,000 sent, 0 created, 1,000 skipped" in run("load", path, "--url", server.url)[1]
        assert stored(server.url) == ordered(POINTS)


@pytest.mark.parametrize("kind", [pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())], ids=str)
def test_every_kind_of_strings(tmp_path: Path, kind: pa.DataType) -> None:
    found = table()
    for name in ("device", "user"):
        column = found.column(name).combine_chunks()
        cells = column.dictionary_encode().cast(kind) if pa.types.is_dictionary(kind) else column.cast(kind)
        found = found.set_column(found.schema.get_field_index(name), name, cells)
    with serving() as server:
        path = write(tmp_path / "points.arrows", found, stream=True, rows=10_000)
        assert run("load", path, "--url", server.url)[::2] == (0, "")
        assert stored(server.url) == ordered(POINTS)


@pytest.mark.parametrize(
    "time", [None, pa.timestamp("ns"), pa.timestamp("ms", tz="Europe/Berlin"), pa.timestamp("us")], ids=str
)
def test_an_older_server_gets_json(tmp_path: Path, time: pa.DataType | None) -> None:
    taken: list[dict[str, Any]] = []
    path = write(tmp_path / "points.arrow", table(time=time))
    with answering(older(taken)) as address:
        status, out, err = run("load", path, "--url", address, "--batch-size", 300)
    assert (status, err) == (0, "")
    assert "datapoints: 1,000 sent, 1,000 created" in out
    found = [
        item | {"timestamp": datetime.fromisoformat(item["timestamp"]).astimezone(UTC).timestamp()} for item in taken
    ]
    assert found == [{name: point[name] for name in found[0]} for point in POINTS]


def test_a_body_that_is_too_large_is_sent_in_halves(tmp_path: Path) -> None:
    taken: list[dict[str, Any]] = []
    path = write(tmp_path / "points.arrow", table())
    with answering(older(taken, most=5_000)) as address:
        assert run("load", path, "--url", address)[::2] == (0, "")
    assert [item["value"] for item in taken] == [point["value"] for point in POINTS]


def test_a_load_goes_on_where_an_earlier_one_ended(tmp_path: Path) -> None:
    path = write(tmp_path / "points.arrow", table())
    with serving() as server:
        status, out, _ = run("load", path, "--url", server.url, "--skip", 130)
        assert status == 0
        assert "datapoints: 870 sent, 870 created" in out
        assert stored(server.url) == ordered(POINTS[130:])


def test_a_refusal_names_the_row(tmp_path: Path) -> None:
    found = table()
    values = found.column("value").to_pylist()
    values[703] = None
    path = write(tmp_path / "points.arrow", found.set_column(2, "value", pa.array(values)))
    taken: list[dict[str, Any]] = []
    with serving() as server, answering(older(taken)) as address:
        for url in (server.url, address):
            status, out, err = run("load", path, "--url", url, "--batch-size", 100)
            assert status == 1
            assert err == f"CommandError: {path}: row 703: 400 Bad Request: value must not be null.\n"
            assert out.endswith(f"700 items of {path} are confirmed; to continue: --skip 700\n")
    assert len(taken) == 700


@pytest.mark.parametrize("as_json", [False, True])
def test_transactions_and_entries_have_times_too(tmp_path: Path, as_json: bool) -> None:
    now = clock.now_ms()
    amounts = pa.table({"amount": [1.5, 2.5], "timestamp": pa.array([now, now - 5], pa.timestamp("ms", tz="UTC"))})
    path = write(tmp_path / "payments.arrow", amounts)
    if as_json:
        [part] = list(slices(path, "transactions"))
        target = arrow_files.targets()["transactions"]
        assert [json.loads(item) for item in arrow_files.json_items(path, part, target)] == [
            {"amount": 1.5, "timestamp": now},
            {"amount": 2.5, "timestamp": now - 5},
        ]
        return
    with serving() as server:
        assert run("load", path, "--url", server.url)[::2] == (0, "")
    assert transactions.statistics_get(now=now + 1).sum == 4


def slices(path: Path, app: str | None = None) -> list[arrow_files.Slice]:
    with arrow_files.opened(path, app, skip=0, most=100) as found:
        return list(found.slices)


def fault(path: Path) -> str | None:
    """Read a whole file; return what is wrong with it, if anything."""
    try:
        for part in slices(path):
            arrow_files.json_items(path, part, arrow_files.targets()["datapoints"])
    except FileError as error:
        return str(error)
    return None


class TestFaults:
    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("missing.arrow", "No such file or directory."),
            ("empty.arrow", "it is not valid Arrow IPC: "),
            ("text.arrow", "it is not valid Arrow IPC: "),
            ("folder.arrow", "Is a directory."),
            ("other.arrow", "its fields (a) are those of no app; --app says for which it is."),
            ("twice.arrow", "it must have one column device."),
        ],
    )
    def test_a_file_that_cannot_be_read_is_told_in_one_line(self, tmp_path: Path, name: str, reason: str) -> None:
        (tmp_path / "folder.arrow").mkdir()
        (tmp_path / "empty.arrow").touch()
        (tmp_path / "text.arrow").write_text("timestamp,value,device,user\n1,1,d,u\n")
        write(tmp_path / "other.arrow", pa.table({"a": [1]}))
        write(tmp_path / "twice.arrow", table().append_column("device", pa.array(["d"] * 1_000)))
        with serving() as server:
            status, out, err = run("load", tmp_path / name, "--url", server.url)
            assert server.posts == 0
        assert (status, out, err.count("\n")) == (1, "", 1)
        assert err.startswith(f"CommandError: {tmp_path / name}: {reason}")

    @pytest.mark.parametrize("stream", [False, True], ids=["file", "stream"])
    def test_a_damaged_one_is_never_more_than_a_fault(self, tmp_path: Path, stream: bool) -> None:
        """Cut off anywhere, or with other bytes: it is read, or refused in words."""
        whole = write(tmp_path / "whole.arrow", table(), stream=stream).read_bytes()
        path, random, faults = tmp_path / "damaged.arrow", Random(7), 0
        for number in range(600):
            damaged = bytearray(whole[: random.randrange(len(whole))] if number % 2 else whole)
            for _ in range(random.randrange(4) if number % 2 else 3):
                if damaged:
                    damaged[random.randrange(min(len(damaged), 2_000))] = random.randrange(256)
            path.write_bytes(damaged)
            if said := fault(path):
                faults += 1
                assert "\n" not in said
                assert said.startswith(f"{path}: ")
        assert faults > 300

    def test_what_json_cannot_say_is_named_by_its_row(self, tmp_path: Path) -> None:
        path = write(tmp_path / "points.arrow", table([POINTS[0], POINTS[1] | {"value": float("nan")}]))
        [part] = slices(path)
        with pytest.raises(FileError, match="row 1 holds something that JSON has no form for"):
            arrow_files.json_items(path, part, arrow_files.targets()["datapoints"])
