"""Measures queries and deletions: compared with peers, by number of points, and the waits that they cause others."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from statistics import median
from urllib.parse import quote

import numpy as np
from client import Connection, bystander, request, send_all
from options import Options
from report import Goal, Row, duration, interleaved, limit, millions, percentile, ratio, size
from servers import INFLUX, OURS, VICTORIA, Server, running
from workloads import (
    QUARTER_HOUR,
    SERIES,
    as_json,
    as_line_protocol,
    bandwidth,
    batches,
    days_ago,
    sampled,
    steps,
)

BUCKETS = 67
#: Points that are taken out.
LISTED = 1_000_000
#: The quarter-hours of nearly 27 years.
LONG = 942_877
ASKING_SECONDS = 0.3  # a slow question is repeated less often
STATISTICS = request("GET", "/api/statistics")


def _asker(server: Server, message: bytes, repeat: int) -> Callable[[], float]:
    """Return a function that repeats a question on one connection and returns the median seconds."""
    connection = Connection(server.port)

    def ask() -> float:
        seconds: list[float] = []
        while len(seconds) < repeat and sum(seconds) < ASKING_SECONDS:
            seconds.append(connection.timed(message))
        return median(seconds)

    return ask


def averages(options: Options) -> list[Row]:
    """Measure averages of 10,000 points in 67 buckets, and of a hundred times as many in the same buckets."""
    now = time.time()
    first = (int(now) // QUARTER_HOUR - BUCKETS + 1) * QUARTER_HOUR
    counts = {"small": 10_000, "large": 1_000_000}
    with running(OURS, INFLUX, VICTORIA) as servers:
        for prefix, count in counts.items():
            # Spread up to now, so that the last bucket is the current one.
            times = first * 1_000 + (np.arange(count) * ((now - first) * 1_000 / count)).astype(np.int64)
            points = sampled(times, prefix=prefix)
            for name, server in servers.items():
                send_all(server.port, batches(points, as_json if name == OURS else as_line_protocol))
        questions = {
            (name, case, prefix): (server, message)
            for prefix in counts
            for name, server in servers.items()
            for case, message in _questions(name, f"{prefix}-0000", first).items()
        }
        if VICTORIA in servers:
            Connection(servers[VICTORIA].port).send(request("GET", "/internal/force_flush"))
        for server, message in questions.values():
            answer = Connection(server.port).send(message)
            assert answer.size > 1_000, f"{server.name} has no such data: {answer.body!r}"
        repeat = options.choose(30, 60, 100)
        cases = {" ".join(key): _asker(*question, repeat) for key, question in questions.items()}
        found = interleaved(cases, rounds=options.choose(5, 9, 15), seconds=30)
    ours = found[f"{OURS}  small"]
    rows = []
    for name, case, prefix in questions:
        seconds = found[f"{name} {case} {prefix}"]
        if name != OURS and prefix == "small":
            peer = f"{name}{case}"
            goal: Goal | None = ("≤", 1.0) if name == VICTORIA and case else None
            what = f"`avg` of 10,000 points in {BUCKETS} buckets, against {peer}"
            rows.append(ratio(what, (OURS, ours), (peer, seconds), duration, goal))
    for name, case, _ in dict.fromkeys((name, case, "") for name, case, _ in questions):
        more, few = found[f"{name} {case} large"], found[f"{name} {case} small"]
        what = "`avg` with 100 × the points in the same buckets" + (f": {name}{case}" if name != OURS else "")
        goal = ("≤", 1.1) if name == OURS else None
        rows.append(ratio(what, ("1,000,000 points", more), ("10,000", few), duration, goal))
    return rows


def _questions(name: str, device: str, first: int) -> dict[str, bytes]:
    """Return the same question in a server's query language, by case."""
    last = first + BUCKETS * QUARTER_HOUR
    if name == OURS:
        return {"": request("GET", f"/statistics/devices/{device}/avg")}
    if name == INFLUX:
        where = f"device = '{device}' AND time >= {first}s AND time < {last}s"
        query = quote(f"SELECT mean(value) FROM dp WHERE {where} GROUP BY time(15m)")
        return {"": request("GET", f"/query?db=bench&epoch=s&q={query}")}
    # In VictoriaMetrics a point averages the quarter-hour that ends with it.
    query = quote(f'avg_over_time(dp_value{{device="{device}"}}[15m])')
    path = f"/api/v1/query_range?query={query}&start={first + QUARTER_HOUR}&end={last}&step={QUARTER_HOUR}"
    return {"": request("GET", path), " without its cache": request("GET", f"{path}&nocache=1")}


def long_answers(options: Options) -> list[Row]:
    """Measure averages since 1999, with nearly all buckets empty or all filled, and moving averages of the latter."""
    last = int(time.time()) // QUARTER_HOUR
    numbers = np.arange(last - LONG + 1, last + 1) * QUARTER_HOUR * 1_000
    path = "/statistics/devices/{}-0000/{}"
    rows = []
    with running(OURS) as servers:
        server = servers[OURS]
        send_all(server.port, batches(sampled(numbers[[0, -1]], prefix="sparse")))
        rows += _long_answer(options, server, "`avg` of {}, all but two empty", path.format("sparse", "avg"))
        send_all(server.port, batches(sampled(numbers, prefix="dense")))
        rows += _long_answer(options, server, "`avg` of {}, dense", path.format("dense", "avg"))
        moving = path.format("dense", "moving_avg?window_size=")
        rows += _long_answer(options, server, "`moving_avg` of {}, dense, window 4", f"{moving}4")
        windows = options.choose([4, 100_000], [4, 1_000, 100_000], [4, 100, 1_000, 10_000, 100_000])
        cases = {"avg": request("GET", path.format("dense", "avg"))}
        cases |= {f"window {n:,}": request("GET", f"{moving}{n}") for n in windows}
        found = interleaved(
            {name: _asker(server, message, 1) for name, message in cases.items()},
            rounds=options.choose(3, 7, 15),
            seconds=30,
        )
    base = ("avg", found.pop("avg"))
    what = f"`moving_avg` of {LONG:,} filled buckets"
    rows += [ratio(f"{what}, {name}", (name, s), base, duration, ("≤", 1.5)) for name, s in found.items()]
    return rows


def _long_answer(options: Options, server: Server, what: str, path: str) -> list[Row]:
    message = request("GET", path)
    connection = Connection(server.port)
    before = server.memory()
    server.forget_peak()
    connection.send(message)
    growth = max(server.memory(peak=True) - before, 0)
    alone = median([connection.timed(message) for _ in range(options.choose(3, 5, 9))])
    with bystander(server.port, STATISTICS, 0.002) as finish:
        time.sleep(0.5)
        begin = time.perf_counter()
        seconds: list[float] = []
        while len(seconds) < 3 or time.perf_counter() - begin < options.choose(2, 4, 8):
            seconds.append(connection.timed(message))
        end = time.perf_counter()
        samples = finish()
    meanwhile = [s.seconds for s in samples if s.begin + s.seconds > begin and s.begin < end]
    quiet = [s.seconds for s in samples if s.begin + s.seconds <= begin]
    p99 = percentile(meanwhile, 99)
    what = what.format(f"{LONG:,} buckets")
    with_others = f"{duration(median(seconds))} while others ask"
    return [
        limit(f"{what}: last byte", alone, 0.3, duration, with_others),
        limit(f"{what}: memory growth", growth, 10 * 2**20, size, f"from {size(before)}"),
        limit(
            f"{what}: p99 of others meanwhile",
            p99,
            0.05,
            duration,
            f"of {len(meanwhile)} requests; median {duration(median(meanwhile))}, before {duration(median(quiet))}",
        ),
    ]


def listing(options: Options) -> list[Row]:
    """Measure taking out a million points of a thousand series: a hundred parts of 10,000, one after the other."""
    with running(OURS) as servers:
        server = servers[OURS]
        points = steps(days_ago(20), LISTED // SERIES)
        send_all(server.port, batches(points))
        forms = {form: partial(_list_all, server.port, form) for form in ("json", "csv", "arrow")}
        found = interleaved(forms, rounds=options.choose(2, 5, 9), seconds=60)
    what = f"{LISTED:,} listed points in {{}}, against {{}}"
    rates = {form: LISTED / seconds for form, seconds in found.items()}
    pairs: list[tuple[str, str, Goal | None]] = [("arrow", "csv", ("≥", 2.5)), ("csv", "json", None)]
    return [
        ratio(what.format(first, second), (first, rates[first]), (second, rates[second]), millions, goal)
        for first, second, goal in pairs
    ]


def _list_all(port: int, form: str) -> float:
    """Return the seconds that all parts of the listing take on one connection."""
    connection = Connection(port)
    path = f"/datapoints?limit=10000&format={form}"
    parts, begin = 0, time.perf_counter()
    while path:
        connection.send(request("GET", path))
        parts += 1
        address = connection.headers.get(b"link", b"").decode().partition(">")[0]
        path = address[address.find("/", len("<http://")) :] if address else ""
    seconds = time.perf_counter() - begin
    assert parts == LISTED // 10_000
    return seconds


def deletion(options: Options) -> list[Row]:
    """Measure deleting a device of a million points."""
    count = 1_000_000
    first = int(time.time()) - 86_400 * 30
    messages = batches(sampled((first + np.arange(count)) * 1_000, prefix="doomed"))
    delete = request("DELETE", "/devices/doomed-0000/datapoints")
    seconds: list[float] = []
    meanwhile: list[float] = []
    quiet: list[float] = []
    with running(OURS) as servers:
        connection = Connection(servers[OURS].port)
        for _ in range(options.choose(2, 4, 7)):
            send_all(servers[OURS].port, messages)
            with bystander(servers[OURS].port, STATISTICS, 0) as finish:
                time.sleep(0.4)
                begin = time.perf_counter()
                seconds.append(connection.timed(delete))
                time.sleep(0.1)
                end = time.perf_counter()
                for sample in finish():
                    overlaps = sample.begin + sample.seconds > begin and sample.begin < end
                    (meanwhile if overlaps else quiet).append(sample.seconds)
    worst = max(meanwhile)
    return [
        limit(f"delete a device of {count:,} points", median(seconds), 0.05, duration, f"of {len(seconds)} deletions"),
        ratio(
            "p99 of others in the 0.1 s around it",
            ("meanwhile", percentile(meanwhile, 99)),
            ("before", percentile(quiet, 99)),
            duration,
            ("≤", 1.5),
        ),
        Row("the slowest of those", "", duration(worst), f"of {len(meanwhile)} requests"),
    ]


def bandwidth_query(options: Options) -> list[Row]:
    """Measure ten windows of a device with 100 and with a million entries."""
    last = int(time.time())
    with running(OURS) as servers:
        server = servers[OURS]
        cases = {}
        for count in (100, 1_000_000):
            device, per_batch = f"device-{count}", min(count, 10_000)
            starts = range(last - count, last, per_batch)
            send_all(server.port, [bandwidth(device, start, per_batch) for start in starts])
            message = request("GET", f"/api/bandwidth?device_uuid={device}&end_time={last}")
            cases[f"{count:,} entries"] = _asker(server, message, options.choose(100, 200, 400))
        found = interleaved(cases, rounds=options.choose(5, 9, 15), seconds=20)
    (few, few_seconds), (many, many_seconds) = found.items()
    what = "bandwidth query of 10 windows, 1,000,000 entries against 100"
    return [ratio(what, (many, many_seconds), (few, few_seconds), duration, ("≤", 1.1))]
