"""Measures where the time goes: the stages of a batch, and the parts of one answer.

    python benchmarks/stages.py [--quick]

Prints Markdown. All but the receiving is measured without HTTP, in this process and one thread.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from client import Connection, request
from numba.core.dispatcher import Dispatcher
from options import Options
from report import Row, duration, interleaved, limit, machine
from servers import OURS, running
from workloads import BATCH, QUARTER_HOUR, SERIES, as_json, days_ago, rng, steps

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import handler  # first of the service's modules: it names the settings

# isort: split
from datapoints import services
from datapoints.memory.grouping import grouped
from datapoints.memory.names import SeriesNames
from datapoints.memory.store import SeriesStore
from datapoints.serializers import DatapointSerializer
from datapoints.statistics import Aggregate, Fill
from timeseries_project.api.portions import JSONArray
from timeseries_project.core.spans import Span
from timeseries_project.core.timestamps import MICROSECONDS

BUCKETS = 67
STEPS = BATCH // SERIES
PACKAGES = ("timeseries_project", "datapoints", "bandwidth", "transactions")


class Part(NamedTuple):
    """A part of some work: the seconds that it takes, and how many of them are spent in kernels."""

    name: str
    seconds: float
    kernels: float


@contextmanager
def clocked_kernels() -> Iterator[Callable[[], float]]:
    """Clock every call of a kernel from Python; the function that is yielded returns the seconds so far."""
    spent = 0

    def clocked(kernel: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            nonlocal spent
            begin = time.perf_counter_ns()
            result = kernel(*arguments)
            spent += time.perf_counter_ns() - begin
            return result

        return call

    modules = [module for name, module in sys.modules.items() if name.partition(".")[0] in PACKAGES]
    replaced = [
        (module, name, value)
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, Dispatcher)
    ]
    try:
        for module, name, value in replaced:
            setattr(module, name, clocked(value))
        yield lambda: spent / 1e9
    finally:
        for module, name, value in replaced:
            setattr(module, name, value)


def measured(calls: Mapping[str, Callable[[], object]], rounds: int) -> list[Part]:
    """Return the median seconds of each call, and of the kernels in it; the calls take turns."""

    def elapsed(call: Callable[[], object], clock: Callable[[], float]) -> float:
        begin = clock()
        call()
        return clock() - begin

    def medians(clock: Callable[[], float]) -> dict[str, float]:
        cases = {name: partial(elapsed, call, clock) for name, call in calls.items()}
        interleaved(cases, rounds=3, seconds=10)  # to warm up
        return interleaved(cases, rounds=rounds, seconds=30)

    seconds = medians(time.perf_counter)
    with clocked_kernels() as clock:
        kernels = medians(clock)
    return [Part(name, seconds[name], kernels[name]) for name in calls]


def batch_stages(options: Options) -> list[Part]:
    """Measure the stages of a batch of 10,000 points over 1,000 series that exist, in time order; seconds a batch."""
    received, whole = _over_http(options)
    body = as_json(steps(days_ago(100), STEPS)).partition(b"\r\n\r\n")[2]
    read = partial(DatapointSerializer.read_batch, JSONArray(body))
    times, values, devices, users = read().values()
    pairs = grouped(times, values, devices, users, 0).pairs
    names = SeriesNames(Lock())
    _, new = names.numbered(pairs)
    for number, pair in new:
        names.enter(number, pair)
    names.commit_entered(len(new))
    store, later = SeriesStore(), iter(range(10**9))

    def add() -> None:
        store.add_batch(times + next(later) * STEPS * MICROSECONDS, values, devices, users)

    parse, group, name, adding = measured(
        {
            "parsing: the body's bytes into columns": read,
            "grouping: rows by series and time": lambda: grouped(times, values, devices, users, 0),
            "names: the numbers of the series": lambda: names.numbered(pairs),
            "store: known points found, room made, points and sums written": add,
        },
        options.choose(30, 200, 500),
    )
    write = Part(
        adding.name,
        adding.seconds - group.seconds - name.seconds,
        adding.kernels - group.kernels - name.kernels,
    )
    parts = [Part("receiving: from the socket into memory", received, 0.0), parse, group, name, write]
    rest = whole - sum(part.seconds for part in parts)
    kernels = sum(part.kernels for part in parts)
    return [*parts, Part("the rest: routing, threads, the answer", rest, 0.0), Part("whole request", whole, kernels)]


def _over_http(options: Options) -> tuple[float, float]:
    """Return the seconds to receive a batch, and those of a whole request.

    A body that is refused for its first bytes is received and not read. What refusing takes is known from a short one.
    """
    count = options.choose(30, 200, 400)
    points = steps(days_ago(100), STEPS * (count + 10))
    messages = iter([as_json(points.part(i, i + BATCH)) for i in range(0, len(points), BATCH)])
    body = as_json(points.part(0, BATCH)).partition(b"\r\n\r\n")[2]
    long, short = (request("POST", "/datapoints", text, "text/csv") for text in (body, b"no such column"))

    with running(OURS) as servers:
        connection = Connection(servers[OURS].port)

        def refused(message: bytes) -> float:
            begin = time.perf_counter()
            status = connection.exchange(message).status
            assert status == 400, f"should be refused: {status}"
            return time.perf_counter() - begin

        cases: dict[str, Callable[[], float]] = {
            "long": partial(refused, long),
            "short": partial(refused, short),
            "whole": lambda: connection.timed(next(messages)),
        }
        interleaved(cases, rounds=10, seconds=10, least=10)
        found = interleaved(cases, rounds=count, seconds=30)
    return found["long"] - found["short"], found["whole"]


def average_stages(options: Options) -> list[Part]:
    """Measure the average of 10,000 points in 67 buckets: a whole request in the handler, and its service call."""
    now = time.time_ns() // 1_000
    first = (now // (QUARTER_HOUR * MICROSECONDS) - BUCKETS + 1) * QUARTER_HOUR * MICROSECONDS
    times = first + np.arange(BATCH) * ((now - first) // BATCH)
    services.store.clear()
    services.datapoints_add(
        timestamp=times, value=rng.normal(20, 5, BATCH), device=["d"] * BATCH, user=["u"] * BATCH, now=now
    )

    def serve() -> None:
        rows = services.statistics_list(
            axis="device",
            key="d",
            aggregate=Aggregate.AVG,
            bucket=Span(15, "m"),
            start=None,
            end=None,
            fill=Fill.NULL,
            now=now,
        )
        assert len(rows) == BUCKETS
        rows.columns(0, BUCKETS)

    path = "/statistics/devices/d/avg"
    return measured(
        {"request, in the handler": lambda: handler.request("GET", path), "service call": serve},
        options.choose(300, 2_000, 5_000),
    )


def average_parts(options: Options) -> list[Row]:
    """Compare the kernels' part of an average with its goal, as rows of `compare.py`."""
    whole, service = average_stages(options)
    what = f"`avg` of 10,000 points in {BUCKETS} buckets, in process"
    return [
        Row(f"{what}: the request in the handler", "", duration(whole.seconds), "without a network"),
        Row(f"{what}: the service call in it", "", duration(service.seconds), f"kernels {duration(service.kernels)}"),
        limit(f"{what}: all kernels", whole.kernels, 40e-6, duration, "called from Python, their arguments included"),
    ]


def batch_parts(options: Options) -> list[Row]:
    """Show where the time of a point goes, as rows of `compare.py`."""
    *parts, whole = batch_stages(options)
    return [
        Row(f"a point of a batch: {part.name}", "", duration(part.seconds / BATCH), _share(part, whole))
        for part in [*parts, whole]
    ]


def _share(part: Part, whole: Part) -> str:
    share = f"{part.seconds / whole.seconds:.0%}"
    return f"{share}; kernels {duration(part.kernels / BATCH)}" if part.kernels else share


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description="Measure the stages of a batch, and the parts of one answer.")
    parser.add_argument("--quick", action="store_true", help="few rounds")
    options = Options(quick=parser.parse_args().quick)
    print(f"{machine()}\n\n| an average of {BUCKETS} buckets | µs | of it in kernels |\n| --- | ---: | ---: |")
    for part in average_stages(options):
        print(f"| {part.name} | {part.seconds * 1e6:.0f} | {part.kernels * 1e6:.0f} |", flush=True)
    print(
        f"\n| a batch of {BATCH:,} points over {SERIES:,} series | ns per point | of it in kernels |"
        "\n| --- | ---: | ---: |"
    )
    for part in batch_stages(options):
        print(f"| {part.name} | {part.seconds / BATCH * 1e9:.0f} | {part.kernels / BATCH * 1e9:.0f} |")


if __name__ == "__main__":
    main()
