"""Stores of every kind, alone and as several processes have them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from datapoints.interface import Store
from datapoints.memory.store import SeriesStore
from datapoints.redis.library import LIBRARY
from datapoints.redis.store import RedisStore
from datapoints.tests import redis_check
from timeseries_project.storage.client import Storage


@pytest.fixture
def shared_storage(storage_kind: str, request: pytest.FixtureRequest) -> Storage | None:
    """Where the stores under test keep what they share; None: in the memory of the process."""
    if storage_kind == "memory":
        return None
    storage: Storage = request.getfixturevalue(f"{storage_kind}_storage")
    return storage


@pytest.fixture
def new_store(shared_storage: Storage | None) -> Callable[[], Store]:
    """Make a store that is empty; those made before are not to be used any more."""

    def make() -> Store:
        if shared_storage is None:
            return SeriesStore()
        shared_storage.each_node("FLUSHALL")
        return RedisStore(shared_storage)

    return make


@pytest.fixture
def process_stores(shared_storage: Storage | None) -> Callable[[int], list[Store]]:
    """Make so many stores of the same data, each as another process would have it; in memory it is one store."""

    def make(number: int) -> list[Store]:
        if shared_storage is None:
            return [SeriesStore()] * number
        location = shared_storage.location
        return [RedisStore(Storage(location, timeout=30)) for _ in range(number)]

    return make


@pytest.fixture
def check(shared_storage: Storage | None) -> Callable[[Store], None]:
    """Assert a store's invariants."""

    def check(store: Store) -> None:
        if isinstance(store, SeriesStore):
            store._check()
        else:
            assert shared_storage is not None
            redis_check.check(shared_storage)

    return check


@pytest.fixture
def small_server_blocks(shared_storage: Storage | None) -> Iterator[None]:
    """Let blocks on the server be divided after few rows, and few be written or dropped at once."""
    small = LIBRARY.replacement(POINTS_BLOCK=64, SUMS_BLOCK=80, LATE_RUNS=3, CUT_SERIES=2, CUT_BLOCKS=2)
    if shared_storage is not None:
        shared_storage.each_node("FUNCTION", "LOAD", "REPLACE", small)
    yield
    if shared_storage is not None:
        shared_storage.each_node("FUNCTION", "LOAD", "REPLACE", LIBRARY.code)
