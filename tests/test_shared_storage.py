"""The whole service on a shared storage, as `make serve` runs it: several workers, and every failure of a Redis."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from typing import Any

import pytest

from tests.served import Served, eventually
from timeseries_project.env import SAMPLE_LISTING
from timeseries_project.tests.processes import ROOT
from timeseries_project.tests.redis_servers import RedisCluster, RedisServer

TIMEOUT = 1
JSON = {"Content-Type": "application/json"}
READS = (
    "/datapoints",
    "/devices",
    "/devices/d",
    "/users",
    "/statistics/devices/d/avg",
    "/statistics/users/u/p95",
    "/statistics/devices/d/moving_avg?window_size=3",
    "/datapoints?order=desc",
    "/api/bandwidth?device_uuid=d",
    "/api/bandwidth/entries",
    "/api/bandwidth/devices",
    "/api/bandwidth/devices/d",
    "/api/statistics",
    "/api/statistics/history",
)
POINT = {"timestamp": 1_700_000_000, "value": 1, "device": "d", "user": "u"}
ENTRY = {"device_id": "d", "timestamp": 1_700_000_000, "bytes_ts": 1, "bytes_fs": 2}


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def send(served: Served, method: str, path: str, body: Any = None) -> tuple[int, Any, Message]:
    """Send a request; return status, content and headers of the answer."""
    status, response, content = served.request(method, path, None if body is None else json.dumps(body), **JSON)
    is_json = "json" in (response.headers["Content-Type"] or "")
    return status, json.loads(content) if content and is_json else content, response.headers


def patiently(served: Served, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """Repeat while the answer is 503, as clients do: each worker notices by itself that the storage is back."""
    answers: list[tuple[int, Any]] = []

    def ask() -> bool:
        answers.append(send(served, method, path, body)[:2])
        return answers[-1][0] != 503

    eventually(ask)
    return answers[-1]


def ready(served: Served) -> bool:
    return served.request("GET", "/readyz")[0] == 200


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    server = RedisServer()
    yield server
    server.stop()


@contextmanager
def serve(url: str, **environment: str) -> Iterator[Served]:
    with Served(STORAGE_URL=url, STORAGE_TIMEOUT_SECONDS=str(TIMEOUT), **environment) as served:
        served.wait()
        yield served
        assert served.stop() == 0


@pytest.fixture
def served(redis: RedisServer) -> Iterator[Served]:
    """Two workers on one Redis."""
    with serve(redis.url, WORKERS="2") as served:
        yield served


def hold_unavailable(served: Served, requests: list[tuple[str, str, Any]]) -> None:
    """Send all requests at once: each is answered 503 in time, as a problem that may be retried."""
    answers: list[tuple[float, int, Any, Message]] = []

    def ask(method: str, path: str, body: Any) -> None:
        begun = time.monotonic()
        answer = send(served, method, path, body)
        answers.append((time.monotonic() - begun, *answer))

    threads = [threading.Thread(target=ask, args=request) for request in requests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == len(requests)
    for seconds, status, problem, headers in answers:
        assert status == 503, problem
        assert headers["Content-Type"] == "application/problem+json"
        assert problem["status"] == 503
        assert int(headers["Retry-After"]) >= 1
        assert seconds < TIMEOUT + 1.5


WRITES: list[tuple[str, str, Any]] = [
    ("POST", "/datapoints", POINT),
    ("POST", "/datapoints", [POINT]),
    ("DELETE", "/devices/d/datapoints", None),
    ("DELETE", "/users/u/datapoints", None),
    ("DELETE", "/datapoints?device=d&user=u&start=0", None),
    ("POST", "/datapoints?on_duplicate=replace", [POINT]),
    ("POST", "/api/bandwidth", ENTRY),
    ("POST", "/api/bandwidth", [ENTRY]),
    ("POST", "/api/transactions", {"amount": 1, "timestamp": now_ms()}),
    ("DELETE", "/api/transactions", None),
]
ALL = [*WRITES, *(("GET", path, None) for path in READS)]


def test_all_workers_answer_from_one_state(served: Served) -> None:
    base = {"value": 1, "user": "u", "timestamp": 1_700_000_000}
    for i in range(40):
        assert send(served, "POST", "/datapoints", base | {"device": f"d{i}"})[0] == 201
        assert send(served, "POST", "/api/transactions", {"amount": 1, "timestamp": now_ms()})[0] == 201
        assert send(served, "POST", "/api/bandwidth", ENTRY)[0] == 201
        # Connections go to either worker; each sees what the other stored.
        assert send(served, "GET", "/users/u")[1]["count"] == i + 1
        assert send(served, "GET", "/api/statistics")[1]["count"] == i + 1
        assert send(served, "GET", "/api/bandwidth/devices/d")[1]["count"] == i + 1
        assert send(served, "POST", "/datapoints", base | {"device": f"d{i}"})[0] == 409
    assert len({line.split()[1] for line in _workers(served)}) >= 2


def _workers(served: Served) -> list[str]:
    listing = subprocess.run(["ps", "-o", "ppid=,pid=", "-e"], check=True, capture_output=True, text=True).stdout
    return [line for line in listing.splitlines() if line.split()[0] == str(served.process.pid)]


def test_several_workers_of_memory_are_refused() -> None:
    process = subprocess.run(
        [sys.executable, "-m", "timeseries_project.serve"],
        cwd=ROOT,
        env={"WORKERS": "2", "PATH": ""},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert process.returncode == 1
    [line] = process.stderr.splitlines()
    assert line.startswith("WORKERS: must be 1 with STORAGE_URL=memory://")
    assert "redis://" in line


def test_a_paused_storage_holds_up_nobody(redis: RedisServer, served: Served) -> None:
    assert send(served, "POST", "/datapoints", POINT)[0] == 201
    redis.pause()
    hold_unavailable(served, [("GET", "/statistics/devices/d/avg", None)] * 40)
    hold_unavailable(served, ALL)
    assert served.request("GET", "/healthz")[0] == 200
    assert served.request("GET", "/readyz")[0] == 503
    assert served.request("GET", "/static/style.css")[0] == 200
    redis.resume()
    eventually(lambda: ready(served))
    assert patiently(served, "GET", "/statistics/users/nobody/avg")[0] == 404


def test_a_storage_that_dies_comes_back_by_itself(redis: RedisServer, served: Served) -> None:
    assert send(served, "POST", "/datapoints", POINT)[0] == 201
    redis.kill()
    hold_unavailable(served, ALL)
    assert served.request("GET", "/readyz")[0] == 503
    redis.start()
    eventually(lambda: ready(served))
    assert patiently(served, "POST", "/datapoints", POINT)[0] == 201  # the Redis saved nothing
    assert patiently(served, "GET", "/devices/d")[1]["count"] == 1


def test_the_service_starts_while_the_storage_is_away(redis: RedisServer) -> None:
    redis.kill()
    with serve(redis.url, BANDWIDTHS_FILE=SAMPLE_LISTING) as served:
        hold_unavailable(served, ALL)
        assert served.request("GET", "/readyz")[0] == 503
        redis.start()
        eventually(lambda: ready(served))
        # The listing is then stored too, once.
        listed = send(served, "GET", "/api/bandwidth/devices")[1]
        assert listed
        with serve(redis.url, BANDWIDTHS_FILE=SAMPLE_LISTING) as again:
            eventually(lambda: ready(again))
            assert send(again, "GET", "/api/bandwidth/devices")[1] == listed


def test_a_full_storage_refuses_writes_and_answers_reads(redis: RedisServer, served: Served) -> None:
    assert send(served, "POST", "/datapoints", POINT)[0] == 201
    used = redis.client.info("memory")["used_memory"]
    redis.client.config_set("maxmemory", used // 2)
    moving = ("bandwidth?", "history")  # whose answers go on with the time
    before = {path: send(served, "GET", path)[:2] for path in READS if not any(word in path for word in moving)}
    for method, path, body in WRITES:
        if method == "POST":
            body = [item | {"timestamp": 1_600_000_000} for item in body] if isinstance(body, list) else body
            status, problem, headers = send(served, method, path, body)
            assert (status, problem["status"]) == (507, 507), path
            assert headers["Content-Type"] == "application/problem+json"
    assert {path: send(served, "GET", path)[:2] for path in before} == before
    # Deleting makes room, so even a full storage accepts it.
    assert send(served, "DELETE", "/devices/d/datapoints")[0] == 204
    assert send(served, "GET", "/devices/d")[0] == 404
    redis.client.config_set("maxmemory", 0)
    assert send(served, "POST", "/datapoints", POINT)[0] == 201


def test_a_batch_answered_503_is_repeated_with_skip(redis: RedisServer, served: Served) -> None:
    batch = [POINT | {"timestamp": 1_700_000_000 + i, "device": f"d{i % 50}"} for i in range(1_000)]
    redis.pause()
    assert send(served, "POST", "/datapoints", batch)[0] == 503
    redis.resume()
    eventually(lambda: ready(served))
    status, answer = patiently(served, "POST", "/datapoints?on_duplicate=skip", batch)
    assert status == 201
    assert answer["created"] + answer["skipped"] == 1_000
    assert sum(device["count"] for device in patiently(served, "GET", "/devices")[1]) == 1_000


@pytest.fixture
def replicated() -> Iterator[RedisCluster]:
    cluster = RedisCluster(replicas=1)
    yield cluster
    cluster.stop()


def test_a_failover_ends_by_itself(replicated: RedisCluster) -> None:
    with serve(replicated.url) as served:
        for i in range(30):
            assert send(served, "POST", "/datapoints", POINT | {"device": f"d{i}"})[0] == 201
        for server in replicated.servers[:3]:
            client = server.client.client()
            server.wait(lambda client=client: client.wait(1, 100) == 1)  # type: ignore[misc]
        replicated.servers[0].kill()
        begun = time.monotonic()
        status = send(served, "GET", "/devices")[0]
        assert (status, time.monotonic() - begun < TIMEOUT + 1.5) == (503, True)
        eventually(lambda: ready(served))
        assert len(patiently(served, "GET", "/devices")[1]) == 30
        assert patiently(served, "GET", "/users/u")[1]["count"] == 30


def test_a_storage_behind_a_listener_that_never_speaks() -> None:
    import socket

    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        serve(f"redis://127.0.0.1:{silent.getsockname()[1]}") as served,
    ):
        hold_unavailable(served, ALL)


def test_a_stop_answers_what_waits_for_the_storage(redis: RedisServer) -> None:
    with Served(STORAGE_URL=redis.url, STORAGE_TIMEOUT_SECONDS=str(TIMEOUT)) as served:
        served.wait()
        redis.pause()
        with served.connect() as stream:
            stream.sendall(b"GET /devices HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            served.request("GET", "/healthz")  # by now the server has read what was sent before
            assert served.stop() == 0
            assert stream.recv(12) == b"HTTP/1.1 503"
    redis.resume()
