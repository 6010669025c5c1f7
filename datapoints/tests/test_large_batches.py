"""Batches that are written a portion at a time: seen whole or not at all, and in nobody's way."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event, Thread

import numpy as np
import pytest

from datapoints.interface import DuplicatePointsError, FullError, Point
from datapoints.memory import large_batch
from datapoints.memory import store as store_module
from datapoints.memory.store import SeriesStore
from timeseries_project.core.offload import Offload, inline

DEVICES = [f"d{i}" for i in range(8)]
BATCH = 80


@pytest.fixture(autouse=True)
def small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "ROWS_AT_ONCE", 10)
    monkeypatch.setattr(large_batch, "ROWS_AT_ONCE", 10)
    monkeypatch.setattr(large_batch, "PAIRS_AT_ONCE", 3)


def add_large(store: SeriesStore, number: int, user: str = "u", devices: list[str] = DEVICES) -> int:
    """Add the batch of this number: the same points, later each time."""
    times = np.arange(BATCH) + number * BATCH
    return store.add_batch(times, np.ones(BATCH), (devices * BATCH)[:BATCH], [user] * BATCH)


def listed(store: SeriesStore, **chosen: str | None) -> list[Point]:
    query: dict[str, str | None] = {"device": None, "user": None} | chosen
    return store.listing(**query, start=0, end=None, after=None, limit=10**6).points()


@contextmanager
def halted(store: SeriesStore, number: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """While the block runs, a large batch has been written in part."""
    begun, go_on = Event(), Event()
    commit = large_batch.SeriesPool.commit_add

    def halt(pool: large_batch.SeriesPool, *rows: int) -> None:
        commit(pool, *rows)  # type: ignore[arg-type]
        if rows[-2] == 10:  # the second portion
            store._lock.release()
            begun.set()
            go_on.wait()
            store._lock.acquire()

    with monkeypatch.context() as patch:
        patch.setattr(large_batch.SeriesPool, "commit_add", halt)
        thread = Thread(target=add_large, args=(store, number))
        thread.start()
        begun.wait()
    try:
        yield
    finally:
        go_on.set()
        thread.join()


def test_it_is_seen_whole_or_not_at_all_by_many_threads() -> None:
    store, rounds = SeriesStore(), 40
    torn: list[int] = []

    def write(user: str) -> None:
        for number in range(rounds):
            add_large(store, number, user)

    def read(axis: str) -> None:
        for _ in range(300):
            sizes = [len(listed(store, user="u")), len(listed(store)), store.totals().points]
            sizes += [summary.count for summary in store.keys("user")]
            torn.extend(size for size in sizes if size % BATCH)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda call: call[0](call[1]), [(write, "u"), (write, "v"), (read, ""), (read, "")]))
    assert not torn
    store._check()
    assert store.totals().points == 2 * rounds * BATCH


def test_others_do_not_wait_and_who_must_wait_leaves_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    store = SeriesStore()
    add_large(store, 0)
    store.add(5, 1.0, "other", "v")
    with halted(store, 1, monkeypatch):
        assert inline(store.add, 6, 1.0, "other", "v")
        assert inline(store.key, "device", "other").count == 2
        assert inline(store.delete, "user", "v") == 2
        for asked in (
            lambda: store.add(7, 1.0, "d0", "u"),
            lambda: store.key("device", "d0"),
            lambda: store.view("user", "u").__enter__(),
            lambda: store.delete("device", "d0"),
            lambda: listed(store, device="d0"),
            lambda: listed(store),
            lambda: store.totals(),
            lambda: store.keys("device"),
            lambda: store.add_batch(np.array([9]), np.array([1.0]), ["d0"], ["u"]),
        ):
            with pytest.raises(Offload):
                inline(asked)
    store._check()
    assert len(listed(store, user="u")) == 2 * BATCH


def test_what_has_come_meanwhile_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    store = SeriesStore()
    with ThreadPoolExecutor(1) as pool, halted(store, 1, monkeypatch):
        late = pool.submit(store.add, 3, 2.0, "d0", "u")
        assert store.add(4, 2.0, "new", "u")
        assert not late.done()
    assert late.result()
    store._check()
    assert len(listed(store)) == BATCH + 2


def test_one_that_is_refused_leaves_nothing() -> None:
    store = SeriesStore(max_points=2 * BATCH, max_series=len(DEVICES) + 1)
    add_large(store, 0)
    before = listed(store), store.totals(), store.keys("device")
    with pytest.raises(DuplicatePointsError):
        add_large(store, 0, devices=[*DEVICES[:-1], "new"])
    with pytest.raises(FullError, match="points"):
        store.add_batch(np.arange(90) + 10**6, np.ones(90), ["new", *DEVICES] * 10, ["u"] * 90)
    with pytest.raises(FullError, match="series"):
        add_large(store, 1, devices=[*DEVICES, "new", "newer"])
    assert (listed(store), store.totals(), store.keys("device")) == before
    assert not any(blocks.promised for blocks in (store._pool._points, store._pool._sums))
    store._check()
    assert add_large(store, 1) == BATCH
    store._check()
