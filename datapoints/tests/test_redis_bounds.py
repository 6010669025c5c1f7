"""A shared store at its bounds: full memory, limits that processes share, old points and late ones in steps."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from datapoints.interface import QUARTER_HOUR, DuplicatePointsError, FullError
from datapoints.redis.store import RedisStore
from datapoints.tests.points import add, another, spread
from datapoints.tests.redis_check import check, clients, dumps
from timeseries_project.storage.client import Storage
from timeseries_project.storage.errors import StorageFullError, StorageUnavailableError
from timeseries_project.storage.location import parse_location
from timeseries_project.tests.redis_servers import RedisServer

SECONDS = 30
shared = pytest.mark.parametrize("storage_kind", ["redis", "cluster"], indirect=True)


@pytest.fixture
def storage(shared_storage: Storage | None) -> Storage:
    """An empty storage, of one node or of several."""
    assert shared_storage is not None
    shared_storage.each_node("FLUSHALL")
    return shared_storage


@pytest.fixture
def full_storage() -> Iterator[tuple[Storage, RedisServer]]:
    """A storage of its own, whose memory a test may limit."""
    server = RedisServer()
    yield Storage(parse_location(server.url), timeout=SECONDS), server
    server.stop()


def test_full_memory_takes_nothing_in_and_lets_all_go(full_storage: tuple[Storage, RedisServer]) -> None:
    storage, server = full_storage
    store = RedisStore(storage)
    times, devices, users = spread(20_000, 500)
    add(store, times, devices, users)
    before = dumps(storage)
    server.client.config_set("maxmemory", server.client.info("memory")["used_memory"] // 2)
    for some, names in (([1], ["d0"]), ([1], ["new"]), (list(range(1, 40_001, 2)), ["d0", "new"] * 10_000)):
        with pytest.raises(StorageFullError):
            add(store, some, names, ["u"] * len(some))
    with pytest.raises(StorageFullError):
        store.add(1, 1.0, "d0", "u")
    assert dumps(storage) == before
    assert store.key("user", "u").count == 20_000
    assert store.delete("device", "d0") == 40
    oldest = max(times) // QUARTER_HOUR * QUARTER_HOUR
    assert store.key("user", "u", oldest=oldest).count == sum(t >= oldest and t % 3_500 != 0 for t in times)
    assert store.delete("user", "u") > 0
    assert store.totals()[:4] == (0, 0, 0, 0)
    check(storage)
    server.client.config_set("maxmemory", 0)
    assert add(store, times, devices, users) == 20_000


def test_a_full_node_leaves_no_trace_on_the_others(cluster_storage: Storage) -> None:
    """The entries of a user are on another node than a device's series: neither is without the other."""
    cluster_storage.each_node("FLUSHALL")
    store = RedisStore(cluster_storage)
    add(store, [1], ["d"], ["u"])
    before = dumps(cluster_storage)
    refused = 0
    for node in clients(cluster_storage):
        node.config_set("maxmemory", 1)
        for i in range(12):
            try:
                store.add(2, 1.0, f"d{i}", f"u{i}")
            except StorageFullError:
                refused += 1
            else:
                assert store.delete("device", f"d{i}") == 1
        with pytest.raises(StorageFullError):
            add(store, [3] * 40, [f"d{i}" for i in range(40)], [f"u{i}" for i in range(40)])
        node.config_set("maxmemory", 0)
        for i in range(40):
            store.delete("device", f"d{i}")
            store.delete("user", f"u{i}")
        check(cluster_storage)
    assert 0 < refused < 36
    left = dumps(cluster_storage)
    assert {key for key in left if key[-1:] != b"C"} == {key for key in before if key[-1:] != b"C"}


@shared
def test_processes_share_the_limits(storage: Storage) -> None:
    stores = [another(storage) for _ in range(4)]
    for store in stores:
        store.max_points, store.max_series = 100, 10

    def fill(number: int) -> int:
        added = 0
        for i in range(60):
            try:
                added += add(stores[number], [i, i], [f"d{i % 12}"] * 2, [f"u{number}"] * 2, skip=True)
            except FullError:
                continue
        return added

    with ThreadPoolExecutor(4) as pool:
        added = sum(pool.map(fill, range(4)))
    totals = stores[0].totals()
    assert totals.points == added
    if storage.one_node:
        assert totals.series == 10
        assert totals.points <= 100
    check(storage)
    # Who is refused is refused for what is stored now.
    for store in stores:
        store.max_points, store.max_series = totals.points, totals.series
        with pytest.raises(FullError):
            store.add(10**6, 1.0, "one more", "u")
    device = stores[0].keys("device")[0]
    assert stores[0].delete("device", device.key) == device.count
    assert stores[1].add(10**6, 1.0, "one more", "u")
    check(storage)


@shared
@pytest.mark.usefixtures("small_server_blocks")
def test_old_points_go_in_steps(storage: Storage) -> None:
    """Whatever is asked drops some blocks of old points; what is read is right at once."""
    store = RedisStore(storage)
    for device in ("long", "other"):
        add(store, [i * QUARTER_HOUR // 4 for i in range(400)], [device] * 400, ["u"] * 400)
    oldest, left = 90 * QUARTER_HOUR, [800]
    while left[-1] > 80:
        left.append(store.totals(oldest=oldest).points)
        assert left[-2] > left[-1] >= left[-2] - 40
        check(storage)
    assert [(one.key, one.count, one.first) for one in store.keys("device", oldest=oldest)] == [
        ("long", 40, oldest),
        ("other", 40, oldest),
    ]
    oldest = 95 * QUARTER_HOUR
    with store.view("user", "u", oldest=oldest, ahead=range(2**53)) as view:
        assert (view.first, view.last) == (oldest, 399 * QUARTER_HOUR // 4)
        assert view.sums(0, 2**50).counts.sum() == len(view.points(0, 2**50)[0]) == 40
    assert store.keys("user", oldest=200 * QUARTER_HOUR) == []
    assert store.totals(oldest=200 * QUARTER_HOUR)[:4] == (0, 0, 0, 0)
    check(storage)


@pytest.mark.parametrize("refusal", [("maxmemory", 1), ("min-replicas-to-write", 1)])
def test_a_batch_of_several_nodes_leaves_no_trace_if_one_refuses(
    cluster_storage: Storage, refusal: tuple[str, int]
) -> None:
    cluster_storage.each_node("FLUSHALL")
    store = RedisStore(cluster_storage)
    devices, users = [f"d{i}" for i in range(60)], ["u"] * 60
    add(store, [1] * 60, devices, users)
    before = dumps(cluster_storage)
    for node in clients(cluster_storage):
        node.config_set(*refusal)
        for skip in (True, False):
            with pytest.raises((StorageFullError, StorageUnavailableError)):
                add(store, [2] * 60, devices, users, skip=skip)
        node.config_set(refusal[0], 0)
        assert dumps(cluster_storage) == before
    assert add(store, [2] * 60, devices, users) == 60


@shared
@pytest.mark.usefixtures("small_server_blocks")
@pytest.mark.parametrize("devices", [1, 7])
def test_late_points_for_many_pages_are_looked_through_before_the_first_is_added(
    storage: Storage, devices: int
) -> None:
    store = RedisStore(storage)
    times, names, users = spread(300, devices)
    add(store, times, names, users)
    late = [time + 1 for time in times]
    before = dumps(storage)
    with pytest.raises(DuplicatePointsError) as error:
        add(store, [*late, times[-1], times[3]], [*names, names[-1], names[3]], ["u"] * 302)
    assert error.value.positions == [300, 301]
    store.max_points, store.max_series = 599, devices
    with pytest.raises(FullError):
        add(store, late, names, users)
    assert dumps(storage) == before
    store.max_points += 2
    with pytest.raises(FullError, match="series"):
        add(store, [*late, 1], [*names, "new"], ["u"] * 301)
    assert dumps(storage) == before
    assert add(store, late[::2], names[::2], users[::2]) == 150
    assert add(store, late, names, users, skip=True) == 150
    check(storage)
    assert store.key("user", "u").count == 600
