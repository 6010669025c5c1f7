"""At its start a server says in one line what its storage keeps of acknowledged writes, and if it cannot know."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.served import Served
from timeseries_project.storage.client import Storage
from timeseries_project.storage.location import parse_location
from timeseries_project.storage.promises import ask, promise
from timeseries_project.tests.redis_servers import RedisCluster, RedisServer

KINDS = ("redis", "valkey")


def promised(server: RedisServer | RedisCluster) -> str:
    return promise(ask(Storage(parse_location(server.url), timeout=10)))


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    server = RedisServer(request.param)
    yield server
    server.stop()


@pytest.mark.parametrize(
    ("settings", "restart"),
    [
        ({}, "has lost all of them (appendonly no, and no save)"),
        ({"save": "60 1"}, "has lost those since its last save (appendonly no)"),
        (
            {"appendonly": "yes", "appendfsync": "everysec"},
            "has lost none, one whose machine fails those of up to two seconds (appendfsync everysec)",
        ),
        (
            {"appendonly": "yes", "appendfsync": "always"},
            "has lost none, nor has one whose machine fails (appendfsync always)",
        ),
        (
            {"appendonly": "yes", "appendfsync": "no"},
            "has lost none, one whose machine fails those of half a minute or so (appendfsync no)",
        ),
    ],
    ids=["nothing", "save", "everysec", "always", "no fsync"],
)
def test_what_a_restart_leaves(server: RedisServer, settings: dict[str, str], restart: str) -> None:
    for name, value in settings.items():
        server.client.config_set(name, value)
    alone = "one that is lost takes them with it (no replica)"
    assert promised(server) == f"Of acknowledged writes, a storage server that restarts {restart}; {alone}."


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("least", [0, 1])
def test_what_a_replica_has(kind: str, least: int) -> None:
    master = RedisServer(kind, "--min-replicas-to-write", str(least))
    replica = RedisServer(kind, "--replicaof", f"127.0.0.1 {master.port}")
    try:
        master.wait(lambda: master.client.info("replication")["connected_slaves"] == 1)
        told = promised(master)
    finally:
        replica.stop()
        master.stop()
    assert told.endswith(
        "; a replica that takes over lacks only those on their way, or since its link stalled unnoticed "
        "(min-replicas-to-write 1)."
        if least
        else "; a replica that takes over lacks the last ones, or all since its link was cut (min-replicas-to-write 0)."
    )


def test_memory_that_is_thrown_away(server: RedisServer) -> None:
    server.client.config_set("maxmemory-policy", "allkeys-lru")
    assert "THROWS" not in promised(server)  # it has no limit
    server.client.config_set("maxmemory", 10**9)
    assert promised(server).endswith(
        "; AND A FULL MEMORY THROWS DATA AWAY (maxmemory-policy allkeys-lru; set noeviction)."
    )


def test_the_weakest_server_of_a_cluster_counts() -> None:
    cluster = RedisCluster()
    try:
        for server in cluster.servers:
            server.client.config_set("appendonly", "yes")
            server.client.config_set("appendfsync", "always")
        assert "(appendfsync always)" in promised(cluster)
        cluster.servers[1].client.config_set("appendfsync", "everysec")
        assert "(appendfsync everysec)" in promised(cluster)
        cluster.servers[2].client.config_set("appendonly", "no")
        assert "(appendonly no, and no save)" in promised(cluster)
        advice = "; while one server is away, all refuse everything (cluster-require-full-coverage yes; set no)."
        assert promised(cluster).endswith(advice)
        for server in cluster.servers:
            server.client.config_set("cluster-require-full-coverage", "no")
        assert promised(cluster).endswith("takes them with it (no replica).")
    finally:
        cluster.stop()


@pytest.mark.parametrize("appends", ["yes", "no"])
def test_a_service_that_refuses_config(server: RedisServer, appends: str) -> None:
    client = server.client
    client.config_set("appendonly", appends)
    client.config_set("min-replicas-to-write", 1)
    client.execute_command("ACL", "SETUSER", "default", "-config")
    told = promised(server)
    assert "cannot be known, as CONFIG GET is refused" in told
    assert ("restarts has lost none" in told) == (appends == "yes")
    assert "(min-replicas-to-write 1)" in told  # which INFO tells
    client.execute_command("ACL", "SETUSER", "default", "-info")
    assert promised(server) == "What this storage keeps of acknowledged writes cannot be known, as it refuses INFO."


def test_a_service_that_has_no_such_command() -> None:
    server = RedisServer("redis", "--rename-command", "CONFIG", "")
    try:
        assert "cannot be known, as CONFIG GET is refused" in promised(server)
        assert told_at_start(server.url) == ("info", promised(server))
    finally:
        server.stop()


def told_at_start(url: str, workers: str = "2") -> tuple[str, str]:
    """Start a server, which must serve, and return what it has logged about its storage: once."""
    with Served(STORAGE_URL=url, WORKERS=workers) as served:
        served.wait()
        status, _, err = served.stopped()
    assert status == 0
    [line] = [line for line in map(json.loads, err.splitlines()) if "acknowledged writes" in line["message"]]
    return line["level"], line["message"]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_server_says_it_once_at_its_start(server: RedisServer, workers: str) -> None:
    assert told_at_start(server.url, workers) == ("warning", promised(server))
    server.client.config_set("appendonly", "yes")
    assert told_at_start(server.url, workers) == ("info", promised(server))


def test_a_server_whose_storage_is_away_says_so() -> None:
    assert told_at_start("redis://127.0.0.1:1") == (
        "warning",
        "What this storage keeps of acknowledged writes is not known yet: it cannot be reached.",
    )
