"""A replica of a cluster takes over that lacks the last writes of its master: entries in the indexes of users."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from datapoints.redis.store import RedisStore
from datapoints.tests.points import add
from datapoints.tests.redis_check import check
from timeseries_project.storage.client import Storage
from timeseries_project.storage.location import parse_location
from timeseries_project.tests.redis_servers import RedisCluster, RedisServer

DEVICES = [f"d{i}" for i in range(60)]
USERS = [f"u{i}" for i in range(60)]


@pytest.fixture
def cluster() -> Iterator[RedisCluster]:
    cluster = RedisCluster(replicas=1)
    yield cluster
    cluster.stop()


def storage_of(servers: list[RedisServer]) -> Storage:
    addresses = ",".join(f"127.0.0.1:{server.port}" for server in servers)
    return Storage(parse_location(f"redis+cluster://{addresses}"), timeout=5)


def lose_entries_and_fail(cluster: RedisCluster, master: int) -> list[str]:
    """Remove the entries of all users on a master and its replica, and kill it; return the users."""
    server = cluster.servers[master]
    client = server.client.client()
    keys = list(client.scan_iter("dp2:{*}u*"))
    for key in [*keys, *client.scan_iter("dp2:{*}U")]:
        client.delete(key)
    server.wait(lambda: client.wait(1, 100) == 1)
    server.kill()
    return [key.decode().partition("}u")[2] for key in keys]


def test_entries_are_made_anew(cluster: RedisCluster) -> None:
    store = RedisStore(storage_of(cluster.servers))
    add(store, [1] * 60, DEVICES, USERS)
    for user in USERS[50:]:
        store.delete("user", user)

    lost = lose_entries_and_fail(cluster, 0)
    assert len(lost) > 5
    cluster.servers[1].wait(lambda: add(store, [2] * 50, DEVICES[:50], USERS[:50], skip=True) >= 0)

    assert {one.key for one in store.keys("user")} == set(USERS[:50])
    alive = cluster.servers[1:]
    check(storage_of([server for server in alive if server.client.info("replication")["role"] == "master"]))
