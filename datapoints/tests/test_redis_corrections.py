"""Ranges deleted and values replaced in a shared store: whole beside readers, in few calls, and giving memory back."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np
import pytest

from datapoints.interface import QUARTER_HOUR, OnDuplicate, ViewChangedError
from datapoints.redis.store import RedisStore
from datapoints.tests.points import another
from datapoints.tests.redis_check import check, clients, contents, dumps
from timeseries_project.storage.client import Storage

REPLACE = OnDuplicate.REPLACE
shared = pytest.mark.parametrize("storage_kind", ["redis", "cluster"], indirect=True)
one_node = pytest.mark.parametrize("storage_kind", ["redis"], indirect=True)


@pytest.fixture
def storage(shared_storage: Storage | None) -> Storage:
    """An empty storage, of one node or of several."""
    assert shared_storage is not None
    shared_storage.each_node("FLUSHALL")
    return shared_storage


def put(store: RedisStore, times: list[int], devices: list[str], value: float) -> int:
    values = np.full(len(times), value)
    return store.add_batch(np.array(times), values, devices, ["u"] * len(times), on_duplicate=REPLACE)


def calls(storage: Storage) -> int:
    """Return how many functions were called since the last time."""
    found = 0
    for client in clients(storage):
        stats = client.info("commandstats")
        found += sum(stats.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("fcall", "fcall_ro"))
        client.config_resetstat()
    return found


@shared
def test_readers_see_a_device_before_or_after_each_correction(storage: Storage) -> None:
    writer, reader = another(storage), another(storage)
    times = [i * QUARTER_HOUR // 3 for i in range(300)]
    start, end = times[50], times[250] + 1
    done = threading.Event()

    seen = 0

    def change() -> None:
        try:
            for i in range(6_000):
                if i >= 60 and seen >= 5:
                    break
                put(writer, times, ["d"] * 300, float(i))
                writer.delete("device" if i % 2 else "user", "d" if i % 2 else "u", start=start, end=end)
        finally:
            done.set()

    with ThreadPoolExecutor(1) as pool:
        changing = pool.submit(change)
        while not done.is_set():
            with suppress(KeyError, ViewChangedError), reader.view("device", "d") as view:
                counts = view.sums(0, 2**50).counts.sum()
                values = view.points(0, 2**50)[1]
                assert len(values) == counts
                assert counts in (300, 99)
                assert len(set(values.tolist())) == 1
                seen += 1
            found = reader.listing(device="d", user=None, start=0, end=None, after=None, limit=1_000)
            assert len(found) in (0, 300, 99)
            assert len(set(found.values.tolist())) <= 1
        changing.result()
    assert seen >= 5
    check(storage)


@shared
def test_few_points_do_not_keep_many_blocks(storage: Storage) -> None:
    """A hundred points out of ten thousand are left, one here and one there."""
    store = RedisStore(storage)
    put(store, [i * 10**6 for i in range(10_000)], ["d"] * 10_000, 1.0)
    many = len(contents(storage))
    for i in range(100):
        assert store.delete("device", "d", start=(i * 100 + 1) * 10**6, end=(i + 1) * 100 * 10**6) == 99
        check(storage)
    assert store.key("device", "d").count == 100
    assert many > 150
    assert len(contents(storage)) < 15


@shared
def test_what_is_left_of_a_series_is_what_never_having_added_leaves(storage: Storage) -> None:
    store = RedisStore(storage)
    assert store.delete("user", "u", start=5, end=9) == 0
    put(store, [1, 2, 3], ["d"] * 3, 1.0)
    assert store.delete("user", "u", start=1, end=4) == 3
    assert {key[-1:] for key in contents(storage)} == {b"C"}
    assert store.totals() == (0, 0, 0, 0, None, 3)


@one_node
def test_a_range_costs_a_call_however_many_points_it_has(storage: Storage) -> None:
    store = RedisStore(storage)
    put(store, [i * 10**6 for i in range(5_000)] * 2, ["d"] * 5_000 + ["e"] * 5_000, 1.0)
    calls(storage)
    assert store.delete("device", "d", start=10**6, end=4_000 * 10**6) == 3_999
    assert calls(storage) == 1
    assert store.delete("user", "u", start=4_500 * 10**6) == 1_000
    assert calls(storage) == 2


@one_node
def test_values_of_many_series_are_replaced_in_one_call(storage: Storage) -> None:
    """However short the series are, and however far apart their points."""
    store = RedisStore(storage)
    devices = [f"d{i}" for i in range(2_000)]
    assert put(store, [10**9] * 2_000, devices, 1.0) == 2_000
    assert put(store, [10**12] * 1_000, devices[:1_000], 1.0) == 1_000
    calls(storage)
    assert put(store, [10**9] * 450, devices[:450], 2.0) == 0
    assert calls(storage) == 1
    check(storage)


@one_node
def test_new_points_of_many_series_take_several_calls(storage: Storage) -> None:
    """A thousand series each; before the first adds, as many look through the batch, and one tells how full it is."""
    store = RedisStore(storage)
    devices = [f"d{i}" for i in range(2_500)]
    for count, expected in ((1_000, 1), (1_001, 5), (2_500, 7)):
        calls(storage)
        assert put(store, [10**6 * count] * count, devices[:count], 1.0) == count
        assert calls(storage) == expected
    check(storage)


@one_node
def test_late_points_here_and_there_take_several_calls(storage: Storage) -> None:
    """About a thousand runs each; those that lie together are one run."""
    store = RedisStore(storage)
    put(store, [i * 10**6 for i in range(6_000)], ["d"] * 6_000, 1.0)
    calls(storage)
    assert put(store, [i * 10**6 + 1 for i in range(900)], ["d"] * 900, 1.0) == 900
    assert put(store, [10**6 + 2 + i for i in range(3_000)], ["d"] * 3_000, 1.0) == 3_000
    assert calls(storage) == 2
    assert put(store, [i * 10**6 + 2 for i in range(2_000, 5_000)], ["d"] * 3_000, 1.0) == 3_000
    assert 4 <= calls(storage) <= 9
    check(storage)


@one_node
def test_replacing_in_busy_quarter_hours_takes_several_calls(storage: Storage) -> None:
    """So that no call holds up the server: each quarter-hour of 9,000 points must be summed up anew."""
    store = RedisStore(storage)
    for quarter in range(20):
        put(store, [quarter * QUARTER_HOUR + i * 10**5 for i in range(9_000)], ["d"] * 9_000, 1.0)
    calls(storage)
    assert put(store, [quarter * QUARTER_HOUR for quarter in range(20)], ["d"] * 20, 3.0) == 0
    assert calls(storage) > 3
    with store.view("device", "d") as view:
        assert view.sums(0, 20 * QUARTER_HOUR).highs.tolist() == [9_002.0] * 20
    check(storage)


@one_node
def test_what_replaces_itself_changes_no_key(storage: Storage) -> None:
    store = RedisStore(storage)
    times, devices = [i * 10**6 for i in range(500)], ["d"] * 500
    put(store, times, devices, 1.0)
    before = dumps(storage)
    assert put(store, times, devices, 1.0) == 0
    assert dumps(storage) == before
