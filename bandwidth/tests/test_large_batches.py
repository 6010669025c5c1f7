"""Large batches in the memory of one process: written in portions, without the lock in between, and seen whole."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandwidth.interface import FullError
from bandwidth.memory import large_batch
from bandwidth.memory.devices import Devices
from bandwidth.memory.store import BandwidthStore
from bandwidth.tests.oracle import MAX_WHOLE, Entry, scan, summaries
from bandwidth.tests.stores import use_small_portions
from timeseries_project.core.blocks import Blocks
from timeseries_project.core.offload import Offload, inline
from timeseries_project.tests.drawn import drawn

OLD: list[Entry] = [("old", second, 1, 3) for second in range(20)] + [("other", 5, 7, 7)]
LARGE: list[Entry] = [(device, second, 1, 3) for second in range(10, 40) for device in ("new 1", "old", "new 2")]


@pytest.fixture(autouse=True)
def small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    use_small_portions(monkeypatch)


def add_batch(store: BandwidthStore, batch: list[Entry], oldest: int = 0) -> None:
    store.add_batch(*([entry[i] for entry in batch] for i in range(4)), oldest=oldest)


def filled(**limits: int) -> BandwidthStore:
    store = BandwidthStore(**limits)
    add_batch(store, OLD)
    return store


def in_between(patch: pytest.MonkeyPatch, look: Callable[[], object]) -> list[object]:
    """Do something whenever the writer of a large batch gives way to others; return what came of it."""
    seen: list[object] = []
    patch.setattr(large_batch, "give_way", lambda: seen.append(look()))
    return seen


ASKS = {
    "windows": lambda store: store.windows("old", end=39, length=10, count=4),
    "device": lambda store: store.device("old"),
    "devices": lambda store: store.devices(),
    "instants": lambda store: store.instants("old", limit=99),
    "all instants": lambda store: store.instants(limit=99),
    "overview": lambda store: store.overview(1, now=0),
    "add": lambda store: store.add("old", 1, 1, 1),
    "add a batch": lambda store: add_batch(store, [("old", 1, 1, 1)]),
    "add a large batch": lambda store: add_batch(store, OLD),
    "delete": lambda store: store.delete("old"),
    "forget all": lambda store: store.clear(),
}


@pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS)
def test_who_needs_its_devices_waits_for_the_batch(
    ask: Callable[[BandwidthStore], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the event loop, where nobody may wait, the request is to be begun again in a thread."""
    store = filled()

    def look() -> bool:
        try:
            inline(ask, store)
        except Offload:
            return not store._lock.locked()
        return False

    seen = in_between(monkeypatch, look)
    add_batch(store, LARGE)
    assert len(seen) > 20
    assert all(seen)
    store._check()
    assert store.devices() == summaries(OLD + LARGE)
    ask(store)


def test_others_go_on_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    store = filled()
    added: list[Entry] = []

    def look() -> None:
        entry = ("other", 1_000 - len(added), 2, 3)
        inline(store.add, *entry)
        added.append(entry)
        stored = [*OLD, *added]
        assert inline(store.windows, "other", end=1_000, length=9, count=8) == scan(stored, "other", 1_000, 9, 8)
        assert inline(store.device, "other").count == 1 + len(added)

    in_between(monkeypatch, look)
    add_batch(store, LARGE)
    store._check()
    assert len(added) > 20
    assert store.devices() == summaries(OLD + LARGE + added)


def test_it_is_counted_when_it_is_whole_and_has_its_room_from_the_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    store = filled(max_entries=len(OLD) + len(LARGE) + 1, max_devices=4)

    def look() -> tuple[int, int]:
        for entry in ("other", 9, 1, 1), ("newer", 9, 1, 1):
            with pytest.raises(FullError):
                add_batch(store, [entry] * 2)
        return store.usage()[:2]

    usages = in_between(monkeypatch, look)
    add_batch(store, LARGE)
    assert set(usages) == {(2, len(OLD))}
    assert store.usage()[:2] == (4, len(OLD) + len(LARGE))
    store.add("other", 9, 1, 1)


@pytest.mark.parametrize("limits", [{"max_entries": len(OLD) + len(LARGE) - 1}, {"max_devices": 3}])
def test_one_that_is_refused_leaves_nothing_behind(limits: dict[str, int]) -> None:
    store = filled(**limits)
    for _ in range(3):
        with pytest.raises(FullError):
            add_batch(store, LARGE)
        store._check()
        assert store.usage()[:2] == (2, len(OLD))
        assert store.devices() == summaries(OLD)
    store.add("old", 3, 1, 1)


def test_the_lock_is_held_for_a_portion_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    store, portions = filled(), []
    for owner, name, size in (
        (Devices, "commit_add", lambda devices, numbers, batch, begin, end: end - begin),
        (Devices, "enter", lambda devices, names, *_: len(names)),
        (Blocks, "make_room", lambda blocks, count: count),
    ):
        work = getattr(owner, name)

        def counted(*args: object, work=work, size=size, name=name) -> object:  # type: ignore[no-untyped-def]
            assert store._lock.locked()
            portions.append((name, size(*args)))
            return work(*args)

        monkeypatch.setattr(owner, name, counted)
    taken = in_between(monkeypatch, lambda: store._lock.locked())
    add_batch(store, [(f"d{i % 7}", i, 1, 1) for i in range(50)] + [("long", i, 1, 1) for i in range(50)])
    assert not any(taken)
    assert len(taken) == len(portions)
    most = {name: max(size for of, size in portions if of == name) for name, _ in portions}
    assert most == {"enter": 2, "make_room": 1, "commit_add": 2}
    store._check()


def test_a_clear_before_its_first_device_is_entered_comes_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The batch was first then, and is forgotten with all else."""
    store = filled()
    refuse = Devices.refuse_too_many

    def refuse_and_clear(devices: Devices, entries: int, new: int) -> None:
        refuse(devices, entries, new)
        monkeypatch.setattr(Devices, "refuse_too_many", refuse)
        store._lock.release()
        store.clear()
        store._lock.acquire()

    monkeypatch.setattr(Devices, "refuse_too_many", refuse_and_clear)
    add_batch(store, LARGE)
    store._check()
    assert store.devices() == []
    assert store.usage()[:2] == (0, 0)
    add_batch(store, LARGE)
    assert store.devices() == summaries(LARGE)


@drawn(100)
@given(seed=st.integers(0, 2**32), oldest=st.sampled_from([0, 0, 20, 60, 500]))
def test_a_large_batch_makes_what_single_entries_make(seed: int, oldest: int) -> None:
    """Late and new entries, equal instants, sums beyond 64 bits, and old entries to be dropped."""
    rng = random.Random(seed)
    stored: list[Entry] = []
    large, singles = BandwidthStore(), BandwidthStore()
    for _ in range(rng.randrange(1, 5)):
        span, devices = rng.choice([3, 100, 400]), rng.choice(["a", "abc", "abcdefgh"])
        batch = [
            (rng.choice(devices), rng.randrange(span), rng.choice([0, 5, MAX_WHOLE]), rng.randrange(9))
            for _ in range(rng.randrange(80))
        ]
        stored += batch
        add_batch(large, batch, oldest)
        for entry in batch:
            singles.add(*entry, oldest=oldest)
    expected = summaries([entry for entry in stored if entry[1] >= oldest])
    for store in (large, singles):
        store._check()
        assert store.devices(oldest=oldest) == expected
        for summary in expected:
            question = {"end": 400, "length": 7, "count": 60}
            kept = [entry for entry in stored if entry[1] >= oldest]
            assert store.windows(summary.device_id, **question, oldest=oldest) == scan(
                kept, summary.device_id, **question
            )
