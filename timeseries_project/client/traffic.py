"""Believable traffic for all three apps: pure functions of the time and randomness that they are given.

Times are microseconds since the Unix epoch. The items of a tick lie in (begin, end]; a few datapoints are held back and
come with a later tick, as if their device had been out of reach. So no two datapoints of one device and user have the
same time, and none lies in the future.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import NamedTuple, TypedDict, TypeVar

SECOND = 1_000_000
DAY = 86_400 * SECOND
#: The past that a server first gets: a day of datapoints and an hour of bandwidth, in these steps.
DATAPOINT_STEP, DATAPOINT_STEPS = 900 * SECOND, 96
ENTRY_STEP, ENTRY_STEPS = 15 * SECOND, 240

#: Shares of the items: datapoints, bandwidth, transactions.
SHARES = (0.5, 0.3, 0.2)

LATE, LATEST = 0.02, 30 * SECOND
OUT_OF_ORDER = 0.05
SILENT = 0.01
OLD, OLDEST_MS = 0.1, 8_000
BURST, BURST_SECONDS = 0.02, (5, 40)

#: Sensors: kind, usual value, daily swing, noise.
_SENSORS = (
    ("thermometer", 21.0, 3.0, 0.3),
    ("hygrometer", 45.0, 9.0, 1.5),
    ("power-meter", 620.0, 340.0, 60.0),
    ("co2-sensor", 650.0, 220.0, 30.0),
    ("barometer", 1_013.0, 4.0, 0.4),
)
#: Network devices: kind, usual bytes to the server in a report, usual bytes from it.
_NETWORK = (
    ("access-point", 90_000, 700_000),
    ("router", 250_000, 1_900_000),
    ("camera", 750_000, 9_000),
    ("nas", 400_000, 120_000),
    ("display", 1_500, 260_000),
)
_USERS = ("ada", "grace", "alan", "edsger", "barbara", "donald", "frances", "john", "katherine", "tony")

Item = TypeVar("Item")


class Datapoint(TypedDict):
    """An item of POST /datapoints; the timestamp is in epoch seconds, to the microsecond."""

    timestamp: float
    value: float
    device: str
    user: str


class Entry(TypedDict):
    """An item of POST /api/bandwidth; the timestamp is in epoch seconds."""

    device_id: str
    timestamp: int
    bytes_ts: int
    bytes_fs: int


class Transaction(TypedDict):
    """An item of POST /api/transactions; the timestamp is in epoch milliseconds."""

    amount: float
    timestamp: int


class Tick(NamedTuple):
    """The items that are sent together, by app."""

    datapoints: list[Datapoint]
    bandwidth: list[Entry]
    transactions: list[Transaction]


@dataclass(frozen=True, slots=True)
class _Sensor:
    name: str
    user: str
    usual: float
    swing: float
    noise: float
    phase: float

    def value(self, time: int, random: Random) -> float:
        rhythm = math.sin(2 * math.pi * (time / DAY - self.phase))
        return round(self.usual + self.swing * rhythm + random.gauss(0, self.noise), 2)


@dataclass(slots=True)
class _NetworkDevice:
    name: str
    to_server: float
    from_server: float
    burst_end: int = 0
    burst_factor: float = 1.0

    def entry(self, time: int, random: Random) -> Entry:
        if time > self.burst_end and random.random() < BURST:
            self.burst_end = time + random.randint(*BURST_SECONDS) * SECOND
            self.burst_factor = random.uniform(8, 30)
        factor = self.burst_factor if time <= self.burst_end else 1.0
        return {
            "device_id": self.name,
            "timestamp": time // SECOND,
            "bytes_ts": int(self.to_server * factor * random.lognormvariate(0, 0.4)),
            "bytes_fs": int(self.from_server * factor * random.lognormvariate(0, 0.4)),
        }


class Traffic:
    """The devices and users of one simulation, and what they send."""

    def __init__(self, *, devices: int, users: int, random: Random) -> None:
        self._random = random
        names = [user_name(number) for number in range(users)]
        self._sensors = [
            replace(sensor, user=user)
            for number, sensor in enumerate(_sensor(number, random) for number in range(devices))
            # Every fourth device is shared, where there is somebody to share it with.
            for user in dict.fromkeys((names[number % users], names[(number + (number % 4 == 3)) % users]))
        ]
        self._network = [
            _NetworkDevice(_name(kind, number, len(_NETWORK)), up * scale, down * scale)
            for number in range(devices)
            for kind, up, down in [_NETWORK[number % len(_NETWORK)]]
            for scale in [random.uniform(0.4, 1.6)]
        ]
        self._due = [0.0] * len(SHARES)
        self._held: list[tuple[int, Datapoint]] = []

    @property
    def network_devices(self) -> list[str]:
        """The names of the devices that report bandwidth."""
        return [device.name for device in self._network]

    def past_datapoints(self, now: int) -> Iterator[Datapoint]:
        """Yield the day before `now`: each device reports about every quarter-hour, with occasional gaps."""
        for step in range(DATAPOINT_STEPS, 0, -1):
            for sensor in self._sensors:
                if self._random.random() >= SILENT:
                    time = now - step * DATAPOINT_STEP + self._random.randrange(DATAPOINT_STEP)
                    yield _datapoint(sensor, time, self._random)

    def past_entries(self, now: int) -> Iterator[Entry]:
        """Yield the hour before `now`: each device reports every 15 seconds."""
        for step in range(ENTRY_STEPS, 0, -1):
            for device in self._network:
                yield device.entry(now - step * ENTRY_STEP, self._random)

    def tick(self, begin: int, end: int, count: float) -> Tick:
        """Return what arrives at the time `end`: on average `count` items made since `begin`, some of them held back.

        Fractions are carried over to the next tick. A tick has at most one datapoint for each microsecond.
        """
        for place, share in enumerate(SHARES):
            self._due[place] += share * count
        wanted = [int(due) for due in self._due]
        wanted[0] = min(wanted[0], end - begin)
        self._due = [due - made for due, made in zip(self._due, wanted, strict=True)]
        return Tick(
            self._datapoints(begin, end, wanted[0]),
            self._entries(begin, end, wanted[1]),
            self._transactions(begin, end, wanted[2]),
        )

    def late(self) -> list[Datapoint]:
        """Return and forget all datapoints that are still held back."""
        late = [datapoint for _, datapoint in self._held]
        self._held = []
        return late

    def _datapoints(self, begin: int, end: int, count: int) -> list[Datapoint]:
        random = self._random
        arriving = [datapoint for due, datapoint in self._held if due <= end]
        self._held = [(due, datapoint) for due, datapoint in self._held if due > end]
        for time in sorted(random.sample(range(begin + 1, end + 1), count)):
            datapoint = _datapoint(random.choice(self._sensors), time, random)
            if random.random() < LATE:
                self._held.append((end + random.randint(1, LATEST), datapoint))
            else:
                arriving.append(datapoint)
        return _jumbled(arriving, random)

    def _entries(self, begin: int, end: int, count: int) -> list[Entry]:
        random = self._random
        times = sorted(random.randint(begin + 1, end) for _ in range(count))
        return _jumbled([random.choice(self._network).entry(time, random) for time in times], random)

    def _transactions(self, begin: int, end: int, count: int) -> list[Transaction]:
        random = self._random
        times = sorted(random.randint(begin + 1, end) // 1_000 for _ in range(count))
        return [
            {
                "amount": round(random.lognormvariate(3.2, 0.9), 2),
                "timestamp": max(0, time - (random.randint(1, OLDEST_MS) if random.random() < OLD else 0)),
            }
            for time in times
        ]


def user_name(number: int) -> str:
    """Return the name of a user by its number, from 0."""
    return _USERS[number] if number < len(_USERS) else f"user-{number + 1}"


def _sensor(number: int, random: Random) -> _Sensor:
    kind, usual, swing, noise = _SENSORS[number % len(_SENSORS)]
    usual += random.uniform(-0.5, 0.5) * swing
    return _Sensor(_name(kind, number, len(_SENSORS)), "", usual, swing, noise, random.uniform(0.3, 0.45))


def _name(kind: str, number: int, kinds: int) -> str:
    return f"{kind}-{number // kinds + 1}"


def _datapoint(sensor: _Sensor, time: int, random: Random) -> Datapoint:
    value = sensor.value(time, random)
    return {"timestamp": time / SECOND, "value": value, "device": sensor.name, "user": sensor.user}


def _jumbled(items: list[Item], random: Random) -> list[Item]:
    """Move a few items to other places."""
    for place in range(len(items)):
        if random.random() < OUT_OF_ORDER:
            other = random.randrange(len(items))
            items[place], items[other] = items[other], items[place]
    return items
