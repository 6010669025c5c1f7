"""What only a store that processes share can do wrong: halves seen, entries lost, writes of unknown fate."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import numpy as np
import pytest

from datapoints.interface import QUARTER_HOUR, DuplicatePointsError, ViewChangedError
from datapoints.redis import layout as redis_layout
from datapoints.redis.batches import POINTS_AT_ONCE
from datapoints.redis.layout import KEYS_AT_ONCE
from datapoints.redis.store import RedisStore
from datapoints.tests.points import add, another, spread
from datapoints.tests.redis_check import check, clients, contents, dumps
from timeseries_project.storage.client import Storage
from timeseries_project.storage.errors import StorageUnavailableError
from timeseries_project.storage.location import parse_location
from timeseries_project.tests.redis_servers import RedisServer

SECONDS = 30
HOSTILE = [
    "}",
    "{",
    "{}",
    "}{",
    ":",
    "{:a}",
    "%",
    "*",
    "[a]",
    " ",
    "a b",
    "\u00fc",
    "\U0001f600" * 255,
    "0",
    "D",
    "dp2:{0}",
]


@pytest.fixture(params=["redis", "cluster"])
def storage(request: pytest.FixtureRequest) -> Storage:
    """An empty storage, of one node and of several."""
    storage: Storage = request.getfixturevalue(f"{request.param}_storage")
    storage.each_node("FLUSHALL")
    return storage


@pytest.fixture
def store(storage: Storage) -> RedisStore:
    return RedisStore(storage)


@pytest.mark.parametrize("points", [100, POINTS_AT_ONCE + 100])
def test_a_refused_batch_changes_no_key(storage: Storage, store: RedisStore, points: int) -> None:
    times, devices, users = spread(points, 20)
    add(store, times[50:60], devices[50:60], users[50:60])
    before = dumps(storage)
    with pytest.raises(DuplicatePointsError) as error:
        add(store, times, devices, users)
    assert error.value.positions == list(range(50, 60))
    with pytest.raises(DuplicatePointsError) as error:
        add(store, [5, 6, 5], ["new", "new", "new"], ["v", "v", "v"])
    assert error.value.positions == [2]
    assert not store.add(times[50], 1.0, devices[50], "u")
    assert dumps(storage) == before


def test_no_two_names_meet(storage: Storage, store: RedisStore) -> None:
    pairs = [(device, user) for device in HOSTILE for user in HOSTILE]
    for i, (device, user) in enumerate(pairs):
        assert store.add(i, float(i), device, user)
    check(storage)
    assert [summary.key for summary in store.keys("device")] == sorted(HOSTILE)
    for i, (device, user) in enumerate(pairs):
        found = store.listing(device=device, user=user, start=0, end=None, after=None, limit=9)
        assert found.points() == [(i, device, user, i)]
    for user in HOSTILE:
        assert store.delete("user", user) == len(HOSTILE)
    assert {key[-1:] for key in contents(storage)} == {b"C"}


@pytest.mark.parametrize("axis", ["device", "user"])
def test_after_a_delete_only_counters_remain(storage: Storage, store: RedisStore, axis: str) -> None:
    times, devices, users = spread(3_000, KEYS_AT_ONCE + 5 if axis == "user" else 3)
    add(store, times, devices, users)
    for key in ["u"] if axis == "user" else ["d0", "d1", "d2"]:
        store.delete(axis, key)  # type: ignore[arg-type]
    assert {key[-1:] for key in contents(storage)} == {b"C"}
    assert store.totals() == (0, 0, 0, 0, None, 3_000)


def test_clearing_leaves_what_is_not_ours(storage: Storage, store: RedisStore) -> None:
    for client in clients(storage):
        client.hset("transactions{}", "x", "y") if storage.one_node else None
    times, devices, users = spread(1_000, 300)
    add(store, times, devices, users)
    store.clear()
    if storage.one_node:
        assert [client.hgetall("transactions{}") for client in clients(storage)] == [{b"x": b"y"}]
    assert {key[-1:] for key in contents(storage)} == {b"C"}
    assert store.totals() == (0, 0, 0, 0, None, 1_000)


def test_readers_see_batches_whole(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each batch adds four points of one series, late and new, whose values cancel out; reading takes many calls."""
    monkeypatch.setattr(redis_layout, "BLOCKS_AT_ONCE", 2)
    stores = [another(storage) for _ in range(4)]
    rounds, step = 250, QUARTER_HOUR // 3
    base = rounds * step
    done = threading.Event()

    def write() -> None:
        try:
            for i in range(rounds):
                # Before the first, in the middle, and at the end.
                times = np.array([base - i * step, 3 * base + i, 6 * base + i * step, 6 * base + i * step + 1])
                stores[0].add_batch(times, np.array([1.0, -1.0, 2.0, -2.0]), ["d"] * 4, ["u"] * 4)
        finally:
            done.set()

    def read(number: int) -> int:
        seen = 0
        while not done.is_set():
            try:
                with stores[number].view(("device", "user")[number % 2], "d" if number % 2 == 0 else "u") as view:  # type: ignore[arg-type]
                    if number == 3:
                        sums = view.sums(0, 10 * base)
                        count, total = int(sums.counts.sum()), float(sums.highs.sum() + sums.lows.sum())
                    else:
                        values = view.points(0, 10 * base)[1]
                        count, total = len(values), float(values.sum())
            except (KeyError, ViewChangedError):
                continue
            assert (count % 4, total) == (0, 0.0)
            seen += 1
        return seen

    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(read, number) for number in (1, 2, 3)]
        pool.submit(write).result()
        assert all(future.result() for future in futures)
    check(storage)


def test_a_reader_beside_a_delete_sees_what_was_before_or_after(storage: Storage) -> None:
    writer, reader = another(storage), another(storage)
    times = [i * QUARTER_HOUR for i in range(300)]
    done = threading.Event()

    def change() -> None:
        try:
            for i in range(60):
                add(writer, times, ["d"] * 300, ["u"] * 300)
                writer.delete("device" if i % 2 else "user", "d" if i % 2 else "u")
        finally:
            done.set()

    with ThreadPoolExecutor(1) as pool:
        changing = pool.submit(change)
        while not done.is_set():
            with suppress(KeyError, ViewChangedError), reader.view("device", "d") as view:
                assert len(view.points(0, 2**50)[0]) == 300
            with suppress(KeyError, ViewChangedError), reader.view("user", "u") as view:
                assert view.sums(0, 2**50).counts.sum() == 300
            for descending in (False, True):
                chosen = {"device": "d", "user": None, "start": 0, "end": None, "after": None, "limit": 1_000}
                block = reader.listing(**chosen, descending=descending).points()
                assert len(block) in (0, 300)
                assert block == sorted(block, reverse=descending)
            with suppress(KeyError, ViewChangedError):
                assert reader.latest("device", "d")[1].timestamp == times[-1]
        changing.result()
    check(storage)


def test_no_series_loses_its_entry_beside_deletes(storage: Storage) -> None:
    """Threads create series of few users and devices while others delete these."""
    threads, rounds = 6, 60
    stores = [another(storage) for _ in range(threads)]

    def work(number: int) -> None:
        rng = np.random.default_rng(number)
        for i in range(rounds):
            device, user = (f"{letter}{rng.integers(2)}" for letter in "du")
            if number < 4:
                add(stores[number], [i * threads + number] * 2, ["d0", device], [user, user], skip=True)
            elif number == 4:
                stores[number].delete("user", user)
            else:
                stores[number].delete("device", device)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(threads)))
    check(storage, marks=not storage.one_node, stale=not storage.one_node)
    for user in ("u0", "u1"):
        stores[0].delete("user", user)
    assert stores[0].keys("device") == []
    assert stores[0].totals().points == 0


class CuttingProxy:
    """Stands between a store and its server, and on demand cuts connections when a request has passed."""

    def __init__(self, port: int) -> None:
        self.cut = False
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                for pair in ((client, server, True), (server, client, False)):
                    threading.Thread(target=self._pass, args=pair, daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, requests: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                if self.cut and not requests:
                    # The server has done it; the answer is lost.
                    break
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def stop(self) -> None:
        self._listener.close()


def eventually(operation: Callable[[], int]) -> int:
    """Repeat what the storage cannot do just now, as a client would."""
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            return operation()
        except StorageUnavailableError:
            assert time.monotonic() < deadline


@contextmanager
def cut_off(redis_storage: Storage) -> Iterator[tuple[RedisStore, CuttingProxy]]:
    redis_storage.each_node("FLUSHALL")
    proxy = CuttingProxy(redis_storage.location.addresses[0].port)
    yield RedisStore(Storage(parse_location(f"redis://127.0.0.1:{proxy.port}"), timeout=SECONDS)), proxy
    proxy.stop()


def test_a_write_whose_answer_was_lost_can_be_repeated(redis_storage: Storage) -> None:
    with cut_off(redis_storage) as (store, proxy):
        times, devices, users = spread(500, 40)
        add(store, [1], ["d0"], ["u"])
        proxy.cut = True
        with pytest.raises(StorageUnavailableError):
            add(store, times, devices, users)
        proxy.cut = False
        assert eventually(lambda: add(store, times, devices, users, skip=True)) == 0
        assert store.totals().points == 501
        check(redis_storage)
        proxy.cut = True
        with pytest.raises(StorageUnavailableError):
            store.delete("device", "d0")
        proxy.cut = False
        assert eventually(lambda: store.delete("device", "d0")) == 0
        check(redis_storage)


def test_points_of_a_long_history_come_late_to_one_page(redis_storage: Storage) -> None:
    """What a late point reads and writes does not grow with its series."""
    redis_storage.each_node("FLUSHALL")
    store = RedisStore(redis_storage)
    [client] = clients(redis_storage)
    touched = []
    for length in (10_000, 100_000):
        add(store, [i * 10**6 for i in range(length)], [f"d{length}"] * length, ["u"] * length)
        client.config_resetstat()
        assert store.add(length // 2 * 10**6 + 1, 1.0, f"d{length}", "u")
        touched.append(sum(each["calls"] for each in client.info("commandstats").values()))
    assert max(touched) < 20
    check(redis_storage)


def test_memory_per_point(redis_storage: Storage) -> None:
    """A thousand points in each of fifty series take their 16 bytes, sums, and little more."""
    redis_storage.each_node("FLUSHALL")
    store = RedisStore(redis_storage)
    [client] = clients(redis_storage)
    add(store, [1], ["other"], ["u"])
    before = client.info("memory")["used_memory"]
    for i in range(100):
        steps = [(10 * i + step) * QUARTER_HOUR // 15 for step in range(10) for _ in range(50)]
        add(store, steps, [f"d{number}" for number in range(50)] * 10, ["u"] * 500)
    grown = client.info("memory")["used_memory"] - before
    assert grown / 50_000 < 40


def test_valkey() -> None:
    server = RedisServer("valkey")
    try:
        storage = Storage(parse_location(server.url), timeout=SECONDS)
        store = RedisStore(storage)
        times, devices, users = spread(5_000, 20)
        add(store, times[::2], devices[::2], users[::2])
        assert add(store, times, devices, users, skip=True) == 2_500
        check(storage)
        block = store.listing(device=None, user="u", start=0, end=None, after=None, limit=10_000)
        assert block.times.tolist() == times
        assert store.delete("user", "u") == 5_000
        check(storage)
    finally:
        server.stop()
