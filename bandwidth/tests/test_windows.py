"""The windows of every kind of bandwidth store, against a scan of a plain list."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from bandwidth.interface import Window
from bandwidth.memory.store import BandwidthStore
from bandwidth.redis import instants as redis_instants
from bandwidth.tests import oracle
from bandwidth.tests.oracle import MAX_WHOLE, Entry, scan, summaries
from bandwidth.tests.stores import AnyStore, NewStore, check, use_small_portions
from timeseries_project.tests.drawn import drawn, lives

pytestmark = pytest.mark.storages("redis", "cluster")

devices = st.sampled_from(["a", "b", "é", "Z", "😀"])
instants = st.integers(0, 30) | st.integers(0, 2000) | st.integers(0, MAX_WHOLE)
sizes = st.integers(0, 100) | st.integers(0, MAX_WHOLE) | st.just(MAX_WHOLE)
entries = st.tuples(devices, instants, sizes, sizes)


def store_of(new_store: NewStore, *given_entries: Entry) -> AnyStore:
    store = new_store()
    for entry in given_entries:
        store.add(*entry)
    return store


def add_batch(store: AnyStore, batch: list[Entry]) -> None:
    store.add_batch(*([entry[i] for entry in batch] for i in range(4)))


class StoreAgainstScan(RuleBasedStateMachine):
    """Whatever entries come, in whatever order: each answer equals a scan of all entries."""

    def __init__(self, new_store: NewStore) -> None:
        super().__init__()
        self.new_store = new_store
        self.patch = pytest.MonkeyPatch()

    @initialize(small=st.booleans())
    def start(self, small: bool) -> None:
        if small:
            use_small_portions(self.patch)
            self.patch.setattr(redis_instants, "DEVICES_AT_FIRST", 1)
        self.store = self.new_store()
        self.stored: list[Entry] = []

    def teardown(self) -> None:
        self.patch.undo()
        self.store.clear()

    @rule(size=st.integers(1, 30))
    def it_is_copied(self, size: int) -> None:
        """As for a snapshot: what a store in memory holds is added to an empty one, portion by portion."""
        if isinstance(self.store, BandwidthStore):
            copy = BandwidthStore()
            for portion in self.store.portions(size):
                copy.add_batch(*portion)
            assert copy.usage().entries == len(self.stored)
            self.store = copy

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
        self.one_entry((device, min(max(instant + shift, 0), MAX_WHOLE), size, 1))

    @precondition(lambda self: self.stored)
    @rule(data=st.data(), spread=st.integers(0, 9), size=st.integers(1, 20))
    def a_batch_around_an_earlier_one(self, data: st.DataObject, spread: int, size: int) -> None:
        device, instant, *_ = data.draw(st.sampled_from(self.stored))
        shifts = data.draw(st.lists(st.integers(-spread, spread), min_size=size, max_size=size))
        self.a_batch([(device, min(max(instant + shift, 0), MAX_WHOLE), 1, size) for shift in shifts])

    @rule(batch=st.lists(entries, max_size=5), bad=st.sampled_from([-1, MAX_WHOLE + 1, 2**63, 2**70, -(2**70)]))
    def a_batch_with_a_fault(self, batch: list[Entry], bad: int) -> None:
        with pytest.raises(ValueError, match="must be from 0 to"):
            add_batch(self.store, [*batch, ("a", 1, bad, 1)])

    @rule(device=devices)
    def forget_a_device(self, device: str) -> None:
        self.store.delete(device)
        self.stored = [entry for entry in self.stored if entry[0] != device]

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
        end = data.draw(st.just(min(max(instant + after, 0), MAX_WHOLE)) | instants)
        answer = self.store.windows(device, end=end, length=length, count=count)
        assert answer == scan(self.stored, device, end, length, count)
        assert all(type(number) is int for window in answer for number in window)
        many = self.store.windows_of_many(["a", "unknown", device], end=end, length=length, count=count)
        assert many[1:] == [[], answer]
        known = any(entry[0] == "a" for entry in self.stored)
        assert many[0] == (scan(self.stored, "a", end, length, count) if known else [])

    @rule(
        device=st.none() | devices,
        start=st.just(0) | instants,
        end=st.none() | instants | st.just(10**30),
        after=st.none() | st.tuples(devices | st.just("c"), instants | st.sampled_from([-1, 10**30])),
        limit=st.integers(1, 12) | st.just(1_000),
    )
    def list_instants(
        self, device: str | None, start: int, end: int | None, after: tuple[str, int] | None, limit: int
    ) -> None:
        chosen: dict[str, Any] = {"start": start, "end": end, "after": after, "limit": limit}
        answer = self.store.instants(device, **chosen)
        assert answer == oracle.instants(self.stored, device, **chosen)
        assert all(type(number) is int for instant in answer for number in instant[1:])

    @invariant()
    def agrees(self) -> None:
        check(self.store)
        expected = summaries(self.stored)
        assert self.store.devices() == expected
        assert self.store.overview(2, now=0)[:2] == (len(expected), len(self.stored))
        for summary in expected:
            assert self.store.device(summary.device_id) == summary


def test_a_store_against_a_scan(new_store: NewStore, storage_kind: str) -> None:
    run_state_machine_as_test(
        lambda: StoreAgainstScan(new_store), settings=lives(100 if storage_kind == "memory" else 10, steps=30)
    )


def test_order_and_portions_make_no_difference(new_store: NewStore, storage_kind: str) -> None:
    @drawn(100 if storage_kind == "memory" else 10)
    @given(stored=st.lists(entries, max_size=60), data=st.data())
    def try_it(stored: list[Entry], data: st.DataObject) -> None:
        store, rest = new_store(), data.draw(st.permutations(stored))
        while rest:
            size = data.draw(st.integers(1, len(rest)))
            portion, rest = rest[:size], rest[size:]
            if size == 1:
                store.add(*portion[0])
            else:
                add_batch(store, portion)
        check(store)
        whole = new_store()
        add_batch(whole, stored)
        check(whole)

        assert store.devices() == whole.devices() == summaries(stored)
        for summary in whole.devices():
            question = {"end": summary.last, "length": 7, "count": 20}
            assert store.windows(summary.device_id, **question) == whole.windows(summary.device_id, **question)
        store.clear()
        whole.clear()

    try_it()


def test_windows_come_oldest_first_and_the_last_ends_on_the_end(new_store: NewStore) -> None:
    store = store_of(new_store, ("a", 100, 1, 2), ("a", 110, 10, 20), ("a", 115, 100, 200), ("b", 110, 7, 7))

    assert store.windows("a", end=120, length=10, count=3) == [
        Window(timestamp=100, entries=1, bytes_ts=1, bytes_fs=2),
        Window(timestamp=110, entries=1, bytes_ts=10, bytes_fs=20),
        Window(timestamp=120, entries=1, bytes_ts=100, bytes_fs=200),
    ]


def test_an_entry_on_a_border_counts_once_in_the_window_that_ends_there(new_store: NewStore) -> None:
    store = store_of(new_store, ("a", 60, 5, 6))

    for length in (1, 10, 60):
        answer = store.windows("a", end=60 + 2 * length, length=length, count=4)
        assert [window.entries for window in answer] == [0, 1, 0, 0]
        assert answer[1] == (60, 1, 5, 6)
    assert store.windows("a", end=59, length=60, count=1) == [(59, 0, 0, 0)]


def test_windows_before_1970_are_empty_and_second_zero_is_counted(new_store: NewStore) -> None:
    store = store_of(new_store, ("a", 0, 1, 2), ("a", 1, 4, 8))

    assert store.windows("a", end=0, length=60, count=2) == [(-60, 0, 0, 0), (0, 1, 1, 2)]
    answer = store.windows("a", end=1, length=2**31 - 1, count=10_000)
    assert len(answer) == 10_000
    assert answer[0] == (1 - 9_999 * (2**31 - 1), 0, 0, 0)
    assert answer[-1] == (1, 2, 5, 10)


def test_entries_of_one_instant_add_up(new_store: NewStore) -> None:
    store = store_of(new_store, *[("a", 60, 1, 2)] * 3)
    add_batch(store, [("a", 60, 1, 2)] * 4 + [("a", 61, 0, 0)])
    store.add("a", 60, 1, 2)

    assert store.windows("a", end=61, length=1, count=2) == [(60, 8, 8, 16), (61, 1, 0, 0)]
    assert store.devices() == [("a", 9, 60, 61, 8, 16)]


def test_an_entry_without_bytes_is_an_entry(new_store: NewStore) -> None:
    store = store_of(new_store, ("a", 0, 0, 0))

    assert store.devices() == [("a", 1, 0, 0, 0, 0)]
    assert store.windows("a", end=0, length=1, count=1) == [(0, 1, 0, 0)]


def test_the_last_timestamp_is_the_latest_not_the_latest_to_come(new_store: NewStore) -> None:
    store = store_of(new_store, ("a", 50, 0, 0), ("a", 70, 0, 0), ("a", 60, 0, 0))
    assert store.device("a").last == 70
    add_batch(store, [("a", 10, 0, 0), ("a", 90, 0, 0), ("a", 80, 0, 0)])
    assert store.device("a").last == 90


def test_devices_are_sorted_by_code_point_and_their_keys_taken_as_they_are(new_store: NewStore) -> None:
    keys = ["b", "B", "a ", "a", "😀", "\uffff", "é", "e\u0301"]
    store = store_of(new_store, *((key, 1, 1, 1) for key in keys))

    assert [summary.device_id for summary in store.devices()] == sorted(keys)


def test_a_device_never_seen_is_a_key_error(new_store: NewStore) -> None:
    store = store_of(new_store, ("a", 1, 1, 1))
    add_batch(store, [])

    with pytest.raises(KeyError, match="b"):
        store.windows("b", end=1, length=1, count=1)
    with pytest.raises(KeyError, match="b"):
        store.device("b")
    assert [summary.device_id for summary in store.devices()] == ["a"]


def test_clear_forgets_everything(new_store: NewStore) -> None:
    store = store_of(new_store, ("a", 1, 1, 1))
    store.clear()

    assert store.devices() == []
    with pytest.raises(KeyError):
        store.device("a")
    store.add("a", 5, 2, 3)
    assert store.devices() == [("a", 1, 5, 5, 2, 3)]


@pytest.mark.parametrize("size", [4_000, 1_000])
def test_sums_beyond_64_bits_are_exact(new_store: NewStore, size: int) -> None:
    rng = random.Random(1)
    stored = [("a", rng.randrange(1_000), MAX_WHOLE, rng.choice([0, MAX_WHOLE - 1])) for _ in range(size)]
    singles, batch, both = store_of(new_store, *stored), new_store(), store_of(new_store, *stored[::2])
    add_batch(batch, stored)
    add_batch(both, stored[1::2])

    expected = scan(stored, "a", 999, 100, 12)
    assert (sum(window.bytes_ts for window in expected) > 2**63) is (size == 4_000)
    for store in (singles, batch, both):
        check(store)
        assert store.windows("a", end=999, length=100, count=12) == expected
        assert store.devices() == summaries(stored)


@pytest.mark.parametrize("border", [2**62, 2**63])
def test_sums_are_exact_where_they_pass_a_power_of_two(new_store: NewStore, border: int) -> None:
    """Sums just below the border, on it and beyond; single entries and batches, in order and late."""
    full, rest = divmod(border - 1, MAX_WHOLE)
    for late in (False, True):
        for in_batches in (False, True):
            stored = [("a", 10 + i, MAX_WHOLE, MAX_WHOLE) for i in range(full)]
            store = new_store()
            add_batch(store, stored)
            for step, size in enumerate([rest, 1, 1, MAX_WHOLE, 5]):
                entry = ("a", 9 - step if late else 10 + full + step, size, 0)
                stored.append(entry)
                if in_batches:
                    add_batch(store, [entry])
                else:
                    store.add(*entry)
                check(store)
                assert store.devices() == summaries(stored)
            assert store.windows("a", end=2_500, length=500, count=5) == scan(stored, "a", 2_500, 500, 5)


def test_one_huge_device_leaves_the_others_of_its_batch_as_they_are(new_store: NewStore) -> None:
    stored = [("huge", i, MAX_WHOLE, MAX_WHOLE) for i in range(3_000)] + [("small", i, 1, 2) for i in range(5)]
    store = new_store()
    add_batch(store, stored[::-1])
    check(store)
    assert store.devices() == summaries(stored)


def test_columns_may_be_arrays_and_are_copied(new_store: NewStore) -> None:
    store, times, sizes = new_store(), np.array([3, 1, 2]), np.full(3, MAX_WHOLE, dtype=np.uint64)
    store.add_batch(["a", "a", "a"], times, sizes, sizes)
    times[:] = 9
    check(store)
    assert store.windows("a", end=3, length=1, count=3) == [(t, 1, MAX_WHOLE, MAX_WHOLE) for t in (1, 2, 3)]
    assert store.devices() == [("a", 3, 1, 3, 3 * MAX_WHOLE, 3 * MAX_WHOLE)]


BAD_NUMBERS = [
    (-1, ValueError),
    (MAX_WHOLE + 1, ValueError),
    (2**64, ValueError),
    (1.5, TypeError),
    ("1", TypeError),
]


@pytest.mark.parametrize(("bad", "error"), BAD_NUMBERS)
@pytest.mark.parametrize("field", [1, 2, 3])
def test_a_number_out_of_range_or_no_integer_changes_nothing(
    new_store: NewStore, field: int, bad: int, error: type[Exception]
) -> None:
    store = store_of(new_store, ("a", 5, 6, 7))
    entry: list[object] = ["a", 1, 1, 1]
    entry[field] = bad

    with pytest.raises(error):
        store.add(*entry)
    with pytest.raises(error):
        add_batch(store, [("a", 1, 1, 1), ("new", 1, 1, 1), tuple(entry)])
    check(store)
    assert store.devices() == [("a", 1, 5, 5, 6, 7)]


def test_columns_of_different_lengths_change_nothing(new_store: NewStore) -> None:
    store = new_store()
    for short in range(4):
        columns = [["a", "b"], [1, 2], [1, 2], [1, 2]]
        columns[short] = columns[short][:1]
        with pytest.raises(ValueError, match="length"):
            store.add_batch(*columns)
        columns[short] = []
        with pytest.raises(ValueError, match="length"):
            store.add_batch(*columns)
    assert store.devices() == []


BAD_QUESTIONS = [("end", -1), ("end", MAX_WHOLE + 1), ("length", 0), ("length", 2**31), ("count", 0), ("count", 10_001)]


@pytest.mark.parametrize(("name", "bad"), BAD_QUESTIONS)
def test_windows_out_of_range_are_refused(new_store: NewStore, name: str, bad: int) -> None:
    with pytest.raises(ValueError, match=f"{name} must be from"):
        store_of(new_store, ("a", 1, 1, 1)).windows("a", **{"end": 1, "length": 1, "count": 1, name: bad})


def test_tells_what_it_holds(new_store: NewStore) -> None:
    store = new_store()
    assert store.usage()[:2] == (0, 0)
    for second in range(100):
        store.add("a", second, 1, 2)
    add_batch(store, [("a", 7, MAX_WHOLE, 0), ("b", 7, MAX_WHOLE, 0), ("b", 8, MAX_WHOLE, 0)])
    check(store)
    assert store.usage()[:2] == (2, 103)
    if isinstance(store, BandwidthStore):
        nbytes = sum(array.nbytes for array in store._devices.blocks.arrays[:-1])
        assert store.usage().nbytes == nbytes
        empty = BandwidthStore().usage().nbytes
        assert empty < 100
    store.clear()
    assert store.usage() == (0, 0, empty if isinstance(store, BandwidthStore) else None)


def test_several_devices_are_read_together(new_store: NewStore) -> None:
    store = store_of(new_store, ("a", 60, 1, 2), ("é", 30, 3, 4))
    asked = {"end": 60, "length": 30, "count": 2}
    assert store.windows_of_many(["é", "none", "a"], **asked) == [
        store.windows("é", **asked),
        [],
        store.windows("a", **asked),
    ]
    assert store.windows_of_many([], **asked) == []
