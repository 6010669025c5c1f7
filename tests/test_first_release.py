"""A storage that 1.0.0 has filled, whose functions know no version: taken over by this release, and closed to them.

`tests/releases/1.0.0/` has the functions of that release, in gzip.
"""

from __future__ import annotations

import gzip
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis, ResponseError

from bandwidth.interface import SLOT, begin_of_span
from bandwidth.redis.layout import ROW_SIZE, row_of
from bandwidth.redis.library import LIBRARY
from bandwidth.redis.store import RedisStore
from timeseries_project.storage import connection
from timeseries_project.storage.client import Storage
from timeseries_project.storage.location import parse_location
from timeseries_project.storage.upgrading import behind, portions, prepare
from timeseries_project.tests.redis_servers import RedisServer
from transactions.interface import KEPT_SECONDS
from transactions.redis.window import ROW, RedisWindow

RELEASE = Path(__file__).with_name("releases") / "1.0.0"
REGISTRY, STALE, ENTRIES, LISTINGS = (b"bw:{0}:" + kind for kind in (b"devices", b"stale", b"entries", b"listings"))
DEVICE = b"bw:{0}:device:"
TAG = b"tx:{tx376}"
NO_LIMITS = (0, 2**53, 2**53, 500)
WRONG = "WRONGTYPE"


@pytest.fixture(scope="module", params=["redis", "valkey"])
def server(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    started = RedisServer(request.param)
    yield started
    started.stop()


@pytest.fixture
def client(server: RedisServer) -> Redis:
    """An empty server, with the functions of 1.0.0."""
    client = server.client
    client.flushall()
    client.function_flush()
    server.wait(lambda: seconds_of(client) % SLOT < SLOT - 10)  # no slot of time ends while a test runs
    for app in ("bandwidth", "transactions"):
        source = gzip.decompress((RELEASE / f"{app}.lua.gz").read_bytes()).decode()
        client.function_load(f"#!lua name={app}_1\nlocal version = ''\n{source}")
    return client


@pytest.fixture
def storage(server: RedisServer, client: Redis) -> Storage:
    return Storage(parse_location(server.url), timeout=30)


def add(client: Redis, devices: dict[str, list[tuple[int, int, int]]]) -> None:
    """Add entries to devices, in order of time, as 1.0.0 does."""
    keys = [REGISTRY, STALE, ENTRIES, *(DEVICE + name.encode() for name in devices)]
    rows = [b"".join(row_of(*entry) for entry in entries) for entries in devices.values()]
    assert client.fcall("bandwidth_add", len(keys), *keys, *NO_LIMITS, *rows) == b"OK"  # type: ignore[arg-type]


def pay(client: Redis, time: int, amount: float, *, now: int | str = "", ring: int = 72_000) -> Any:
    row = ROW.pack(time, amount, 0, 1, amount, amount)
    key = TAG + b":%d" % ring
    return client.fcall("transactions_add", 1, key, now, 60_000, 5_000, ring, time, row)  # type: ignore[arg-type]


def seconds_of(client: Redis) -> int:
    return int(client.time()[0])  # type: ignore[index]


def contents(client: Redis) -> dict[bytes, Any]:
    return {key: client.dump(key) for key in client.scan_iter()}


def window_of(storage: Storage, skew: int = 5) -> RedisWindow:
    return RedisWindow(storage, length_ms=60_000, ahead_ms=1_000 * skew, server_clock=False)


def lives(now: int) -> dict[str, list[tuple[int, int, int]]]:
    """Devices with entries before, in and after the slots that count for who is busy, at their borders and between."""
    begin = begin_of_span(now)
    border = [(begin + at, 100, 1) for at in (-SLOT, -1, 0, 1, SLOT - 1, SLOT)]
    return {
        "border": border,
        "long ago": [(second, 10**6, 0) for second in range(10, 900, 3)],
        "of late": [(second, 7, 3) for second in range(begin - 500, now, 2)],  # a tree of two levels
        "huge": [(5, 2**53 - 1, 2**53 - 1), (begin - 5, 2**53 - 1, 2**53 - 1), (now, 2**52 + 1, 2**40)],
        "nothing": [(now, 0, 0)],
        "one": [(now, 5, 5)],
    }


def busy(devices: dict[str, list[tuple[int, int, int]]], now: int) -> list[tuple[str, int]]:
    sums: Counter[str] = Counter()
    for name, entries in devices.items():
        sums[name] = sum(to + back for time, to, back in entries if begin_of_span(now) <= time <= now + 5)
    return [(name, total) for name, total in sums.most_common() if total]


def test_the_busiest_are_known_from_the_first_moment_on(client: Redis, storage: Storage) -> None:
    now = seconds_of(client)
    devices = lives(now)
    add(client, devices)
    store = RedisStore(storage)
    found = store.overview(9, now=now, ahead=5)
    assert [(one.device_id, one.total) for one in found.busiest] == busy(devices, now)
    assert (found.devices, found.entries) == (len(devices), sum(map(len, devices.values())))
    assert [one.device_id for one in store.devices()] == sorted(devices)
    for name, entry in (("one", (now, 4_000, 1)), ("long ago", (now, 3_000, 0)), ("new", (now, 3_500, 1))):
        store.add(name, *entry, now=now)
        devices.setdefault(name, []).append(entry)
    found = store.overview(9, now=now, ahead=5)
    assert [(one.device_id, one.total) for one in found.busiest] == busy(devices, now)
    store.delete("huge")
    assert [one.device_id for one in store.devices()] == sorted(devices.keys() - {"huge"})


def test_spans_are_those_that_writes_would_have_made(client: Redis, storage: Storage) -> None:
    now = seconds_of(client)
    devices = lives(now)
    add(client, devices)
    prepare(storage, connection.versioned())
    upgraded = {key: client.zrange(key, 0, -1, withscores=True) for key in client.keys("bw:*:busy:*")}
    client.flushall()
    store = RedisStore(storage)
    for name, entries in devices.items():
        store.add_batch([name] * len(entries), *zip(*entries, strict=True), now=now)
    written = {key: client.zrange(key, 0, -1, withscores=True) for key in client.keys("bw:*:busy:*")}
    assert upgraded == written
    assert len(written) >= 2


def test_it_may_be_cut_off_after_any_portion_and_1_0_0_writes_nothing_from_the_first_on(
    client: Redis, storage: Storage
) -> None:
    now, most = seconds_of(client), LIBRARY.constants["UPGRADED_DEVICES"]
    devices = {f"d{number:03}": [(now, number, 1)] for number in range(2 * int(most) + 50)}
    add(client, devices)
    stripes = [(LIBRARY, REGISTRY)]
    for calls, layout in enumerate(portions(storage, stripes), 1):
        assert len(contents(client)) > len(devices)
        assert layout.startswith("1>2 ") == (calls < 3)
        held = contents(client)
        for refused in writes(now):
            with pytest.raises(ResponseError, match=WRONG):
                client.fcall(*refused)
        assert contents(client) == held
        if calls < 3:
            assert client.zcard("bw:{0}:registry") == calls * int(most)
            assert behind(storage, connection.versioned())
    assert calls == 3
    store = RedisStore(storage)
    assert [one.device_id for one in store.devices()] == sorted(devices)
    assert [(one.device_id, one.total) for one in store.overview(9, now=now).busiest] == busy(devices, now)[:9]
    assert client.exists("bw:{0}:upgrading") == 0


def test_all_spans_begin_when_the_upgrade_did(client: Redis, storage: Storage) -> None:
    now = seconds_of(client)
    names = [f"d{number:03}" for number in range(150)]
    add(client, {name: [(now, 1, 1)] for name in names})
    upgrading = portions(storage, [(LIBRARY, REGISTRY)])
    first = int(next(upgrading).partition(" ")[2])
    assert first == begin_of_span(now) // SLOT
    client.set("bw:{0}:layout", f"1>2 {first - 1}")  # as if the first portion had been done in the slot before
    assert list(upgrading) == ["2"]
    earlier = client.zrange(f"bw:{{0}}:busy:{(first - 1) % 4}", 0, -1, withscores=True)
    assert earlier == [(b"", -first), *((DEVICE + name.encode(), 2) for name in names[100:])]


def writes(now: int) -> list[tuple[Any, ...]]:
    """Calls of the functions of 1.0.0 that write or look at the registry, with the keys that it uses."""
    row, device = row_of(now, 1, 1), DEVICE + b"d000"
    fenced = [REGISTRY, STALE, ENTRIES]
    return [
        ("bandwidth_add", 4, *fenced, device, *NO_LIMITS, row),
        ("bandwidth_add", 4, *fenced, DEVICE + b"another", *NO_LIMITS, row + row_of(now + 1, 1, 1)),
        ("bandwidth_add_once", 5, LISTINGS, *fenced, device, "marker:0", *NO_LIMITS, row),
        ("bandwidth_delete", 4, *fenced, device),
        ("bandwidth_drop", 3, *fenced, now + 9_999),
        ("bandwidth_scan", 1, REGISTRY, "0", 100, 0),  # to list devices, and before all are forgotten
        ("bandwidth_totals", 2, REGISTRY, ENTRIES, 5),
    ]


@pytest.mark.parametrize("filled", [False, True])
def test_1_0_0_that_is_started_later_writes_nothing(client: Redis, storage: Storage, filled: bool) -> None:
    now = seconds_of(client)
    if filled:
        add(client, {"d000": [(now, 1, 1)]})
        pay(client, 1000 * now, 1.5)
    prepare(storage, connection.versioned())
    RedisStore(storage).add("d000", now, 1, 1, now=now)
    held = contents(client)
    for call in writes(now):
        with pytest.raises(ResponseError, match=WRONG):
            client.fcall(*call)
    with pytest.raises(ResponseError, match=WRONG):
        pay(client, 1000 * now, 2.5)
    assert contents(client) == held
    # What does not touch the registry is the same as before.
    answer = client.fcall_ro("bandwidth_heads", 1, DEVICE + b"d000", 0)
    assert len(answer[0]) > ROW_SIZE  # type: ignore[index]


def test_to_forget_all_leaves_1_0_0_out(client: Redis, storage: Storage) -> None:
    store, now = RedisStore(storage), seconds_of(client)
    store.add("d000", now, 1, 1, now=now)
    store.clear()
    with pytest.raises(ResponseError, match=WRONG):
        add(client, {"d000": [(now, 1, 1)]})
    assert store.devices() == []


@pytest.mark.parametrize("skew", [1, 5, 29, 299])
def test_the_window_of_1_0_0_goes_on_and_has_seconds(client: Redis, storage: Storage, skew: int) -> None:
    ring = (math.ceil((65 + skew) / 2) + 1) * 2_000
    now = 1000 * seconds_of(client) + 234
    paid = [(now - age, 0.1 * age + 3) for age in (61_500, 60_001, 60_000, 59_999, 41_000, 1_999, 40, 2, 1, 0, 0)]
    for time, amount in paid:
        pay(client, time, amount, now=time, ring=ring)
    window = window_of(storage, skew)
    for length in (60_000, 10_000, 1):
        young = [amount for time, amount in paid if time >= now - length]
        found = window.summary(now=now, length_ms=length)
        assert found == (pytest.approx(sum(young)), pytest.approx(found.avg), max(young), min(young), len(young))
    for second in window.history(now=now, seconds=KEPT_SECONDS):
        own = [amount for time, amount in paid if time // 1000 == second.timestamp]
        figures = (pytest.approx(sum(own)), min(own), max(own)) if own else (None, None, None)
        assert second == (second.timestamp, len(own), *figures)
    assert window.add(now, 1.0, now=now)
    assert window.summary(now=now).count == len([1 for time, _ in paid if time >= now - 60_000]) + 1
    # It ends when its history does, counted from what 1.0.0 had given it.
    ends = client.pttl(window._keys[0])
    assert 0 < ends - 1000 * window._seconds + ring <= ring  # type: ignore[operator]
    with pytest.raises(ResponseError, match=WRONG):
        pay(client, now, 1.0, now=now, ring=ring)


@pytest.mark.parametrize("skew", [0, 5, 6, 300])
@pytest.mark.parametrize("place", [0, -1])
def test_a_history_of_ten_minutes_goes_on_in_the_longer_one(
    client: Redis, storage: Storage, skew: int, place: int
) -> None:
    window = window_of(storage, skew)
    [key], seconds = window._keys, window._seconds
    old = key.rpartition(b":")[0] + b":%d" % (seconds - 61)
    window._keys[0], window._seconds = old, seconds - 61
    window._turns = iter([old] * 99)  # type: ignore[assignment]
    prepare(storage, connection.versioned())
    client.delete(old)
    # The second one has the place of the first in the longer ring. In the shorter one it lies after or before it, and
    # nothing has replaced the first.
    first = 2_800_000 * (seconds - 61) + place
    times = [first, *range(first + seconds, first + seconds + 600, 7)]
    for second in times:
        window.add(1000 * second, 0.5 * second, now=1000 * second)
    now = 1000 * times[-1]
    history, summary = window.history(now=now, seconds=600), window.summary(now=now)
    left = client.pttl(old)
    client.delete(TAG + b":layout")
    longer = window_of(storage, skew)
    assert longer.summary(now=now) == summary
    assert longer.history(now=now, seconds=600) == history
    assert [one.timestamp for one in history if one.count] == [time for time in times[1:] if time > times[-1] - 600]
    assert 0 <= left + 61_000 - client.pttl(key) < 60_000  # type: ignore[operator]
    assert client.type(old) == b"list"
