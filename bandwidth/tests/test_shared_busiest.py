"""The busiest devices of now in a shared storage: many writers, listings, clocks that differ, and earlier versions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from bandwidth.interface import SLOT, Busy
from bandwidth.redis import busiest
from bandwidth.redis import store as redis_store
from bandwidth.redis.store import RedisStore
from bandwidth.tests.stores import as_another_process, check, clients, name_of
from timeseries_project.storage.client import Call, Storage
from timeseries_project.storage.errors import StorageUnavailableError
from timeseries_project.storage.location import parse_location
from timeseries_project.tests.redis_servers import RedisServer

NOW = 10 * SLOT


def totals(store: RedisStore, now: int = NOW) -> dict[str, int]:
    return {one.device_id: one.total for one in store.overview(5, now=now, ahead=5).busiest}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many devices were read each time."""
    counts: list[int] = []
    between = busiest._between
    monkeypatch.setattr(busiest, "_between", lambda *given: (counts.append(len(given[1])), between(*given))[1])
    return counts


def test_all_writers_count_and_all_readers_see_the_same(store: RedisStore) -> None:
    others = [as_another_process(store) for _ in range(3)]
    for number, other in enumerate(others):
        other.add("a", NOW - number, 1, 2, now=NOW)
        other.add_batch(["a", "b"], [NOW, NOW], [10, 20], [0, number], now=NOW)
    assert totals(store) == totals(others[0]) == {"a": 39, "b": 63}


def test_a_listing_counts_once_and_as_of_its_times(store: RedisStore) -> None:
    listing = ["a", "b", "a", "old"], [NOW - 9, NOW - 8, NOW, 5], [10, 20, 30, 10**12], [1, 2, 3, 4]
    for _ in range(3):
        as_another_process(store).add_listing(*listing, now=NOW)
    assert totals(store) == {"a": 44, "b": 22}
    check(store)


def test_a_listing_that_is_stored_late_takes_nothing_from_what_came_since(server: RedisServer) -> None:
    store, patient = (RedisStore(Storage(parse_location(server.url), timeout=time)) for time in (1, 30))
    server.wait(lambda: totals(store) == {})  # so that it is connected
    server.kill()
    store.add_listing(["listed"], [NOW], [7], [7], now=NOW)
    with pytest.raises(StorageUnavailableError):
        store.devices()
    server.start()
    server.wait(lambda: totals(patient) == {})
    later = NOW + 4 * SLOT  # whose spans have the keys of those of before
    patient.add("present", later, 1, 1, now=later)
    server.wait(lambda: len(store.devices()) == 2)
    assert totals(patient, later) == {"present": 2}
    patient.add("present", later, 1, 1, now=later)
    assert totals(patient, later) == {"present": 4}


@pytest.mark.parametrize("slots", range(1, 9))
def test_a_writer_with_a_slow_clock_takes_nothing_from_the_others(store: RedisStore, slots: int) -> None:
    slow, behind = as_another_process(store), NOW - slots * SLOT
    for turn in range(3):
        store.add("a", NOW, 1, 0, now=NOW)
        slow.add("b", behind, 1, 0, now=behind)
        assert totals(store)["a"] == turn + 1
    assert totals(store).get("b", 0) == (3 if slots == 1 else 0)


def test_deleted_devices_are_not_looked_at(store: RedisStore, asked: list[int]) -> None:
    names = [f"d{number:03}" for number in range(200)]
    store.add_batch([*names, "left"], [NOW] * 201, [9] * 200 + [1], [0] * 201, now=NOW)
    for name in names:
        store.delete(name)
    assert totals(store) == {"left": 1}
    assert asked == [1]


def test_of_many_devices_a_few_are_read(store: RedisStore, asked: list[int]) -> None:
    names = [f"d{number:04}" for number in range(2_000)]
    store.add_batch(names, [NOW] * 2_000, range(2_000), [0] * 2_000, now=NOW)
    assert totals(store) == {f"d{number}": number for number in range(1_999, 1_994, -1)}
    assert asked == [busiest.READ_AT_FIRST * len(store._stripes)]


def test_what_is_added_while_all_is_forgotten_counts(store: RedisStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whenever it comes: of what is left afterwards, the busiest are known."""
    store.add("a", NOW, 1, 0, now=NOW)
    other, call, calls = as_another_process(store), store._storage.call, store._storage.calls
    added = []

    def add() -> None:
        other.add(f"new {len(added)}", NOW, 5, 0, now=NOW)
        added.append(None)

    monkeypatch.setattr(store._storage, "call", lambda one: (add(), call(one), add())[1])
    monkeypatch.setattr(store._storage, "calls", lambda some: (add(), calls(some), add())[1])
    store.clear()
    monkeypatch.undo()
    left = {device.device_id: device.bytes_ts for device in store.devices()}
    assert added
    assert totals(store) == dict(list(left.items())[:5])
    check(store)


def test_to_ask_while_all_is_forgotten_answers_nothing_or_all(
    store: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"d{number:02}" for number in range(40)]
    other, calls = as_another_process(store), store._storage.calls
    for moment in range(6):
        store.add_batch(names, [NOW] * 40, range(40), [1] * 40, now=NOW)
        turns = iter(range(100))

        def interrupted(some: list[Call], moment: int = moment, turns: Iterator[int] = turns) -> list[Any]:
            if next(turns) == moment:
                other.clear()
            return calls(some)

        monkeypatch.setattr(store._storage, "calls", interrupted)
        overview = store.overview(5, now=NOW)
        monkeypatch.undo()
        assert overview.busiest in ([], [Busy(names[size], NOW, size, 1) for size in range(39, 34, -1)])
        assert totals(store) in ({}, {names[size]: size + 1 for size in range(39, 34, -1)})
        store.clear()


def test_data_of_the_version_before_are_read_and_added_to(store: RedisStore) -> None:
    """It had all bytes as scores of the registry, and no spans. Devices are busy as soon as they are written to."""
    store.add_batch(["a", "b"], [NOW - 1, NOW - 1], [10**9, 5], [0, 0], now=NOW)
    for client in clients(store._storage):
        for key in client.keys(name_of(store) + b":*:devices"):
            client.zadd(key, dict.fromkeys(client.zrange(key, 0, -1), 10**15))
        for key in client.keys(name_of(store) + b":*:busy:*"):
            client.delete(key)
        client.close()
    assert store.overview(5, now=NOW)[:2] == (2, 2)
    assert totals(store) == {}
    store.add("b", NOW, 1, 0, now=NOW)
    store.add("c", NOW, 2, 0, now=NOW)
    assert totals(store) == {"b": 6, "c": 2}
    assert [device.device_id for device in store.devices()] == ["a", "b", "c"]
    store.delete("a")
    check(store)


def test_spans_have_keys_that_no_version_before_had(store: RedisStore) -> None:
    store.add_batch(["busy:0", ":busy:0", "a:busy:1"], [NOW] * 3, [1] * 3, [1] * 3, now=NOW)
    spans = {key for stripe in store._stripes for key in stripe.spans(0, 4)}
    before = {key for stripe in store._stripes for key in (*stripe.all_devices, stripe.listings)}
    devices = {store._place(name)[1] for name in ("busy:0", ":busy:0", "a:busy:1")}
    assert not spans & (before | devices)
    assert len(store.devices()) == 3
    check(store)


def test_spans_expire_by_themselves(store: RedisStore) -> None:
    store.add("a", NOW, 1, 1, now=NOW)
    for client in clients(store._storage):
        for key in client.keys(name_of(store) + b":*:busy:*"):
            assert 3 * SLOT < client.ttl(key) <= 4 * SLOT
        client.close()


def test_portions_count_as_one_batch(store: RedisStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_store, "LATE_PORTION", 50)
    devices = ["a", "b", "c", "d"] * 250
    for _ in range(2):  # the second time all are late
        store.add_batch(
            devices, [NOW - 700 + number % 700 for number in range(1_000)], [1] * 1_000, [0] * 1_000, now=NOW
        )
    since = NOW - SLOT
    expected = sum(2 for number in range(0, 1_000, 4) if NOW - 700 + number % 700 >= since)
    assert totals(store)["a"] == expected
