"""What the dumps of a layout hold, what the service is asked about it, and how a server gets it.

`scripts/dump_layout.py` makes the files of `tests/layouts/N`: `node.rdb.gz`, a whole Redis of one node;
`cluster.ndjson.gz`, the keys of a cluster, each with what `RESTORE` takes; and `answers.json.gz`.
"""

from __future__ import annotations

import base64
import gzip
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from redis import Redis
from redis.crc import key_slot

from tests.dumping import BEGIN, entries, fill, points
from tests.served import Served
from timeseries_project.storage.client import Storage
from timeseries_project.storage.location import parse_location
from timeseries_project.tests.redis_servers import RedisCluster, RedisServer, running
from transactions.redis.window import RedisWindow

FOLDER = Path(__file__).with_name("layouts")
#: The moment, in milliseconds, at which transactions were added and are asked for.
NOW = 1_700_000_000_000
LONG = "a" * 200 + "ß" * 55
QUESTIONS = (
    "/devices",
    "/users",
    "/devices/hall",
    "/devices/%F0%9F%98%80",
    f"/devices/{LONG}",
    "/users/u2",
    "/users/late",
    "/statistics/devices/hall/avg?start=2023-11-13&end=2023-11-18",
    "/statistics/devices/hall/sum?start=2023-11-01&end=2023-12-01&bucket=7s&fill=none",
    "/statistics/users/u1/p95?start=2023-11-01&end=2023-12-01&bucket=1h&fill=none",
    "/statistics/users/late/avg?start=2023-11-13&end=2023-11-18",
    "/statistics/devices/long/moving_avg?window_size=3&start=2023-11-13&end=2023-11-14",
    "/datapoints?limit=10000",
    "/datapoints?limit=20&order=desc",
    "/api/bandwidth/devices",
    "/api/bandwidth/entries?limit=10000",
    f"/api/bandwidth?device_uuid=hall&end_time={BEGIN + 500}&window_time=7&num_windows=100",
    f"/api/bandwidth?device_uuid=long&end_time={BEGIN + 5000}&window_time=600",
)
#: Nothing is stored of them any more.
UNKNOWN = ("/devices/gone", "/api/bandwidth/devices/gone")
DELETIONS = (
    "/devices/gone/datapoints",
    "/devices/long/datapoints?start=2023-11-13T01:00:00Z&end=2023-11-13T02:30:00Z",
    "/users/u1/datapoints?start=2023-11-14T12:00:10Z&end=2023-11-14T12:00:20Z",
    "/api/bandwidth/devices/gone",
)
SETTINGS = {"BANDWIDTHS_FILE": "", "MAX_BODY_BYTES": "33554432"}


def _point(second: int, value: float, device: str, user: str) -> dict[str, Any]:
    return {"timestamp": 1_699_833_600 + second, "value": value, "device": device, "user": user}  # 2023-11-13


def store(served: Served) -> None:
    """Store datapoints and bandwidth entries: in order and late, under odd names, some deleted or replaced since."""
    random = Random(2)
    fill(served, "/datapoints", points(120))
    # Some blocks in order, and a block that late points have divided.
    fill(served, "/datapoints", [_point(20 * i, i % 9, "long", "u0") for i in range(400)])
    fill(served, "/datapoints", [_point(20 * i + 7, -1, "long", "u0") for i in random.sample(range(100, 150), 40)])
    fill(served, "/datapoints", [_point(60 * i, i, LONG, "late") for i in (9, 3, 100, 0, 55)])
    fill(served, "/datapoints", [_point(i, i, "gone", user) for i in range(3) for user in ("u0", "alone")])
    fill(served, "/datapoints?on_duplicate=replace", [_point(20 * i, 0.5, "long", "u0") for i in range(0, 30, 4)])
    fill(served, "/api/bandwidth", entries(120))
    # A tree of three levels, and entries that came late.
    long = [{"device_id": "long", "timestamp": BEGIN + i, "bytes_ts": i, "bytes_fs": 1} for i in range(800)]
    fill(served, "/api/bandwidth", long)
    fill(served, "/api/bandwidth", [{**long[i], "timestamp": BEGIN - i} for i in range(0, 60, 7)])
    fill(served, "/api/bandwidth", [{**long[i], "device_id": name} for i in range(5) for name in ("gone", LONG)])
    for path in DELETIONS:
        status, _, content = served.request("DELETE", path)
        assert status in (200, 204), (path, status, content)


def window(url: str) -> RedisWindow:
    """Return the window of transactions of a storage, asked at a time of our own."""
    storage = Storage(parse_location(url), timeout=30)
    return RedisWindow(storage, length_ms=60_000, ahead_ms=5_000, server_clock=False)


def store_transactions(url: str) -> None:
    """Count transactions, some of them late."""
    counted = window(url)
    counted.add_batch([NOW - 777 * i for i in range(100)], [0.1 * i - 3 for i in range(100)], now=NOW)
    counted.add(NOW - 59_999, 1e9, now=NOW)
    counted.add(NOW - 1, -1 / 3, now=NOW)


def asked(served: Served) -> dict[str, Any]:
    """Return what the service answers about datapoints and bandwidth."""
    found = {}
    for question in QUESTIONS:
        status, _, content = served.request("GET", question.replace("ß", "%C3%9F"))
        assert status == 200, (question, content)
        found[question] = json.loads(content)
    for question in UNKNOWN:
        assert served.request("GET", question)[0] == 404, question
    return found


def asked_of_window(url: str) -> dict[str, Any]:
    """Return what the window of transactions answers."""
    found = window(url)
    answers = {str(length): found.summary(now=NOW, length_ms=length) for length in (60_000, 10_000, 1_234)}
    seconds = [second for second in found.history(now=NOW) if second.count]
    plain: dict[str, Any] = json.loads(json.dumps({"summaries": answers, "seconds": seconds}))
    return plain


def loaded(kind: str, folder: Path) -> Iterator[RedisServer | RedisCluster]:
    """Start a server of this kind, redis, valkey or cluster, with a dump; stop it at the end."""
    with running(kind) as server:
        if isinstance(server, RedisCluster):
            restore(server, folder)
        else:
            place = Path(server.client.config_get("dir")["dir"])
            server.kill()
            with gzip.open(folder / "node.rdb.gz") as packed, (place / "dump.rdb").open("wb") as file:
                shutil.copyfileobj(packed, file)
            server.start()
        yield server


def masters(cluster: RedisCluster) -> dict[int, Redis]:
    """Return a client for each slot of a cluster without replicas."""
    clients = {server.port: server.client for server in cluster.servers}
    ranges = cluster.servers[0].client.execute_command("CLUSTER SLOTS")
    found = ranges.items() if isinstance(ranges, dict) else (((one[0], one[1]), one[2:]) for one in ranges)
    return {
        slot: clients[nodes["primary"][1] if isinstance(nodes, dict) else nodes[0][1]]
        for (first, last), nodes in found
        for slot in range(first, last + 1)
    }


def restore(cluster: RedisCluster, folder: Path) -> None:
    """Give each key of a dump to the node that has its slot."""
    clients = masters(cluster)
    with gzip.open(folder / "cluster.ndjson.gz", "rt") as lines:
        for line in lines:
            key, value = map(base64.b64decode, json.loads(line))
            clients[key_slot(key)].restore(key, 0, value)
