"""One bandwidth store under many threads or processes."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from threading import Barrier, Thread

import pytest

from bandwidth.memory import large_batch
from bandwidth.memory.store import BandwidthStore
from bandwidth.tests.stores import AnyStore, NewStore, as_another_process, check


@pytest.fixture
def hasty_switching() -> Iterator[None]:
    """Make threads interrupt one another as often as possible."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.storages("redis", "cluster")
@pytest.mark.usefixtures("hasty_switching")
def test_sixteen_threads_lose_nothing_count_nothing_twice_and_show_no_half_batch(
    new_store: NewStore, storage_kind: str
) -> None:
    use_at_once(new_store(), 50 if storage_kind == "memory" else 15, of_one_moment=storage_kind != "cluster")


@pytest.mark.usefixtures("hasty_switching")
def test_large_batches_are_shown_whole_by_many_threads_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_batch, "LARGE", 10)
    monkeypatch.setattr(large_batch, "DEVICES_AT_ONCE", 4)
    monkeypatch.setattr(large_batch, "ROWS_AT_ONCE", 30)
    use_at_once(BandwidthStore(), 15, of_one_moment=True)


def use_at_once(store: AnyStore, rounds: int, *, of_one_moment: bool) -> None:
    """Four threads add single entries, four add batches, eight read, all on the same devices, in order and late.

    A batch puts ten entries into one span of ten seconds on each of eight devices. A reader must find only whole
    batches in every span, and the same number of them on every device, if these are read at one moment.
    Each thread uses a shared store over connections of its own, as a process would.
    """
    spans, readers, start = 40, 8, Barrier(16)
    batched = [f"batched {i}" for i in range(8)]
    store.add_batch(batched * 10, [5] * 80, [1] * 80, [3] * 80)
    store.add("single", 0, 1, 3)
    running = [True]
    faults: list[BaseException] = []

    def add_singles(store: AnyStore, rng: random.Random) -> None:
        for _ in range(rounds):
            store.add(f"new {rng.random()}", rng.randrange(10 * spans), 1, 3)
            for _ in range(5):
                store.add("single", rng.randrange(10 * spans), 1, 3)

    def add_batches(store: AnyStore, rng: random.Random) -> None:
        for _ in range(rounds):
            first = 10 * rng.randrange(spans)
            times = [first + rng.randrange(10) for _ in range(80)]
            store.add_batch(batched * 10, times, [1] * 80, [3] * 80)

    def read(store: AnyStore, rng: random.Random) -> None:
        seen = dict.fromkeys([*batched, "single"], 0)
        while running:
            for device in [rng.choice(batched), "single"]:
                portion = 1 if device == "single" else 10
                answer = store.windows(device, end=10 * spans - 1, length=10, count=spans)
                assert all(window.entries % portion == 0 for window in answer)
                assert all(window[2:] == (window.entries, 3 * window.entries) for window in answer)
                entries = sum(window.entries for window in answer)
                assert entries >= seen[device]
                seen[device] = entries
                assert 0 <= store.device(device).last < 10 * spans
            found = store.devices()
            assert all(summary[4:] == (summary.count, 3 * summary.count) for summary in found)
            counts = {summary.count for summary in found if summary.device_id in batched}
            assert not of_one_moment or len(counts) == 1
            assert all(count % 10 == 0 for count in counts)

    def guarded(work: Callable[[AnyStore, random.Random], None], seed: int) -> None:
        try:
            own = as_another_process(store)
            start.wait()
            work(own, random.Random(seed))
        except BaseException as fault:
            faults.append(fault)

    works = [add_singles] * 4 + [add_batches] * 4 + [read] * readers
    threads = [Thread(target=guarded, args=(work, seed), daemon=True) for seed, work in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads[:-readers]:
        thread.join()
    running.clear()
    for thread in threads[-readers:]:
        thread.join()

    assert faults == []
    check(store)
    counts = {summary.device_id: summary.count for summary in store.devices()}
    assert [counts.pop(device) for device in batched] == [10 + 40 * rounds] * 8
    assert counts.pop("single") == 1 + 20 * rounds
    assert list(counts.values()) == [1] * 4 * rounds
