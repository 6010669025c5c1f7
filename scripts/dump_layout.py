"""Dumps the layout of the shared storage as this release has it, for the tests of the releases after it.

    .venv/bin/python scripts/dump_layout.py tests/layouts/1

Starts a Redis and a cluster of its own and a server on each, stores data of all three apps in them, and writes what
they then hold and answer (see `tests/layouts.py`). A release that changes the layout of an app adds a folder, and
leaves the folders of the earlier ones as they are: nothing else can make them again.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "timeseries_project.settings")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests import layouts
from tests.served import Served
from timeseries_project.tests.redis_servers import RedisCluster, RedisServer


def main() -> None:
    """Write the files, and say how large they are."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True)
    node = RedisServer("redis", "--rdbcompression", "no")  # gzip finds more if nothing is packed yet
    try:
        answers = filled(node.url)
        dump_node(node, folder / "node.rdb.gz")
    finally:
        node.stop()
    cluster = RedisCluster()
    try:
        if filled(cluster.url) != answers:
            raise SystemExit("the cluster answers otherwise than the node")
        dump_cluster(cluster, folder / "cluster.ndjson.gz")
    finally:
        cluster.stop()
    (folder / "answers.json.gz").write_bytes(packed(json.dumps(answers, sort_keys=True).encode()))
    for file in sorted(folder.iterdir()):
        sys.stdout.write(f"{file}: {file.stat().st_size} bytes\n")


def filled(url: str) -> dict[str, Any]:
    """Store everything in a storage, and return what the service then answers."""
    with Served(STORAGE_URL=url, **layouts.SETTINGS) as served:
        served.wait()
        layouts.store(served)
        layouts.store_transactions(url)
        answers = layouts.asked(served) | {"transactions": layouts.asked_of_window(url)}
        if served.stop():
            raise SystemExit("the server failed")
    return answers


def dump_node(server: RedisServer, file: Path) -> None:
    """Write what a server holds, without the functions, which a service loads by itself."""
    client = server.client
    for key in client.scan_iter("tx:*"):
        client.persist(key)  # it would be gone ten minutes from now
    client.function_flush()
    client.save()
    file.write_bytes(packed((Path(client.config_get("dir")["dir"]) / "dump.rdb").read_bytes()))


def dump_cluster(cluster: RedisCluster, file: Path) -> None:
    """Write a line for each key: its name and its value, as RESTORE takes it."""
    values = {key: server.client.dump(key) for server in cluster.servers for key in server.client.scan_iter()}
    lines = [json.dumps([base64.b64encode(part).decode() for part in item]) for item in sorted(values.items())]
    file.write_bytes(packed("\n".join(lines).encode()))


def packed(content: bytes) -> bytes:
    """Return it in gzip, without a time: the same content gives the same file."""
    return gzip.compress(content, mtime=0)


if __name__ == "__main__":
    main()
