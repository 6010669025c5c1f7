"""`manage.py simulate` and `make demo` in separate processes."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import Any

import pytest

from bandwidth import services as bandwidth
from datapoints import services as datapoints
from timeseries_project.core import clock
from timeseries_project.tests.processes import PATIENCE, ROOT, environment, run, serving, started
from transactions import services as transactions

SECOND = 1_000_000
DAY = 86_400 * SECOND


def stored() -> list[Any]:
    points: list[Any] = []
    cursor = None
    while True:
        page = datapoints.datapoints_list(
            device=None, user=None, start=None, end=None, limit=10_000, after=cursor, descending=False
        )
        points += page.points.points()
        cursor = page.next
        if cursor is None:
            return points


def summary(out: str) -> dict[str, list[int]]:
    """Return the numbers in the summary by app: sent, created, skipped, expired."""
    rows = re.findall(
        r"^(\w+): ([\d,]+) sent, ([\d,]+) created, ([\d,]+) skipped as known, ([\d,]+) expired$", out, re.M
    )
    return {name: [int(number.replace(",", "")) for number in numbers] for name, *numbers in rows}


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it does not come about"
        time.sleep(0.02)  # leaves the processor to the others


def test_what_arrives_is_what_was_sent() -> None:
    begin = clock.now()
    with serving() as server:
        status, out, err = run(
            "simulate",
            "--url",
            server.url,
            "--no-history",
            "--duration",
            2.5,
            "--rate",
            200,
            "--devices",
            7,
            "--users",
            2,
        )
    end = clock.now()
    assert (status, err) == (0, "")
    sent = summary(out)
    assert {name: row[0] for name, row in sent.items()} == pytest.approx(
        {"datapoints": 250, "bandwidth": 150, "transactions": 100}, abs=2
    )
    points = stored()
    assert sent["datapoints"] == [len(points), len(points), 0, 0]
    assert all(begin <= point.timestamp <= end for point in points)
    assert {point.user for point in points} == {"ada", "grace"}
    assert len(datapoints.keys_list(axis="device")) == 7
    devices = bandwidth.devices_list()
    assert len(devices) == 7
    assert sent["bandwidth"][:2] == [sum(device.count for device in devices)] * 2
    assert all(begin // SECOND <= device.first <= device.last <= end // SECOND for device in devices)
    assert transactions.statistics_get(now=end // 1_000).count == sent["transactions"][1] == sent["transactions"][0]
    assert "|" not in out
    assert re.search(r"^in all: [0-9]+ sent in [0-9.]+ s, [0-9]+ per second, 0 retries$", out, re.MULTILINE)


def test_an_empty_server_gets_a_past_once() -> None:
    with serving() as server:
        first = run("simulate", "--url", server.url, "--duration", 0.2, "--devices", 4, "--users", 3)
        points, devices = stored(), bandwidth.devices_list()
        again = run("simulate", "--url", server.url, "--duration", 0.2, "--devices", 4, "--users", 3)
    assert first[::2] == again[::2] == (0, "")
    now = clock.now()
    assert min(point.timestamp for point in points) < now - DAY + 3_600 * SECOND
    series = {(point.device, point.user) for point in points}
    assert 4 < len(series) < 9
    hours = {(point.device, point.timestamp // (3_600 * SECOND)) for point in points}
    assert len(hours) >= 4 * 24
    assert len(devices) == 4
    assert all(now // SECOND - 3_700 < device.first < now // SECOND - 3_500 for device in devices)
    assert all(240 <= device.count < 260 for device in devices)
    assert len(stored()) - len(points) < 50


def test_ctrl_c_ends_a_simulation_well() -> None:
    with serving() as server, started("simulate", "--url", server.url, "--rate", 500) as process:
        until(lambda: transactions.statistics_get(now=clock.now_ms()).count)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (0, "")
    assert summary(out)["datapoints"][0] == len(stored())
    assert summary(out)["bandwidth"][0] == sum(device.count for device in bandwidth.devices_list())


def test_it_outlasts_a_restart() -> None:
    with (
        serving(fall=4) as server,
        started("simulate", "--url", server.url, "--no-history", "--duration", 4, "--rate", 300) as process,
    ):
        assert process.stdout is not None
        assert process.stdout.readline().startswith("The server is away (")
        server.start()
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (0, "")
    sent = summary(out)
    assert sum(row[0] for row in sent.values()) >= 1_190
    assert sent["datapoints"][0] == len(stored())
    assert re.search("[1-9][0-9]* retries", out)


def test_a_rate_below_one_sends_now_and_then() -> None:
    with serving() as server:
        status, out, _ = run("simulate", "--url", server.url, "--no-history", "--duration", 1.2, "--rate", 0.5)
    assert (status, summary(out)) == (0, {})
    assert out.startswith("in all: 0 sent")


@pytest.mark.parametrize(
    "arguments",
    [("--rate", "0"), ("--rate", "nan"), ("--devices", "0"), ("--users", "x"), ("--duration", "-1"), ("a",)],
)
def test_wrong_options_are_one_line(arguments: tuple[str, ...]) -> None:
    status, out, err = run("simulate", *arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("manage.py simulate: ")


def test_no_server_is_one_line() -> None:
    status, out, err = run("simulate", "--url", "http://127.0.0.1:1")
    assert (status, out) == (1, "")
    assert err == "CommandError: http://127.0.0.1:1 does not answer: Connection refused.\n"


def test_nobody_who_reads_on_is_no_traceback() -> None:
    with serving() as server, started("simulate", "--url", server.url, "--no-history", "--duration", 0.3) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(PATIENCE) == 1
        assert process.stderr is not None
        assert process.stderr.read() == ""
        process.stderr.close()


def test_it_starts_without_the_apps_and_the_listing() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "manage.py", "simulate", "--url", "http://127.0.0.1:1"],
        cwd=ROOT,
        env=environment(BANDWIDTHS_FILE="absent.py", DJANGO_DEBUG="maybe"),
        capture_output=True,
        text=True,
        check=False,
    )
    imported = {line.rpartition("|")[2].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert "Connection refused" in done.stderr
    assert not imported & {"bandwidth", "datapoints", "transactions", "rest_framework", "numpy", "tqdm"}


@contextmanager
def demo(*arguments: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "scripts/demo.py", *arguments],
        cwd=ROOT,
        env=environment(**variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=PATIENCE)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def count(port: int, path: str = "/api/statistics") -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", path)
        return int(json.loads(connection.getresponse().read())["count"])
    except OSError:
        return 0
    finally:
        connection.close()


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_the_demo_runs_both_and_stops_both(sent: signal.Signals) -> None:
    port = free_port()
    with demo(PORT=str(port)) as process:
        until(lambda: count(port))
        assert count(port, "/api/bandwidth/devices/atrium-wifi") > 100  # the sample listing
        process.send_signal(sent)
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (0, "")
    assert f"Open http://127.0.0.1:{port}/ " in out
    assert summary(out)["datapoints"][0] > 1_000
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_the_demo_ends_with_the_simulation() -> None:
    port = free_port()
    with demo("--duration", "0.1", "--no-history", PORT=str(port), HOST="::1") as process:
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (0, "")
    assert f"Open http://[::1]:{port}/ and http://[::1]:{port}/charts/bandwidth;" in out
    with demo("--rate", "much", PORT=str(port)) as process:
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out.count("Open "), err.count("\n")) == (2, 1, 1)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_the_demo_needs_its_server() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with demo(PORT=str(port)) as process:
            out, err = process.communicate(timeout=PATIENCE)
        assert (process.returncode, out) == (1, "")
        assert err == f"PORT: {port} at 127.0.0.1 is unavailable: Address already in use.\nThe server did not start.\n"
    with demo(PORT=str(port), HOST="no.such.host.invalid") as process:
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (1, "")
    assert err.startswith("HOST: 'no.such.host.invalid' is not an address of this machine: ")
