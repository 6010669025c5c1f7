"""Snapshots of real servers: they come back after a stop and after a crash, and what is not whole stops the start."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.served import Developed, Served
from timeseries_project.env import SAMPLE_LISTING
from timeseries_project.tests.drawn import THOROUGH
from timeseries_project.tests.processes import PATIENCE, ROOT, run
from timeseries_project.tests.redis_servers import RedisServer

DAY = 86_400


class DevelopedAlone(Developed):
    """The development server in one process."""

    command = ("manage.py", "runserver", "--noreload", "{port}")


KINDS = [Served, Developed, DevelopedAlone]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "snapshot.arrow"


def post(served: Served, where: str, body: object, **headers: str) -> Any:
    status, _, content = served.request("POST", where, json.dumps(body), Content_Type="application/json", **headers)
    assert status == 201, content
    return json.loads(content) if content else None


def get(served: Served, where: str) -> Any:
    status, _, content = served.request("GET", where)
    return json.loads(content) if status == 200 else status


def fill(served: Served) -> None:
    """Store something of everything."""
    now = int(time.time())
    users = ("u", "ü/ 1")
    post(
        served,
        "/datapoints",
        [{"timestamp": n, "value": n / 3, "device": "d", "user": u} for n in range(99) for u in users],
    )
    entry = {"device_id": "b", "timestamp": 5, "bytes_ts": 2**53 - 1, "bytes_fs": 1}
    post(served, "/api/bandwidth", [entry, entry, {**entry, "timestamp": now}])
    post(served, "/api/transactions", [{"amount": 0.1 * n, "timestamp": now * 1_000 - n} for n in range(9)])


def told(served: Served) -> list[Any]:
    """Return what a server answers about all that was stored."""
    history = [row for row in get(served, "/api/statistics/history") if row["count"]]
    return [get(served, where) for where in ("/datapoints", "/devices", "/users", "/api/bandwidth/entries")] + [
        get(served, "/statistics/devices/d/avg?end=900"),
        get(served, "/api/bandwidth/devices"),
        history,
    ]


def refused_start(kind: type[Served], path: Path, **settings: str) -> str:
    """Return the one line with which a server does not start."""
    with kind(SNAPSHOT=str(path), BANDWIDTHS_FILE="", **settings) as served:
        status, out, err = served.ended()
    assert (status, out) == (1, "")
    [line] = err.splitlines()
    assert line.startswith("SNAPSHOT: ")
    return line


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("kind", KINDS)
def test_after_a_stop_all_is_there_again(kind: type[Served], number: int, path: Path) -> None:
    with kind(SNAPSHOT=str(path), BANDWIDTHS_FILE="") as served:
        served.wait()
        fill(served)
        before = told(served)
        served.process.send_signal(number)  # to the first of its processes only
        status, _, err = served.ended()
        assert (status, [line for line in err.splitlines() if "snapshot" in line.lower()]) == (0, [])
    with kind(SNAPSHOT=str(path), BANDWIDTHS_FILE="") as again:
        again.wait()
        assert told(again) == before
        assert again.stop() == 0
    assert {left.name for left in path.parent.iterdir()} == {path.name, f".{path.name}.lock"}


def test_after_a_crash_what_was_in_the_last_snapshot_is_there_again(path: Path) -> None:
    with Served(SNAPSHOT=str(path)) as served:
        served.wait()
        fill(served)
        before = told(served)
        taken = post(served, "/api/snapshot", None)
        assert taken["bytes"] == path.stat().st_size
        assert (taken["datapoints"], taken["bandwidth"]) == (198, 3)
        post(served, "/datapoints", {"timestamp": 1_000, "value": 1, "device": "d", "user": "lost"})
        served.process.kill()
        served.ended()
    with Served(SNAPSHOT=str(path)) as again:
        again.wait()
        assert told(again) == before
        status, out, _ = again.stopped()
        assert (status, out.count("Read the snapshot of ")) == (0, 1)


def test_one_is_taken_every_now_and_then(path: Path) -> None:
    with Served(SNAPSHOT=str(path), SNAPSHOT_SECONDS="1") as served:
        served.wait()
        fill(served)
        deadline = time.monotonic() + PATIENCE
        seen = set()
        while len(seen) < 3:
            assert time.monotonic() < deadline
            if path.exists():
                seen.add(path.stat().st_ino)
            time.sleep(0.05)


@pytest.mark.parametrize("kind", [Served, Developed])
def test_the_command_has_a_server_take_one(kind: type[Served], path: Path) -> None:
    with kind(SNAPSHOT=str(path), BANDWIDTHS_FILE="", API_TOKENS="secret-of-many-letters") as served:
        served.wait()
        url = f"http://127.0.0.1:{served.port}"
        status, out, err = run("snapshot", "--url", url, "--token", "secret-of-many-letters")
        assert (status, err) == (0, "")
        assert f"{path.stat().st_size:,} bytes" in out
        assert "datapoints 0, bandwidth 0" in out
        status, out, err = run("snapshot", "--url", url)
        assert (status, out) == (1, "")
        assert "401" in err


def test_without_the_setting_there_is_none() -> None:
    with Served() as served:
        served.wait()
        status, _, content = served.request("POST", "/api/snapshot")
        assert (status, json.loads(content)["detail"]) == (
            404,
            "This server keeps no snapshot: its setting SNAPSHOT names no file.",
        )


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Content_Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content_Type": "text/plain"}, 415),
        ({"Origin": "http://elsewhere.example"}, 415),
        ({"Sec_Fetch_Site": "cross-site"}, 415),
        ({"Content_Type": "application/json"}, 201),
        ({"Accept": "text/html"}, 201),
        ({"Accept": "image/png"}, 406),
    ],
)
def test_no_page_of_another_site_can_have_one_taken(taking: Served, headers: dict[str, str], expected: int) -> None:
    assert (
        taking.request("POST", "/api/snapshot", "{}" if "Content_Type" in headers else None, **headers)[0] == expected
    )


@pytest.fixture(scope="module")
def taking(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with Served(SNAPSHOT=str(tmp_path_factory.mktemp("taking") / "s")) as served:
        served.wait()
        yield served


def test_the_listing_is_not_loaded_again(path: Path) -> None:
    with Served(SNAPSHOT=str(path), BANDWIDTHS_FILE=SAMPLE_LISTING) as served:
        served.wait()
        before = get(served, "/api/bandwidth/devices")
        assert before
        assert served.stop() == 0
    with Served(SNAPSHOT=str(path), BANDWIDTHS_FILE=SAMPLE_LISTING) as again:
        again.wait()
        assert get(again, "/api/bandwidth/devices") == before
        assert " BANDWIDTHS_FILE is not loaded again." in again.stopped()[1]


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_stops_the_start_and_stays(kind: type[Served], path: Path) -> None:
    path.write_bytes(b"what somebody needs" * 200)
    line = refused_start(kind, path)
    assert line == f"SNAPSHOT: {path}: is no snapshot, or was cut off: there is no checksum at its end."
    assert path.read_bytes() == b"what somebody needs" * 200


def test_more_than_may_be_stored_stops_the_start_and_what_is_expired_is_dropped(path: Path) -> None:
    with Served(SNAPSHOT=str(path)) as served:
        served.wait()
        fill(served)
        assert served.stop() == 0
    content = path.read_bytes()
    assert "MAX_DATAPOINTS" in refused_start(Served, path, MAX_DATAPOINTS="100")
    assert path.read_bytes() == content
    with Served(SNAPSHOT=str(path), RETENTION="1d") as again:
        again.wait()
        assert get(again, "/devices") == []
        [device] = get(again, "/api/bandwidth/devices")
        assert device["count"] == 1


def test_where_nothing_can_be_written_and_where_another_server_writes_the_start_is_refused(path: Path) -> None:
    assert refused_start(Served, path.parent / "absent" / "s").endswith(
        f"no file can be written in {path.parent / 'absent'}: No such file or directory."
    )
    assert refused_start(Served, path.parent).endswith("is not a regular file.")
    with Served(SNAPSHOT=str(path)) as served:
        served.wait()
        assert "another server uses this file" in refused_start(Served, path)


def test_with_a_shared_storage_it_is_refused() -> None:
    redis = RedisServer()
    try:
        line = refused_start(Served, Path("/tmp/s"), STORAGE_URL=redis.url, WORKERS="2")
        assert "shared storage" in line
    finally:
        redis.stop()


def test_commands_that_do_not_serve_neither_read_nor_claim_it(path: Path) -> None:
    path.write_bytes(b"no snapshot")
    assert run("check", SNAPSHOT=str(path))[0] == 0
    assert {left.name for left in path.parent.iterdir()} == {path.name}


def test_a_last_one_that_cannot_be_written_is_logged_and_shows_in_the_status(path: Path) -> None:
    limit = "import resource, runpy; resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, 4_000));"
    program = f"{limit} runpy.run_module('timeseries_project.serve', run_name='__main__')"
    with type("Limited", (Served,), {"command": ("-c", program)})(SNAPSHOT=str(path)) as served:
        served.wait()
        post(served, "/api/snapshot", None)
        content = path.read_bytes()
        post(served, "/datapoints", [{"timestamp": n, "value": n, "device": "d", "user": "u"} for n in range(999)])
        status, _, answer = served.request("POST", "/api/snapshot")
        assert (status, json.loads(answer)["detail"]) == (
            507,
            "The snapshot could not be written: File too large. The one before is as it was.",
        )
        assert get(served, "/devices")
        status, _, err = served.stopped()
    assert status == 1
    assert [json.loads(line)["level"] for line in err.splitlines()] == ["error", "error"]
    assert path.read_bytes() == content


def test_the_development_server_keeps_its_data_when_the_code_changes(path: Path, tmp_path: Path) -> None:
    with Developed(SNAPSHOT=str(path), BANDWIDTHS_FILE="") as served:
        served.wait()
        fill(served)
        before = told(served)
        deadline, touched = time.monotonic() + PATIENCE, 0.0
        while not path.exists():
            assert time.monotonic() < deadline
            if time.monotonic() > touched + 10:  # again, as the reloader may not have looked at it before
                touched = time.monotonic()
                os.utime(ROOT / "manage.py")
            time.sleep(0.05)
        served.wait()
        assert told(served) == before


@pytest.mark.parametrize("rounds", [5 if THOROUGH else 1])
def test_killed_at_random_moments_it_has_what_it_had_acknowledged(rounds: int) -> None:
    done = subprocess.run(
        [sys.executable, "benchmarks/kills.py", str(rounds)], cwd=ROOT, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
