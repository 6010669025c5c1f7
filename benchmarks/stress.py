"""Many threads add, repeat, delete and read over HTTP at once; at the end exactly the right data must be stored, once.

Against a running server: `python benchmarks/stress.py --port 8000 --seconds 300`. tests/test_stress.py runs it briefly.

Each writer has keys of its own. So in whatever order the server handled the requests, the stored data must be the sum
of what the answers told each writer: this is the oracle. Readers check every single answer: a batch, which has a device
of its own, is visible completely or not at all.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import random
import socket
import sys
import threading
import time
from calendar import timegm
from collections import Counter
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from typing import Any

WRITERS, READERS = 8, 4
USERS = [f"user {n}" for n in range(5)]
#: The size of batches of entries and transactions, of which a reader must see all or none.
PORTION = 10
SHARED = "shared"
#: The first timestamp of a batch; the others follow, one a second.
FIRST = 1_700_000_000
JSON, NDJSON, CSV = "application/json", "application/x-ndjson", "text/csv"

Item = dict[str, Any]
Stored = dict[tuple[int, str], float]  # (timestamp, user) -> value


class Client:
    """One kept connection."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._connection = HTTPConnection("127.0.0.1", port, timeout=60)

    def __call__(self, method: str, path: str, body: Any = None, media_type: str = JSON) -> tuple[int, Any]:
        """Send a request; return status and the parsed answer."""
        content = body if body is None or isinstance(body, str) else json.dumps(body)
        self._connection.request(method, path, content, {"Content-Type": media_type} if content else {})
        response = self._connection.getresponse()
        answer = response.read()
        return response.status, json.loads(answer) if answer else None

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        self._connection.close()

    def cut(self, path: str, body: str, sent: float) -> None:
        """Send a part of a request, or all of it, and close the connection without reading the answer."""
        request = (
            f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        ).encode()
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as stream:
            stream.sendall(request[: int(len(request) * sent)])


@dataclass
class Ledger:
    """The expected data by all answers so far: the batches with their sizes by device, and what each device holds."""

    batches: dict[str, int] = field(default_factory=dict)
    points: dict[str, Stored] = field(default_factory=dict)
    entries: Counter[str] = field(default_factory=Counter)
    transactions: list[int] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def hold(self, fine: object, *what: object) -> None:
        """Record a fault unless `fine` is true."""
        if not fine:
            self.faults.append(" ".join(map(str, what))[:500])


def spelt(items: list[Item], media_type: str) -> str:
    """Return a batch as text."""
    if media_type == JSON:
        return json.dumps(items)
    if media_type == NDJSON:
        return "\n".join(map(json.dumps, items))
    text = io.StringIO()
    rows = csv.DictWriter(text, list(items[0]))
    rows.writeheader()
    rows.writerows(items)
    return text.getvalue()


class Worker(threading.Thread):
    """Runs each of its actions, in random order, and then randomly chosen ones until the time is over."""

    def __init__(self, number: int, port: int, until: float, ledger: Ledger) -> None:
        super().__init__()
        self.number, self.until, self.ledger = number, until, ledger
        self.random, self.send = random.Random(number), Client(port)
        self.serial = 0
        self.done: Counter[str] = Counter()

    def run(self) -> None:
        """Work."""
        work = [getattr(self, name) for name in dir(self) if name.startswith("do_")]
        first = self.random.sample(work, len(work))
        while (first or time.monotonic() < self.until) and len(self.ledger.faults) < 10:
            act = first.pop() if first else self.random.choice(work)
            try:
                act()
            except (OSError, HTTPException, ValueError, KeyError) as error:
                self.ledger.faults.append(f"{act.__name__}: {error!r}")
                self.send.close()
            self.done[act.__name__.removeprefix("do_")] += 1
        self.send.close()

    def name_of(self, kind: str) -> str:
        """Return a key that no other thread uses."""
        self.serial += 1
        return f"{kind}-{self.number}-{self.serial}"


class Writer(Worker):
    """Adds and deletes its own data, and records the outcomes in the ledger."""

    def items(self, device: str, count: int) -> list[Item]:
        """Return datapoints of a device in any order, no two alike."""
        value = self.random.uniform
        items = [
            {"timestamp": FIRST + n, "value": value(-9, 9), "device": device, "user": USERS[n % len(USERS)]}
            for n in range(count)
        ]
        self.random.shuffle(items)
        return items

    def keep(self, items: list[Item]) -> None:
        """Record points as stored."""
        stored = self.ledger.points.setdefault(items[0]["device"], {})
        stored.update({(item["timestamp"], item["user"]): item["value"] for item in items})

    def do_add(self) -> None:
        """Add a datapoint, then the same again."""
        [item] = self.items(f"single-{self.number}-{self.random.randrange(5)}", 1)
        item["timestamp"] += self.random.randrange(100_000)
        known = (item["timestamp"], item["user"]) in self.ledger.points.get(item["device"], {})
        status, _ = self.send("POST", "/datapoints", item)
        self.ledger.hold(status == (409 if known else 201), "add", status)
        if not known:
            self.keep([item])
        status, _ = self.send("POST", "/datapoints", {**item, "value": 0})
        self.ledger.hold(status == 409, "add again", status)

    def do_batch(self) -> None:
        """Add a batch in any format."""
        device = self.name_of("batch")
        items = self.items(device, self.random.randrange(2, 400))
        self.ledger.batches[device] = len(items)
        media_type = self.random.choice([JSON, NDJSON, CSV])
        status, answer = self.send("POST", "/datapoints", spelt(items, media_type), media_type)
        self.ledger.hold((status, answer) == (201, {"created": len(items)}), "batch", status, answer)
        self.keep(items)

    def do_refused(self) -> None:
        """Send a batch with one item that is invalid or exists already."""
        device = self.name_of("refused")
        items = self.items(device, self.random.randrange(2, 200))
        self.ledger.batches[device] = 0
        wrong = self.random.choice([{"value": "x"}, {"timestamp": 2**40}, {"again": True}])
        items.append({**items[0], **wrong})
        status, answer = self.send("POST", "/datapoints", items)
        expected = 400 if "value" in wrong else 422 if "timestamp" in wrong else 409
        self.ledger.hold(status == expected, "refused", status, answer)

    def do_cut(self) -> None:
        """Send a batch and lose its answer, or cut it half-way; then repeat it until all is stored."""
        device = self.name_of("cut")
        items = self.items(device, self.random.randrange(2, 400))
        self.ledger.batches[device] = len(items)
        path, body = "/datapoints?on_duplicate=skip", json.dumps(items)
        self.send.cut(path, body, self.random.choice([0.5, 0.99, 1, 1]))
        for _ in range(2):
            status, answer = self.send("POST", path, body)
            self.ledger.hold(status == 201 and sum(answer.values()) == len(items), "cut", status, answer)
        self.ledger.hold(answer == {"created": 0, "skipped": len(items)}, "repeated", answer)
        self.keep(items)

    def do_delete(self) -> None:
        """Delete a batch of this writer, but none whose answer was lost: that request may still be on its way."""
        points = [*self.ledger.points]
        mine = [name for name in points if name.split("-")[1] == str(self.number) and not name.startswith("cut-")]
        if mine:
            device = self.random.choice(mine)
            status, _ = self.send("DELETE", f"/devices/{device}/datapoints")
            self.ledger.hold(status == 204, "delete", status)
            del self.ledger.points[device]
            status, _ = self.send("GET", f"/devices/{device}")
            self.ledger.hold(status == 404, "deleted", status)

    def do_entries(self) -> None:
        """Add entries of the device that all share and of an own one, in one batch."""
        mine = f"own-{self.number}"
        entries = [
            {"device_id": device, "timestamp": FIRST + self.random.randrange(10_000), "bytes_ts": 1, "bytes_fs": 2}
            for device in (SHARED, mine) * PORTION
        ]
        status, answer = self.send("POST", "/api/bandwidth", entries)
        self.ledger.hold((status, answer) == (201, {"created": len(entries)}), "entries", status, answer)
        self.ledger.entries[mine] += PORTION

    def do_transactions(self) -> None:
        """Add transactions of one instant."""
        moment = int(time.time() * 1000)
        status, answer = self.send("POST", "/api/transactions", [{"amount": 1, "timestamp": moment}] * PORTION)
        self.ledger.hold((status, answer["accepted"]) == (201, PORTION), "transactions", status, answer)
        self.ledger.transactions.append(moment)


class Reader(Worker):
    """Checks that nothing is ever visible by half."""

    seen = 0

    def any_batch(self) -> tuple[str, int]:
        """Return the device and the size of one of the latest batches."""
        batches = list(self.ledger.batches.items())[-30:] or [("none", 0)]
        return self.random.choice(batches)

    def do_summary(self) -> None:
        """Check the summary of a batch's device."""
        device, size = self.any_batch()
        status, answer = self.send("GET", f"/devices/{device}")
        self.ledger.hold(status == 404 or answer["count"] == size, "summary", device, size, answer)

    def do_list(self) -> None:
        """Check the listing of a batch's datapoints."""
        device, size = self.any_batch()
        _, answer = self.send("GET", f"/datapoints?device={device}&limit=10000")
        self.ledger.hold(len(answer["results"]) in (0, size), "list", device, size, len(answer["results"]))

    def do_statistics(self) -> None:
        """Check the counts of a batch's buckets."""
        device, size = self.any_batch()
        path = self.random.choice(["avg", "median", "count"])
        status, answer = self.send("GET", f"/statistics/devices/{device}/{path}?bucket=1d&end={FIRST + 10_000}")
        count = 0 if status == 404 else sum(bucket["count"] for bucket in answer)
        self.ledger.hold(count in (0, size), "statistics", device, size, count)

    def do_devices(self) -> None:
        """Check all devices at one instant."""
        sizes = dict(self.ledger.batches)
        _, answer = self.send("GET", "/devices")
        for row in answer:
            size = sizes.get(row["device"], row["count"])
            self.ledger.hold(row["count"] == size, "devices", row, size)

    def do_bandwidth(self) -> None:
        """Check the total and the windows of the shared device."""
        path = f"/api/bandwidth?device_uuid={SHARED}&end_time={FIRST + 10_000}&window_time=1001&num_windows=10"
        status, answer = self.send("GET", path)
        if status == 200:
            count = sum(window["bytes_ts"] for window in answer["data"])
            twice = sum(window["bytes_fs"] for window in answer["data"])
            self.ledger.hold(count % PORTION == 0 and twice == 2 * count, "windows", count, twice)
            self.ledger.hold(count >= self.seen, "windows lost", self.seen, count)
            self.seen = count
            _, total = self.send("GET", f"/api/bandwidth/devices/{SHARED}")
            fine = total["bytes_ts"] == total["count"] >= count and total["bytes_fs"] == 2 * total["count"]
            self.ledger.hold(fine and total["count"] % PORTION == 0, "total", total)

    def do_minute(self) -> None:
        """Check the transactions of the last minute."""
        _, answer = self.send("GET", "/api/statistics")
        count = answer["count"]
        fine = count % PORTION == 0 and answer["sum"] == count and answer["min"] == answer["max"] == answer["avg"]
        self.ledger.hold(fine and answer["max"] == (1 if count else 0), "minute", answer)


def stress(port: int, seconds: float) -> Ledger:
    """Run all workers on an empty server for so many seconds; return the ledger, which has all faults found."""
    ledger = Ledger()
    until = time.monotonic() + seconds
    workers: list[Worker] = [Writer(n, port, until, ledger) for n in range(WRITERS)]
    workers += [Reader(WRITERS + n, port, until, ledger) for n in range(READERS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        ledger.done.update(worker.done)
    if not ledger.faults:
        client = Client(port)
        compare(client, ledger)
        client.close()
    return ledger


def compare(send: Client, ledger: Ledger) -> None:
    """Compare the stored data with what the answers told the writers."""
    _, devices = send("GET", "/devices")
    counts = {device: len(points) for device, points in ledger.points.items()}
    ledger.hold({row["device"]: row["count"] for row in devices} == counts, "the devices differ")
    users = Counter(user for points in ledger.points.values() for _, user in points)
    _, found = send("GET", "/users")
    ledger.hold({row["user"]: row["count"] for row in found} == users, "the users differ")
    for device, points in ledger.points.items():
        stored: Stored = {}
        cursor = ""
        while cursor is not None:
            _, page = send("GET", f"/datapoints?device={device}&limit=10000" + (f"&cursor={cursor}" if cursor else ""))
            for item in page["results"]:
                stored[_seconds(item["timestamp"]), item["user"]] = item["value"]
            cursor = page["next"]
        ledger.hold(stored == points, "the points differ:", device)
    _, networks = send("GET", "/api/bandwidth/devices")
    entries = {**ledger.entries, SHARED: sum(ledger.entries.values())} if ledger.entries else {}
    ledger.hold({row["device_id"]: row["count"] for row in networks} == entries, "the entries differ")
    before = time.time() * 1000
    _, minute = send("GET", "/api/statistics")
    after = time.time() * 1000
    least, most = (PORTION * sum(t >= now - 60_000 for t in ledger.transactions) for now in (after + 1, before - 1))
    ledger.hold(least <= minute["count"] <= most, "the transactions differ:", least, minute["count"], most)


def _seconds(text: str) -> int:
    return timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))


def main() -> int:
    """Stress the server that the command line names, and print what was done."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=int(os.environ.get("PORT") or 8000))
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    ledger = stress(options.port, options.seconds)
    for name, count in sorted(ledger.done.items()):
        print(f"{name:<14}{count:>9,}")
    print(f"{'points':<14}{sum(map(len, ledger.points.values())):>9,} stored and compared")
    print("\n".join(ledger.faults) or "No fault.")
    return bool(ledger.faults)


if __name__ == "__main__":
    sys.exit(main())
