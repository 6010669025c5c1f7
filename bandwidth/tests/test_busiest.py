"""The busiest devices of now, of every kind of store: those that sent the most since the previous slot began."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run

from bandwidth.interface import SLOT, Busy, begin_of_span, busiest_of
from bandwidth.memory import busiest
from bandwidth.memory import store as memory_store
from bandwidth.memory.devices import Devices
from bandwidth.memory.store import BandwidthStore
from bandwidth.redis import busiest as redis_busiest
from bandwidth.tests.oracle import MAX_WHOLE, Entry
from bandwidth.tests.stores import NewStore, check, use_small_portions
from timeseries_project.core import offload
from timeseries_project.core.summation import Integers
from timeseries_project.tests.drawn import lives

AHEAD = 300
DEVICES = 5_000

devices = st.sampled_from(["a", "b", "é", "Z", "😀"])
ages = st.integers(-AHEAD, 3 * SLOT) | st.integers(-2, 2)
sizes = st.integers(0, 100) | st.sampled_from([0, MAX_WHOLE])
entries = st.tuples(devices, ages, sizes, sizes)


def scan(stored: list[Entry], first: int, last: int, count: int) -> list[Busy]:
    """Find the busiest entry by entry, as they are defined."""
    found = []
    for device in {entry[0] for entry in stored}:
        own = [entry for entry in stored if entry[0] == device]
        inside = [entry for entry in own if first <= entry[1] <= last]
        newest = max(entry[1] for entry in own)
        found.append(Busy(device, newest, sum(entry[2] for entry in inside), sum(entry[3] for entry in inside)))
    return busiest_of(found, count)


class BusiestMachine(RuleBasedStateMachine):
    """Entries come early, late or in time, and time goes on, and now and then back."""

    def __init__(self, new_store: NewStore) -> None:
        super().__init__()
        self.new_store = new_store
        self.patch = pytest.MonkeyPatch()
        self.stored: list[Entry] = []
        self.now = 10 * SLOT
        self.oldest = 0

    @initialize(small=st.booleans())
    def begin(self, small: bool) -> None:
        if small:
            use_small_portions(self.patch)
            self.patch.setattr(busiest, "AT_ONCE", 2)
            self.patch.setattr(redis_busiest, "READ_AT_FIRST", 1)
        self.store = self.new_store()

    def teardown(self) -> None:
        self.patch.undo()
        self.store.clear()

    @rule(seconds=st.integers(0, 30) | st.sampled_from([SLOT, 2 * SLOT, 5 * SLOT]) | st.integers(0, 3 * SLOT))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds
        self.oldest = self.oldest and max(self.oldest, self.now - 900)
        self.stored = [entry for entry in self.stored if entry[1] >= self.oldest]

    @rule(seconds=st.integers(1, 8 * SLOT))
    def the_clock_is_set_back(self, seconds: int) -> None:
        """A store that is shared may then miss some of the busiest for a while, if that leads back to an older slot."""
        known = self.now - 4 * SLOT if isinstance(self.store, BandwidthStore) else self.now % SLOT
        self.now -= min(seconds, known)

    @precondition(lambda self: not self.oldest)
    @rule()
    def old_entries_are_dropped_from_now_on(self) -> None:
        self.oldest = self.now - 900
        self.stored = [entry for entry in self.stored if entry[1] >= self.oldest]

    @rule(entry=entries)
    def one_entry(self, entry: Entry) -> None:
        device, age, *both = entry
        self.store.add(device, self.now - age, *both, oldest=self.oldest, now=self.now)
        self.stored += [(device, self.now - age, *both)] * (self.now - age >= self.oldest)

    @rule(batch=st.lists(entries, max_size=30))
    def a_batch(self, batch: list[Entry]) -> None:
        batch = [(device, self.now - age, *both) for device, age, *both in batch]
        self.store.add_batch(*([entry[i] for entry in batch] for i in range(4)), oldest=self.oldest, now=self.now)
        self.stored += [entry for entry in batch if entry[1] >= self.oldest]

    @rule(device=devices)
    def forget_a_device(self, device: str) -> None:
        self.store.delete(device)
        self.stored = [entry for entry in self.stored if entry[0] != device]

    @rule(size=st.integers(1, 30))
    def it_is_restored(self, size: int) -> None:
        if isinstance(self.store, BandwidthStore):
            copy = BandwidthStore()
            for portion in self.store.portions(size):
                copy.add_batch(*portion, oldest=self.oldest, now=self.now)
            self.store = copy

    @rule(count=st.integers(1, 6), ahead=st.sampled_from([0, 5, AHEAD]))
    def ask(self, count: int, ahead: int) -> None:
        overview = self.store.overview(count, now=self.now, ahead=ahead, oldest=self.oldest)
        since = max(begin_of_span(self.now), self.oldest)
        expected = scan(self.stored, since, self.now + ahead, count)
        assert [one.total for one in overview.busiest] == [one.total for one in expected]
        everybody = scan(self.stored, since, self.now + ahead, 5)
        assert all(one in everybody for one in overview.busiest)
        assert overview.since == since
        newest = max((entry[1] for entry in self.stored), default=None)
        assert overview.latest == (None if expected else newest)

    @invariant()
    def is_sound(self) -> None:
        check(self.store)


@pytest.mark.storages("redis", "cluster")
def test_the_busiest_against_a_scan(new_store: NewStore, storage_kind: str) -> None:
    run(lambda: BusiestMachine(new_store), settings=lives(200 if storage_kind == "memory" else 20, steps=30))


@pytest.mark.storages("redis", "cluster")
def test_an_old_entry_heads_the_list_no_more(new_store: NewStore) -> None:
    store = new_store()
    store.add("old", 5 * SLOT, MAX_WHOLE, MAX_WHOLE, now=5 * SLOT)
    store.add("new", 7 * SLOT - 1, 2, 3, now=7 * SLOT - 1)
    assert store.overview(5, now=7 * SLOT - 1)[2:] == (
        5 * SLOT,
        None,
        [Busy("old", 5 * SLOT, MAX_WHOLE, MAX_WHOLE), Busy("new", 7 * SLOT - 1, 2, 3)],
    )
    assert store.overview(5, now=7 * SLOT)[2:] == (6 * SLOT, None, [Busy("new", 7 * SLOT - 1, 2, 3)])
    assert store.overview(5, now=8 * SLOT)[2:] == (7 * SLOT, 7 * SLOT - 1, [])
    check(store)


@pytest.mark.storages("redis", "cluster")
def test_a_late_entry_is_no_news(new_store: NewStore) -> None:
    store = new_store()
    store.add("late", 6 * SLOT - 1, 100, 0, now=7 * SLOT)
    store.add("in time", 7 * SLOT, 1, 0, now=7 * SLOT)
    assert [one.device_id for one in store.overview(5, now=7 * SLOT).busiest] == ["in time"]


@pytest.mark.storages("redis", "cluster")
def test_many_devices_alike_are_not_all_read(new_store: NewStore) -> None:
    store = new_store()
    names = [f"d{number:04}" for number in range(300)]
    store.add_batch(names, [600] * 300, [7] * 300, [0] * 300, now=600)
    assert [one.total for one in store.overview(5, now=600).busiest] == [7] * 5


@pytest.fixture
def many() -> BandwidthStore:
    """A store of many devices, the later ones busier."""
    store, count = BandwidthStore(), range(DEVICES)
    times = [SLOT + number % SLOT for number in count]
    store.add_batch([f"d{number:05}" for number in count], times, [10 * number for number in count], [0] * DEVICES)
    return store


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of the devices whose entries were read."""
    numbers: list[int] = []
    sum_between = Devices.sum_between

    def counted(devices: Devices, some: Integers, first: int, last: int) -> Integers:
        numbers.extend(some.tolist())
        return sum_between(devices, some, first, last)

    monkeypatch.setattr(Devices, "sum_between", counted)
    return numbers


def names(store: BandwidthStore, **asked: int) -> list[str]:
    return [one.device_id for one in store.overview(3, **({"now": 2 * SLOT - 1} | asked)).busiest]


def test_the_busiest_are_known_by_looking_at_a_few(many: BandwidthStore, looked_at: list[int]) -> None:
    assert names(many) == ["d04999", "d04998", "d04997"]
    many.add("d00007", 2 * SLOT - 1, 10**6, 0)
    many.add("d00008", 2 * SLOT - 1, 0, 10**7)
    assert names(many) == ["d00008", "d00007", "d04999"]
    assert len(looked_at) <= 20


def test_once_the_busiest_are_deleted_the_next_ones_are_found(many: BandwidthStore, looked_at: list[int]) -> None:
    for number in range(DEVICES - 50, DEVICES):
        many.delete(f"d{number:05}")
    assert names(many) == ["d04949", "d04948", "d04947"]
    many.add("another", SLOT, 1, 1)  # it is given the number of a deleted one
    assert names(many) == ["d04949", "d04948", "d04947"]
    assert len(looked_at) <= 20


def test_what_was_dropped_makes_nobody_busy(many: BandwidthStore) -> None:
    many.add("d00001", SLOT, 10**9, 0)
    assert names(many)[0] == "d00001"
    assert names(many, oldest=SLOT + 1) == ["d04999", "d04998", "d04997"]


def test_all_are_looked_at_once_after_the_clock_was_set_back(many: BandwidthStore, looked_at: list[int]) -> None:
    many.add("ahead", 100 * SLOT, 1, 1, now=100 * SLOT)
    assert names(many, now=100 * SLOT) == ["ahead"]
    del looked_at[:]
    assert names(many) == ["d04999", "d04998", "d04997"]
    assert len(looked_at) > DEVICES
    del looked_at[:]
    many.add("d00007", 2 * SLOT - 1, 10**6, 0, now=2 * SLOT - 1)
    assert names(many) == ["d00007", "d04999", "d04998"]
    assert len(looked_at) <= 20


@pytest.mark.parametrize("moment", range(4))
def test_to_ask_while_all_is_forgotten_answers_as_before(
    many: BandwidthStore, moment: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing of it gets into what comes afterwards, which is given the same numbers."""
    before = many.overview(3, now=2 * SLOT - 1)
    steps = iter(range(10))

    def interrupted(*names: str) -> Callable[..., Any]:
        module, name = names
        step: Callable[..., Any] = getattr(sys.modules[module], name)

        def run(*given: Any, **more: Any) -> Any:
            if next(steps) == moment:
                many.clear()
                many.add("new", 2 * SLOT - 1, 1, 1, now=2 * SLOT - 1)
            return step(*given, **more)

        monkeypatch.setattr(sys.modules[module], name, run)
        return run

    for name in ("candidates", "_read", "busiest_of"):
        interrupted(busiest.__name__, name)
    interrupted(memory_store.__name__, "find_busiest")
    assert many.overview(3, now=2 * SLOT - 1) == before
    monkeypatch.undo()
    assert many.overview(3, now=2 * SLOT - 1) == (1, 1, 0, None, [Busy("new", 2 * SLOT - 1, 1, 1)])
    many._check()


@pytest.mark.parametrize(
    "dear",
    [
        pytest.param(lambda store: store.overview(busiest.AT_ONCE + 1, now=SLOT), id="many are asked for"),
        pytest.param(lambda store: (store.add("x", SLOT, 1, 1, now=99 * SLOT), names(store)), id="the clock went back"),
    ],
)
def test_what_concerns_all_leaves_the_event_loop(many: BandwidthStore, dear: Callable[[BandwidthStore], Any]) -> None:
    with pytest.raises(offload.Offload):
        offload.inline(dear, many)
    dear(many)


def test_the_lock_is_free_between_portions(many: BandwidthStore, monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[bool] = []
    monkeypatch.setattr(busiest, "give_way", lambda: turns.append(many._lock.locked()))
    many.overview(DEVICES, now=SLOT)
    assert turns == [False] * -(-DEVICES // busiest.AT_ONCE)
