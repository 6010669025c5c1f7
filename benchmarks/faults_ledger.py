"""The load of `faults.py`: three writers of numbered items, what each batch was answered, and what of it is there.

The load is open: requests are due at regular times, and latency counts from then, whether or not earlier ones have been
answered. Each batch has one of these states: *acknowledged* (2xx), *refused* (507, or a fault of this script), or
*unknown* (503, cut, no answer). Every second batch of datapoints that is unknown is repeated with `on_duplicate=skip`
until it is acknowledged; nothing else can be repeated safely.
"""

from __future__ import annotations

import itertools
import json
import select
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from http.client import HTTPConnection, HTTPException
from typing import Any, NamedTuple

EPOCH = 1_600_000_000
#: Seconds after which a request that has no answer counts as one that hangs: many times the service's own limit.
PATIENCE = 20
#: Requests under way at most, in seconds of the rate: more than the time after which the service gives up.
UNDER_WAY_SECONDS = 3
REPEAT_SECONDS = 0.5
CUT, HANGS = -1, -2
ACKNOWLEDGED, REFUSED, UNKNOWN = "acknowledged", "refused", "unknown"


class Connection:
    """A kept connection, opened again when the server has closed it."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Send a request; return status and content, or CUT or HANGS and the error."""
        content = None if body is None else json.dumps(body)
        line = self._connection.sock
        if line is not None and select.select([line], [], [], 0)[0]:  # closed while it was idle
            self._connection.close()
        try:
            self._connection.request(method, path, content, {"Content-Type": "application/json"} if content else {})
            response = self._connection.getresponse()
            answer = response.read()
            return response.status, json.loads(answer) if answer else None
        except TimeoutError as error:
            self._connection.close()
            return HANGS, repr(error)
        except (OSError, HTTPException) as error:
            self._connection.close()
            return CUT, repr(error)

    def read(self, path: str) -> Any:
        """Return the content of an answer; ask again while the service says that its storage is away."""
        deadline = time.monotonic() + PATIENCE
        while (answer := self.ask("GET", path))[0] != 200:
            if answer[0] != 503 or time.monotonic() > deadline:
                raise RuntimeError(f"{path} answers {answer}")
            time.sleep(REPEAT_SECONDS)
        return answer[1]

    def pages(self, path: str) -> Iterator[Any]:
        """Yield all items of a listing."""
        cursor = ""
        while cursor is not None:
            page = self.read(f"{path}?limit=10000" + (f"&cursor={cursor}" if cursor else ""))
            yield from page["results"]
            cursor = page["next"]


class Sample(NamedTuple):
    """A request: when it was due, the seconds from then to its answer, and the answer's status."""

    due: float
    seconds: float
    status: int


@dataclass
class Stored:
    """What is stored of a writer's batches: how many items of each, how many more than once, and what must not be."""

    there: Counter[int] = field(default_factory=Counter)
    twice: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    #: Counts and indexes that do not fit what is listed.
    differing: list[str] = field(default_factory=list)


class Client(ABC):
    """Sends numbered requests at a rate, and keeps what became of them."""

    name = path = ""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.numbers = itertools.count()
        self.samples: list[Sample] = []
        self.errors: list[str] = []

    @abstractmethod
    def note(self, number: int, status: int, answer: Any) -> None:
        """Write down what a request was answered."""


class Writer(Client):
    """Makes batches of numbered items, and knows the state of each."""

    size = 10
    #: Whether a batch takes several calls of the storage, some of which may be carried out and others not.
    divisible = False

    def __init__(self, rate: float) -> None:
        super().__init__(rate)
        self.states: dict[int, str] = {}
        self.lost: dict[int, int] = {}
        self.twice: Counter[int] = Counter()
        self.differing: set[str] = set()

    @abstractmethod
    def batch(self, due: float) -> tuple[int, list[dict[str, Any]]] | None:
        """Return the next batch and its number; None if there is none at this time."""

    @abstractmethod
    def stored(self, connection: Connection) -> Stored:
        """Read back what is stored."""

    def note(self, number: int, status: int, answer: Any) -> None:
        if 200 <= status < 300:
            self.states[number] = ACKNOWLEDGED
            return
        self.states[number] = UNKNOWN if status in (503, CUT, HANGS) or status == 500 else REFUSED
        if status not in (503, 507, CUT):
            self.errors.append(f"{self.path}: {status} {str(answer)[:300]}")

    def compare(self, stored: Stored) -> Changes:
        """Compare what is stored with what was answered; return what was not so at the last comparison."""
        faults = [f"{self.name}: {what}" for what in stored.wrong[:5]]
        lost = 0
        for number, state in self.states.items():
            there = stored.there[number]
            if state == ACKNOWLEDGED and self.is_remembered(number):
                missing = self.size - there
                lost += max(missing - self.lost.get(number, 0), 0)
                self.lost[number] = missing
            if not self.divisible and (0 < there < self.size or (state == REFUSED and there)):
                faults.append(f"{self.name}: {there} of {self.size} items of batch {number}, which is {state}")
        faults += [f"{self.name} never sent: batch {number}" for number in stored.there if number not in self.states]
        twice = (stored.twice - self.twice).total()
        self.twice |= stored.twice
        differing = [what for what in stored.differing if what not in self.differing]
        self.differing |= set(differing)
        return Changes(lost, twice, differing, faults)

    def is_remembered(self, number: int) -> bool:
        """Whether the service still holds what it was sent then."""
        return True

    def count(self, state: str) -> int:
        """Return the number of items in a state."""
        return self.size * sum(found == state for found in self.states.values())


class Changes(NamedTuple):
    """What is new since the last comparison: items lost or twice, indexes that differ, and faults."""

    lost: int
    twice: int
    differing: list[str]
    faults: list[str]


def seconds_of(text: str | int) -> int:
    """Return a time of an answer in epoch seconds."""
    return text if isinstance(text, int) else int(datetime.fromisoformat(text).timestamp())


class Numbered(Writer):
    """A writer whose batches follow from their numbers."""

    def batch(self, due: float) -> tuple[int, list[dict[str, Any]]]:
        number = next(self.numbers)
        return number, self.items(number)

    @abstractmethod
    def items(self, number: int) -> list[dict[str, Any]]:
        """Return the items of a batch."""


class Datapoints(Numbered):
    """Batches over many devices and users, in all stripes. Each creates a device."""

    name, path, size, divisible = "datapoints", "/datapoints", 20, True
    devices = 50

    def items(self, number: int) -> list[dict[str, Any]]:
        return [self._item(number, place) for place in range(self.size)]

    def _item(self, number: int, place: int) -> dict[str, Any]:
        item = number * self.size + place
        device = f"d{item % self.devices}" if place else f"new-{number}"
        return {"device": device, "user": f"u{item % 7}", "timestamp": EPOCH + number, "value": item}

    def stored(self, connection: Connection) -> Stored:
        found = Stored()
        seen: set[int] = set()
        devices: Counter[str] = Counter()
        users: Counter[str] = Counter()
        for row in connection.pages(self.path):
            item = int(row["value"])
            number, place = divmod(item, self.size)
            if self._item(number, place) != row | {"timestamp": seconds_of(row["timestamp"]), "value": item}:
                found.wrong.append(str(row))
                continue
            (found.twice if item in seen else found.there)[number] += 1
            seen.add(item)
            devices[row["device"]] += 1
            users[row["user"]] += 1
        for name, counts in (("device", devices), ("user", users)):
            told = Counter({row[name]: row["count"] for row in connection.read(f"/{name}s")})
            if told != counts:
                found.differing.append(f"/{name}s and the listing differ: {told - counts} and {counts - told}"[:300])
        return found


class Bandwidth(Numbered):
    """Batches of one device, so each is one call."""

    name, path = "bandwidth", "/api/bandwidth"
    devices = 30

    def items(self, number: int) -> list[dict[str, Any]]:
        device, turn = number % self.devices, number // self.devices
        times = range(EPOCH + turn * self.size, EPOCH + (turn + 1) * self.size)
        return [{"device_id": f"b{device}", "timestamp": t, "bytes_ts": 1, "bytes_fs": number} for t in times]

    def stored(self, connection: Connection) -> Stored:
        found = Stored()
        counts: Counter[str] = Counter()
        for row in connection.pages("/api/bandwidth/entries"):
            times, device = int(row["bytes_ts"]), row["device_id"]
            number = (seconds_of(row["timestamp"]) - EPOCH) // self.size * self.devices + int(device[1:])
            if row["bytes_fs"] != times * number:
                found.wrong.append(str(row))
            found.there[number] += 1
            found.twice[number] += times - 1
            counts[device] += times
        told = Counter({row["device_id"]: row["count"] for row in connection.read("/api/bandwidth/devices")})
        if told != counts:
            found.differing.append(f"/api/bandwidth/devices differs: {told - counts} and {counts - told}"[:300])
        return found


class Payments(Writer):
    """Batches of one instant, so each is one call. The history has only counts and sums of a second, so each batch of a
    second has a power of 16 as its amount: the digits of the sum tell how many items of each batch are there.
    """

    name, path, size = "payments", "/api/transactions", 5
    #: Sums are exact up to 2**50.
    most = 12

    def __init__(self, rate: float) -> None:
        super().__init__(min(rate, self.most))
        self._numbers: dict[int, list[int]] = defaultdict(list)  # of a second's batches
        self._seconds: dict[int, int] = {}
        self._lock = threading.Lock()
        self._remembered = 0

    def batch(self, due: float) -> tuple[int, list[dict[str, Any]]] | None:
        instant = time.time_ns() // 1_000_000 - int((time.monotonic() - due) * 1_000)
        second = instant // 1_000
        with self._lock:
            place = len(self._numbers[second])
            if place == self.most:
                return None
            number = next(self.numbers)
            self._numbers[second].append(number)
            self._seconds[number] = second
        return number, [{"amount": 16**place, "timestamp": instant}] * self.size

    def stored(self, connection: Connection) -> Stored:
        found = Stored()
        rows = connection.read("/api/statistics/history")
        self._remembered = seconds_of(rows[0]["timestamp"])
        for row in rows:
            total, count = int(row["sum"] or 0), 0
            for number in self._numbers.get(seconds_of(row["timestamp"]), []):
                total, items = divmod(total, 16)
                count += items
                found.there[number] = min(items, self.size)
                found.twice[number] = max(items - self.size, 0)
            if total or count != row["count"]:
                found.wrong.append(str(row))
        return found

    def is_remembered(self, number: int) -> bool:
        return self._seconds[number] >= self._remembered


class Reader(Client):
    """Asks this and that."""

    name = "reads"
    paths = (
        "/devices/d7",
        "/statistics/users/u3/avg?bucket=1d",
        "/datapoints?order=desc&limit=50",
        "/api/bandwidth/devices/b3",
        "/api/statistics",
        "/api/bandwidth/entries?device_uuid=b4&limit=50",
    )

    def note(self, number: int, status: int, answer: Any) -> None:
        if status not in (200, 404, 503, CUT):
            self.errors.append(f"read {self.paths[number % len(self.paths)]}: {status} {str(answer)[:300]}")


class Load:
    """All writers and readers at their rates, from its start to its end."""

    def __init__(self, port: int, clients: Sequence[Writer | Reader]) -> None:
        self._port = port
        self._stopped = threading.Event()
        self._unknown: dict[int, Datapoints] = {}
        self.begin = time.monotonic() + 0.1
        self._threads = [threading.Thread(target=self._repeat)]
        for client in clients:
            turns = itertools.count()
            for _ in range(int(client.rate * UNDER_WAY_SECONDS) + 2):
                self._threads.append(threading.Thread(target=self._run, args=(client, turns)))
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop, and wait until all that was sent is answered or given up, and repeated batches are acknowledged."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _run(self, client: Writer | Reader, turns: Iterator[int]) -> None:
        connection = Connection(self._port)
        while True:
            due = self.begin + next(turns) / client.rate
            if self._stopped.wait(max(due - time.monotonic(), 0)):
                return
            if isinstance(client, Reader):
                number = next(client.numbers)
                status, answer = connection.ask("GET", client.paths[number % len(client.paths)])
            else:
                batch = client.batch(due)
                if batch is None:
                    continue
                number, items = batch
                status, answer = connection.ask("POST", client.path, items)
            client.samples.append(Sample(due, time.monotonic() - due, status))
            client.note(number, status, answer)
            if isinstance(client, Datapoints) and number % 2 and client.states[number] == UNKNOWN:
                self._unknown[number] = client

    def _repeat(self) -> None:
        """Repeat batches of datapoints that are unknown."""
        connection = Connection(self._port)
        deadline = None
        while True:
            if stopped := self._stopped.wait(REPEAT_SECONDS):
                deadline = deadline or time.monotonic() + PATIENCE
                alive = any(thread.is_alive() for thread in self._threads[1:])
            for number, writer in list(self._unknown.items()):
                path = f"{writer.path}?on_duplicate=skip"
                status, answer = connection.ask("POST", path, writer.items(number))
                if status == 201 and answer["created"] + answer["skipped"] != writer.size:
                    writer.errors.append(f"{path}: {answer}")
                if status == 201:
                    writer.note(number, status, answer)
                    del self._unknown[number]
            if stopped and deadline and (time.monotonic() > deadline or not (alive or self._unknown)):
                return
            if stopped:
                time.sleep(REPEAT_SECONDS)
