"""Measures batches over HTTP: compared with peers, out of order, late, in other formats, and of transactions."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from client import send_all
from options import Options
from report import Goal, Row, interleaved, millions, ratio
from servers import INFLUX, OURS, VICTORIA, Server, running
from workloads import (
    BATCH,
    SERIES,
    Points,
    Spelling,
    as_arrow,
    as_coded_arrow,
    as_csv,
    as_import,
    as_iso_json,
    as_json,
    as_line_protocol,
    as_ndjson,
    batches,
    days_ago,
    joined,
    rng,
    sampled,
    steps,
    transactions,
)

#: Steps in time of one batch; every series reports once in each.
STEPS = BATCH // SERIES

#: At least so many times the rate of a peer, by the number of connections.
GOALS = {1: {INFLUX: 4.5, VICTORIA: 1.5}, 2: {VICTORIA: 1.0}, 4: {VICTORIA: 1.0}}
#: At least so many times the rate of a peer, in line protocol.
LINE_GOALS = {INFLUX: 3.0, VICTORIA: 1.0}
#: At least such a part of the rate in time order, by the length of the series that late points are added to.
LATE_GOALS = {1_000: 0.45, 8_000: 0.4}


class Feed:
    """Sends rounds of points to a server; each call sends one and returns the points per second."""

    def __init__(
        self,
        server: Server,
        points: Callable[[int], Points],
        spelling: Spelling = as_json,
        *,
        prefix: str = "device",
        connections: int = 1,
        size: int = BATCH,
    ) -> None:
        self._size = size
        self._server = server
        self._points = points
        self._spelling = spelling
        self._prefix = prefix
        self._connections = connections
        self._round = 0

    def __call__(self) -> float:
        """Prepare the next round, then send it and measure the time."""
        points = self._points(self._round).renamed(self._prefix)
        self._round += 1
        messages = batches(points, self._spelling, self._size)
        return len(points) / send_all(self._server.port, messages, self._connections)


def _ordered(count: int, days: float = 20) -> Callable[[int], Points]:
    """Return a function of rounds of `count` batches in time order; round 0 is short, to warm up."""
    first = days_ago(days)

    @lru_cache(maxsize=1)
    def points(number: int) -> Points:
        if number == 0:
            return steps(first - 10 * STEPS * 1_000, 10 * STEPS)
        return steps(first + (number - 1) * count * STEPS * 1_000, count * STEPS)

    return points


def ingest(options: Options) -> list[Row]:
    """Measure batches in time order, compared with InfluxDB and VictoriaMetrics."""
    rows = []
    with running(OURS, INFLUX, VICTORIA) as servers:
        for connections in GOALS:
            points = _ordered(options.choose(40, 200, 200), days=20 - connections)
            cases = (
                (OURS, OURS, as_json, "a"),
                (INFLUX, INFLUX, as_line_protocol, "a"),
                (VICTORIA, VICTORIA, as_line_protocol, "a"),
                (f"{VICTORIA}, grouped", VICTORIA, as_import, "b"),
            )
            feeds = {
                name: Feed(servers[server], points, spelling, prefix=prefix, connections=connections)
                for name, server, spelling, prefix in cases
                if server in servers
            }
            for feed in feeds.values():
                feed()
            rates = interleaved(feeds, rounds=options.choose(3, 3, 5), seconds=60)
            ours = (OURS, rates.pop(OURS))
            what = f"batch ingest in time order, {connections} connection{'s' * (connections > 1)}"
            for name, rate in rates.items():
                least = GOALS[connections].get(name)
                goal: Goal | None = None if least is None else ("≥", least)
                rows.append(ratio(f"{what}, against {_described(name)}", ours, (name, rate), millions, goal))
    return rows


def line_protocol(options: Options) -> list[Row]:
    """Measure the very same bytes of line protocol, compared with InfluxDB and VictoriaMetrics."""
    with running(OURS, INFLUX, VICTORIA) as servers:
        points = _ordered(options.choose(40, 200, 200), days=10)
        feeds = {name: Feed(server, points, as_line_protocol) for name, server in servers.items()}
        for feed in feeds.values():
            feed()
        rates = interleaved(feeds, rounds=options.choose(3, 5, 7), seconds=60)
    ours = (OURS, rates.pop(OURS))
    what = "line protocol, the same bytes, against"
    return [
        ratio(f"{what} {name}", ours, (name, rate), millions, ("≥", LINE_GOALS[name])) for name, rate in rates.items()
    ]


def _described(name: str) -> str:
    if name == INFLUX:
        return f"{name} (line protocol)"
    if name == VICTORIA:
        return f"{name} (line protocol, the same rows)"
    return f"{VICTORIA} (import, rows grouped by series by the client)"


def disorder(options: Options) -> list[Row]:
    """Measure shuffled batches, and batches that are each older than all stored points."""
    count = options.choose(25, 50, 100)
    ordered, backwards = _ordered(count), _ordered(count)

    def shuffled(number: int) -> Points:
        points = ordered(number)
        parts = [points.part(i, i + BATCH).shuffled() for i in range(0, len(points), BATCH)]
        return joined(parts)

    def older(number: int) -> Points:
        if number == 0:
            return backwards(1_000)
        points = backwards(999 - number)
        parts = [points.part(i - BATCH, i) for i in range(len(points), 0, -BATCH)]
        return joined(parts)

    with running(OURS) as servers:
        feeds = {
            "in order": Feed(servers[OURS], ordered, prefix="a"),
            "shuffled": Feed(servers[OURS], shuffled, prefix="b"),
            "older": Feed(servers[OURS], older, prefix="c"),
        }
        for feed in feeds.values():
            feed()
        rates = interleaved(feeds, rounds=options.choose(3, 5, 7), seconds=40)
    base = ("in order", rates["in order"])
    return [
        ratio("each batch shuffled in time", ("shuffled", rates["shuffled"]), base, millions, ("≥", 0.85)),
        ratio("every batch older than what is stored", ("older", rates["older"]), base, millions, ("≥", 0.6)),
    ]


def late(options: Options) -> list[Row]:
    """Measure points at random earlier times while the series grow."""
    lengths = options.choose([1_000, 8_000], [1_000, 8_000], [1_000, 8_000, 100_000])
    first, reached, sent = days_ago(10), 0, 0
    base: list[float] = []
    rates: dict[int, float] = {}
    # A thousand series of 100,000 points exceed the default capacity.
    with running(OURS, environment={"MAX_DATAPOINTS": "200000000"}) as servers:
        port = servers[OURS].port
        for length in lengths:
            while reached < length:
                more = min(length - reached, 500)
                messages = batches(steps(first + reached * 1_000, more))
                base.append(more * SERIES / send_all(port, messages))
                reached += more
            messages = []
            for _ in range(options.choose(15, 30, 50)):
                series = np.tile(np.arange(SERIES), STEPS)
                # Random whole seconds; the milliseconds make each point of a series unique.
                unique = sent + 1 + np.repeat(np.arange(STEPS), SERIES)
                times = first + rng.integers(0, reached, BATCH) * 1_000 + unique
                messages += batches(sampled(times, series))
                sent += STEPS
            rates[length] = len(messages) * BATCH / send_all(port, messages)
    ordered = ("in order", float(np.median(base)))
    shortest, longest = min(lengths), max(lengths)
    what = "every point at a random earlier time"
    return [
        *(
            ratio(f"{what}, series of {n:,}", ("late", rate), ordered, millions, ("≥", LATE_GOALS.get(n, 0.4)))
            for n, rate in rates.items()
        ),
        ratio(
            f"{what}: flat as series grow",
            (f"at {longest:,}", rates[longest]),
            (f"at {shortest:,}", rates[shortest]),
            millions,
            ("≥", 0.8),
        ),
    ]


def formats(options: Options) -> list[Row]:
    """Compare NDJSON, CSV and JSON with ISO timestamps with JSON with numbers."""
    points = _ordered(options.choose(15, 30, 60))
    cases = {"JSON, numbers": as_json, "JSON, ISO": as_iso_json, "NDJSON, ISO": as_ndjson, "CSV, ISO": as_csv}
    with running(OURS) as servers:
        feeds = {
            name: Feed(servers[OURS], points, spelling, prefix=f"device-{i}")
            for i, (name, spelling) in enumerate(cases.items())
        }
        for feed in feeds.values():
            feed()
        rates = interleaved(feeds, rounds=options.choose(3, 5, 7), seconds=40)
    (name, base), *others = rates.items()
    return [ratio(f"batches of {other}", (other, rate), (name, base), millions, ("≥", 0.9)) for other, rate in others]


def arrow(options: Options) -> list[Row]:
    """Compare Arrow streams with JSON: the same points, in batches of 10,000 and of 100,000."""
    points = _ordered(options.choose(30, 100, 200))
    rows = []
    for size in (BATCH, 10 * BATCH):
        cases = {"JSON": as_json, "Arrow, dictionaries": as_coded_arrow, "Arrow, plain strings": as_arrow}
        with running(OURS) as servers:
            feeds = {
                name: Feed(servers[OURS], points, spelling, prefix=f"device-{i}", size=size)
                for i, (name, spelling) in enumerate(cases.items())
            }
            for feed in feeds.values():
                feed()
            rates = interleaved(feeds, rounds=options.choose(3, 5, 7), seconds=40)
        base = ("JSON", rates.pop("JSON"))
        rows += [
            ratio(f"batches of {size:,}: {name}", (name, rate), base, millions, ("≥", 5.0))
            for name, rate in rates.items()
        ]
    return rows


def transaction_batches(options: Options) -> list[Row]:
    """Measure transactions in batches of 10,000."""
    with running(OURS) as servers:
        port = servers[OURS].port

        def rate() -> float:
            messages = [transactions(BATCH) for _ in range(options.choose(20, 40, 60))]
            return len(messages) * BATCH / send_all(port, messages)

        rate()
        found = interleaved({"batches": rate}, rounds=5, seconds=30)["batches"]
    return [Row("transactions in batches of 10,000", "≥ 2.5 M/s", millions(found), "one connection", found >= 2.5e6)]
