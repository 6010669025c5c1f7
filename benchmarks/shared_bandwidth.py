"""Measures bandwidth in a shared storage, without HTTP.

    python benchmarks/shared_bandwidth.py [redis://127.0.0.1:6379/0]

Starts a Redis of its own, or uses an empty storage of one node and empties it again.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

from redis import Redis

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bandwidth.redis.store import RedisStore
from timeseries_project.storage.client import Storage
from timeseries_project.storage.location import parse_location
from timeseries_project.tests.redis_servers import RedisServer

NOW = 1_800_000_000


def microseconds(work: Callable[[int], object], times: int) -> float:
    """Return the microseconds of a call: the best of five rounds of so many calls."""
    best = float("inf")
    for _ in range(5):
        begun = time.perf_counter()
        for number in range(times):
            work(number)
        best = min(best, time.perf_counter() - begun)
    return best / times * 1e6


def history(store: RedisStore, device: str, entries: int, every: int) -> None:
    """Give a device so many entries, one every so many seconds, up to now."""
    for start in range(0, entries, 10_000):
        times = [NOW - every * (entries - 1 - i) for i in range(start, min(start + 10_000, entries))]
        store.add_batch([device] * len(times), times, [1_234_567] * len(times), [7_654_321] * len(times))


def measure(url: str) -> None:
    """Print the cost of each operation."""
    store, server = RedisStore(Storage(parse_location(url), timeout=60)), Redis.from_url(url)
    if server.dbsize():
        raise SystemExit("The storage is not empty.")
    store.add("first", 1, 1, 1)  # connects and loads the functions
    store.clear()
    for name, every in (("second", 1), ("minute", 60), ("hour", 3_600)):
        for entries in (1, 100, 10_000):
            before = server.info("memory")["used_memory"]
            history(store, "router-1", entries, every)
            used = server.info("memory")["used_memory"] - before
            print(f"{entries:>9,} entries, one a {name}: {used / entries:.1f} bytes each", flush=True)
            store.clear()
    for every in (60, 1):
        for entries in (100, 10_000, 1_000_000):
            device = f"{entries:,} entries {every} s apart"
            history(store, device, entries, every)
            windows = microseconds(lambda _, d=device: store.windows(d, end=NOW, length=60, count=10), 500)
            single = microseconds(lambda i, d=device: store.add(d, NOW + i, 1, 2), 500)
            late = microseconds(lambda i, d=device, s=every * entries: store.add(d, NOW - i * s // 500, 1, 2), 500)
            print(f"{device}: 10 windows {windows:.0f} us, add {single:.0f} us, late add {late:.0f} us")
            store.delete(device)
    rng, sizes = random.Random(1), ([1_000] * 10_000, [2_000] * 10_000)
    for devices in (1, 1_000, 10_000):
        names = [f"device-{i % devices}" for i in range(10_000)]

        def batch(i: int, names: list[str] = names) -> None:
            store.add_batch(names, range(NOW + i * 10_000, NOW + (i + 1) * 10_000), *sizes)

        print(f"a batch of 10,000 for {devices:,} devices: {microseconds(batch, 2) / 10_000:.2f} us per entry")
    history(store, "long", 1_000_000, 1)
    past = range(NOW - 1_000_000, NOW)
    late = microseconds(lambda _: store.add_batch(["long"] * 10_000, rng.sample(past, 10_000), *sizes), 1)
    print(f"a batch of 10,000 anywhere among 1,000,000: {late / 10_000:.2f} us per entry")
    for length in (60, 100, 86_400):
        took = microseconds(lambda _, n=length: store.windows("long", end=NOW, length=n, count=10_000), 1)
        print(f"10,000 windows of {length:,} s: {took / 1e3:.1f} ms")
    print(f"totals of 10,001 devices: {microseconds(lambda _: store.overview(5, now=int(time.time())), 200):.0f} us")
    print(f"all 10,001 devices: {microseconds(lambda _: store.devices(), 1) / 1e3:.1f} ms")
    print(f"twenty found by text: {microseconds(lambda _: store.devices('99', 20), 2) / 1e3:.1f} ms")
    store.clear()


def main() -> None:
    """Measure on the storage that the command line names, or on a new Redis."""
    if len(sys.argv) > 1:
        measure(sys.argv[1])
        return
    server = RedisServer()
    try:
        measure(server.url)
    finally:
        server.stop()


if __name__ == "__main__":
    main()
