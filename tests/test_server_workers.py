"""Several workers over a real Redis: one that dies is started again, alone, and the log says so."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.served import Served, children, eventually
from timeseries_project.serving.workers import LEAST_PAUSE, MOST_DEATHS
from timeseries_project.tests.exposition import Samples
from timeseries_project.tests.processes import PATIENCE, ROOT
from timeseries_project.tests.redis_servers import RedisServer

#: A supervisor whose workers cannot serve: their socket is none that can listen.
NO_START = """
import logging, socket
from timeseries_project.ops import logs
from timeseries_project.serving.handover import Handover
from timeseries_project.serving.stopping import Stopping
from timeseries_project.serving.workers import Workers

handler = logging.StreamHandler()
handler.setFormatter(logs.JsonFormatter())
logging.getLogger().addHandler(handler)
listeners = [socket.socket(type=socket.SOCK_DGRAM) for _ in range(3)]
stopping = Stopping()
given = Handover('test', listeners=tuple(listener.fileno() for listener in listeners))
stopping.end(Workers(None, listeners, stopping, given).supervise())
"""


#: One whose worker is killed as soon as it serves, again and again.
CRASH_LOOP = """
import logging, os, signal, socket
from timeseries_project.ops import logs
from timeseries_project.serving import workers
from timeseries_project.serving.handover import Handover
from timeseries_project.serving.stopping import Stopping

handler = logging.StreamHandler()
handler.setFormatter(logs.JsonFormatter())
logging.getLogger().addHandler(handler)
workers.LEAST_PAUSE = workers.MOST_PAUSE = 0.01
listeners = [socket.create_server(("127.0.0.1", 0))]
stopping = Stopping()
given = Handover("test", listeners=(listeners[0].fileno(),))
die = lambda: signal.setitimer(signal.ITIMER_REAL, 0.05)
signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
stopping.end(workers.Workers(None, listeners, stopping, given, begin=die).supervise())
"""


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    server = RedisServer()
    yield server
    server.stop()


@pytest.fixture
def served(redis: RedisServer) -> Iterator[Served]:
    """A server with three workers, all of which answer."""
    with Served(STORAGE_URL=redis.url, WORKERS="3") as served:
        served.wait()  # for the first that answers
        eventually(lambda: len(children(served.process.pid)) == 3)
        yield served


def log(served: Served) -> list[dict[str, Any]]:
    """Stop the server and return its log."""
    status, _, err = served.stopped()
    assert status == 0
    lines = [json.loads(line) for line in err.splitlines()]
    return [line for line in lines if line["logger"] != "timeseries_project.storage.starting"]


def test_a_worker_that_is_killed_is_replaced_alone(served: Served) -> None:
    before = children(served.process.pid)
    with ExitStack() as stack:
        # Enough for every worker to have some.
        streams = [stack.enter_context(served.connect()) for _ in range(60)]
        for stream in streams:
            stream.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert stream.recv(65_536).startswith(b"HTTP/1.1 200 ")
        os.kill(before[1], signal.SIGKILL)
        eventually(lambda: len(set(children(served.process.pid)) - {before[1]}) == 3)
        # The connections of the others went on, and new ones are served, whichever worker they reach.
        for stream in streams:
            stream.setblocking(False)
        kept = [stream for stream in streams if not is_closed(stream)]
        assert 0 < len(kept) < len(streams)
        for stream in kept:
            stream.settimeout(PATIENCE)
            stream.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert stream.recv(65_536).startswith(b"HTTP/1.1 200 ")
    assert [served.request("GET", "/healthz")[0] for _ in range(60)] == [200] * 60
    after = children(served.process.pid)
    assert set(before) - set(after) == {before[1]}
    [line] = log(served)
    assert {name: line.get(name) for name in ("level", "worker", "pid", "signal")} == {
        "level": "error",
        "worker": 2,
        "pid": before[1],
        "signal": "SIGKILL",
    }
    assert "started again" in line["message"]


def is_closed(stream: Any) -> bool:
    try:
        return bool(stream.recv(1) == b"")
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def test_one_that_is_asked_to_stop_is_replaced_too(served: Served) -> None:
    before = children(served.process.pid)
    os.kill(before[0], signal.SIGTERM)
    eventually(lambda: len(set(children(served.process.pid)) - {before[0]}) == 3)
    [line] = log(served)
    assert (line["worker"], line["exit_code"]) == (1, 0)


def test_one_that_keeps_dying_is_given_time(served: Served) -> None:
    others = children(served.process.pid)[1:]

    def dying() -> list[int]:
        return [pid for pid in children(served.process.pid) if pid not in others]

    for _ in range(4):
        eventually(lambda: bool(dying()))
        os.kill(dying()[0], signal.SIGKILL)
        eventually(lambda: not dying())
    eventually(lambda: bool(dying()))
    assert children(served.process.pid)[:2] == others
    pauses = [line["pause"] for line in log(served)]
    assert len(pauses) == 4
    # The first may have served for long.
    assert pauses[1:] == [max(LEAST_PAUSE, 2 * pause) for pause in pauses[:-1]]


def test_the_counts_of_a_dead_worker_remain(served: Served) -> None:
    for _ in range(30):
        served.request("GET", "/nope")
    before = children(served.process.pid)
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: len(set(children(served.process.pid)) - set(before)) == 3)
    metrics = served.request("GET", "/metrics")[2].decode()
    assert Samples.parse(metrics).value("http_requests_total", method="GET", route="unknown", status=404) == 30


def test_workers_do_not_outlive_their_supervisor(served: Served) -> None:
    before = children(served.process.pid)
    served.process.kill()
    served.process.communicate(timeout=PATIENCE)
    eventually(lambda: not any(is_alive(pid) for pid in before))


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended may still wait for its parent to ask."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_crash_loop_ends_the_server_with_one_line() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CRASH_LOOP], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["level"] for line in lines] == ["error"] * (MOST_DEATHS - 1) + ["critical"]
    assert (lines[-1]["signal"], lines[-1]["deaths"]) == ("SIGKILL", MOST_DEATHS)


def test_a_server_whose_workers_cannot_start_ends_with_one_line() -> None:
    done = subprocess.run(
        [sys.executable, "-c", NO_START], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    [line] = [json.loads(line) for line in done.stderr.splitlines()]
    assert (line["level"], line["exit_code"]) == ("critical", 1)
    assert "before it could serve" in line["message"]
    assert "Stream Socket was expected" in line["error"]
