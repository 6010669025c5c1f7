"""Measures memory per point, per series and when idle, the time to start, and the lines of the engines."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from statistics import median

import numpy as np
from client import send_all
from memory import alone, proportional
from options import Options
from report import Row, duration, interleaved, limit, size
from servers import FASTAPI, INFLUX, OURS, ROOT, VICTORIA, installed, prepared, running
from workloads import SERIES, batches, days_ago, sampled, steps

#: Lines of the engines before they were compiled.
LINES_BEFORE = 3_077


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
    return [limit(what, grown / points, 19, size, f"grew by {size(grown)} from {size(before)}")]


def memory_growth(options: Options) -> list[Row]:
    """Growth of a fresh server by its first million points, with all that receiving them leaves behind."""
    count = 1_000_000
    messages = batches(steps(days_ago(30), count // SERIES))
    grown = []
    for _ in range(options.choose(1, 3, 5)):
        with running(OURS) as servers:
            before = servers[OURS].memory()
            send_all(servers[OURS].port, messages)
            grown.append(servers[OURS].memory() - before)
    what = f"growth per point, the first {count:,} points in {SERIES:,} series"
    return [limit(what, median(grown) / count, 35, size, f"grew by {size(median(grown))}")]


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
    return [limit(what, grown / count, 1_100, size, f"grew by {size(grown)} from {size(before)}")]


def start(options: Options) -> list[Row]:
    """Seconds from the start to the first answer, and what the idle processes then take."""
    memory: dict[str, list[int]] = {}
    shared: list[int] = []

    def starter(name: str) -> float:
        with prepared(name) as server:
            seconds = server.start()
            pids = server.pids()
            memory.setdefault(name, []).append(alone(pids))
            if name == OURS:
                shared.append(proportional(pids))
            return seconds

    names = [name for name in (OURS, FASTAPI, INFLUX, VICTORIA) if installed(name)]
    time.sleep(1)  # the previous server has ended
    found = interleaved({name: partial(starter, name) for name in names}, rounds=options.choose(3, 5, 9), seconds=60)
    idle = {name: median(sizes) for name, sizes in memory.items()}
    return [
        limit("start to first answer", found.pop(OURS), 1.2, duration, _peers(found, duration)),
        limit(
            "idle memory of all processes, with nothing else on the machine",
            idle.pop(OURS),
            160 * 2**20,
            size,
            f"PSS beside what ran here {size(median(shared))}; {_peers(idle, size)}",
        ),
    ]


def _peers(found: Mapping[str, float], show: Callable[[float], str]) -> str:
    return ", ".join(f"{name} {show(value)}" for name, value in found.items())


def lines(options: Options) -> list[Row]:
    """Lines of the engines, blank ones left out, and those of them that are kernels."""
    places = ("timeseries_project/core", *(f"{app}/memory" for app in ("datapoints", "bandwidth", "transactions")))
    counts = {
        path: sum(1 for line in path.read_text().splitlines() if line.strip())
        for place in places
        for path in (ROOT / place).glob("*.py")
    }
    kernels = sum(count for path, count in counts.items() if path.name.endswith("kernels.py"))
    total, behind = sum(counts.values()), f"{len(counts)} files; {kernels:,} lines are kernels"
    met = total < LINES_BEFORE
    return [Row("lines of `core/` and `*/memory/`", f"< {LINES_BEFORE:,}", f"{total:,}", behind, met)]
