"""Backups of a Redis or Valkey as docs/operations.md says: copied while it serves, restored on a fresh server."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.dumping import answers, entries, fill, points
from tests.served import Served
from timeseries_project.tests.redis_servers import RedisServer

ROOM = "33554432"


def folder(server: RedisServer) -> Path:
    """Return the directory in which a server keeps its files."""
    return Path(server.client.config_get("dir")["dir"])


@contextmanager
def redis(kind: str, *options: str) -> Iterator[RedisServer]:
    server = RedisServer(kind, *options)
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def restored(kind: str, backup: Path, *options: str) -> Iterator[RedisServer]:
    """Start a fresh server that finds a file, or a directory, in its place."""
    with redis(kind, *options) as server:
        place = folder(server)
        server.kill()
        for found in place.iterdir():
            shutil.rmtree(found) if found.is_dir() else found.unlink()
        (shutil.copytree if backup.is_dir() else shutil.copy)(backup, place / backup.name)
        server.start()
        yield server


def asked(server: RedisServer) -> dict[str, bytes]:
    """Return what the service answers on a storage."""
    with Served(STORAGE_URL=server.url, MAX_BODY_BYTES=ROOM) as served:
        served.wait()
        found = answers(served)
        assert served.stop() == 0
    return found


@pytest.mark.parametrize("kind", ["redis", "valkey"])
def test_a_copy_of_what_bgsave_writes_restores_everything(kind: str, tmp_path: Path) -> None:
    backup = tmp_path / "dump.rdb"
    with redis(kind) as first, Served(STORAGE_URL=first.url, MAX_BODY_BYTES=ROOM) as served:
        served.wait()
        fill(served, "/datapoints", points(2_000))
        fill(served, "/api/bandwidth", entries(2_000))
        before = answers(served)
        first.client.bgsave()
        first.wait(lambda: not first.client.info("persistence")["rdb_bgsave_in_progress"])
        assert first.client.info("persistence")["rdb_last_bgsave_status"] == "ok"
        shutil.copy(folder(first) / "dump.rdb", backup)
        # What comes after the backup is not in it.
        fill(served, "/datapoints", points(2_500)[2_000:])
        assert answers(served) != before
        assert served.stop() == 0
    with restored(kind, backup, "--appendonly", "no") as second:
        assert asked(second) == before
        second.client.config_set("appendonly", "yes")
        second.wait(lambda: not second.client.info("persistence")["aof_rewrite_in_progress"])
        assert second.client.info("persistence")["aof_last_bgrewrite_status"] == "ok"
        kept = tmp_path / "appendonlydir"
        shutil.copytree(folder(second) / "appendonlydir", kept)
    with restored(kind, kept, "--appendonly", "yes") as third:
        assert asked(third) == before


def test_with_an_append_only_file_the_copy_alone_is_ignored(tmp_path: Path) -> None:
    """Why the documentation says to turn it off for the restore."""
    with redis("redis") as first:
        first.client.set("mine", 1)
        first.client.save()
        backup = Path(shutil.copy(folder(first) / "dump.rdb", tmp_path))
    with restored("redis", backup, "--appendonly", "yes") as second:
        assert second.client.dbsize() == 0
