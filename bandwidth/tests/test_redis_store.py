"""The shared bandwidth store: what is stored where, what is refused, and that nothing else is touched."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from redis import Redis

from bandwidth.entries import condensed
from bandwidth.memory.store import BandwidthStore
from bandwidth.redis import store as redis_store
from bandwidth.redis.layout import DEVICE_COST, ROW_SIZE, SPAN_KEYS, SPANS_ADDED, row_of
from bandwidth.redis.store import RedisStore
from bandwidth.tests.stores import as_another_process, check, clients, contents, new_in
from timeseries_project.storage.client import Call, Storage
from timeseries_project.storage.errors import StorageUnavailableError
from timeseries_project.storage.location import parse_location
from timeseries_project.tests.redis_servers import RedisServer

NAMES = ["}", "{", "{}", "{a}b", ":", "a:{0}:device:b", "device:", "😀" * 255, "é", " a", "%00", "\\", '"', "head", "0"]


@pytest.fixture(scope="module")
def valkey_storage() -> Iterator[Storage]:
    server = RedisServer("valkey")
    yield Storage(parse_location(server.url), timeout=30)
    server.stop()


@pytest.fixture(params=["redis", "cluster", "valkey"])
def store(request: pytest.FixtureRequest) -> Iterator[RedisStore]:
    store = new_in(request.getfixturevalue(f"{request.param}_storage"))
    assert isinstance(store, RedisStore)
    yield store
    store.clear()


def node_of(store: RedisStore, key: bytes) -> Redis:
    """Return a client of the node that a key is on."""
    [node] = [client for client in clients(store._storage) if key in list(client.scan_iter())]
    return node


@pytest.mark.parametrize("order", ["in time", "little late", "backwards", "at random", "in portions at random"])
def test_a_long_history_in_whatever_order(store: RedisStore, order: str) -> None:
    rng, memory = random.Random(7), BandwidthStore()
    times = sorted(rng.sample(range(10**6), 20_000))
    if order == "little late":
        times.sort(key=lambda time: time + rng.randrange(200))
    elif order == "backwards":
        times.reverse()
    elif "random" in order:
        rng.shuffle(times)
    size = 20_000 if order == "at random" else 700
    for at in range(0, len(times), size):
        portion = times[at : at + size]
        columns = ["a"] * len(portion), portion, [2**53 - 1] * len(portion), portion
        store.add_batch(*columns)
        memory.add_batch(*columns)
        for time in rng.sample(portion, 3):
            store.add("a", time, 1, 2)
            memory.add("a", time, 1, 2)
    check(store)
    assert store.devices() == memory.devices()
    for length, count in ((1, 1_000), (100, 10_000), (60, 10), (7_919, 150), (2**31 - 1, 10_000)):
        for end in (times[0], 500_000, 999_999, 10**6 + 5 * length):
            question = {"end": end, "length": length, "count": count}
            assert store.windows("a", **question) == memory.windows("a", **question)


@pytest.mark.parametrize(("late", "most"), [(0, 1.05), (60, 1.4)])
def test_what_comes_in_time_or_little_late_leaves_full_nodes(store: RedisStore, late: int, most: float) -> None:
    rng = random.Random(3)
    for time in sorted(range(3_000), key=lambda time: time + rng.randint(0, late)):
        store.add("a", 60 * time, 1, 1)
    check(store)
    _, key = store._place("a")
    fields = node_of(store, key).hgetall(key)
    assert sum(map(len, fields.values())) < 3_000 * ROW_SIZE * most * 1.05


def test_names_of_any_kind(store: RedisStore) -> None:
    for number, name in enumerate(NAMES):
        store.add(name, number, number, 1)
    store.add_batch(NAMES, [100] * len(NAMES), [1] * len(NAMES), [1] * len(NAMES))
    check(store)
    assert [summary.device_id for summary in store.devices()] == sorted(NAMES)
    for number, name in enumerate(NAMES):
        assert store.device(name) == (name, 2, number, 100, number + 1, 2)
        assert store.windows(name, end=100, length=1, count=1) == [(100, 1, 1, 1)]
    assert [summary.device_id for summary in store.devices("{", 2)] == sorted(n for n in NAMES if "{" in n)[:2]
    for name in NAMES[::2]:
        store.delete(name)
    check(store)
    assert [summary.device_id for summary in store.devices()] == sorted(NAMES[1::2])


def test_to_forget_all_touches_nothing_else(store: RedisStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_store, "DEVICES", 200)  # so that one call cannot take all devices
    other = RedisStore(store._storage, b"other")
    other.add("a", 1, 2, 3)
    before = contents(store)
    store.add_batch([f"device {i}" for i in range(1_000)], [1] * 1_000, [1] * 1_000, [1] * 1_000)
    store.add_listing(["listed"], [1], [1], [1])
    assert len(store.devices()) == 1_001
    store.clear()
    assert contents(store) == before
    assert store.overview(5, now=600) == (0, 0, 0, None, [])
    other.clear()


def test_a_large_batch_goes_in_portions(store: RedisStore, monkeypatch: pytest.MonkeyPatch) -> None:
    most = 50 + 5 * DEVICE_COST
    monkeypatch.setattr(redis_store, "PORTION", most)
    rng, memory = random.Random(5), BandwidthStore()
    names = [f"device {i}" for i in range(100)]
    devices = rng.choices([*names, *["long"] * 10], k=2_000)
    columns = devices, rng.choices(range(900), k=2_000), [3] * 2_000, [4] * 2_000
    parts = list(store._parts(condensed(*columns), most))
    pieces = [[len(rows) // ROW_SIZE + DEVICE_COST for rows in part.rows] for part in parts]
    assert all(sum(sizes) <= most for sizes in pieces)
    cut = {key for part in parts for key in part.devices if sum(key in p.devices for p in parts) > 1}
    sizes = {key: sum(len(r) for p in parts for k, r in zip(p.devices, p.rows, strict=True) if k == key) for key in cut}
    assert cut == {store._place("long")[1]}
    assert all(size > (most - DEVICE_COST) * ROW_SIZE for size in sizes.values())
    store.add_batch(*columns)
    memory.add_batch(*columns)
    check(store)
    assert store.devices() == memory.devices()


def test_a_refused_call_changes_nothing(store: RedisStore) -> None:
    """The last of several devices is at fault: wrong rows, or other data under one of the keys."""
    good = row_of(5, 1, 1)
    store.add("a", 1, 2, 3)
    stripe, key = store._place("a")
    other = key + b" of another kind"
    client = node_of(store, key)
    client.set(other, "x")
    client.rpush(other + b" 2", "x")
    before = contents(store)
    (registry, stale, entries), listings = stripe.all_devices, stripe.listings
    spans, all_spans = stripe.spans(0, SPANS_ADDED), stripe.spans(0, SPAN_KEYS)
    limits = (*store._limits(0), 0)
    bad_rows = [b"", good[:-1], good + b"x", good + good, good + row_of(4, 1, 1)]
    add, add_once = redis_store._add, redis_store._add_once
    delete, drop = redis_store._delete, redis_store._drop
    calls = [Call(add, (registry, stale, entries, *spans, key, key + b"2"), (*limits, good, rows)) for rows in bad_rows]
    calls += [
        Call(add, (registry, stale, entries, *spans, key, other), (*limits, good, good)),
        Call(add, (other, stale, entries, *spans, key), (*limits, good)),
        Call(add, (registry, other, entries, *spans, key), (*limits, good)),
        Call(add, (registry, stale, other, *spans, key), (*limits, good)),
        Call(add, (registry, stale, other + b" 2", *spans, key), (*limits, good)),
        Call(add, (registry, stale, entries, other, *spans[1:], key), (*limits, good)),
        Call(add_once, (listings, registry, stale, entries, *spans, key, other), ("m", *limits, good, good)),
        Call(add_once, (other, registry, stale, entries, *spans, key), ("m", *limits, good)),
        Call(delete, (registry, stale, entries, *all_spans, key, other)),
        Call(delete, (other, stale, entries, *all_spans, key)),
        Call(delete, (registry, other, entries, *all_spans, key)),
        Call(delete, (registry, stale, other, *all_spans, key)),
        Call(delete, (registry, stale, entries, *all_spans[:-1], other, key)),
        Call(drop, (other, stale, entries), (9,)),
        Call(drop, (registry, other, entries), (9,)),
        Call(drop, (registry, stale, other), (9,)),
    ]
    for call in calls:
        with pytest.raises(StorageUnavailableError):
            store._storage.call(call)
        assert contents(store) == before
    client.delete(other, other + b" 2")
    for call in (
        Call(add, (registry, stale, entries, *spans, key, key + b"2"), (*limits, good, good)),
        Call(add_once, (listings, registry, stale, entries, *spans, key), ("m", *limits, row_of(6, 1, 1))),
        Call(delete, (registry, stale, entries, *all_spans, key + b"2")),
        Call(drop, (registry, stale, entries), (9,)),
    ):
        assert store._storage.call(call) == b"OK"  # and with the right keys none is refused
    check(store)


def test_an_add_that_was_cut_off_is_counted_whole_or_not_at_all() -> None:
    server = RedisServer()
    try:
        store, patient = (RedisStore(Storage(parse_location(server.url), timeout=time)) for time in (1, 30))
        patient.add_batch(["a", "b"], [1, 1], [1, 1], [1, 1])
        server.wait(lambda: store.devices())  # so that it is connected
        server.pause()
        with pytest.raises(StorageUnavailableError):
            store.add_batch(["a", "b"], [2, 2], [1, 1], [1, 1])
        server.resume()
        # The server handles what it received while paused before it answers later connections.
        assert [summary.count for summary in patient.devices()] in ([1, 1], [2, 2])
        check(patient)
    finally:
        server.stop()


def test_others_see_it_at_once(store: RedisStore) -> None:
    other = as_another_process(store)
    store.add("a", 1, 2, 3)
    assert other.windows("a", end=1, length=1, count=1) == [(1, 1, 2, 3)]
    other.delete("a")
    with pytest.raises(KeyError):
        store.device("a")
