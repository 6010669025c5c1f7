"""The shared bandwidth store: limits, retention and a full memory."""

from __future__ import annotations

import random

import pytest

from bandwidth.interface import FullError
from bandwidth.memory.store import BandwidthStore
from bandwidth.redis import store as redis_store
from bandwidth.redis.store import RedisStore
from bandwidth.tests.stores import as_another_process, check, contents
from timeseries_project.storage.client import Storage
from timeseries_project.storage.errors import StorageFullError
from timeseries_project.storage.location import parse_location
from timeseries_project.tests.redis_servers import RedisServer


def test_a_long_history_is_dropped_over_writes_and_every_answer_is_that_of_memory(store: RedisStore) -> None:
    rng, memory = random.Random(4), BandwidthStore()
    times = rng.sample(range(200_000), 10_000)
    for stores in (store, memory):
        stores.add_batch(["long"] * 10_000, times, times, [2**53 - 1] * 10_000)
        stores.add_batch(["short", "short", "late"], [3, 150_000, 200_000], [1, 2, 3], [4, 5, 6])
    _, key = store._place("long")
    sizes = []
    for oldest in (1, 777, *range(8_000, 200_001, 8_000)):
        assert store.devices(oldest=oldest) == memory.devices(oldest=oldest)
        assert store.overview(2, now=200_000, oldest=oldest) == memory.overview(2, now=200_000, oldest=oldest)
        for device in ("long", "short", "late"):
            question = {"end": oldest + 30_000, "length": 777, "count": 100, "oldest": oldest}
            try:
                expected = memory.windows(device, **question)
            except KeyError:
                with pytest.raises(KeyError):
                    store.windows(device, **question)
            else:
                assert store.windows(device, **question) == expected
        for stores in (store, memory):
            stores.add("long", 200_000, 1, 1, oldest=oldest)
            stores.add("late", 200_000, 1, 1, oldest=oldest)
        check(store)
        sizes.append(sum(len(value or b"") for name, value in contents(store).items() if name == key))
    assert store.device("late").count > 20
    assert sizes[-1] < sizes[0] / 50
    if store._storage.one_node:  # in a cluster, its stripe may not have been cleaned yet
        assert [device.device_id for device in store.devices()] == ["late", "long"]


def test_portions_are_told_by_what_comes_late(store: RedisStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_store, "LATE_PORTION", 50)
    rng, memory = random.Random(6), BandwidthStore()
    devices = rng.choices(["a", "b", "c", "d"], k=3_000)
    for shift in (0, 500, 20_000):
        columns = devices, [shift + rng.randrange(1_000) for _ in devices], [1] * 3_000, [2] * 3_000
        store.add_batch(*columns)
        memory.add_batch(*columns)
        assert store.devices() == memory.devices()
    check(store)


def test_a_call_that_is_too_much_leaves_everything_as_it_was(store: RedisStore) -> None:
    store.add_batch(["a", "b"], [5, 5], [1, 1], [1, 1])
    before = contents(store)
    for what, limits in {"entries": (2, 9), "devices": (9, 2)}.items():
        store.max_entries, store.max_devices = limits
        for add in (
            lambda: store.add("new", 6, 1, 1),
            lambda: store.add_batch(["a", "new", "b"], [6] * 3, [1] * 3, [1] * 3),
            lambda: store.add_listing(["a", "new", "b"], [6] * 3, [1] * 3, [1] * 3),
        ):
            with pytest.raises(FullError) as raised:
                add()
            assert raised.value.what == what
            assert contents(store) == before
    assert store.usage()[:2] == (2, 2)


def test_processes_together_keep_a_limit_to_what_they_add_in_a_second(store: RedisStore) -> None:
    others = [as_another_process(store) for _ in range(3)]
    for other in others:
        other.max_entries, other.max_devices = 30, 10
    stored = 0
    for number in range(120):
        try:
            others[number % 3].add(f"device {number % 15}", number, 1, 1)
        except FullError:
            continue
        stored += 1
    assert store.overview(1, now=600)[1] == stored
    if store._storage.one_node:
        assert store.usage()[:2] == (10, 30)
    else:
        assert stored <= 90
    # After a second, or in a new process, the real counts decide.
    late = as_another_process(store)
    late.max_entries = 30
    with pytest.raises(FullError):
        late.add("device 0", 1, 1, 1)


def test_what_retention_drops_makes_room(store: RedisStore) -> None:
    store.max_entries, store.max_devices = 60, 3
    store.add_batch(["a", "b", "c"] * 20, range(60), [1] * 60, [1] * 60)
    with pytest.raises(FullError):
        store.add("d", 100, 1, 1, oldest=0)
    store.add("d", 100, 1, 1, oldest=60)
    store.add_batch(["e", "d", "f"], [101] * 3, [1] * 3, [1] * 3, oldest=60)
    assert [device.device_id for device in store.devices()] == ["d", "e", "f"]
    check(store)


def test_a_full_memory_refuses_what_adds_answers_reads_and_takes_what_frees(server: RedisServer) -> None:
    store = RedisStore(Storage(parse_location(server.url), timeout=30))
    store.add_batch([f"device {i}" for i in range(2_000)], range(2_000), [1] * 2_000, [1] * 2_000)
    store.add_batch(["long"] * 20_000, range(20_000), [1] * 20_000, [1] * 20_000)
    server.client.config_set("maxmemory", server.client.info("memory")["used_memory"] // 2)
    before, held = contents(store), store.usage()
    store.add_listing(["listed"], [1], [1], [1])
    for add in (
        lambda: store.add("device 1", 2_000, 1, 1),
        lambda: store.add_batch(["device 1", "new"], [9_000, 1], [1, 1], [1, 1]),
    ):
        with pytest.raises(StorageFullError):
            add()
    assert contents(store) == before
    assert store.usage() == held
    assert store.windows("long", end=20_000, length=10, count=1) == [(20_000, 9, 9, 9)]
    assert len(store.devices("device")) == 2_000
    assert store.overview(1, now=20_000).busiest[0].device_id == "long"
    store.delete("device 7")
    with pytest.raises(KeyError):
        store.device("device 7")
    # Each refused call drops some old entries, until there is room.
    refusals = 0
    while True:
        try:
            store.add("long", 20_000, 1, 1, oldest=19_990)
            break
        except StorageFullError:
            refusals += 1
    assert 1 < refusals < 1_000
    check(store)
    server.client.config_set("maxmemory", 1)
    store.clear()
    assert store.devices() == []
    server.client.config_set("maxmemory", 0)
    store.add("a", 1, 1, 1)
    assert store.usage()[:2] == (1, 1)
