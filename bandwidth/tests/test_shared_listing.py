"""A listing in a shared storage: stored once, whatever happens to the processes and to the storage."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Barrier, Thread

import pytest

from bandwidth import listing, services
from bandwidth.listing import ListingError
from bandwidth.redis import store as redis_store
from bandwidth.redis.store import RedisStore
from bandwidth.tests.stores import as_another_process, check
from timeseries_project.storage.client import Storage
from timeseries_project.storage.errors import StorageFullError, StorageUnavailableError
from timeseries_project.storage.location import parse_location
from timeseries_project.tests.redis_servers import RedisServer

LISTING = ["a", "b", "a", "c"], [1, 2, 3, 4], [10, 20, 30, 40], [1, 2, 3, 4]
COUNTS = {"a": 2, "b": 1, "c": 1}


def counts(store: RedisStore) -> dict[str, int]:
    return {summary.device_id: summary.count for summary in store.devices()}


def store_at(server: RedisServer, timeout: float = 30) -> RedisStore:
    return RedisStore(Storage(parse_location(server.url), timeout=timeout))


def answers(store: RedisStore) -> Callable[[], bool]:
    """Return a condition to wait for: that the storage answers again."""
    return lambda: store.overview(1, now=600) is not None


def test_it_is_counted_once_for_all_starts(store: RedisStore) -> None:
    for _ in range(3):
        again = as_another_process(store)
        again.add_listing(*LISTING)
        assert counts(again) == COUNTS


def test_it_is_known_by_its_content_in_any_order(store: RedisStore) -> None:
    store.add_listing(*LISTING)
    store.add_listing(*(column[::-1] for column in LISTING))
    assert counts(store) == COUNTS


def test_another_one_is_counted_too(store: RedisStore) -> None:
    store.add_listing(*LISTING)
    for column in range(4):
        changed = [list(values) for values in LISTING]
        changed[column][0] = "z" if column == 0 else 9
        store.add_listing(*changed)
    assert counts(store) == {"a": 9, "b": 5, "c": 5, "z": 1}


def test_one_without_entries(store: RedisStore) -> None:
    store.add_listing([], [], [], [])
    assert counts(store) == {}


def test_what_was_deleted_does_not_come_back_with_a_restart(store: RedisStore) -> None:
    store.add_listing(*LISTING)
    store.delete("a")
    as_another_process(store).add_listing(*LISTING)
    assert counts(store) == {"b": 1, "c": 1}


def test_to_forget_all_is_to_begin_anew(store: RedisStore) -> None:
    store.add_listing(*LISTING)
    store.clear()
    store.add_listing(*LISTING)
    assert counts(store) == COUNTS


def test_processes_that_start_at_once_count_it_once(store: RedisStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_store, "LATE_PORTION", 40)
    columns = [f"device {i % 50}" for i in range(1_000)], list(range(1_000)), [1] * 1_000, [2] * 1_000
    start, faults = Barrier(8), []

    def load() -> None:
        own = as_another_process(store)
        start.wait()
        try:
            own.add_listing(*columns)
            assert counts(own) == {f"device {i}": 20 for i in range(50)}
        except BaseException as fault:
            faults.append(fault)

    threads = [Thread(target=load) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    check(store)


def test_a_process_killed_in_the_middle_leaves_the_rest_to_the_next(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = [f"device {i}" for i in range(5_000)], [1] * 5_000, [1] * 5_000, [2] * 5_000
    code = f"""
from bandwidth.redis import store as redis_store
from timeseries_project.storage.client import Storage
from timeseries_project.storage.location import parse_location
redis_store.LATE_PORTION = 11
store = redis_store.RedisStore(Storage(parse_location({server.url!r}), timeout=30))
store.add_listing([f"device {{i}}" for i in range(5_000)], [1] * 5_000, [1] * 5_000, [2] * 5_000)
"""
    store = store_at(server)
    with subprocess.Popen([sys.executable, "-c", code], cwd=Path(redis_store.__file__).parents[2]) as process:
        try:
            server.wait(lambda: store.overview(1, now=600).entries > 0)
        finally:
            process.kill()
    assert 0 < store.overview(1, now=600).entries < 5_000

    monkeypatch.setattr(redis_store, "LATE_PORTION", 11)
    store.add_listing(*columns)
    assert store.overview(1, now=600)[:2] == (5_000, 5_000)
    check(store)


def test_where_the_storage_is_away_it_is_counted_at_the_first_contact(server: RedisServer) -> None:
    server.kill()
    first, second = store_at(server), store_at(server)
    for store in (first, second):
        store.add_listing(*LISTING)
        with pytest.raises(StorageUnavailableError):
            store.devices()
    server.start()
    server.wait(answers(first))
    assert counts(first) == COUNTS
    server.wait(answers(second))
    assert counts(first) == counts(second) == COUNTS


def test_a_storage_that_stalls_does_later_what_it_had_received_and_once(server: RedisServer) -> None:
    store, patient = store_at(server, timeout=1), store_at(server)
    server.wait(answers(store))  # so that it is connected
    server.pause()
    store.add_listing(*LISTING)
    server.resume()
    server.wait(answers(store))
    assert counts(patient) == COUNTS
    check(patient)


def test_it_outlasts_a_restart_of_the_storage() -> None:
    server = RedisServer("redis", "--appendonly", "yes", "--appendfsync", "always")
    try:
        store = store_at(server)
        store.add_listing(*LISTING)
        server.kill()
        server.start()
        server.wait(answers(store))
        store.add_listing(*LISTING)
        assert counts(store) == COUNTS
    finally:
        server.stop()


def test_where_there_is_no_room_reads_are_answered_and_it_is_counted_later(server: RedisServer) -> None:
    store = store_at(server)
    store.add("a", 1, 1, 1)
    server.client.config_set("maxmemory", "1mb")
    store.add_listing(*LISTING)
    assert store.device("a").count == 1
    with pytest.raises(StorageFullError):
        store.add("a", 1, 1, 1)
    server.client.config_set("maxmemory", "0")
    assert store.device("a").count == 3
    assert counts(store) == COUNTS | {"a": 3}


def test_the_service_starts_without_its_storage_but_not_with_a_bad_listing(
    server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.kill()
    monkeypatch.setattr(services, "store", store_at(server))
    good, bad, future = (tmp_path / f"{name}.json" for name in ("good", "bad", "future"))
    entry = {"device_id": "a", "timestamp": 1, "bytes_ts": 2, "bytes_fs": 3}
    good.write_text(json.dumps([entry, entry]))
    bad.write_text(json.dumps([entry | {"bytes_ts": -1}]))
    future.write_text(json.dumps([entry | {"timestamp": 10**12}]))
    for path in (bad, future):
        with pytest.raises(ListingError, match=path.name):
            listing.load(str(path))
    assert listing.load(str(good)) == 2
    server.start()
    server.wait(services.overview_get)
    assert services.device_get(device_id="a") == ("a", 2, 1, 1, 4, 6)
    assert services.overview_get()[:2] == (1, 2)
