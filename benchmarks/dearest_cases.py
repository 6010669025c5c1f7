"""The cases of `dearest.py`: each is one request, or several alike, on a server with certain settings and data."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

from client import Connection, request

#: A million bytes on the wire; the goals for a single smaller request are stricter.
SMALL = 1_000_000
NOW = int(time.time())
TOKEN = "a-token-that-nobody-guesses"

EVERYONE = "everyone"  # the user of all devices
EVERYTHING = "everything"  # the device of all other users
POINTS_A_BATCH = 50_000


class Setting(Enum):
    """The settings of a server, and the data stored in it."""

    GUARDED = "a token is needed for all"
    LIMITED = "a token is needed for all, and the rate limit is reached"
    EMPTY = "nothing stored"
    FULL = "many series of one point each"
    OLD = "a point of 1970 and one of now"
    LONG = "one device of many points, whose values cancel out, and one sensor of as many entries"

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables of the server."""
        if self not in (Setting.GUARDED, Setting.LIMITED):
            return {}
        guarded = {"API_TOKENS": TOKEN, "API_TOKENS_FOR_READS": "true"}
        return guarded | ({"RATE_LIMIT": "1/day", "TRUSTED_PROXIES": "1"} if self is Setting.LIMITED else {})


@dataclass(frozen=True)
class Scale:
    """The sizes of data and bodies, and where the server listens."""

    series: int
    body: int  # bytes of a decoded body
    port: int = 0

    @property
    def users(self) -> int:
        """The number of users besides the one who has all devices."""
        return self.series // 4

    @property
    def sensors(self) -> int:
        """The number of devices with bandwidth."""
        return min(self.series, 200_000)


Build = Callable[[Scale], list[bytes]]


@dataclass(frozen=True)
class Case:
    """Requests that are sent one after the other, or all at once, or all at once with their answers left unread."""

    group: str
    name: str
    setting: Setting
    build: Build
    together: bool = False
    unread: bool = False
    writes: bool = False  # changes the server's data, so another server follows
    cold: bool = False  # needs a server that has answered nothing before
    stranger: bool = False  # sent without a token to a server that needs one
    quick: bool = False  # part of the quick run, too


def stored(setting: Setting, scale: Scale) -> Iterator[bytes]:
    """Yield the requests that store the data of a setting."""
    if setting is Setting.OLD:
        points = [{"timestamp": when, "value": 1.5, "device": "old", "user": "old"} for when in (1, NOW - 1)]
        yield request("POST", "/datapoints", json.dumps(points).encode())
    if setting is Setting.LONG:
        yield from _long(scale)
    if setting is not Setting.FULL:
        return
    for start in range(0, scale.series, POINTS_A_BATCH):
        numbers = range(start, min(start + POINTS_A_BATCH, scale.series))
        yield _points(f"{_when(n, scale.series)},{n % 97}.5,device-{n:07},{EVERYONE}" for n in numbers)
    for start in range(0, scale.users, POINTS_A_BATCH):
        numbers = range(start, min(start + POINTS_A_BATCH, scale.users))
        yield _points(f"{_when(n, scale.users)},{n % 97}.5,{EVERYTHING},user-{n:07}" for n in numbers)
    for start in range(0, scale.sensors, POINTS_A_BATCH):
        numbers = range(start, min(start + POINTS_A_BATCH, scale.sensors))
        yield _entries((f"sensor-{n:07}", NOW - 1 - n % 3_600) for n in numbers)


def _long(scale: Scale) -> Iterator[bytes]:
    """Yield a point and an entry a second. The points' values nearly cancel out, so their sums must be exact."""
    values = ("1e150", "1e-9", "-1e150", "0.1", "-1e140", "1e140", "3e-150")
    for start in range(0, scale.series, POINTS_A_BATCH):
        numbers = range(start, min(start + POINTS_A_BATCH, scale.series))
        yield _points(f"{NOW - 60 - n},{values[n % len(values)]},long,long" for n in numbers)
        yield _entries(("long", NOW - 60 - n) for n in numbers)


def middle(scale: Scale) -> int:
    """Return the time that has half of the points before it."""
    return NOW - 60 - scale.series // 2


def _when(number: int, count: int) -> int:
    """Return a distinct time for each of `count` points, in no order."""
    return NOW - 60 - number * 7_919 % count


def _points(rows: Iterator[str]) -> bytes:
    return request("POST", "/datapoints", "\n".join(["timestamp,value,device,user", *rows]).encode(), "text/csv")


def _entries(rows: Iterator[tuple[str, int]]) -> bytes:
    entries = [{"device_id": device, "timestamp": when, "bytes_ts": 1, "bytes_fs": 2} for device, when in rows]
    return request("POST", "/api/bandwidth", json.dumps(entries).encode())


def _spelt(path: str, scale: Scale) -> bytes:
    """Return a GET request whose path may refer to the middle of the data, the present, and a fine bucket."""
    return request("GET", path.format(middle=middle(scale), now=NOW - 1, fine=-(-NOW // 2_950_000)))


def _title(path: str) -> str:
    """Return the title of a question, which is the same every day."""
    return f"`GET {path.format(middle='…', now='now', fine='…')}`"


def _get(path: str) -> Build:
    """Return a function that builds a single GET request."""
    return lambda scale: [_spelt(path, scale)]


def _cursor(scale: Scale) -> list[bytes]:
    """Ask for the second half of a listing, from the cursor at which the first half has ended."""
    connection = Connection(scale.port)
    answer = connection.send(request("GET", f"/datapoints?limit=1&start={middle(scale)}"))
    connection.close()
    return [request("GET", f"/datapoints?limit=10000&cursor={json.loads(answer.body)['next']}")]


def _delete(path: str) -> Build:
    return lambda scale: [request("DELETE", path)]


def _in_gzip(path: str) -> Build:
    return lambda scale: [_spelt(path, scale).replace(b"\r\n", b"\r\nAccept-Encoding: gzip\r\n", 1)]


def _repeated(path: str, times: int) -> Build:
    return lambda scale: [_spelt(path, scale)] * times


def _late(scale: Scale) -> list[bytes]:
    """Return a batch of points at places among those of the long device."""
    step = max(scale.series // 30_000, 1)
    return [_points(f"{NOW - 60 - n}.5,1,long,long" for n in range(0, scale.series, step))]


def _full(scale: Scale) -> list[bytes]:
    """Return a batch of one more point for each of the first devices."""
    numbers = range(min(scale.series, POINTS_A_BATCH))
    return [_points(f"{NOW - 1},1,device-{n:07},{EVERYONE}" for n in numbers)]


STATISTICS = "/statistics/users/everyone"

#: Expensive questions about the stored data: first those of the quick run, then the others.
QUESTIONS_QUICK = (
    "/datapoints?limit=1",
    "/datapoints?limit=10000&start={middle}",
    "/devices",
    "/devices?search=nothing",
    "/devices?format=api",
    f"{STATISTICS}/p99",
    f"{STATISTICS}/moving_avg?window_size=4",
    "/",
    "/charts/datapoints?user=everyone",
    "/api/bandwidth/devices",
)
QUESTIONS = (
    "/datapoints?limit=10000",
    "/datapoints?limit=1&start={middle}",
    "/datapoints?limit=1&user=everyone",
    "/datapoints?limit=10000&user=everyone&start={middle}",
    "/datapoints?limit=10000&device=everything",
    "/datapoints?limit=1&device=device-0000001",
    "/datapoints?limit=10000&format=csv",
    "/datapoints?limit=10000&format=api",
    "/devices?limit=1",
    "/devices?limit=10000",
    "/devices?search=device",
    "/devices?search=device&limit=1",
    "/devices?format=csv",
    "/devices/device-0000001",
    "/devices/everything",
    "/devices/everything?format=api",
    "/users",
    "/users?limit=1",
    "/users?search=nothing",
    "/users?format=api",
    "/users/everyone",
    f"{STATISTICS}/avg",
    f"{STATISTICS}/avg?bucket=1s",
    f"{STATISTICS}/avg?bucket=366d",
    f"{STATISTICS}/avg?bucket=1s&start={{middle}}&end={{middle}}",
    f"{STATISTICS}/avg?format=api",
    f"{STATISTICS}/first",
    f"{STATISTICS}/median",
    f"{STATISTICS}/stddev",
    f"{STATISTICS}/p99?bucket=366d",
    f"{STATISTICS}/p99?bucket=1s",
    "/statistics/devices/everything/p99",
    "/charts/datapoints",
    "/charts/datapoints?user=everyone&bucket=1s",
    "/charts/datapoints?user=nobody",
    "/charts/bandwidth",
    "/charts/bandwidth?device_uuid=sensor-0000001&num_windows=10000&window_time=2147483647",
    "/charts/transactions",
    "/api/bandwidth?device_uuid=sensor-0000001&num_windows=10000&window_time=2147483647",
    "/api/bandwidth/devices?limit=1",
    "/api/bandwidth/devices?search=nothing",
    "/api/bandwidth/devices?format=api",
    "/api/bandwidth/devices?format=csv",
    "/api/bandwidth/devices/sensor-0000001",
    "/api/statistics",
    "/metrics",
    "/readyz",
    "/api/docs/",
)

OLD = "/statistics/devices/old"
#: Questions with as many buckets as an answer may have, from 1970 to now.
FINE = "bucket={fine}s"

ANSWERS_QUICK = (f"{OLD}/avg?{FINE}",)
ANSWERS = (
    f"{OLD}/avg",
    f"{OLD}/avg?{FINE}&format=csv",
    f"{OLD}/avg?{FINE}&format=api",
    f"{OLD}/avg?{FINE}&fill=linear",
    f"{OLD}/avg?{FINE}&fill=linear&format=csv",
    f"{OLD}/p99?{FINE}&fill=previous",
    f"{OLD}/avg?{FINE}&fill=none",
    f"{OLD}/moving_avg?{FINE}&window_size=2147483647",
    f"{OLD}/moving_avg?{FINE}&window_size=2147483647&min_periods=1&fill=linear&format=csv",
    f"{OLD}/moving_avg?{FINE}&window_size=100000&min_periods=1&fill=zero",
    f"{OLD}/avg?{FINE}&start={{now}}",
    f"/charts/datapoints?device=old&{FINE}",
)


#: Questions about one device with many points.
LONG = "/statistics/devices/long"
LONGS = (
    f"{LONG}/avg?bucket=366d",
    f"{LONG}/avg?bucket=1s",
    f"{LONG}/stddev?bucket=1h",
    f"{LONG}/p99?bucket=366d",
    f"{LONG}/p99?bucket=2s",
    f"{LONG}/moving_avg?bucket=1s&window_size=1000",
    f"{LONG}/moving_avg?bucket=1s&window_size=100000&min_periods=1",
    f"{LONG}/moving_avg?bucket=7s&window_size=1000&fill=linear",
    "/datapoints?limit=10000&device=long&start={middle}",
    "/devices/long",
    "/charts/datapoints?device=long&bucket=1s",
    "/api/bandwidth?device_uuid=long&num_windows=10000&window_time=60",
    "/api/bandwidth/devices/long",
    "/charts/bandwidth?device_uuid=long&num_windows=10000&window_time=60",
)


def questions() -> Iterator[Case]:
    """Yield the cases that are expensive by the stored data; those that delete it come last."""
    group = "question"
    for path in (*QUESTIONS_QUICK, *QUESTIONS):
        yield Case(group, _title(path), Setting.FULL, _get(path), quick=path in QUESTIONS_QUICK)
    yield Case(group, "`GET /datapoints?limit=10000&cursor=` of the middle", Setting.FULL, _cursor)
    yield Case(group, "`GET /api/schema/`, the first request of all", Setting.EMPTY, _get("/api/schema/"), cold=True)
    for path in ("/datapoints?limit=1", "/devices", f"{STATISTICS}/p99", "/devices?format=api", "/metrics"):
        yield Case(group, f"forty at once: {_title(path)}", Setting.FULL, _repeated(path, 40), together=True)
    batch = f"`POST /datapoints`: a point for each of {POINTS_A_BATCH:,} series"
    yield Case(group, batch, Setting.FULL, _full, writes=True, quick=True)
    deletions = (
        "/devices/device-0000001/datapoints",
        "/api/bandwidth/devices/sensor-0000001",
        "/devices/everything/datapoints",
        "/users/everyone/datapoints",
    )
    for path in deletions:
        yield Case(group, f"`DELETE {path}`", Setting.FULL, _delete(path), writes=True)
    for path in LONGS:
        yield Case(group, _title(path), Setting.LONG, _get(path), quick=path in LONGS[5:6])
    yield Case(group, "`POST /datapoints`: 30,000 late points of one device", Setting.LONG, _late, writes=True)


def answers() -> Iterator[Case]:
    """Yield the cases that are expensive by the size of their answer."""
    group = "answer"
    for path in (*ANSWERS_QUICK, *ANSWERS):
        yield Case(group, _title(path), Setting.OLD, _get(path), quick=path in ANSWERS_QUICK)
    finest = f"{OLD}/avg?{FINE}"
    yield Case(group, f"{_title(finest)} in gzip", Setting.OLD, _in_gzip(finest))
    for path, setting in (
        (finest, Setting.OLD),
        (f"{OLD}/moving_avg?window_size=4", Setting.OLD),
        (f"{OLD}/p99?{FINE}&fill=previous", Setting.OLD),
        (f"{LONG}/moving_avg?bucket=1s&window_size=1000", Setting.LONG),
        ("/devices", Setting.FULL),
    ):
        name = f"forty that do not read: {_title(path)}"
        yield Case(group, name, setting, _repeated(path, 40), unread=True)
