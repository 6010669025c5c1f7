"""Compares processes that share a Redis with one that keeps all in memory: `python benchmarks/shared.py`.

All servers run at once and are driven in turns (A B C, A B C, ...), so that a change in the machine's speed affects all
alike. STORAGE_URL names the storage to share, which is emptied; without one the script starts a redis-server. On a
machine with few cores the servers, the Redis and the client compete for them, so that further processes show their cost
rather than their benefit: the first line has the number of cores.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median

import wrk
from client import Connection, request, send_all
from options import Options
from report import duration, interleaved, machine, thousands
from servers import OURS, Server, prepared
from workloads import BATCH, SERIES, bandwidth, batches, days_ago, steps, transactions

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from timeseries_project.storage.client import Storage
from timeseries_project.storage.location import parse_location
from timeseries_project.tests.redis_servers import RedisServer

CONNECTIONS = 4  # that send batches

#: A question about a day of one device, a point a minute: 97 quarter-hours.
DEVICE = "shared"
AVERAGE = wrk.Kind("GET avg of a day", f"/statistics/devices/{DEVICE}-0000/avg")

_numbers = count()


@contextmanager
def storage_url() -> Iterator[str]:
    """Yield the URL of the empty shared storage: that of the environment, or a Redis that is stopped at the end."""
    url = os.environ.get("STORAGE_URL")
    server = None if url else RedisServer()
    try:
        url = url or (server.url if server else "")
        Storage(parse_location(url), timeout=10).each_node("FLUSHALL")
        yield url
    finally:
        if server:
            server.stop()


@contextmanager
def running(url: str, workers: list[int]) -> Iterator[dict[str, Server]]:
    """Start a server that keeps all in memory, and one with the shared storage for each number of workers."""
    environments = {"memory": {"STORAGE_URL": "memory://", "WORKERS": "1"}}
    environments |= {f"Redis, WORKERS={n}": {"STORAGE_URL": url, "WORKERS": str(n)} for n in workers}
    with ExitStack() as stack:
        servers = {}
        for name, environment in environments.items():
            servers[name] = stack.enter_context(prepared(OURS))
            servers[name].environment.update(environment)
            servers[name].start()
        yield servers


def loaded(options: Options, servers: dict[str, Server], kind: wrk.Kind) -> dict[str, str]:
    """Return requests per second and p99 of one kind of request."""
    p99s: dict[str, list[float]] = {name: [] for name in servers}

    def load(name: str) -> float:
        found = wrk.load(servers[name].port, kind, options.choose(2, 4, 8))
        p99s[name].append(found.p99)
        return found.rate

    cases: dict[str, Callable[[], float]] = {name: partial(load, name) for name in servers}
    rates = interleaved(cases, rounds=options.choose(1, 3, 5), seconds=120, least=1)
    return {name: f"{thousands(rate)}, {duration(median(p99s[name]))}" for name, rate in rates.items()}


def datapoints(count: int) -> list[bytes]:
    """Return batches of datapoints of new devices, as the servers with the shared storage share their points."""
    return batches(steps(days_ago(2), count * BATCH // SERIES, prefix=f"{DEVICE}-{next(_numbers)}"))


def payments(count: int) -> list[bytes]:
    """Return batches of transactions."""
    return [transactions(BATCH) for _ in range(count)]


def entries(count: int) -> list[bytes]:
    """Return batches of bandwidth entries of new devices, ten of each."""
    device, first = f"{DEVICE}-{next(_numbers)}", days_ago(1) // 1_000
    return [bandwidth(device, first + 10 * i, BATCH, devices=SERIES) for i in range(count)]


def ingested(options: Options, servers: dict[str, Server], spell: Callable[[int], list[bytes]]) -> dict[str, str]:
    """Return items per second, sent in batches over several connections."""
    size = options.choose(5, 20, 50)

    def ingest(name: str) -> float:
        return size * BATCH / send_all(servers[name].port, spell(size), CONNECTIONS)

    cases: dict[str, Callable[[], float]] = {name: partial(ingest, name) for name in servers}
    rates = interleaved(cases, rounds=options.choose(1, 3, 5), seconds=120, least=1)
    return {name: thousands(rate) for name, rate in rates.items()}


def prepare(servers: dict[str, Server]) -> None:
    """Store what AVERAGE asks for, in memory and once in the shared storage."""
    for name in list(servers)[:2]:
        points = steps(days_ago(1), 1_440, series=1, step_ms=60_000, prefix=DEVICE)
        connection = Connection(servers[name].port)
        for batch in batches(points):
            connection.send(batch)
        connection.send(request("GET", AVERAGE.path))
        connection.close()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Compare shared storage with memory, as a Markdown table.")
    parser.add_argument("--quick", action="store_true", help="a short run of about a minute")
    parser.add_argument("--full", action="store_true", help="longer runs")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4], metavar="N", help="processes per server")
    arguments = parser.parse_args()
    options = Options(quick=arguments.quick, full=arguments.full)
    # SIGTERM must stop the servers, too, as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    print(f"{machine()}\n")
    with storage_url() as url, running(url, arguments.workers) as servers:
        prepare(servers)
        print(f"| requests per second, p99 | {' | '.join(servers)} |\n| --- |{' ---: |' * len(servers)}")
        rows: dict[str, Callable[[], dict[str, str]]] = {}
        if wrk.installed():
            rows |= {f"`{kind.name}`": partial(loaded, options, servers, kind) for kind in (*wrk.KINDS, AVERAGE)}
        for name, spell in {"datapoints": datapoints, "payments": payments, "bandwidth entries": entries}.items():
            rows[f"{name} in batches of {BATCH:,}"] = partial(ingested, options, servers, spell)
        for what, measure in rows.items():
            found = measure()
            print(f"| {what} | {' | '.join(found[name] for name in servers)} |", flush=True)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
