"""Measures how long a call holds a shared storage, which answers one at a time: `python benchmarks/shared_calls.py`.

Starts a Redis of its own, and adds batches of 10,000 items without HTTP. The times are those of Redis' slow log.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from statistics import median

import numpy as np
from redis import Redis

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import bandwidth.redis.store as bandwidth
import datapoints.redis.store as datapoints
from timeseries_project.storage.client import Storage
from timeseries_project.storage.location import parse_location
from timeseries_project.tests.redis_servers import RedisServer
from transactions.redis.window import RedisWindow

BATCH, ROUNDS = 10_000, 5
NOW = 1_767_225_600
rng = np.random.default_rng(1)


def batches(storage: Storage) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield what each kind of batch is, and a function that adds one."""
    series, bytes_of, window = (
        datapoints.RedisStore(storage),
        bandwidth.RedisStore(storage),
        RedisWindow(storage, length_ms=60_000, ahead_ms=5_000, server_clock=False),
    )
    numbers = count()  # so that no time comes twice
    values, ones = rng.normal(20, 5, BATCH).round(2), [1] * BATCH
    for devices in (1, 1_000, BATCH):
        keys = [f"device-{number % devices}" for number in range(BATCH)]

        def newest(keys: list[str] = keys) -> None:
            times = (NOW + next(numbers)) * 1_000_000 + np.arange(BATCH)
            series.add_batch(times, values, keys, ["user"] * BATCH)

        def points(span: int, keys: list[str] = keys) -> None:
            steps = rng.permutation(BATCH) * (span * 1_000_000 // BATCH)
            series.add_batch(NOW * 1_000_000 - steps - next(numbers), values, keys, ["user"] * BATCH)

        def entries(span: int, keys: list[str] = keys) -> None:
            bytes_of.add_batch(keys, (NOW - rng.integers(0, span, BATCH)).tolist(), ones, ones, now=NOW)

        of = f"of {devices:,} device{'s' * (devices > 1)}"
        yield f"datapoints {of}, in order", newest
        for name, add in (("datapoints", points), ("bandwidth", entries)):
            yield f"{name} {of}, within a minute", lambda add=add: add(60)
            yield f"{name} {of}, anywhere in a day", lambda add=add: add(86_400)

    def payments(span: int) -> None:
        window.add_batch(NOW * 1_000 - rng.integers(0, span, BATCH), values, now=NOW * 1_000)

    yield "payments of one second", lambda: payments(1_000)
    yield "payments anywhere in 60 seconds", lambda: payments(60_000)


def calls(server: Redis, add: Callable[[], object]) -> tuple[float, list[int]]:
    """Return the seconds that it takes to add, and the microseconds of each call that is made meanwhile."""
    server.slowlog_reset()
    begin = time.perf_counter()
    add()
    seconds = time.perf_counter() - begin
    return seconds, [
        entry["duration"] for entry in server.slowlog_get(100_000) if entry["command"].startswith(b"FCALL")
    ]


def main() -> None:
    """Print the table."""
    server = RedisServer()
    try:
        server.client.config_set("slowlog-log-slower-than", 0)
        server.client.config_set("slowlog-max-len", 100_000)
        print("| batch of 10,000 | takes | calls | longest call |\n| --- | ---: | ---: | ---: |")
        for name, add in batches(Storage(parse_location(server.url), timeout=60)):
            add()  # makes the series
            found = [calls(server.client, add) for _ in range(ROUNDS)]
            took, made = median(seconds for seconds, _ in found), median(len(of) for _, of in found)
            longest = median(max(of) for _, of in found)
            print(f"| {name} | {took * 1e3:.1f} ms | {made} | {longest / 1e3:.1f} ms |", flush=True)
    finally:
        server.stop()


if __name__ == "__main__":
    main()
