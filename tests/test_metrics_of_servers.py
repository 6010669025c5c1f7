"""/metrics says the same things whatever the storage and however many workers answer: nothing in ops/ stays empty."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

import pytest

from tests.asked_metrics import asked_names
from tests.served import Served, children, memory
from timeseries_project.tests.exposition import Samples
from timeseries_project.tests.redis_servers import RedisServer

#: A server in this process's memory, and servers over a Redis with one worker and with two.
SERVERS = {"memory": "1", "redis": "1", "redis, two workers": "2"}
#: Requests of each kind: enough for both of two workers to get some.
TIMES = 20
POINT = {"value": 1, "device": "d", "user": "u"}


@dataclass(frozen=True)
class Told:
    """What a server told of its metrics, asked again and again over new connections, and what was true of it."""

    samples: list[Samples]
    begun: float
    memory: int
    processes: int


def traffic(served: Served) -> None:
    """Store something in each app, repeat a datapoint, and read."""
    now = time.time_ns() // 1_000_000

    def post(path: str, body: object) -> int:
        return served.request("POST", path, json.dumps(body), Content_Type="application/json")[0]

    for i in range(TIMES):
        assert post("/datapoints", POINT | {"timestamp": i}) == 201
        assert post("/datapoints", POINT | {"timestamp": i}) == 409
        assert post("/datapoints", [POINT | {"timestamp": i, "device": "e"}] * 1) == 201
        assert post("/api/bandwidth", {"device_id": "d", "timestamp": i, "bytes_ts": 1, "bytes_fs": 2}) == 201
        assert post("/api/transactions", [{"amount": 1, "timestamp": now}, {"amount": 1, "timestamp": 0}]) == 201
        assert served.request("GET", "/devices")[0] == 200


def ask(served: Served) -> Samples:
    return Samples.parse(served.request("GET", "/metrics")[2].decode())


@pytest.fixture(scope="module")
def told() -> dict[str, Told]:
    found = {}
    for name, workers in SERVERS.items():
        redis = None if name == "memory" else RedisServer()
        begun = time.time()
        with Served(WORKERS=workers, STORAGE_URL=redis.url if redis else "memory://") as served:
            served.wait()
            traffic(served)
            samples = [ask(served) for _ in range(TIMES)]
            processes = 1 + len(children(served.process.pid))
            found[name] = Told(samples, begun, memory(served), processes)
            assert served.stop() == 0
        if redis:
            redis.stop()
    return found


@pytest.mark.parametrize("server", SERVERS)
def test_all_that_alerts_and_panels_ask_for_has_samples(told: dict[str, Told], server: str) -> None:
    asked = asked_names()
    assert len(asked) > 15
    for samples in told[server].samples:
        assert asked - samples.labels().keys() == set()


@pytest.mark.parametrize("server", SERVERS)
def test_the_same_series_are_told(told: dict[str, Told], server: str) -> None:
    expected, found = (told[name].samples[-1].labels() for name in ("memory", server))
    assert found == expected


@pytest.mark.parametrize("server", SERVERS)
def test_every_worker_tells_what_all_have_done(told: dict[str, Told], server: str) -> None:
    for samples in told[server].samples:
        accepted = {app: samples.value("timeseries_accepted_total", app=app) for app in ("datapoints", "transactions")}
        assert accepted == {"datapoints": 2 * TIMES, "transactions": TIMES}
        assert samples.value("timeseries_accepted_total", app="bandwidth") == TIMES
        assert samples.value("timeseries_refused_writes_total", reason="duplicate") == TIMES
        posted = {"method": "POST", "route": "/datapoints", "status": 201}
        assert samples.value("http_requests_total", **posted) == 2 * TIMES
        assert samples.value("http_request_duration_seconds_count", **posted) == 2 * TIMES
        assert samples.value("timeseries_datapoints") == 2 * TIMES
        assert samples.value("timeseries_ready") == 1


@pytest.mark.parametrize("server", SERVERS)
def test_the_figures_of_the_processes_are_those_of_the_whole_server(told: dict[str, Told], server: str) -> None:
    one = told[server]
    assert one.processes >= int(SERVERS[server])
    started = {samples.value("process_start_time_seconds") for samples in one.samples}
    assert len(started) == 1
    assert one.begun - 2 < started.pop() < one.begun + 60  # the kernel counts from its own, rounded, start
    times = [samples.value("process_cpu_seconds_total") for samples in one.samples]
    assert times == sorted(times)
    assert times[0] > 0
    for samples in one.samples:
        assert 0.8 * one.memory < samples.value("process_resident_memory_bytes") < 1.2 * one.memory
        assert 10 * one.processes < samples.value("process_open_fds") < samples.value("process_max_fds")


@pytest.mark.parametrize("server", SERVERS)
def test_what_the_data_take_is_told(told: dict[str, Told], server: str) -> None:
    held = {dict(labels)["app"]: value for (name, labels), value in told[server].samples[-1].items() if "held" in name}
    assert held.keys() == ({"datapoints", "bandwidth", "transactions"} if server == "memory" else {"all"})
    assert all(value > 1_000 for value in held.values())
