"""Measures how long small requests wait while one client posts large bodies."""

from __future__ import annotations

import time
from statistics import median

from client import Connection, bystander
from options import Options
from reads import STATISTICS
from report import Row, duration, limit, millions, percentile
from servers import OURS, running
from workloads import SERIES, as_json, batches, days_ago, steps

#: Seconds within which 99 of 100 others should be answered, by what is posted; the second is MAX_BODY_BYTES by default.
GOALS = {"8 MB": (8 * 10**6, 0.02), "32 MiB": (2**25, 0.04)}


def waits(options: Options) -> list[Row]:
    """Measure the waits of others while one client posts bodies of 8 MB, and of the most that is accepted."""
    rows = []
    for name, (length, goal) in GOALS.items():
        count = options.choose(32, 96, 192) * 10**6 * 4 // length
        messages = _bodies(length, count)
        with running(OURS) as servers:
            connection = Connection(servers[OURS].port)
            with bystander(servers[OURS].port, STATISTICS, 0.002) as finish:
                time.sleep(0.5)
                begin = time.perf_counter()
                seconds = [connection.timed(message) for message in messages]
                end = time.perf_counter()
                samples = finish()
        meanwhile = [s.seconds for s in samples if s.begin + s.seconds > begin and s.begin < end]
        before = [s.seconds for s in samples if s.begin + s.seconds <= begin]
        points = sum(message.count(b"{") for message in messages)
        what = f"`GET /api/statistics` while one client posts bodies of {name}: p99"
        behind = (
            f"of {len(meanwhile)} requests; median {duration(median(meanwhile))}, slowest {duration(max(meanwhile))}, "
            f"before {duration(median(before))}; {count} bodies of {duration(median(seconds))}, "
            f"{millions(points / (end - begin))}"
        )
        rows.append(limit(what, percentile(meanwhile, 99), goal, duration, behind))
    return rows


def _bodies(length: int, count: int) -> list[bytes]:
    """Return requests in time order whose bodies have at most so many bytes, and nearly as many."""
    first = days_ago(300)
    step = len(as_json(steps(first, 10))) / 10
    per_body = int(length * 0.995 / step)  # the lengths of values differ a little
    return batches(steps(first, per_body * count), size=per_body * SERIES)
