"""Deletions that are done a portion at a time: seen whole or not at all, and in nobody's way; replacements likewise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event, Thread

import numpy as np
import pytest

from datapoints.interface import QUARTER_HOUR, OnDuplicate, ViewChangedError
from datapoints.memory import large_batch, large_deletion
from datapoints.memory import store as store_module
from datapoints.memory.series import SeriesPool
from datapoints.memory.store import SeriesStore
from timeseries_project.core.offload import Offload, inline

DEVICES = [f"d{i}" for i in range(8)]
POINTS = 40
END = POINTS * QUARTER_HOUR


@pytest.fixture(autouse=True)
def small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_deletion, "SERIES_AT_ONCE", 3)
    monkeypatch.setattr(large_deletion, "PARTS_AT_ONCE", 2)
    monkeypatch.setattr(large_deletion, "POINTS_AT_ONCE", 10)
    monkeypatch.setattr(large_batch, "POINTS_AT_ONCE", 10)
    monkeypatch.setattr(large_batch, "ROWS_AT_ONCE", 10)
    monkeypatch.setattr(store_module, "POINTS_AT_ONCE", 10)


def filled(value: float = 1.0) -> SeriesStore:
    store = SeriesStore()
    put(store, value)
    return store


def put(store: SeriesStore, value: float) -> int:
    """Give each device of user u one point in each quarter-hour, of this value."""
    times = np.repeat(np.arange(POINTS) * QUARTER_HOUR, len(DEVICES))
    values = np.full(len(times), value)
    replace = OnDuplicate.REPLACE
    return store.add_batch(times, values, DEVICES * POINTS, ["u"] * len(times), on_duplicate=replace)


@contextmanager
def halted(
    write: Callable[[], object], step: str, monkeypatch: pytest.MonkeyPatch, store: SeriesStore
) -> Iterator[None]:
    """While the block runs, a write has done two of its steps, which are calls of a method of the pool."""
    begun, go_on, calls = Event(), Event(), [0]
    method = getattr(SeriesPool, step)

    def halt(pool: SeriesPool, *arguments: object) -> int:
        done: int = method(pool, *arguments)
        calls[0] += 1
        if calls[0] == 2:
            store._lock.release()
            begun.set()
            go_on.wait()
            store._lock.acquire()
        return done

    with monkeypatch.context() as patch:
        patch.setattr(SeriesPool, step, halt)
        thread = Thread(target=write)
        thread.start()
        begun.wait()
    try:
        yield
    finally:
        go_on.set()
        thread.join()


def counts(store: SeriesStore) -> list[int]:
    return [summary.count for summary in store.keys("device")]


@pytest.mark.parametrize(
    ("start", "end", "left"),
    [(0, None, 0), (0, END // 2, POINTS // 2), (END // 4, END // 2, 3 * POINTS // 4), (END // 4, None, POINTS // 4)],
)
def test_who_reads_a_part_of_it_waits_for_the_whole(
    start: int, end: int | None, left: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = filled()
    store.add(5, 1.0, "other", "v")
    with store.view("user", "u") as view:
        assert view.sums(0, END).counts.sum() == POINTS * len(DEVICES)
        with halted(lambda: store.delete("user", "u", start=start, end=end), "commit_remove", monkeypatch, store):
            assert inline(store.add, 6, 1.0, "other", "v")
            assert inline(store.key, "device", "other").count == 2
            for asked in (
                lambda: store.key("device", "d7"),
                lambda: store.add(7, 1.0, "d7", "u"),
                lambda: store.listing(device=None, user=None, start=0, end=None, after=None, limit=9),
                lambda: store.totals(),
                lambda: store.delete("device", "d7"),
            ):
                with pytest.raises(Offload):
                    inline(asked)
        with pytest.raises(ViewChangedError):
            view.points(0, END)
    store._check()
    assert counts(store) == [*[left] * (len(DEVICES) if left else 0), 2]
    assert store.totals().points == left * len(DEVICES) + 2


def test_it_is_seen_whole_or_not_at_all_by_many_threads() -> None:
    store, rounds = filled(), 25
    torn: list[object] = []

    def write(number: int) -> None:
        for value in range(rounds):
            if number:
                put(store, float(value))
            elif value % 3:
                store.delete("user", "u", start=END // 4, end=END // 2)
            else:
                store.delete("user", "u")

    def read(number: int) -> None:
        for _ in range(150):
            found = store.listing(device=None, user="u", start=0, end=None, after=None, limit=10**6)
            if len(found) not in (0, 3 * POINTS // 4 * len(DEVICES), POINTS * len(DEVICES)):
                torn.append(len(found))
            if len(set(found.values.tolist())) > 1:
                # Those between two deletions have one value; the others may be older than what was put since.
                torn.append(set(found.values.tolist()))
            torn.extend(n for n in counts(store) if n not in (3 * POINTS // 4, POINTS))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda call: call[0](call[1]), [(write, 0), (write, 1), (read, 0), (read, 1)]))
    assert not torn
    store._check()


def test_numbers_of_series_come_back_though_others_come_back_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    store = filled()
    with halted(lambda: store.delete("user", "u"), "commit_remove", monkeypatch, store):
        for i in range(30):
            store.add(i, 1.0, f"e{i}", "v")
        for i in range(30):
            store.delete("device", f"e{i}")
    store._check()
    assert store.totals()[:4] == (0, 0, 0, 0)
    assert store._names._vacant._promised == 0


def test_a_large_replacement_is_seen_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    store = filled(1.0)
    with halted(lambda: put(store, 2.0), "commit_replace", monkeypatch, store):
        with pytest.raises(Offload):
            inline(store.listing, device="d0", user=None, start=0, end=None, after=None, limit=9)
        with pytest.raises(Offload):
            inline(store.totals)
    store._check()
    found = store.listing(device=None, user=None, start=0, end=None, after=None, limit=10**6)
    assert found.values.tolist() == [2.0] * POINTS * len(DEVICES)


def test_few_values_in_a_busy_quarter_hour_are_replaced_in_portions_too() -> None:
    """What takes long is to sum up the quarter-hour anew, so it is not done in the event loop."""
    store = SeriesStore()
    store.add_batch(np.arange(20), np.ones(20), ["d"] * 20, ["u"] * 20)
    replace = OnDuplicate.REPLACE
    with pytest.raises(Offload):
        inline(store.add_batch, np.array([3]), np.array([5.0]), ["d"], ["u"], on_duplicate=replace)
    assert store.add_batch(np.array([3]), np.array([5.0]), ["d"], ["u"], on_duplicate=replace) == 0
    with store.view("device", "d") as view:
        assert view.sums(0, END).highs.tolist() == [24.0]
    store._check()


def test_a_long_series_gives_its_memory_back() -> None:
    """Points that are deleted by range leave room that is used again."""
    store, sizes = SeriesStore(), []
    for _ in range(6):
        times = np.arange(5_000) * 10**6
        assert store.add_batch(times, np.ones(5_000), ["d"] * 5_000, ["u"] * 5_000) == 5_000
        assert store.delete("device", "d", start=0, end=10**9) == 1_000
        assert store.delete("device", "d", start=10**9) == 4_000
        sizes.append(store.totals().nbytes)
    assert len(set(sizes)) == 1
    store._check()
