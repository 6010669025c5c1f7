"""Measures memory per point and per series, and the time to start."""

from __future__ import annotations

import time
from functools import partial

import numpy as np
from client import send_all
from options import Options
from report import Row, duration, interleaved, limit, size
from servers import FASTAPI, INFLUX, OURS, VICTORIA, installed, prepared, running
from workloads import SERIES, batches, days_ago, sampled, steps


def memory_per_point(options: Options) -> list[Row]:
    """Resident memory per point, at ten million points in a thousand series."""
    rounds = options.choose(4, 20, 20)
    per_series = 500
    first = days_ago(30)
    with running(OURS) as servers:
        server = servers[OURS]
        before = server.memory()
        for i in range(rounds):
            send_all(server.port, batches(steps(first + i * per_series * 1_000, per_series)))
        grown = server.memory() - before
    points = rounds * per_series * SERIES
    what = f"memory per point, {points:,} points in {SERIES:,} series"
    return [limit(what, grown / points, 22, size, f"grew by {size(grown)} from {size(before)}")]


def memory_per_series(options: Options) -> list[Row]:
    """Resident memory per series of one point, each a device of its own."""
    count = options.choose(50_000, 100_000, 100_000)
    first = days_ago(1)
    with running(OURS) as servers:
        server = servers[OURS]
        before = server.memory()
        points = sampled(first + np.arange(count), np.arange(count))
        send_all(server.port, batches(points))
        grown = server.memory() - before
    what = f"memory per series, {count:,} series of one point"
    return [limit(what, grown / count, 1_300, size, f"grew by {size(grown)} from {size(before)}")]


def start(options: Options) -> list[Row]:
    """Seconds from the start to the first answer."""

    def starter(name: str) -> float:
        with prepared(name) as server:
            return server.start()

    names = [name for name in (OURS, FASTAPI, INFLUX, VICTORIA) if installed(name)]
    time.sleep(1)  # the previous server has ended
    found = interleaved({name: partial(starter, name) for name in names}, rounds=options.choose(3, 5, 9), seconds=60)
    others = ", ".join(f"{name} {duration(seconds)}" for name, seconds in found.items() if name != OURS)
    return [limit("start to first answer", found[OURS], 0.8, duration, others)]
