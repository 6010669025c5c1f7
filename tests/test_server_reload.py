"""SIGHUP to the production server: all workers are replaced, and no client notices; what cannot be is left as it is."""

from __future__ import annotations

import http.client
import json
import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.served import Served, children, eventually, post
from timeseries_project.tests.processes import PATIENCE, ROOT
from timeseries_project.tests.redis_servers import RedisServer

#: Seconds between two requests of a client: the new code is loaded on the same processors.
PAUSE = 0.005
GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    server = RedisServer()
    yield server
    server.stop()


class Traffic:
    """Clients that send all the while, on connections that they keep until told otherwise, and on new ones."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self._ends = threading.Event()
        self.faults: list[str] = []
        self.answers = self.closed = 0
        kept = (True, True, False)
        self._threads = [threading.Thread(target=self._send, args=(one,), daemon=True) for one in kept]

    def __enter__(self) -> Traffic:
        for thread in self._threads:
            thread.start()
        eventually(lambda: self.answers > 50)
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        for thread in self._threads:
            thread.join(PATIENCE)
        self.faults += [f"{thread.name} does not end" for thread in self._threads if thread.is_alive()]

    def _send(self, kept: bool) -> None:
        connection = http.client.HTTPConnection(self._served.address, self._served.port, timeout=PATIENCE)
        connection.auto_open = 0  # a connection that is cut is a fault, and never opened anew in secret
        number = 0
        while not self._ends.wait(PAUSE):
            try:
                if connection.sock is None:
                    connection.connect()
                number += 1
                device = f"{threading.get_ident()}-{kept}"
                point = {"timestamp": 1_700_000_000 + number, "value": 1, "device": device, "user": "u"}
                connection.request("POST", "/datapoints", json.dumps(point), {"Content-Type": "application/json"})
                response = connection.getresponse()
                if response.status != 201:
                    self.faults.append(f"{response.status} {response.read()!r}")
                response.read()
            except (OSError, http.client.HTTPException) as error:
                self.faults.append(repr(error))
                connection.close()
                continue
            self.answers += 1
            if response.will_close:
                self.closed += 1
            if not kept:
                connection.close()
        connection.close()


def serving(served: Served) -> set[int]:
    return set(children(served.process.pid))


def test_workers_are_replaced_without_a_request_that_fails(redis: RedisServer) -> None:
    with Served(STORAGE_URL=redis.url, WORKERS="2") as served:
        served.wait()
        supervisor = served.process.pid
        counted = served.request("GET", "/nope")[0]
        with Traffic(served) as traffic:
            for _ in range(2):
                before, answers = serving(served), traffic.answers
                served.process.send_signal(signal.SIGHUP)
                eventually(lambda before=before: len(serving(served) - before) == 2)  # type: ignore[misc]
                eventually(lambda before=before: not serving(served) & before)  # type: ignore[misc]
                assert traffic.answers > answers
        assert traffic.faults == []
        assert traffic.closed >= 2
        assert counted == 404
        metrics = served.request("GET", "/metrics")[2].decode()
        assert 'route="unknown",status="404"} 1.0' in metrics  # counted by a worker of the first program
        assert served.process.pid == supervisor
        status, _, err = served.stopped()
        assert status == 0
        assert sum("have been replaced" in line for line in err.splitlines()) == 2


def test_connections_at_rest_are_closed_and_begun_requests_answered(redis: RedisServer) -> None:
    with Served(STORAGE_URL=redis.url, WORKERS="2") as served:
        served.wait()
        before = serving(served)
        with served.connect() as idle, served.connect() as half, served.connect() as new:
            for stream in (idle, half):
                stream.sendall(GET)
                assert b"connection: close" not in stream.recv(65_536)
            half.sendall(GET[:20])
            served.request("GET", "/healthz")  # what was sent before has been received
            served.process.send_signal(signal.SIGHUP)
            assert idle.recv(1) == b""
            assert "have been replaced" in served.logged("replaced")
            for stream, rest in ((half, GET[20:]), (new, GET)):
                # The signal to leave has been sent, and arrives about now: until then the connection goes on.
                for request in (rest, *[GET] * 1_000):
                    stream.sendall(request)
                    answer = stream.recv(65_536)
                    assert answer.startswith(b"HTTP/1.1 200 ")
                    if b"connection: close" in answer:
                        break
                assert stream.recv(1) == b""
        eventually(lambda: not serving(served) & before)
        assert served.stop() == 0


def test_an_old_worker_does_not_wait_for_ever_for_what_a_client_began(redis: RedisServer) -> None:
    with Shortened(STORAGE_URL=redis.url, WORKERS="2") as served:
        served.wait()
        before = serving(served)
        with served.connect() as stalled:
            stalled.sendall(post("application/json", 1_000) + b"[")
            served.request("GET", "/healthz")
            served.process.send_signal(signal.SIGHUP)
            eventually(lambda: not serving(served) & before)
        assert served.stop() == 0


class Shortened(Served):
    """One whose old workers have half a second."""

    command = (
        "-c",
        "from timeseries_project.serving import process; process.LEAVE_SECONDS = process.STOP_SECONDS = 0.5; "
        "from timeseries_project import serve; serve.main()",
    )


class Extended(Served):
    """One with a module of the test's before it, which says what the version is."""

    command = ("-c", "import extension; from timeseries_project import serve; serve.main()")


def test_new_code_is_loaded_and_bad_code_changes_nothing(redis: RedisServer, tmp_path: Path) -> None:
    extension = tmp_path / "extension.py"
    extension.write_text("import timeseries_project\ntimeseries_project.__version__ = 'old'\n")
    environment = {"PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    with Extended(STORAGE_URL=redis.url, WORKERS="2", **environment) as served:
        served.wait()
        assert b'version="old"' in served.request("GET", "/metrics")[2]
        before = serving(served)

        extension.write_text("raise SystemExit('this code is broken')\n")
        served.process.send_signal(signal.SIGHUP)
        assert served.logged("this code is broken")
        assert served.logged("could not be loaded")
        assert serving(served) == before

        extension.write_text("import timeseries_project\ntimeseries_project.__version__ = 'new'\n")
        served.process.send_signal(signal.SIGHUP)
        eventually(lambda: not serving(served) & before)
        assert b'version="new"' in served.request("GET", "/metrics")[2]
        assert served.stop() == 0


def test_one_process_keeps_its_data_and_says_so() -> None:
    with Served() as served:
        point = {"timestamp": 1_700_000_000, "value": 1, "device": "d", "user": "u"}
        served.wait()
        assert served.request("POST", "/datapoints", json.dumps(point), Content_Type="application/json")[0] == 201
        served.process.send_signal(signal.SIGHUP)
        assert served.logged("SIGHUP loads nothing anew")
        assert served.request("GET", "/devices/d")[0] == 200
        assert served.stop() == 0


def test_a_closed_terminal_stops_the_server() -> None:
    ours, theirs = pty.openpty()
    environment = os.environ | {"PORT": "0"}
    program = (
        "from timeseries_project.serving.stopping import Stopping; import signal; Stopping(); print(1, flush=True)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", f"{program}\nwhile True: signal.pause()"],
        cwd=ROOT,
        env=environment,
        stdin=theirs,
        stdout=subprocess.PIPE,
    ) as process:
        os.close(theirs)
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGHUP)  # with its terminal there, it is asked to load anew
        assert process.poll() is None
        os.close(ours)
        process.send_signal(signal.SIGHUP)
        assert process.wait(PATIENCE) == 0
