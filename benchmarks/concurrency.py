"""Sixteen connections at once, compared with FastAPI, and the same beside two hundred clients that stall."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

import wrk
from client import request, stalled
from options import Options
from report import Row, duration, interleaved, ratio, thousands
from servers import FASTAPI, OURS, Server, running

GOALS = {"GET /api/statistics": 1.3, "POST /datapoints": 1.1, "POST /api/transactions": 1.1}
STALLED = 200

#: A request of which the stalled crowd sends only a part.
HALF = request(
    "POST", "/api/transactions", b'{"amount": 12.3, "timestamp": 1478192204000, "note": "' + b"x" * 200 + b'"}'
)


def concurrency(options: Options) -> list[Row]:
    """Measure requests per second and p99 of three kinds of requests."""
    if not wrk.installed():
        return [Row("sixteen connections at once", "", "", "wrk is not installed")]
    rows = []
    with running(OURS, FASTAPI) as servers:
        for kind in wrk.KINDS:
            rows += _compare(options, kind, servers)
    return rows


def _compare(options: Options, kind: wrk.Kind, servers: dict[str, Server]) -> list[Row]:
    p99s: dict[str, list[float]] = {}

    def loader(case: str, server: Server, crowd: int) -> Callable[[], float]:
        def load() -> float:
            with stalled(server.port, crowd, HALF):
                found = wrk.load(server.port, kind, options.choose(2, 3, 8))
            p99s.setdefault(case, []).append(found.p99)
            return found.rate

        return load

    beside = f"{OURS}, beside the stalled"
    cases = {name: loader(name, server, 0) for name, server in servers.items()}
    cases[beside] = loader(beside, servers[OURS], STALLED)
    rates = interleaved(cases, rounds=options.choose(2, 4, 6), seconds=60)
    p99 = {case: median(values) for case, values in p99s.items()}
    ours = (OURS, rates[OURS])
    rows = []
    if FASTAPI in servers:
        goal = GOALS[kind.name]
        rows += [
            ratio(f"`{kind.name}`, 16 connections", ours, (FASTAPI, rates[FASTAPI]), thousands, ("≥", goal)),
            ratio("its p99", (OURS, p99[OURS]), (FASTAPI, p99[FASTAPI]), duration, ("≤", 1.0)),
        ]
    what = f"`{kind.name}` beside {STALLED} clients that stall"
    rows.append(ratio(what, ("beside them", rates[beside]), ("alone", rates[OURS]), thousands, ("≥", 0.9)))
    return rows
