"""The bandwidth store under limits and retention, against a plain list: old entries are as if never stored."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from bandwidth.interface import FullError
from bandwidth.memory import devices as memory_devices
from bandwidth.memory import store as windows_module
from bandwidth.memory.store import BandwidthStore
from bandwidth.tests.oracle import MAX_WHOLE, Entry, instants, scan, summaries
from bandwidth.tests.stores import NewStore, check, use_small_portions
from timeseries_project.tests.drawn import lives

devices = st.sampled_from(["a", "b", "é", "Z"])
ages = st.integers(-5, 30)
sizes = st.integers(0, 100) | st.just(MAX_WHOLE)
entries = st.tuples(devices, ages, sizes, sizes)


class BoundsMachine(RuleBasedStateMachine):
    """A store that keeps twenty seconds and has little room, and a list of the entries it should hold."""

    def __init__(self, new_store: NewStore) -> None:
        super().__init__()
        self.new_store = new_store
        self.patch = pytest.MonkeyPatch()
        self.stored: list[Entry] = []
        self.now = 1_000
        self.oldest = self.now - 20

    @initialize(
        looked_at=st.sampled_from([1, 2, 256]),
        small=st.booleans(),
        most=st.integers(1, 80),
        devices=st.integers(1, 5),
    )
    def begin(self, looked_at: int, small: bool, most: int, devices: int) -> None:
        self.patch.setattr(windows_module, "LOOKED_AT", looked_at)
        if small:
            use_small_portions(self.patch)
        self.store = self.new_store(max_entries=most, max_devices=devices)

    def teardown(self) -> None:
        self.patch.undo()
        self.store.clear()

    def expect(self, new: list[Entry], refused: bool) -> None:
        """Check that new entries were refused exactly if there was no room."""
        kept = self.stored + new
        if refused:  # old entries that are not dropped yet take room
            held = self.store.usage()
            more = {e[0] for e in new} - {device.device_id for device in self.store.devices()}
            assert held.entries + len(new) > self.store.max_entries or held.devices + len(more) > self.store.max_devices
        else:
            assert len(kept) <= self.store.max_entries
            assert len({e[0] for e in kept}) <= self.store.max_devices
            self.stored = kept

    @rule(seconds=st.integers(0, 25))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds
        self.oldest = self.now - 20
        self.stored = [e for e in self.stored if e[1] >= self.oldest]

    @rule(size=st.integers(1, 30))
    def it_is_copied(self, size: int) -> None:
        """As for a snapshot: what a store in memory holds is added to an empty one, portion by portion."""
        if isinstance(self.store, BandwidthStore):
            copy = BandwidthStore(max_entries=self.store.max_entries, max_devices=self.store.max_devices)
            for portion in self.store.portions(size):
                copy.add_batch(*portion, oldest=self.oldest)
            assert copy.usage().entries == len(self.stored)
            self.store = copy

    @rule(entry=entries)
    def one_entry(self, entry: Entry) -> None:
        device, age, to, of = entry
        entry = (device, self.now - age, to, of)
        new = [entry] if entry[1] >= self.oldest else []
        try:
            self.store.add(*entry, oldest=self.oldest)
        except FullError:
            self.expect(new, refused=True)
        else:
            self.expect(new, refused=False)

    @rule(batch=st.lists(entries, max_size=30))
    def a_batch(self, batch: list[Entry]) -> None:
        batch = [(device, self.now - age, to, of) for device, age, to, of in batch]
        new = [e for e in batch if e[1] >= self.oldest]
        try:
            self.store.add_batch(*([e[i] for e in batch] for i in range(4)), oldest=self.oldest)
        except FullError:
            self.expect(new, refused=True)
        else:
            self.expect(new, refused=False)

    @rule(device=devices)
    def delete(self, device: str) -> None:
        self.store.delete(device)
        self.stored = [e for e in self.stored if e[0] != device]

    @rule(device=devices, back=st.integers(-5, 40), length=st.integers(1, 50), count=st.integers(1, 12))
    def ask(self, device: str, back: int, length: int, count: int) -> None:
        question = {"end": self.now - back, "length": length, "count": count}
        if not any(e[0] == device for e in self.stored):
            with pytest.raises(KeyError):
                self.store.windows(device, **question, oldest=self.oldest)
            with pytest.raises(KeyError):
                self.store.device(device, oldest=self.oldest)
            return
        assert self.store.windows(device, **question, oldest=self.oldest) == scan(self.stored, device, **question)
        [summary] = [s for s in summaries(self.stored) if s.device_id == device]
        assert self.store.device(device, oldest=self.oldest) == summary

    @rule(device=st.none() | devices, back=st.integers(-5, 40), limit=st.integers(1, 9))
    def list_instants(self, device: str | None, back: int, limit: int) -> None:
        chosen: dict[str, Any] = {"start": max(self.now - back, 0), "limit": limit}
        answer = self.store.instants(device, **chosen, oldest=self.oldest)
        assert answer == instants(self.stored, device, **chosen)

    @invariant()
    def listings_and_totals_are_right(self) -> None:
        expected = summaries(self.stored)
        assert self.store.devices(oldest=self.oldest) == expected
        totals = self.store.overview(2, now=self.now, ahead=5, oldest=self.oldest)
        held = self.store.usage()[:2]  # in a large store, old entries that are not dropped yet count
        assert totals[:2] in ((len(expected), len(self.stored)), held)
        most = sorted((d.bytes_ts + d.bytes_fs for d in expected), reverse=True)[:2]
        assert [one.total for one in totals.busiest] == [total for total in most if total]
        check(self.store)


@pytest.mark.storages("redis", "cluster")
def test_bounds(new_store: NewStore, storage_kind: str) -> None:
    run_state_machine_as_test(
        lambda: BoundsMachine(new_store), settings=lives(150 if storage_kind == "memory" else 15, steps=30)
    )


def test_a_deleted_device_leaves_no_trace() -> None:
    """Its entries and totals are those of a device never seen, and what it took is used again."""
    store, fresh = BandwidthStore(), BandwidthStore()
    for _ in range(3):
        store.add_batch(["d"] * 3_000, range(3_000), [MAX_WHOLE] * 3_000, [1] * 3_000)
        held = store.usage().nbytes
        store.delete("d")
        store.delete("d")
    assert store.usage().nbytes == held
    store.delete("never seen")
    assert store.overview(5, now=3_000) == fresh.overview(5, now=3_000)
    for one in (store, fresh):
        one.add("d", 7, 1, 2)
        one._check()
    question = {"end": 10, "length": 10, "count": 3}
    assert store.windows("d", **question) == fresh.windows("d", **question)
    assert store.devices() == fresh.devices()


def test_a_device_that_forgets_as_much_as_it_takes_stops_growing() -> None:
    store, sizes = BandwidthStore(), []
    for second in range(20_000):
        store.add("d", second, 1, MAX_WHOLE, oldest=max(second - 1_000, 0))
        sizes.append(store.usage().nbytes)
    store._check()
    assert sizes[-1] == sizes[2_000]
    assert store.device("d").count == 1_001
    assert store.device("d").bytes_fs == 1_001 * MAX_WHOLE


def test_a_long_history_is_dropped_a_part_at_a_time() -> None:
    """Adds to other devices, in one second, drop it as well as its own; answers never show it."""
    store, count = BandwidthStore(), 5 * memory_devices.DROPPED_AT_ONCE
    store.add_batch(["long"] * count, range(count), [1] * count, [2] * count)
    held = [count]
    while held[-1] > 10:
        store.add("other", count, 1, 1, oldest=count - 5)
        held.append(store.usage().entries)
        assert store.device("long", oldest=count - 5) == ("long", 5, count - 5, count - 1, 5, 10)
        store._check()
    dropped = [before - after for before, after in pairwise(held)]
    assert max(dropped) < 1.1 * memory_devices.DROPPED_AT_ONCE
    assert len(dropped) <= 6


def test_many_devices_become_clean_over_writes() -> None:
    store, count = BandwidthStore(), 4 * windows_module.LOOKED_AT
    store.add_batch([f"d{i}" for i in range(count)], [5] * count, [1] * count, [1] * count)
    for second in range(6):
        store.add("other", 100 + second, 1, 1, oldest=50)
    assert store.usage().devices == 1
    assert store.overview(1, now=106, oldest=50).entries == 6


def test_a_new_second_does_not_begin_the_round_anew() -> None:
    """So even of many devices all are cleaned while few writes come in a second."""
    store, count = BandwidthStore(), 4 * windows_module.LOOKED_AT
    store.add_batch([f"d{i}" for i in range(count)], [5] * count, [1] * count, [1] * count)
    for second in range(6):
        store.add("other", 100 + second, 1, 1, oldest=50 + second)
    assert store.usage().devices == 1
