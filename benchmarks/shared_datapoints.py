"""Compares datapoints in a shared storage and in memory, without HTTP: the cost of operations, as Markdown tables.

    python benchmarks/shared_datapoints.py

Starts a Redis of its own.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from datapoints.divisions import Grid
from datapoints.interface import Store
from datapoints.memory.store import SeriesStore
from datapoints.redis.store import RedisStore
from datapoints.statistics import Aggregate, aggregate_sums
from timeseries_project.storage.client import Storage
from timeseries_project.storage.location import parse_location
from timeseries_project.tests.redis_servers import RedisServer

BATCH, SERIES, STEP = 10_000, 1_000, 20_000_000
QUARTER_HOUR = 900_000_000
FIRST = 1_767_225_600_000_000
DEVICES = [f"device-{number:04d}" for number in range(SERIES)]
rng = np.random.default_rng(1)


class Cost(NamedTuple):
    """The cost per item in microseconds: by the clock (median), and of the server's processor (mean)."""

    clock: float
    server: float


def cost(items: int, operations: list[Callable[[], object]], server: Callable[[], float]) -> Cost:
    """Return the cost of operations; `server` returns the seconds of processor time that the server has used."""
    seconds = []
    used = server()
    for operation in operations:
        begin = time.perf_counter()
        operation()
        seconds.append(time.perf_counter() - begin)
    used = (server() - used) / len(operations)
    return Cost(median(seconds) / items * 1e6, used / items * 1e6)


def batches(store: Store, rounds: int, begin: int, *, kind: str) -> list[Callable[[], object]]:
    """Return functions that add batches, ten points per series: in order, shuffled, or at random earlier times."""
    made = []
    for number in range(rounds):
        steps = np.repeat(np.arange(BATCH // SERIES), SERIES)
        times = FIRST + (begin + number * (BATCH // SERIES) + steps) * STEP
        if kind == "late":
            times = FIRST + rng.integers(0, begin, BATCH) * STEP + 1 + number * 10 + steps
        series = np.tile(np.arange(SERIES), BATCH // SERIES)
        order = rng.permutation(BATCH) if kind == "shuffled" else np.arange(BATCH)
        devices = [DEVICES[at] for at in series[order]]
        made.append(
            partial(store.add_batch, times[order], rng.normal(20, 5, BATCH).round(2), devices, ["user"] * BATCH)
        )
    return made


def average(store: Store, axis: Any, key: str, first: int, last: int) -> None:
    """Read the data of averages over 67 quarter-hours."""
    with store.view(axis, key) as view:
        assert view.first <= view.last
        aggregate_sums(view.sums(first, last), Grid(1), Aggregate.AVG)


def measure(store: Store, server: Callable[[], float]) -> Iterator[tuple[str, Cost]]:
    """Yield the name and the cost of each operation."""
    per = partial(cost, server=server)
    yield "batch of new series, per point", per(BATCH, batches(store, 1, 0, kind="in order"))
    yield "batch in order", per(BATCH, batches(store, 100, 10, kind="in order"))
    yield "batch shuffled", per(BATCH, batches(store, 10, 1_010, kind="shuffled"))
    yield "batch at random earlier times", per(BATCH, batches(store, 10, 1_110, kind="late"))
    newest = FIRST + 2_000 * STEP
    yield "one point, newest", per(1, [partial(store.add, newest + i, 1.5, DEVICES[0], "user") for i in range(1_000)])
    yield "one point, late", per(1, [partial(store.add, FIRST + 7 + i, 1.5, DEVICES[1], "user") for i in range(500)])
    last = (FIRST + 1_110 * STEP) // QUARTER_HOUR * QUARTER_HOUR
    read = partial(average, store, "device", DEVICES[2], last - 67 * QUARTER_HOUR, last)
    yield "averages of a device, 67 quarter-hours", per(1, [read] * 500)
    read = partial(average, store, "user", "user", last - 67 * QUARTER_HOUR, last)
    yield "averages of a user of 1,000 devices", per(1, [read] * 20)
    page = partial(store.listing, start=FIRST, end=None, after=None, limit=1_001)
    yield "listing of 1,000, one device", per(1, [partial(page, device=DEVICES[3], user=None)] * 20)
    yield "listing of 1,000, everything", per(1, [partial(page, device=None, user=None)] * 20)
    yield "1,000 devices listed", per(1, [partial(store.keys, "device")] * 20)
    yield "totals", per(1, [store.totals] * 200)


def main() -> None:
    server = RedisServer()
    try:
        storage = Storage(parse_location(server.url), timeout=60)
        before = server.client.info("memory")["used_memory"]

        def used() -> float:
            info = server.client.info("cpu")
            return float(info["used_cpu_user"] + info["used_cpu_sys"])

        print("| µs | in memory | on Redis | of that, Redis' processor |\n| --- | ---: | ---: | ---: |", flush=True)
        both = zip(measure(RedisStore(storage), used), measure(SeriesStore(), lambda: 0.0), strict=True)
        for (name, shared), (_, alone) in both:
            print(f"| {name} | {alone.clock:,.2f} | {shared.clock:,.2f} | {shared.server:,.2f} |", flush=True)
        grown = server.client.info("memory")["used_memory"] - before
        points = RedisStore(storage).totals().points
        print(f"\n{points:,} points in {SERIES:,} series take {grown / points:.1f} bytes each on Redis.")
    finally:
        server.stop()


if __name__ == "__main__":
    main()
