"""Fixtures of the tests of stores."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from bandwidth.redis.store import RedisStore
from bandwidth.tests.stores import NewStore, new_in
from timeseries_project.tests.redis_servers import RedisServer


@pytest.fixture
def new_store(storage_kind: str, request: pytest.FixtureRequest) -> NewStore:
    """A function that makes a store without entries."""
    storage = None if storage_kind == "memory" else request.getfixturevalue(f"{storage_kind}_storage")
    return partial(new_in, storage)


@pytest.fixture(params=["redis", "cluster"])
def store(request: pytest.FixtureRequest) -> Iterator[RedisStore]:
    """A store that processes share, on one node and in a cluster."""
    store = new_in(request.getfixturevalue(f"{request.param}_storage"))
    assert isinstance(store, RedisStore)
    yield store
    store.clear()


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """A Redis for this test only, which it may stop, fill or pause."""
    server = RedisServer()
    yield server
    server.stop()
