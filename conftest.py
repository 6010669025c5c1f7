"""Fixtures of all tests: empty stores, a client, and a clock that the test sets."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Iterator
from functools import partial
from types import ModuleType
from typing import Any

import pytest
from rest_framework.test import APIClient
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from bandwidth import services as bandwidth
from bandwidth.redis.store import RedisStore as SharedBandwidth
from datapoints import services as datapoints
from datapoints.redis.store import RedisStore
from timeseries_project.core import clock, timestamps
from timeseries_project.storage.client import Storage
from timeseries_project.storage.location import parse_location
from timeseries_project.tests import drawn
from timeseries_project.tests.redis_servers import RedisCluster, RedisServer, running
from transactions import services as transactions
from transactions.redis.window import RedisWindow

drawn.load_profile()

#: More processes gain nothing: the longest file alone takes as long as the share of one of these.
PROCESSES_AT_MOST = 8

#: Most bytes of data that a process may hold. Who asks for more fails, and leaves the machine its memory.
MOST_MEMORY = 8 * 1024**3

#: Where each app keeps its state, and the store that it uses when processes share a storage.
SHARED_STORES: list[tuple[ModuleType, str, Callable[[Storage], Any]]] = [
    (datapoints, "store", RedisStore),
    (
        transactions,
        "window",
        partial(RedisWindow, length_ms=transactions.LENGTH_MS, ahead_ms=transactions.AHEAD_MS, server_clock=False),
    ),
    (bandwidth, "store", SharedBandwidth),
]


def pytest_configure() -> None:
    """Bound the memory of this process and of those that it starts."""
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    if hard == resource.RLIM_INFINITY or hard > MOST_MEMORY:
        resource.setrlimit(resource.RLIMIT_DATA, (MOST_MEMORY, hard))


def pytest_xdist_auto_num_workers() -> int:
    """Let `-n auto` start one process more than there are processors, since some always wait for a server."""
    return min((os.cpu_count() or 1) + 1, PROCESSES_AT_MOST)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling:
    """Give each process whole files in their listed order, so that a server shared by a file starts only once."""
    config.option.loadscopereorder = False
    return LoadFileScheduling(config, log)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test that is marked `storages` in memory and on each kind of shared storage that it names.

    In the thorough form those of one node run on Valkey, too.
    """
    if marker := metafunc.definition.get_closest_marker("storages"):
        more = ["valkey"] if drawn.THOROUGH and "redis" in marker.args else []
        metafunc.parametrize("storage_kind", ["memory", *marker.args, *more], indirect=True)


@pytest.fixture
def storage_kind(request: pytest.FixtureRequest) -> str:
    """The kind of storage: memory, redis, valkey or cluster."""
    kind: str = getattr(request, "param", "memory")
    return kind


@pytest.fixture(scope="session")
def redis_storage() -> Iterator[Storage]:
    """A real Redis of one node, for the whole session."""
    server = RedisServer()
    yield Storage(parse_location(server.url), timeout=30)
    server.stop()


@pytest.fixture(scope="session")
def valkey_storage() -> Iterator[Storage]:
    """A real Valkey of one node, for the whole session."""
    server = RedisServer("valkey")
    yield Storage(parse_location(server.url), timeout=30)
    server.stop()


@pytest.fixture(scope="session")
def cluster_storage() -> Iterator[Storage]:
    """A real cluster of three masters, for the whole session."""
    cluster = RedisCluster()
    yield Storage(parse_location(cluster.url), timeout=30)
    cluster.stop()


@pytest.fixture(scope="module", params=["redis", "valkey", "cluster"])
def any_server(request: pytest.FixtureRequest) -> Iterator[RedisServer | RedisCluster]:
    """Servers of each kind in turn, for a module whose tests may do with them what they like."""
    with running(request.param) as started:
        yield started


@pytest.fixture(autouse=True)
def empty_stores(storage_kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin each test without data."""
    if storage_kind != "memory":
        storage: Storage = request.getfixturevalue(f"{storage_kind}_storage")
        storage.each_node("FLUSHALL")
        for module, name, store in SHARED_STORES:
            monkeypatch.setattr(module, name, store(storage))
    for clear in (datapoints.store.clear, bandwidth.store.clear, transactions.window.clear):
        clear()


@pytest.fixture
def api() -> APIClient:
    """A client whose requests pass all middleware."""
    return APIClient()


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], int]:
    """A function that sets the server's clock to a timestamp and returns it in epoch seconds."""

    def set_to(text: str) -> int:
        moment = timestamps.parse(text)
        monkeypatch.setattr(clock, "now", lambda: moment)
        return moment // timestamps.MICROSECONDS

    return set_to


@pytest.fixture
def now(set_clock: Callable[[str], int]) -> int:
    """2026-01-31T12:00:00Z in epoch seconds, to which the clock is set."""
    return set_clock("2026-01-31T12:00:00Z")
