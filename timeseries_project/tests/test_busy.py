"""Large batches written a portion at a time: others wait for their series, and for no other."""

from __future__ import annotations

from collections.abc import Callable
from threading import Barrier, Event, Lock, Thread

import numpy as np
import pytest

from timeseries_project.core.busy import BusySeries
from timeseries_project.core.offload import Offload, give_way, inline

SERIES = 20


class Counts:
    """A store that counts rows: a batch of `portions` adds one to all of its series in each portion."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.busy = BusySeries(self.lock)
        self.counts = np.zeros(SERIES, dtype=np.int64)

    def add_large(self, series: list[int], portions: int, between: Callable[[], object] = give_way) -> None:
        numbers = np.array(series)
        with self.busy.large_write():
            with self.lock:
                self.busy.mark(numbers)
            for _ in range(portions):
                with self.lock:
                    self.counts[numbers] += 1
                between()

    def add(self, number: int) -> None:
        with self.lock:
            self.busy.wait_until_free(number)
            self.counts[number] += 1

    def read(self, series: list[int] | None = None) -> list[int]:
        with self.lock:
            self.busy.wait_until_free(None if series is None else np.array(series))
            return self.counts[slice(None) if series is None else series].tolist()


class InTheMiddle:
    """A large write of two portions to some series, halted after its first."""

    def __init__(self, store: Counts, series: list[int]) -> None:
        self.begun, self.go_on = Event(), Event()
        self.thread = Thread(target=store.add_large, args=(series, 2, self.halt))
        self.thread.start()
        self.begun.wait()

    def halt(self) -> None:
        self.begun.set()
        self.go_on.wait()

    def finish(self) -> None:
        self.go_on.set()
        self.thread.join()


@pytest.mark.parametrize("series", [[3], [0, 3], None], ids=["one", "some", "all"])
def test_who_reads_a_busy_series_waits_for_the_whole_batch(series: list[int] | None) -> None:
    store, answers = Counts(), []
    batch = InTheMiddle(store, [3, 7])
    reader = Thread(target=lambda: answers.append(store.read(series)))
    reader.start()
    while not store.busy._done._waiters:
        give_way()
    assert answers == []
    batch.finish()
    reader.join()
    assert answers == [[2 if i in (3, 7) else 0 for i in series or range(SERIES)]]


def test_other_series_are_read_and_written_meanwhile() -> None:
    store = Counts()
    batch = InTheMiddle(store, [3, 7])
    store.add(4)
    assert store.read([4, 19]) == [1, 0]
    with store.lock:
        assert store.busy.wait_until_free(4) is False
        assert store.busy.free_of(np.array([3, 4, 7, 19])).tolist() == [4, 19]
    batch.finish()


def test_who_would_wait_in_the_event_loop_leaves_it_and_nothing_is_changed() -> None:
    store = Counts()
    batch = InTheMiddle(store, [3])
    with pytest.raises(Offload):
        inline(store.add, 3)
    inline(store.add, 4)
    batch.finish()
    inline(store.add, 3)
    assert store.read([3, 4]) == [3, 1]


def test_a_large_write_leaves_the_event_loop_before_anything_is_changed() -> None:
    store = Counts()
    with pytest.raises(Offload):
        inline(store.add_large, [3], 2)
    assert store.read() == [0] * SERIES


def test_a_large_write_that_fails_frees_its_series() -> None:
    store = Counts()

    def fail() -> None:
        raise MemoryError

    with pytest.raises(MemoryError):
        store.add_large([3], 2, fail)
    assert store.read([3]) == [1]
    store.add_large([3], 2)
    assert store.read([3]) == [3]


def test_threads_see_whole_batches_only_and_lose_nothing() -> None:
    """Large batches of three portions to overlapping series, single rows, and readers, all at once."""
    store, start, running, faults = Counts(), Barrier(9), [True], []
    groups = [list(range(first, first + 8)) for first in (0, 4, 8)]

    def add_large(group: list[int]) -> None:
        for _ in range(50):
            store.add_large(group, 3)

    def add_small(group: list[int]) -> None:
        for _ in range(50):
            for number in group[:2]:
                store.add(number + 10)

    def read(group: list[int]) -> None:
        while running:
            counts = store.read()
            assert all(count % 3 == 0 for count in counts[:10])
            assert counts[0] == counts[3]
            assert store.read(group)[0] % 3 == 0

    def guarded(work: Callable[[list[int]], None], group: list[int]) -> None:
        start.wait()
        try:
            work(group)
        except BaseException as fault:
            faults.append(fault)

    works = [(work, group) for work in (add_large, add_small, read) for group in groups]
    threads = [Thread(target=guarded, args=pair, daemon=True) for pair in works]
    for thread in threads:
        thread.start()
    for thread in threads[:6]:
        thread.join()
    running.clear()
    for thread in threads[6:]:
        thread.join()
    assert faults == []
    expected = [0] * SERIES
    for group in groups:
        for number in group:
            expected[number] += 150
        for number in group[:2]:
            expected[number + 10] += 50
    assert store.read() == expected
