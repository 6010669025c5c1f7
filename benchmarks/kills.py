"""kill -9 at random moments while all three apps are written to and snapshots are taken: what comes back?

    python benchmarks/kills.py [ROUNDS]

In each round the server is killed, sometimes while it starts, and started again. Then there must be everything that was
acknowledged before the last completed snapshot was asked for, and nothing that was never sent, nothing twice and no
part of a batch. One client each writes numbered items, so that all this shows in counts, first and last items and sums.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from contextlib import suppress
from datetime import datetime
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
#: Items of one batch, and where their times begin.
BATCH = 20
EPOCH = 1_600_000_000
#: Datapoints that are there from the beginning, so that a snapshot takes some time.
BASE = 100_000
#: Most seconds for which a server is written to before it is killed, and may start before it is.
WRITING, STARTING = 2.5, 2.5
PATIENCE = 120


class Violation(Exception):
    """What came back is not what it had to be."""


class Service:
    """The server in a process of its own."""

    def __init__(self, snapshot: Path, every: int = 1) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self._environment = os.environ | {
            "PORT": str(self.port),
            "SNAPSHOT": str(snapshot),
            "SNAPSHOT_SECONDS": str(every),
            "BANDWIDTHS_FILE": "",
        }

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "timeseries_project.serve"],
            cwd=ROOT,
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            with suppress(OSError, HTTPException):
                if self.ask("GET", "/readyz")[0] == 200:
                    return
            if self.process.poll() is not None:
                raise Violation(f"The server did not start: {self.process.communicate()[1]}")
            if time.monotonic() > deadline:
                raise Violation("The server did not answer.")
            time.sleep(0.02)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, path, content, {"Content-Type": "application/json"} if content else {})
            response = connection.getresponse()
            answer = response.read()
            return response.status, json.loads(answer) if answer else None
        finally:
            connection.close()


class Writer(ABC):
    """Sends numbered items in order, one batch after the other; knows what was sent and what acknowledged."""

    path = ""

    def __init__(self) -> None:
        self.sent = self.acknowledged = self.floor = 0

    def write(self, service: Service) -> None:
        self.sent += BATCH
        status, answer = service.ask("POST", self.path, [self.item(self.sent - BATCH + n) for n in range(BATCH)])
        if status != 201:
            raise Violation(f"{self.path} answers {status}: {answer}")
        self.acknowledged = self.sent

    @abstractmethod
    def item(self, number: int) -> dict[str, Any]:
        """Return an item."""

    def check(self, service: Service) -> int:
        """Look at what came back, and go on from there; return how many acknowledged items are lost, as they may."""
        count = self.found(service)
        if not self.floor <= count <= self.sent:
            raise Violation(f"{self.path}: {count} items, of {self.sent} sent and {self.floor} in the snapshot")
        if count % BATCH:
            raise Violation(f"{self.path}: part of a batch, {count} items")
        lost = max(self.acknowledged - count, 0)
        self.sent = self.acknowledged = self.floor = count
        return lost

    @abstractmethod
    def found(self, service: Service) -> int:
        """Return how many items are there."""


def must(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise Violation(f"{what}: {found}, not {expected}")


class Datapoints(Writer):
    path = "/datapoints"

    def item(self, number: int) -> dict[str, Any]:
        return {"timestamp": EPOCH + number, "value": number, "device": "w", "user": "u"}

    def found(self, service: Service) -> int:
        must("datapoints of the beginning", service.ask("GET", "/devices/base")[1]["count"], BASE)
        status, summary = service.ask("GET", "/devices/w")
        if status == 404:
            return 0
        count: int = summary["count"]
        must("first datapoint", _seconds(summary["first"]), EPOCH)
        must("last datapoint", _seconds(summary["last"]), EPOCH + count - 1)
        rows = service.ask("GET", "/statistics/devices/w/sum?bucket=366d&fill=none")[1]
        must("sum of datapoints", sum(row["value"] for row in rows), count * (count - 1) / 2)
        return count


class Bandwidth(Writer):
    path = "/api/bandwidth"

    def item(self, number: int) -> dict[str, Any]:
        return {"timestamp": EPOCH + number, "bytes_ts": 1, "bytes_fs": number, "device_id": "w"}

    def found(self, service: Service) -> int:
        devices = service.ask("GET", "/api/bandwidth/devices")[1]
        if not devices:
            return 0
        [device] = devices
        count: int = device["count"]
        must("sums of bytes", (device["bytes_ts"], device["bytes_fs"]), (count, count * (count - 1) // 2))
        must("first entry", _seconds(device["first"]), EPOCH)
        must("last entry", _seconds(device["last"]), EPOCH + count - 1)
        return count


class Transactions(Writer):
    """Their numbers are those of the last 600 seconds, in which alone they are remembered."""

    path = "/api/transactions"

    def __init__(self) -> None:
        super().__init__()
        self.seconds: Counter[int] = Counter()  # sent ones

    def write(self, service: Service) -> None:
        self.now = time.time_ns() // 1_000_000
        self.seconds[self.now // 1_000] += BATCH
        super().write(service)

    def item(self, number: int) -> dict[str, Any]:
        return {"amount": 1, "timestamp": self.now}

    def found(self, service: Service) -> int:
        rows = service.ask("GET", "/api/statistics/history")[1]
        counts = Counter({_seconds(row["timestamp"]): row["count"] for row in rows if row["count"]})
        must("sums of transactions", [row["sum"] for row in rows if row["count"]], list(counts.values()))
        if more := counts - self.seconds:
            raise Violation(f"transactions: more than were sent: {more}")
        forgotten = sum(count for second, count in self.seconds.items() if second < _seconds(rows[0]["timestamp"]))
        self.sent -= forgotten
        self.acknowledged -= forgotten
        self.floor -= forgotten
        self.seconds = counts
        return counts.total()


def _seconds(text: str | int) -> int:
    return text if isinstance(text, int) else int(datetime.fromisoformat(text).timestamp())


def repeat(call: Any, stop: threading.Event, faults: list[Exception]) -> threading.Thread:
    """Call again and again in a thread, until the server is gone."""

    def run() -> None:
        with suppress(OSError, HTTPException):
            while not stop.is_set():
                try:
                    call()
                except Violation as error:
                    faults.append(error)
                    return

    thread = threading.Thread(target=run)
    thread.start()
    return thread


class Trial:
    """The rounds, and what has happened in them."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.random = random.Random(seed)
        self.service = Service(folder / "snapshot.arrow")
        self.writers = [Datapoints(), Bandwidth(), Transactions()]
        self.snapshots = self.half_written = self.while_starting = self.lost = self.written = 0

    def prepare(self) -> None:
        self.service.start()
        self.service.wait()
        for begin in range(0, BASE, 20_000):
            points = [
                {"timestamp": EPOCH + n, "value": n, "device": "base", "user": f"u{n % 50}"}
                for n in range(begin, begin + 20_000)
            ]
            must("status", self.service.ask("POST", "/datapoints", points)[0], 201)
        self.snapshot()

    def snapshot(self) -> None:
        """Take one: what was acknowledged before is from then on not to be lost."""
        before = [writer.acknowledged for writer in self.writers]
        status, answer = self.service.ask("POST", "/api/snapshot")
        if status != 201:
            raise Violation(f"/api/snapshot answers {status}: {answer}")
        for writer, count in zip(self.writers, before, strict=True):
            writer.floor = max(writer.floor, count)
        self.snapshots += 1

    def round(self) -> None:
        """Write until the server is killed, start it again, and check."""
        stop = threading.Event()
        faults: list[Exception] = []
        calls = [lambda writer=writer: writer.write(self.service) for writer in self.writers]
        threads = [repeat(call, stop, faults) for call in (*calls, self.snapshot)]
        time.sleep(self.random.uniform(0, WRITING))
        self.service.kill()
        stop.set()
        for thread in threads:
            thread.join()
        if faults:
            raise faults[0]
        self.half_written += bool(list(self.folder.glob(".snapshot.arrow.tmp-*")))
        self.written += sum(writer.acknowledged - writer.floor for writer in self.writers)
        self.service.start()
        if self.random.random() < 0.2:
            time.sleep(self.random.uniform(0, STARTING))
            self.service.kill()
            self.while_starting += 1
            self.service.start()
        self.service.wait()
        self.lost += sum(writer.check(self.service) for writer in self.writers)


def main() -> int:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    seed = int(os.environ.get("SEED", "1"))
    begin = time.monotonic()
    with TemporaryDirectory() as folder:
        trial = Trial(Path(folder), seed)
        done = 0
        try:
            trial.prepare()
            for done in range(1, rounds + 1):
                trial.round()
                if done % 10 == 0:
                    print(f"{done} of {rounds}, {trial.snapshots} snapshots", flush=True)
        except Violation as error:
            print(f"Round {done}: {error}")
            return 1
        finally:
            with suppress(OSError):
                trial.service.kill()
    print(f"{rounds} times killed in {time.monotonic() - begin:,.0f} s, {trial.half_written} of them while a file was")
    print(f"being written, and {trial.while_starting} times more while it started; {trial.snapshots} snapshots.")
    print("Everything in the last completed snapshot came back, nothing twice, no part of a batch, nothing never sent.")
    print(f"Lost of what came after the last one, in all: {trial.lost:,} acknowledged items.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
