"""What the tests of `dump` send, and what they ask servers before and after a move."""

from __future__ import annotations

import json
import math
from pathlib import Path
from random import Random
from typing import Any

from tests.served import Served

BEGIN = 1_700_000_000
#: Keys that are awkward in addresses, CSV and JSON.
KEYS = ["hall", 'a "b",c', "=1+1", "ü/ö?&#%", " blank ", "a\u2028b", "😀", "007"]
#: Doubles that need all their digits, or more than most.
VALUES = [0.1 + 0.2, 1 / 3, 1e150, -1e150, 5e-324, 2.0**53 + 2, 0.0, math.pi, -1e-7, 123456789.123456789]
QUESTIONS = (
    "/devices",
    "/users",
    "/statistics/devices/hall/avg?end=2023-12-01",
    "/statistics/devices/hall/stddev?end=2023-12-01&bucket=1h",
    "/statistics/users/u1/p95?end=2023-12-01&bucket=7s&fill=none",
    "/statistics/devices/007/moving_avg?window_size=3&end=2023-12-01",
    "/devices/%F0%9F%98%80",
    "/users/u2",
    "/api/bandwidth/devices",
    f"/api/bandwidth?device_uuid=hall&end_time={BEGIN + 500}&window_time=7&num_windows=100",
    f"/api/bandwidth?device_uuid=007&end_time={BEGIN + 5000}&window_time=600",
)


def points(count: int) -> list[dict[str, Any]]:
    """Return datapoints at times to the microsecond, and some at whole seconds."""
    random = Random(1)
    return [
        {
            "timestamp": f"2023-11-{14 + i % 3}T12:{i // 60 % 60:02}:{i % 60:02}"
            + (f".{random.randrange(10**6):06}Z" if i % 5 else "Z"),
            "value": random.choice(VALUES) if i % 2 else random.gauss(0, 1e3),
            "device": KEYS[i % len(KEYS)],
            "user": f"u{i % 3}",
        }
        for i in range(count)
    ]


def entries(count: int) -> list[dict[str, Any]]:
    """Return bandwidth entries, each of an instant of its own."""
    return [
        {
            "device_id": KEYS[i % len(KEYS)],
            "timestamp": BEGIN + i,
            "bytes_ts": 2**53 - 1 - i if i % 7 == 0 else i,
            "bytes_fs": i * i,
        }
        for i in range(count)
    ]


def fill(served: Served, path: str, items: list[dict[str, Any]]) -> None:
    status, _, content = served.request("POST", path, json.dumps(items), Content_Type="application/json")
    assert status == 201, content


def url(served: Served) -> str:
    return f"http://127.0.0.1:{served.port}"


def listed(served: Served, path: str) -> list[dict[str, Any]]:
    """Return a whole listing."""
    rows: list[dict[str, Any]] = []
    cursor = ""
    while True:
        answer = json.loads(served.request("GET", f"{path}?limit=10000{cursor}")[2])
        rows += answer["results"]
        if answer["next"] is None:
            return rows
        cursor = f"&cursor={answer['next']}"


def answers(served: Served) -> dict[str, bytes]:
    """Return what a server answers about all that it has."""
    found: dict[str, Any] = {}
    for question in QUESTIONS:
        status, _, content = served.request("GET", question)
        assert status == 200, (question, content)
        found[question] = content
    for path in ("/datapoints", "/api/bandwidth/entries"):
        found[path] = json.dumps(listed(served, path)).encode()
    return found


def leftovers(path: Path) -> list[str]:
    """Return the names of what an unfinished dump left beside its file."""
    return sorted(found.name for found in path.parent.iterdir() if found.name.startswith(f"{path.name}."))
