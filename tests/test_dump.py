"""`manage.py dump` in a separate process, against the production server: what comes out, and goes in again."""

from __future__ import annotations

import csv
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.feather as feather
import pytest

from tests.dumping import KEYS, answers, entries, fill, leftovers, listed, points, url
from tests.served import Served
from timeseries_project.client.dump_formats import six_digits
from timeseries_project.tests.processes import PATIENCE, Request, answering, run, started
from timeseries_project.tests.redis_servers import RedisServer

SUFFIXES = (".arrow", ".ndjson", ".csv")
APPS = ("datapoints", "bandwidth")
LISTINGS = {"datapoints": "/datapoints", "bandwidth": "/api/bandwidth/entries"}
ROOM = "33554432"


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """A server with 3,000 datapoints and as many bandwidth entries."""
    with Served(MAX_BODY_BYTES=ROOM) as server:
        server.wait()
        fill(server, "/datapoints", points(3_000))
        fill(server, "/api/bandwidth", entries(3_000))
        yield server


def rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a dumped file as the API has them, times with six digits."""
    if path.suffix == ".ndjson":
        return [json.loads(line) for line in path.read_text().split("\n")[:-1]]
    if path.suffix == ".csv":
        with path.open(newline="") as file:
            read = list(csv.DictReader(file))
        texts = {"device", "user", "device_id"} | ({"timestamp"} if "value" in (read or [{}])[0] else set())
        return [{k: v if k in texts else float(v) if k == "value" else int(v) for k, v in row.items()} for row in read]
    table = feather.read_table(path)
    found = table.to_pylist()
    for row in found:
        iso = row["timestamp"].strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        row["timestamp"] = iso if "value" in row else int(row["timestamp"].timestamp())
    return found


def stored(served: Served, app: str) -> list[dict[str, Any]]:
    found = listed(served, LISTINGS[app])
    return [row | ({"timestamp": six_digits(row["timestamp"])} if app == "datapoints" else {}) for row in found]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("app", APPS)
def test_a_file_has_what_is_stored_to_the_last_digit(served: Served, tmp_path: Path, app: str, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    status, out, err = run("dump", path, "--app", app, "--url", url(served), "--batch-size", 700)
    assert (status, err) == (0, "")
    assert out.startswith("in all: 3,000 dumped, in ")
    assert rows(path) == stored(served, app)
    assert leftovers(path) == []


def test_others_read_the_arrow_file(served: Served, tmp_path: Path) -> None:
    path = tmp_path / "out.arrow"
    assert run("dump", path, "--app", "datapoints", "--url", url(served))[0] == 0
    frame = pl.read_ipc(path)
    assert frame.schema["timestamp"] == pl.Datetime("us", "UTC")
    assert frame["value"].to_list() == [row["value"] for row in stored(served, "datapoints")]


@pytest.mark.parametrize(
    ("app", "options", "wanted"),
    [
        ("datapoints", ["--device", KEYS[3]], lambda row: row["device"] == KEYS[3]),
        ("datapoints", ["--user", "u1", "--device", "007"], lambda row: (row["user"], row["device"]) == ("u1", "007")),
        (
            "datapoints",
            ["--start", "2023-11-15T12:10:00Z", "--end", "2023-11-16"],
            lambda row: "2023-11-15T12:10" <= row["timestamp"] < "2023-11-16",
        ),
        ("bandwidth", ["--device", KEYS[1]], lambda row: row["device_id"] == KEYS[1]),
        (
            "bandwidth",
            ["--start", "1700000100", "--end", "1700000200"],
            lambda row: 1_700_000_100 <= row["timestamp"] < 1_700_000_200,
        ),
    ],
)
def test_a_part_can_be_chosen(
    served: Served, tmp_path: Path, app: str, options: list[str], wanted: Callable[[dict[str, Any]], bool]
) -> None:
    path = tmp_path / "out.ndjson"
    assert run("dump", path, "--app", app, "--url", url(served), "--gzip", *options)[::2] == (0, "")
    found = rows(path)
    assert found
    assert found == [row for row in stored(served, app) if wanted(row)]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_from_memory_to_a_shared_storage_every_answer_stays_the_same(
    served: Served, tmp_path: Path, suffix: str
) -> None:
    redis = RedisServer()
    try:
        with Served(STORAGE_URL=redis.url, MAX_BODY_BYTES=ROOM) as other:
            other.wait()
            for app in APPS:
                path = tmp_path / f"{app}{suffix}"
                assert run("dump", path, "--app", app, "--url", url(served))[0] == 0
                status, out, err = run("load", path, "--url", url(other))
                assert (status, err) == (0, "")
                assert "3,000 sent, 3,000 created" in out
            assert answers(other) == answers(served)
            path = tmp_path / f"datapoints{suffix}"
            assert "3,000 sent, 0 created, 3,000 skipped" in run("load", path, "--url", url(other))[1]
            assert other.stop() == 0
    finally:
        redis.stop()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_sums_larger_than_an_entry_come_out_as_several_and_in_again(tmp_path: Path, suffix: str) -> None:
    largest = 2**53 - 1
    entry = {"device_id": "d", "timestamp": 1_700_000_000, "bytes_ts": largest, "bytes_fs": 1}
    path = tmp_path / f"sums{suffix}"
    with Served() as first, Served() as second:
        first.wait()
        fill(first, "/api/bandwidth", [entry] * 1_100)  # more than 64 bits hold
        assert run("dump", path, "--app", "bandwidth", "--url", url(first))[::2] == (0, "")
        second.wait()
        assert run("load", path, "--url", url(second))[::2] == (0, "")
        found = listed(second, LISTINGS["bandwidth"])
        assert (
            found == [{**entry, "bytes_ts": 1_100 * largest, "bytes_fs": 1_100}] == listed(first, LISTINGS["bandwidth"])
        )


class TestInterrupted:
    @pytest.mark.parametrize("suffix", SUFFIXES)
    def test_killed_at_any_moment_each_row_is_there_once(self, served: Served, tmp_path: Path, suffix: str) -> None:
        path = tmp_path / f"out{suffix}"
        random, kills = Random(suffix), 0
        command = ("dump", path, "--app", "datapoints", "--url", url(served), "--batch-size", 10, "--resume")
        while not path.exists():
            with started(*command) as process:
                wanted = size(path) + random.randrange(1, 60_000)
                while process.poll() is None and size(path) < wanted:
                    time.sleep(0.001)  # leaves the processor to the others
                process.kill()
                kills += process.wait() == -signal.SIGKILL
        assert kills > 3
        assert rows(path) == stored(served, "datapoints")
        # Killed while it gave the file its name, it may leave these behind; they are not in the way.
        assert set(leftovers(path)) <= {f"{path.name}.part", f"{path.name}.part.json"}

    def test_ctrl_c_says_how_to_go_on(self, served: Served, tmp_path: Path) -> None:
        path = tmp_path / "out.csv"
        command = ("dump", path, "--app", "datapoints", "--url", url(served), "--batch-size", 1)
        with started(*command) as process:
            while size(path) < 1_000:
                time.sleep(0.001)
                assert process.poll() is None
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=PATIENCE)
        assert (process.returncode, err) == (130, "")
        assert out.endswith(f"{path} is not there yet: what was fetched is in {path}.part; to go on: --resume\n")
        assert (path.exists(), leftovers(path)) == (False, ["out.csv.part", "out.csv.part.json"])
        status, _, err = run(*command)
        name = "out.csv.part is an unfinished dump"
        assert (status, err) == (1, f"CommandError: {path}: {name}; --resume goes on with it, --force begins anew.\n")
        status, _, err = run(*command, "--resume", "--user", "u1")
        assert status == 1
        assert "its unfinished dump is one of app datapoints, url http" in err
        status, out, err = run(*command[:-1], 1_000, "--resume")
        assert (status, err) == (0, "")
        assert " of them earlier, " in out
        assert rows(path) == stored(served, "datapoints")

    def test_a_server_that_goes_away_leaves_what_was_fetched(self, tmp_path: Path) -> None:
        path = tmp_path / "out.arrow"
        with Served(MAX_BODY_BYTES=ROOM) as server:
            server.wait()
            fill(server, "/datapoints", points(1_000))
            whole = stored(server, "datapoints")
            command = ("dump", path, "--app", "datapoints", "--url", url(server), "--batch-size", 1)
            with started(*command, "--patience", 0.3) as process:
                while size(path) < 10_000:
                    time.sleep(0.001)
                    assert process.poll() is None
                server.stop()
                _, err = process.communicate(timeout=PATIENCE)
            assert process.returncode == 1
            assert err.endswith("did not answer within 0.3 s: Connection refused.\n")
            assert leftovers(path) == ["out.arrow.part", "out.arrow.part.json"]
        with Served(MAX_BODY_BYTES=ROOM, PORT=str(server.port)) as again:
            again.port = server.port
            again.wait()
            fill(again, "/datapoints", points(1_000))
            assert run(*command[:-1], 100, "--resume")[::2] == (0, "")
        assert rows(path) == whole

    def test_each_row_once_while_others_write(self, tmp_path: Path) -> None:
        """What is added behind the place that the dump has reached is missed, what lies before it is not."""
        path = tmp_path / "out.ndjson"
        with Served(MAX_BODY_BYTES=ROOM) as server:
            server.wait()
            fill(server, "/datapoints", points(1_000))
            before = stored(server, "datapoints")
            with started("dump", path, "--app", "datapoints", "--url", url(server), "--batch-size", 1) as process:
                while size(path) < 5_000:
                    time.sleep(0.001)
                    assert process.poll() is None
                old = {"timestamp": 1, "value": 1, "device": "old", "user": "u"}
                fill(server, "/datapoints", [old, {**old, "timestamp": "2023-12-01", "device": "new"}])
                assert process.poll() is None
                assert process.communicate(timeout=PATIENCE)[1] == ""
        found = rows(path)
        assert found[:-1] == before
        assert found[-1]["device"] == "new"


class TestFiles:
    def test_none_is_overwritten_without_force(self, served: Served, tmp_path: Path) -> None:
        path = tmp_path / "out.csv"
        path.write_text("mine")
        command = ("dump", path, "--app", "bandwidth", "--url", url(served))
        status, out, err = run(*command)
        assert (status, out) == (1, "")
        assert err == f"CommandError: {path}: it exists already; --force replaces it.\n"
        assert path.read_text() == "mine"
        assert run(*command, "--force")[::2] == (0, "")
        assert rows(path) == stored(served, "bandwidth")

    def test_two_dumps_do_not_write_the_same_file(self, served: Served, tmp_path: Path) -> None:
        path = tmp_path / "out.csv"
        command = ("dump", path, "--app", "datapoints", "--url", url(served))
        with started(*command, "--batch-size", 10) as process:
            while size(path) < 1_000:
                time.sleep(0.001)
                assert process.poll() is None
            process.send_signal(signal.SIGSTOP)  # so that it has not ended before the others have begun
            for option in ("--resume", "--force"):
                status, _, err = run(*command, option)
                assert (status, err) == (1, f"CommandError: {path}: another dump is writing it.\n")
            process.send_signal(signal.SIGCONT)
            assert process.communicate(timeout=PATIENCE)[1] == ""
        assert rows(path) == stored(served, "datapoints")

    @pytest.mark.parametrize("suffix", SUFFIXES)
    def test_of_nothing_it_is_an_empty_one(self, tmp_path: Path, suffix: str) -> None:
        with Served() as server:
            server.wait()
            for app in APPS:
                path = tmp_path / f"{app}{suffix}"
                assert run("dump", path, "--app", app, "--url", url(server))[::2] == (0, "")
                assert rows(path) == []
                assert run("load", path, "--url", url(server), "--app", app)[::2] == (0, "")

    @pytest.mark.parametrize(
        ("state", "reason"),
        [
            ("{", "it does not say how far the dump has come; --force begins anew."),
            ('{"question":{"app":"datapoints","url":"URL"},"bytes":99}', "it is shorter than when it was written"),
            ('{"question":{"app":"datapoints","url":"URL"},"bytes":-1}', "it is shorter than when it was written"),
        ],
    )
    def test_a_damaged_note_of_how_far_it_came(self, served: Served, tmp_path: Path, state: str, reason: str) -> None:
        path = tmp_path / "out.csv"
        (tmp_path / "out.csv.part").write_text("timestamp")
        (tmp_path / "out.csv.part.json").write_text(state.replace("URL", url(served)))
        command = ("dump", path, "--app", "datapoints", "--url", url(served))
        status, _, err = run(*command, "--resume")
        assert status == 1
        assert reason in err
        assert err.count("\n") == 1
        assert run(*command, "--force")[::2] == (0, "")
        assert rows(path) == stored(served, "datapoints")

    @pytest.mark.parametrize("name", ["out.txt", "missing/out.csv", "folder.csv", "."])
    def test_one_that_cannot_be_written_is_told_in_one_line(self, served: Served, tmp_path: Path, name: str) -> None:
        (tmp_path / "folder.csv").mkdir()
        status, out, err = run("dump", tmp_path / name, "--app", "datapoints", "--url", url(served))
        assert (status, out, err.count("\n")) == (1, "", 1)
        assert sorted(os.listdir(tmp_path)) == ["folder.csv"]

    def test_a_full_disk_is_told_in_one_line(self, served: Served) -> None:
        status, _, err = run("dump", "/dev/full/x.csv", "--app", "datapoints", "--url", url(served))
        assert (status, err) == (1, "CommandError: /dev/full/x.csv: Not a directory.\n")


class TestServers:
    @pytest.mark.parametrize(
        "options",
        [["--app", "bandwidth", "--user", "u"], ["--app", "transactions"], [], ["--app", "datapoints", "--start", "x"]],
    )
    def test_what_it_does_not_list_cannot_be_dumped(self, served: Served, tmp_path: Path, options: list[str]) -> None:
        status, out, err = run("dump", tmp_path / "out.csv", "--url", url(served), *options)
        assert (status > 0, out, err.count("\n")) == (True, "", 1)
        assert os.listdir(tmp_path) == []

    @pytest.mark.parametrize(
        "body",
        [b"", b"{}", b"[]", b'{"results": [{}], "next": null}', b'{"results": [], "next": 1}', b"\xff", b"[" * 99_999]
        + [
            json.dumps({"results": [row], "next": None}).encode()
            for point in [{"timestamp": "2026-01-31T12:00:00Z", "value": 1, "device": "d", "user": "u"}]
            for row in (
                point | {"value": "1"},
                point | {"timestamp": 1},
                point | {"device": 1},
                point | {"value": None},
            )
        ],
        ids=range(11),
    )
    def test_one_that_answers_something_else(self, tmp_path: Path, body: bytes) -> None:
        def respond(request: Request) -> tuple[int, dict[str, str], bytes]:
            return 200, {}, b'{"status": "ok"}' if request.path == "/healthz" else body

        with answering(respond) as address:
            status, _, err = run("dump", tmp_path / "out.csv", "--app", "datapoints", "--url", address)
        assert status == 1
        assert (
            err == f"CommandError: {address} is not this service: the answer to /datapoints has an unexpected form.\n"
        )
        assert os.listdir(tmp_path) == []

    def test_one_that_repeats_itself_does_not_go_on_for_ever(self, tmp_path: Path) -> None:
        point = {"timestamp": "2026-01-31T12:00:00Z", "value": 1, "device": "d", "user": "u"}

        def respond(request: Request) -> tuple[int, dict[str, str], bytes]:
            whole = {"status": "ok"} if request.path == "/healthz" else {"results": [point], "next": "same"}
            return 200, {}, json.dumps(whole).encode()

        with answering(respond) as address:
            status, _, err = run("dump", tmp_path / "out.csv", "--app", "datapoints", "--url", address)
        assert (status, err.count("\n")) == (1, 1)

    @pytest.mark.parametrize("answers_in_json", [True, False])
    def test_an_older_one_without_arrow_is_dumped_into_arrow_too(self, tmp_path: Path, answers_in_json: bool) -> None:
        found = [
            {"timestamp": f"2026-01-31T12:00:0{i}Z", "value": i / 3, "device": f"d{i}", "user": "u"} for i in range(4)
        ]
        asked: list[str] = []

        def respond(request: Request) -> tuple[int, dict[str, str], bytes]:
            if not request.path.startswith("/datapoints"):
                return 200, {}, b'{"status": "ok"}' if request.path == "/healthz" else b"[]"
            asked.append(request.headers["Accept"])
            if asked[-1] != "application/json" and not answers_in_json:
                return 406, {}, b'{"status": 406, "detail": "no"}'
            second = "cursor=two" in request.path
            body = {"results": found[2:] if second else found[:2], "next": None if second else "two"}
            return 200, {"Content-Type": "application/json; charset=utf-8"}, json.dumps(body).encode()

        with answering(respond) as address:
            path = tmp_path / "out.arrow"
            assert run("dump", path, "--app", "datapoints", "--url", address)[::2] == (0, "")
        assert rows(path) == [row | {"timestamp": six_digits(row["timestamp"])} for row in found]
        assert asked[0].startswith("application/vnd.apache.arrow.stream")

    @pytest.mark.parametrize("body", [b"", b"ARROW1", b"\xff\xff\xff\xff\x10\0\0\0" + bytes(16)], ids=range(3))
    def test_arrow_that_is_none(self, tmp_path: Path, body: bytes) -> None:
        def respond(request: Request) -> tuple[int, dict[str, str], bytes]:
            if request.path == "/healthz":
                return 200, {}, b'{"status": "ok"}'
            return 200, {"Content-Type": "application/vnd.apache.arrow.stream"}, body

        with answering(respond) as address:
            status, _, err = run("dump", tmp_path / "out.arrow", "--app", "datapoints", "--url", address)
        assert (status, err.count("\n")) == (1, 1)
        assert "has an unexpected form" in err
        assert os.listdir(tmp_path) == []

    def test_the_token_is_sent(self, tmp_path: Path) -> None:
        token = "0123456789abcdef"
        with Served(API_TOKENS=token, API_TOKENS_FOR_READS="true") as server:
            server.wait()
            path = tmp_path / "out.csv"
            status, _, err = run("dump", path, "--app", "datapoints", "--url", url(server))
            assert (status, err.startswith("CommandError: 401 Unauthorized: ")) == (1, True)
            assert run("dump", path, "--app", "datapoints", "--url", url(server), API_TOKEN=token)[::2] == (0, "")


def size(path: Path) -> int:
    """Return the bytes of an unfinished dump."""
    try:
        return path.with_name(f"{path.name}.part").stat().st_size
    except FileNotFoundError:
        return 0


def test_the_arrow_file_is_of_the_documented_columns(served: Served, tmp_path: Path) -> None:
    for app, wanted in (
        ("datapoints", ["timestamp: timestamp[us, tz=UTC]", "value: double", "device: string", "user: string"]),
        ("bandwidth", ["device_id: string", "timestamp: timestamp[us, tz=UTC]", "bytes_ts: int64", "bytes_fs: int64"]),
    ):
        path = tmp_path / f"{app}.arrow"
        assert run("dump", path, "--app", app, "--url", url(served))[0] == 0
        with pa.OSFile(str(path)) as file:
            schema = pa.ipc.open_file(file).schema
        assert [f"{field.name}: {field.type}" for field in schema] == wanted
