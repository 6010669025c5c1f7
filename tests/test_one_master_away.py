"""One master of a cluster is killed, or stalls: what does not need it goes on, and what does is told so at once."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from bandwidth.interface import FullError as EntriesFullError
from bandwidth.redis import capacity as bandwidth_capacity
from bandwidth.redis.store import RedisStore as BandwidthStore
from datapoints.interface import FullError as PointsFullError
from datapoints.redis import capacity as datapoints_capacity
from datapoints.redis.store import RedisStore as DatapointsStore
from tests.served import Served
from timeseries_project.storage.client import Storage
from timeseries_project.storage.errors import StorageUnavailableError
from timeseries_project.storage.location import parse_location
from timeseries_project.tests.redis_servers import RedisCluster
from transactions.redis.window import TAGS, RedisWindow

TIMEOUT = 1.0
DEVICES = [f"device-{number}" for number in range(40)]
NOW = 1_700_000_000


@pytest.fixture(scope="module", params=["redis", "valkey"])
def cluster(request: pytest.FixtureRequest) -> Iterator[RedisCluster]:
    cluster = RedisCluster(request.param)
    for server in cluster.servers:
        # As without a failed node's slots otherwise nothing is served once the others count it as failed.
        server.client.config_set("cluster-require-full-coverage", "no")
    yield cluster
    cluster.stop()


@pytest.fixture(params=["killed", "stalled"])
def take_away(cluster: RedisCluster, request: pytest.FixtureRequest) -> Iterator[Callable[[], None]]:
    """What takes the first master away, until the end of the test."""
    server = cluster.servers[0]
    yield server.kill if request.param == "killed" else server.pause
    if request.param == "killed":
        server.start()
    else:
        server.resume()
    for each in cluster.servers:
        each.wait(lambda each=each: b"cluster_state:ok" in cluster._info(each))
        each.wait(lambda each=each: not fails_for(each))
        each.client.flushall()


def fails_for(server: Any) -> bool:
    """Whether a server counts another one as failed."""
    return "fail" in str(server.client.execute_command("CLUSTER NODES"))


@pytest.fixture
def storage(cluster: RedisCluster) -> Storage:
    return Storage(parse_location(cluster.url), timeout=TIMEOUT)


@pytest.fixture(autouse=True)
def stale(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no count be fresh: each write asks for those of all servers."""
    monkeypatch.setattr(bandwidth_capacity, "COUNT_SECONDS", -1)
    monkeypatch.setattr(datapoints_capacity, "FRESH_SECONDS", -1)


def parted(cluster: RedisCluster, pattern: str) -> tuple[list[str], list[str]]:
    """Return the devices that are on the first master, and the others."""
    keys = b" ".join(cluster.servers[0].client.keys(pattern)).split()
    names = {key.decode().rpartition("device-")[2].partition("\x1f")[0] for key in keys}
    there = [device for device in DEVICES if device.removeprefix("device-") in names]
    others = [device for device in DEVICES if device not in there]
    assert len(there) > 5
    assert len(others) > 5
    return there, others


def seconds(function: Callable[[], object]) -> float:
    begun = time.monotonic()
    function()
    return time.monotonic() - begun


def hold(there: list[str], others: list[str], act: Callable[[str], object]) -> None:
    """Act on the devices of the master that is away, which fails, and on the others, which goes on without waiting.

    A busy machine may hold up one or another of the calls, but not most of them.
    """

    def fail(device: str) -> None:
        with pytest.raises(StorageUnavailableError):
            act(device)

    waits = [seconds(lambda device=device: act(device)) for device in others]  # type: ignore[misc]
    assert sum(wait > TIMEOUT / 4 for wait in waits) <= 1 + len(waits) // 5  # the first one may notice
    fail(there[0])
    refused, answered = [], []
    for device in (*there, *there):
        refused.append(seconds(lambda device=device: fail(device)))  # type: ignore[misc]
        answered.append(seconds(lambda: act(others[0])))
    assert sum(wait >= TIMEOUT * 0.75 for wait in refused) <= len(refused) // 5
    assert sum(wait > TIMEOUT / 4 for wait in answered) <= len(answered) // 5


def test_bandwidth(cluster: RedisCluster, storage: Storage, take_away: Callable[[], None]) -> None:
    store = BandwidthStore(storage)
    for device in DEVICES:
        store.add(device, NOW, 1, 2)
    there, others = parted(cluster, "bw:*:device:*")
    take_away()
    hold(there, others, lambda device: store.add(device, NOW, 1, 2))
    hold(there, others, lambda device: store.device(device))
    assert store.device(others[-1]).bytes_ts == 2


def test_datapoints(cluster: RedisCluster, storage: Storage, take_away: Callable[[], None]) -> None:
    store = DatapointsStore(storage)
    for device in DEVICES:
        store.add(NOW, 1.0, device, "u")
    there, others = parted(cluster, "dp2:*}ddevice-*")
    times = iter(range(NOW + 1, NOW + 1_000))
    take_away()
    hold(there, others, lambda device: store.add(next(times), 1.0, device, "u"))

    def add_two(device: str) -> None:
        store.add_batch(np.array([next(times), next(times)]), np.ones(2), [device, others[1]], ["u", "u"])

    hold(there, others, add_two)
    hold(there, others, lambda device: store.key("device", device))


def test_transactions(storage: Storage, take_away: Callable[[], None]) -> None:
    window = RedisWindow(storage, length_ms=60_000, ahead_ms=5_000, server_clock=False)
    for second in range(12):
        assert window.add(second, 1.0, now=1_000)
    take_away()
    with pytest.raises(StorageUnavailableError):
        window.summary(now=1_000)
    # Stripes of other masters take all that come.
    assert all(window.add(second, 1.0, now=1_000) for second in range(5 * len(TAGS)))
    with pytest.raises(StorageUnavailableError):  # the sums of all stripes cannot be known
        window.summary(now=1_000)


def test_the_limits_hold_by_the_last_known_counts(
    cluster: RedisCluster, storage: Storage, take_away: Callable[[], None]
) -> None:
    entries = BandwidthStore(storage, max_entries=len(DEVICES) + 3)
    points = DatapointsStore(storage, max_points=len(DEVICES) + 3)
    for device in DEVICES:
        entries.add(device, NOW, 1, 2)
        points.add(NOW, 1.0, device, "u")
    _, with_entries = parted(cluster, "bw:*:device:*")
    _, with_points = parted(cluster, "dp2:*}ddevice-*")
    # Each process learns the counts with its next write.
    entries.add(with_entries[0], NOW, 1, 2)
    points.add(NOW + 1, 1.0, with_points[0], "u")
    take_away()
    for number in range(2):
        entries.add(with_entries[0], NOW, 1, 2)
        points.add(NOW + 2 + number, 1.0, with_points[0], "u")
    with pytest.raises(EntriesFullError):
        entries.add(with_entries[0], NOW, 1, 2)
    with pytest.raises(PointsFullError):
        points.add(NOW + 9, 1.0, with_points[0], "u")


def test_the_service_refuses_at_once_what_it_cannot_do(cluster: RedisCluster, take_away: Callable[[], None]) -> None:
    def send(device: str) -> tuple[int, float, Any]:
        entry = {"device_id": device, "timestamp": NOW, "bytes_ts": 1, "bytes_fs": 2}
        begun = time.monotonic()
        status, answer, _ = served.request("POST", "/api/bandwidth", json.dumps(entry), Content_Type="application/json")
        return status, time.monotonic() - begun, answer.headers

    with Served(STORAGE_URL=cluster.url) as served:
        served.wait()
        assert [send(device)[0] for device in DEVICES] == [201] * len(DEVICES)
        there, others = parted(cluster, "bw:*:device:*")
        take_away()
        assert [send(device)[0] for device in others] == [201] * len(others)
        assert send(there[0])[0] == 503
        for _ in range(10):
            status, wait, headers = send(there[0])
            assert (status, headers["Retry-After"]) == (503, "1")
            assert wait < 1.5  # of the two seconds that a request has
            assert send(others[0])[0] == 201
        served.stop()
