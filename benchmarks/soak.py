"""Mixed traffic at full speed for a long time: does memory stay flat at the limits, and is every answer expected?

    python benchmarks/soak.py [--minutes 30] [--clients 3]

Starts the production server with low limits and a short retention, and drives it from several client processes. Prints
a line per minute and a verdict; exits with 1 unless memory is flat and no answer is a 5xx other than 507.
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from multiprocessing.queues import Queue
from statistics import mean
from typing import NamedTuple
from urllib.parse import quote

from report import machine, size
from servers import OURS, Server, running

MINUTE = 60.0

#: Limits that are reached within the first minute, and a retention so short that much of the traffic is too late.
ENVIRONMENT = {
    "MAX_DATAPOINTS": "100000",
    "MAX_SERIES": "5000",
    "MAX_BANDWIDTH_ENTRIES": "50000",
    "MAX_BODY_BYTES": "2000000",
    "RETENTION": "30m",
}
SPREAD = 40 * 60  # greatest age of timestamps in seconds; a quarter of them are too old to be kept

#: How much more memory the last third may take than the one before it, due to the allocator.
FLAT = 1.05

KINDS = ("2xx", "4xx", "507", "other 5xx", "cut")


class Minute(NamedTuple):
    """What one client saw in a minute: the number of answers of each kind, and their durations in seconds."""

    number: int
    kinds: Counter[str]
    seconds: list[float]


class Shot(NamedTuple):
    """One request."""

    method: str
    path: str
    body: bytes = b""
    media_type: str = "application/json"


def post(path: str, items: object) -> Shot:
    """Return a request that sends JSON."""
    return Shot("POST", path, json.dumps(items).encode())


class Traffic:
    """Requests of one client, drawn at random."""

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed)
        self._name = f"client-{seed}"
        self._serial = 0

    def next(self) -> Shot:
        """Return another request; writes that fill the store are more frequent than those that empty it."""
        kinds: list[tuple[Callable[[], Shot], int]] = [
            (self.new_series, 6),
            (self.late_points, 6),
            (self.one_point, 20),
            (self.bandwidth, 6),
            (self.transactions, 6),
            (self.deletion, 3),
            (self.long_answer, 2),
            (self.short_answer, 20),
            (self.refused, 6),
        ]
        [chosen] = self._draw.choices([kind for kind, _ in kinds], [weight for _, weight in kinds])
        return chosen()

    def _time(self, back: float = SPREAD) -> float:
        return round(time.time() - self._draw.random() * back, 6)

    def _device(self) -> str:
        return f"device-{self._draw.randrange(50)}"

    def new_series(self) -> Shot:
        """Points of new devices."""
        self._serial += 1
        names = [f"{self._name}-{self._serial}-{i}" for i in range(100)]
        points = [
            {"timestamp": self._time(), "value": self._draw.gauss(20, 5), "device": name, "user": self._name}
            for name in names
            for _ in range(5)
        ]
        return post("/datapoints?on_duplicate=skip", points)

    def late_points(self) -> Shot:
        """Points of known devices, in no order."""
        points = [
            {"timestamp": self._time(), "value": self._draw.gauss(20, 5), "device": self._device(), "user": "everyone"}
            for _ in range(500)
        ]
        return post("/datapoints", points)

    def one_point(self) -> Shot:
        """The newest point of a device."""
        point = {"timestamp": self._time(0.1), "value": 1.5, "device": self._device(), "user": self._name}
        return post("/datapoints", point)

    def bandwidth(self) -> Shot:
        """Entries of many devices, some of them new."""
        entries = [
            {"device_id": f"router-{self._draw.randrange(2_000)}", "timestamp": int(self._time()), "bytes_ts": 2**52,
             "bytes_fs": self._draw.randrange(10**6)}
            for _ in range(300)
        ]  # fmt: skip
        return post("/api/bandwidth", entries)

    def transactions(self) -> Shot:
        """Amounts of the last seventy seconds."""
        batch = [{"amount": self._draw.gauss(50, 20), "timestamp": int(self._time(70) * 1_000)} for _ in range(300)]
        return post("/api/transactions", batch)

    def deletion(self) -> Shot:
        """A delete of data from this client or from all of them."""
        user = quote(self._draw.choice([self._name, "everyone", "nobody"]))
        paths = [
            f"/devices/{self._device()}/datapoints",
            f"/api/bandwidth/devices/router-{self._draw.randrange(2_000)}",
        ]
        # A user has most of the points, so this is rare: the store should be full most of the time.
        rare = [f"/users/{user}/datapoints", "/api/transactions"]
        return Shot("DELETE", self._draw.choice(rare if self._draw.random() < 0.1 else paths))

    def long_answer(self) -> Shot:
        """An answer of thousands of rows."""
        since = int(time.time()) - SPREAD
        paths = [
            f"/statistics/users/everyone/avg?bucket=1s&start={since}",
            "/datapoints?limit=10000&format=csv",
            "/devices",
            "/api/bandwidth/devices?format=csv",
            f"/statistics/devices/{self._device()}/moving_avg?window_size=60&bucket=1s&fill=linear&start={since}",
        ]
        return Shot("GET", self._draw.choice(paths))

    def short_answer(self) -> Shot:
        """An answer of some rows."""
        paths = [
            f"/statistics/devices/{self._device()}/avg",
            f"/devices/{self._device()}",
            "/devices?limit=5",
            f"/api/bandwidth?device_uuid=router-{self._draw.randrange(2_000)}",
            "/api/statistics",
            "/healthz",
        ]
        return Shot("GET", self._draw.choice(paths))

    def refused(self) -> Shot:
        """A request that is refused."""
        point = {"timestamp": 1, "value": 1, "device": "d", "user": "u"}
        bodies = [
            b"",
            b"\xff" * 1_000,
            b"[" * 100_000,
            b'{"timestamp":1e999,"value":' + b"9" * 100_000 + b"}",
            json.dumps([point | {"value": None}] * 2_000).encode(),
            json.dumps(point | {"device": "x" * 100_000}).encode(),
            json.dumps(point | {"timestamp": "2999-01-01"}).encode(),
            b" " * 2_500_000,
        ]
        shots = [
            Shot("POST", "/datapoints", self._draw.choice(bodies)),
            Shot("POST", "/api/bandwidth", self._draw.choice(bodies)),
            Shot("POST", "/datapoints", b"timestamp,value\n" + b"1,2\n" * 1_000, "text/csv"),
            Shot("POST", "/datapoints", b"a=b", "application/x-www-form-urlencoded"),
            Shot("GET", "/statistics/users/everyone/avg?bucket=1s&start=1970-01-01"),
            Shot("GET", f"/nowhere/{'%ff' * 300}?x={'y' * 3_000}"),
            Shot("PATCH", "/datapoints", b"{}"),
        ]
        return self._draw.choice(shots)


def work(port: int, seed: int, begin: float, minutes: float, results: Queue[Minute]) -> None:
    """Send requests one after the other until the time is over; report each minute."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends it
    traffic, connection = Traffic(seed), http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    current = Minute(0, Counter(), [])
    while (elapsed := time.monotonic() - begin) < minutes * MINUTE:
        if int(elapsed // MINUTE) > current.number:
            results.put(current)
            current = Minute(int(elapsed // MINUTE), Counter(), [])
        shot = traffic.next()
        sent = time.perf_counter()
        try:
            connection.request(
                shot.method, shot.path, shot.body, {"Content-Type": shot.media_type} if shot.body else {}
            )
            response = connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException):
            # The server disconnects if it does not read a body to its end; a dead server does not answer again.
            connection.close()
            current.kinds["cut"] += 1
            continue
        current.seconds.append(time.perf_counter() - sent)
        current.kinds[kind_of(response.status)] += 1
    results.put(current)


def kind_of(status: int) -> str:
    """Return the column in which a status is counted."""
    if status == http.client.INSUFFICIENT_STORAGE:
        return "507"
    return "other 5xx" if status >= 500 else "4xx" if status >= 400 else "2xx"


def soak(server: Server, minutes: float, clients: int) -> bool:
    """Drive a server, print a line per minute and the verdict; return the verdict."""
    context = multiprocessing.get_context("fork")
    results: Queue[Minute] = context.Queue()
    begin = time.monotonic()
    workers = [
        context.Process(target=work, args=(server.port, seed, begin, minutes, results), daemon=True)
        for seed in range(clients)
    ]
    for worker in workers:
        worker.start()
    print(f"| minute | RSS | requests | {' | '.join(KINDS)} | p99 |\n| ---: |{' ---: |' * (len(KINDS) + 3)}")
    memory: list[int] = []
    waiting: dict[int, list[Minute]] = {}
    total: Counter[str] = Counter()
    while any(worker.is_alive() for worker in workers) or not results.empty():
        time.sleep(min(1.0, minutes * MINUTE / 90))
        if time.monotonic() - begin < minutes * MINUTE:
            memory.append(server.memory())
        while not results.empty():
            one = results.get()
            waiting.setdefault(one.number, []).append(one)
            if len(waiting[one.number]) == clients:
                total += print_minute(waiting.pop(one.number), memory)
    return verdict(memory, total)


def print_minute(parts: list[Minute], memory: list[int]) -> Counter[str]:
    """Print what all clients saw in a minute; return the number of answers of each kind."""
    kinds = sum((part.kinds for part in parts), Counter())
    seconds = sorted(second for part in parts for second in part.seconds)
    p99 = f"{seconds[len(seconds) * 99 // 100] * 1_000:.0f} ms" if seconds else ""
    cells = [str(parts[0].number + 1), size(memory[-1]), f"{sum(kinds.values()):,}"]
    print(f"| {' | '.join([*cells, *(f'{kinds[kind]:,}' for kind in KINDS), p99])} |", flush=True)
    return kinds


def verdict(memory: list[int], kinds: Counter[str]) -> bool:
    """Print and return whether memory was flat once the limits were reached, and every answer was expected."""
    third = max(len(memory) // 3, 1)
    middle, last = mean(memory[-2 * third : -third] or memory), mean(memory[-third:])
    flat, due, full = last <= middle * FLAT, not kinds["other 5xx"], kinds["507"] > 0
    sentences = [
        f"\n{sum(kinds.values()):,} requests.",
        f"Resident in the middle third {size(middle)}, in the last {size(last)}: {'flat' if flat else 'it grows'}.",
        "No 5xx but 507." if due else f"{kinds['other 5xx']:,} answers are 5xx and not 507.",
        "The limits were reached." if full else "The limits were not reached: this says nothing.",
    ]
    print(" ".join(sentences))
    return flat and due and full


def main() -> None:
    """Soak a fresh server."""
    parser = argparse.ArgumentParser(description="Mixed traffic at full speed, and whether memory stays flat.")
    parser.add_argument("--minutes", type=float, default=30, help="how long (30)")
    parser.add_argument("--clients", type=int, default=3, help="processes that send (3)")
    arguments = parser.parse_args()
    print(f"{machine()}\n{' '.join(f'{name}={value}' for name, value in ENVIRONMENT.items())}\n", flush=True)
    with running(OURS, environment=ENVIRONMENT) as servers:
        sys.exit(not soak(servers[OURS], arguments.minutes, arguments.clients))


if __name__ == "__main__":
    main()
