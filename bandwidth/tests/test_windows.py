"""The windows of bandwidth against a plain scan of a plain list."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from threading import Barrier, Thread

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bandwidth.device_rows import DeviceSummary
from bandwidth.windows import BandwidthStore, Window

LARGEST = 2**53 - 1

Entry = tuple[str, int, int, int]  # device, timestamp, bytes to and from the server

devices = st.sampled_from(["a", "b", "é", "Z", "😀"])
instants = st.integers(0, 30) | st.integers(0, 2000) | st.integers(0, LARGEST)
sizes = st.integers(0, 100) | st.integers(0, LARGEST) | st.just(LARGEST)
entries = st.tuples(devices, instants, sizes, sizes)


def store_of(*given_entries: Entry) -> BandwidthStore:
    store = BandwidthStore()
    for entry in given_entries:
        store.add(*entry)
    return store


def add_batch(store: BandwidthStore, batch: list[Entry]) -> None:
    store.add_batch(*([entry[i] for entry in batch] for i in range(4)))


def scan(stored: list[Entry], device: str, end: int, length: int, count: int) -> list[Window]:
    """The definition, entry by entry."""
    answer = []
    for border in (end - length * k for k in reversed(range(count))):
        inside = [e for e in stored if e[0] == device and border - length < e[1] <= border]
        answer.append(Window(border, len(inside), sum(e[2] for e in inside), sum(e[3] for e in inside)))
    return answer


def summaries(stored: list[Entry]) -> list[DeviceSummary]:
    answer = []
    for device in sorted({e[0] for e in stored}):
        own = [e for e in stored if e[0] == device]
        times = [e[1] for e in own]
        totals = sum(e[2] for e in own), sum(e[3] for e in own)
        answer.append(DeviceSummary(device, len(own), min(times), max(times), *totals))
    return answer


class StoreAgainstScan(RuleBasedStateMachine):
    """Whatever comes, in whatever order: every answer is the one a scan of all entries gives."""

    @initialize()
    def start(self) -> None:
        self.store = BandwidthStore()
        self.stored: list[Entry] = []

    @rule(entry=entries)
    def one_entry(self, entry: Entry) -> None:
        self.store.add(*entry)
        self.stored.append(entry)

    @rule(batch=st.lists(entries, max_size=30))
    def a_batch(self, batch: list[Entry]) -> None:
        add_batch(self.store, batch)
        self.stored += batch

    @precondition(lambda self: self.stored)
    @rule(data=st.data(), shift=st.integers(-3, 3), size=sizes)
    def close_to_an_earlier_one(self, data: st.DataObject, shift: int, size: int) -> None:
        device, instant, *_ = data.draw(st.sampled_from(self.stored))
        self.one_entry((device, min(max(instant + shift, 0), LARGEST), size, 1))

    @precondition(lambda self: self.stored)
    @rule(data=st.data(), spread=st.integers(0, 9), size=st.integers(1, 20))
    def a_batch_around_an_earlier_one(self, data: st.DataObject, spread: int, size: int) -> None:
        device, instant, *_ = data.draw(st.sampled_from(self.stored))
        shifts = data.draw(st.lists(st.integers(-spread, spread), min_size=size, max_size=size))
        self.a_batch([(device, min(max(instant + shift, 0), LARGEST), 1, size) for shift in shifts])

    @rule(batch=st.lists(entries, max_size=5), bad=st.sampled_from([-1, LARGEST + 1, 2**63, 2**70, -(2**70)]))
    def a_batch_with_a_fault(self, batch: list[Entry], bad: int) -> None:
        with pytest.raises(ValueError, match="must be from 0 to"):
            add_batch(self.store, [*batch, ("a", 1, bad, 1)])

    @precondition(lambda self: len(self.stored) > 60)
    @rule()
    def forget(self) -> None:
        self.store.clear()
        self.stored = []

    @precondition(lambda self: self.stored)
    @rule(data=st.data(), length=st.integers(1, 40) | st.integers(1, 2**31 - 1), count=st.integers(1, 12))
    def ask(self, data: st.DataObject, length: int, count: int) -> None:
        device, instant, *_ = data.draw(st.sampled_from(self.stored))
        after = data.draw(st.integers(0, 3)) * length + data.draw(st.integers(-1, 1))
        end = data.draw(st.just(min(max(instant + after, 0), LARGEST)) | instants)
        answer = self.store.windows(device, end=end, length=length, count=count)
        assert answer == scan(self.stored, device, end, length, count)
        assert all(type(number) is int for window in answer for number in window)

    @invariant()
    def agrees(self) -> None:
        self.store._check()
        expected = summaries(self.stored)
        assert self.store.devices() == expected
        for summary in expected:
            assert self.store.last(summary.device_id) == summary.last


TestStoreAgainstScan = StoreAgainstScan.TestCase
TestStoreAgainstScan.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)


@settings(deadline=None)
@given(stored=st.lists(entries, max_size=60), data=st.data())
def test_order_and_portions_make_no_difference(stored: list[Entry], data: st.DataObject) -> None:
    store, rest = BandwidthStore(), data.draw(st.permutations(stored))
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        portion, rest = rest[:size], rest[size:]
        if size == 1:
            store.add(*portion[0])
        else:
            add_batch(store, portion)
    store._check()
    whole = BandwidthStore()
    add_batch(whole, stored)
    whole._check()

    assert store.devices() == whole.devices() == summaries(stored)
    for summary in whole.devices():
        question = {"end": summary.last, "length": 7, "count": 20}
        assert store.windows(summary.device_id, **question) == whole.windows(summary.device_id, **question)


def test_windows_come_oldest_first_and_the_last_ends_on_the_end() -> None:
    store = store_of(("a", 100, 1, 2), ("a", 110, 10, 20), ("a", 115, 100, 200), ("b", 110, 7, 7))

    assert store.windows("a", end=120, length=10, count=3) == [
        Window(timestamp=100, entries=1, bytes_ts=1, bytes_fs=2),
        Window(timestamp=110, entries=1, bytes_ts=10, bytes_fs=20),
        Window(timestamp=120, entries=1, bytes_ts=100, bytes_fs=200),
    ]


def test_an_entry_on_a_border_counts_once_in_the_window_that_ends_there() -> None:
    store = store_of(("a", 60, 5, 6))

    for length in (1, 10, 60):
        answer = store.windows("a", end=60 + 2 * length, length=length, count=4)
        assert [window.entries for window in answer] == [0, 1, 0, 0]
        assert answer[1] == (60, 1, 5, 6)
    assert store.windows("a", end=59, length=60, count=1) == [(59, 0, 0, 0)]


def test_windows_before_1970_are_empty_and_second_zero_is_counted() -> None:
    store = store_of(("a", 0, 1, 2), ("a", 1, 4, 8))

    assert store.windows("a", end=0, length=60, count=2) == [(-60, 0, 0, 0), (0, 1, 1, 2)]
    answer = store.windows("a", end=1, length=2**31 - 1, count=10_000)
    assert len(answer) == 10_000
    assert answer[0] == (1 - 9_999 * (2**31 - 1), 0, 0, 0)
    assert answer[-1] == (1, 2, 5, 10)


def test_entries_of_one_instant_add_up() -> None:
    store = store_of(*[("a", 60, 1, 2)] * 3)
    add_batch(store, [("a", 60, 1, 2)] * 4 + [("a", 61, 0, 0)])
    store.add("a", 60, 1, 2)

    assert store.windows("a", end=61, length=1, count=2) == [(60, 8, 8, 16), (61, 1, 0, 0)]
    assert store.devices() == [("a", 9, 60, 61, 8, 16)]


def test_an_entry_without_bytes_is_an_entry() -> None:
    store = store_of(("a", 0, 0, 0))

    assert store.devices() == [("a", 1, 0, 0, 0, 0)]
    assert store.windows("a", end=0, length=1, count=1) == [(0, 1, 0, 0)]


def test_the_last_timestamp_is_the_latest_not_the_latest_to_come() -> None:
    store = store_of(("a", 50, 0, 0), ("a", 70, 0, 0), ("a", 60, 0, 0))
    assert store.last("a") == 70
    add_batch(store, [("a", 10, 0, 0), ("a", 90, 0, 0), ("a", 80, 0, 0)])
    assert store.last("a") == 90


def test_devices_are_sorted_by_code_point_and_their_keys_taken_as_they_are() -> None:
    keys = ["b", "B", "a ", "a", "😀", "\uffff", "é", "e\u0301"]
    store = store_of(*((key, 1, 1, 1) for key in keys))

    assert [summary.device_id for summary in store.devices()] == sorted(keys)


def test_a_device_never_seen_is_a_key_error() -> None:
    store = store_of(("a", 1, 1, 1))
    add_batch(store, [])

    with pytest.raises(KeyError, match="b"):
        store.windows("b", end=1, length=1, count=1)
    with pytest.raises(KeyError, match="b"):
        store.last("b")
    assert [summary.device_id for summary in store.devices()] == ["a"]


def test_clear_forgets_everything() -> None:
    store = store_of(("a", 1, 1, 1))
    store.clear()

    assert store.devices() == []
    with pytest.raises(KeyError):
        store.last("a")
    store.add("a", 5, 2, 3)
    assert store.devices() == [("a", 1, 5, 5, 2, 3)]


@pytest.mark.parametrize("size", [4_000, 1_000])
def test_sums_beyond_64_bits_are_exact(size: int) -> None:
    rng = random.Random(1)
    stored = [("a", rng.randrange(1_000), LARGEST, rng.choice([0, LARGEST - 1])) for _ in range(size)]
    singles, batch, both = store_of(*stored), BandwidthStore(), store_of(*stored[::2])
    add_batch(batch, stored)
    add_batch(both, stored[1::2])

    expected = scan(stored, "a", 999, 100, 12)
    assert (sum(window.bytes_ts for window in expected) > 2**63) is (size == 4_000)
    for store in (singles, batch, both):
        store._check()
        assert store.windows("a", end=999, length=100, count=12) == expected
        assert store.devices() == summaries(stored)


@pytest.mark.parametrize("border", [2**62, 2**63])
def test_sums_are_exact_where_they_pass_a_power_of_two(border: int) -> None:
    """Up to the border less one, on it and beyond: singles and batches, in time and late."""
    full, rest = divmod(border - 1, LARGEST)
    for late in (False, True):
        for in_batches in (False, True):
            stored = [("a", 10 + i, LARGEST, LARGEST) for i in range(full)]
            store = BandwidthStore()
            add_batch(store, stored)
            for step, size in enumerate([rest, 1, 1, LARGEST, 5]):
                entry = ("a", 9 - step if late else 10 + full + step, size, 0)
                stored.append(entry)
                if in_batches:
                    add_batch(store, [entry])
                else:
                    store.add(*entry)
                store._check()
                assert store.devices() == summaries(stored)
            assert store.windows("a", end=2_500, length=500, count=5) == scan(stored, "a", 2_500, 500, 5)


def test_one_huge_device_leaves_the_others_of_its_batch_as_they_are() -> None:
    stored = [("huge", i, LARGEST, LARGEST) for i in range(3_000)] + [("small", i, 1, 2) for i in range(5)]
    store = BandwidthStore()
    add_batch(store, stored[::-1])
    store._check()
    assert store.devices() == summaries(stored)


def test_columns_may_be_arrays_and_are_copied() -> None:
    store, times, sizes = BandwidthStore(), np.array([3, 1, 2]), np.full(3, LARGEST, dtype=np.uint64)
    store.add_batch(["a", "a", "a"], times, sizes, sizes)
    times[:] = 9
    store._check()
    assert store.windows("a", end=3, length=1, count=3) == [(t, 1, LARGEST, LARGEST) for t in (1, 2, 3)]
    assert store.devices() == [("a", 3, 1, 3, 3 * LARGEST, 3 * LARGEST)]


BAD_NUMBERS = [
    (-1, ValueError),
    (LARGEST + 1, ValueError),
    (2**64, ValueError),
    (1.5, TypeError),
    ("1", TypeError),
]


@pytest.mark.parametrize(("bad", "error"), BAD_NUMBERS)
@pytest.mark.parametrize("field", [1, 2, 3])
def test_a_number_out_of_range_or_no_integer_changes_nothing(field: int, bad: int, error: type[Exception]) -> None:
    store = store_of(("a", 5, 6, 7))
    entry: list[object] = ["a", 1, 1, 1]
    entry[field] = bad

    with pytest.raises(error):
        store.add(*entry)
    with pytest.raises(error):
        add_batch(store, [("a", 1, 1, 1), ("new", 1, 1, 1), tuple(entry)])
    store._check()
    assert store.devices() == [("a", 1, 5, 5, 6, 7)]


def test_columns_of_different_lengths_change_nothing() -> None:
    store = BandwidthStore()
    for short in range(4):
        columns = [["a", "b"], [1, 2], [1, 2], [1, 2]]
        columns[short] = columns[short][:1]
        with pytest.raises(ValueError, match="length"):
            store.add_batch(*columns)
        columns[short] = []
        with pytest.raises(ValueError, match="length"):
            store.add_batch(*columns)
    assert store.devices() == []


BAD_QUESTIONS = [("end", -1), ("end", LARGEST + 1), ("length", 0), ("length", 2**31), ("count", 0), ("count", 10_001)]


@pytest.mark.parametrize(("name", "bad"), BAD_QUESTIONS)
def test_windows_out_of_range_are_refused(name: str, bad: int) -> None:
    with pytest.raises(ValueError, match=f"{name} must be from"):
        store_of(("a", 1, 1, 1)).windows("a", **{"end": 1, "length": 1, "count": 1, name: bad})


@pytest.fixture
def hasty_switching() -> Iterator[None]:
    """Let threads interrupt each other as often as they can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("hasty_switching")
def test_sixteen_threads_lose_nothing_count_nothing_twice_and_show_no_half_batch() -> None:
    """Four threads add singles, four batches, eight read; late and in time, into the same devices.

    A batch puts ten entries into one span of ten seconds on each of eight devices. Whoever reads must find, in
    every span, all entries of so many batches, and as many batches on every device.
    """
    spans, rounds, readers = 40, 50, 8
    batched = [f"batched {i}" for i in range(8)]
    store, start = BandwidthStore(), Barrier(16)
    store.add_batch(batched * 10, [5] * 80, [1] * 80, [3] * 80)
    store.add("single", 0, 1, 3)
    running = [True]
    faults: list[BaseException] = []

    def add_singles(rng: random.Random) -> None:
        for _ in range(rounds):
            store.add(f"new {rng.random()}", rng.randrange(10 * spans), 1, 3)
            for _ in range(5):
                store.add("single", rng.randrange(10 * spans), 1, 3)

    def add_batches(rng: random.Random) -> None:
        for _ in range(rounds):
            first = 10 * rng.randrange(spans)
            times = [first + rng.randrange(10) for _ in range(80)]
            store.add_batch(batched * 10, times, [1] * 80, [3] * 80)

    def read(rng: random.Random) -> None:
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
                assert 0 <= store.last(device) < 10 * spans
            found = store.devices()
            assert all(summary[4:] == (summary.count, 3 * summary.count) for summary in found)
            counts = {summary.count for summary in found if summary.device_id in batched}
            assert len(counts) == 1
            assert counts.pop() % 10 == 0

    def guarded(work: Callable[[random.Random], None], seed: int) -> None:
        try:
            start.wait()
            work(random.Random(seed))
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
    store._check()
    counts = {summary.device_id: summary.count for summary in store.devices()}
    assert [counts.pop(device) for device in batched] == [10 + 40 * rounds] * 8
    assert counts.pop("single") == 1 + 20 * rounds
    assert list(counts.values()) == [1] * 4 * rounds


def test_tells_what_it_holds_without_counting() -> None:
    store = BandwidthStore()
    assert store.held() == (0, 0, 0, 0)
    for second in range(100):
        store.add("a", second, 1, 2)
    store.add_batch(["a", "b", "b"], [7, 7, 8], [LARGEST] * 3, [0] * 3)
    store._check()
    devices, entries, nbytes, added = store.held()
    assert (devices, entries, added) == (2, 103, 103)
    assert nbytes == sum(device.times.nbytes + device.sums.nbytes for device in store._devices.values())
    store.clear()
    assert store.held() == (0, 0, 0, 103)
