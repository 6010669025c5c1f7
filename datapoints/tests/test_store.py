"""The store against a plain dictionary: any order, duplicates, batches and deletions, by one and by many threads."""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from datapoints import questions
from datapoints.divisions import Division, Grid
from datapoints.interface import QUARTER_HOUR, Axis, DuplicatePointsError, KeySummary, OnDuplicate, Store
from datapoints.memory import first_points, large_batch, large_deletion, newest_point, series_view
from datapoints.memory import series as series_module
from datapoints.memory import store as store_module
from datapoints.memory.store import SeriesStore
from datapoints.questions import Question
from datapoints.redis import batches as redis_batches
from datapoints.redis import layout as redis_layout
from datapoints.redis import listing as redis_listing
from datapoints.statistics import Aggregate, Fill, aggregate_points, aggregate_sums
from datapoints.tests import oracle
from datapoints.tests.points import Key, add_batch, keys, put_batch
from timeseries_project.core.spans import Span
from timeseries_project.tests.drawn import lives

pytestmark = pytest.mark.storages("redis", "cluster")

times = st.one_of(
    st.integers(0, 20),
    st.integers(0, 40).map(lambda n: n * QUARTER_HOUR // 4),
    st.integers(0, 2**50),
)
values = st.one_of(st.floats(-1e6, 1e6), st.sampled_from([1e16, -1e16, 1e150, 0.1, 5e-324]))
points = st.tuples(times, values, keys, keys)


class StoreMachine(RuleBasedStateMachine):
    """Drives the store and a dictionary side by side."""

    def __init__(self, new_store: Callable[[], Store], check: Callable[[Store], None]) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.new_store, self.check = new_store, check
        self.store = new_store()
        self.points: dict[Key, float] = {}

    @initialize(points=st.sampled_from([4, 5, 16, 24]), sums=st.sampled_from([4, 7, 16]), at_once=st.integers(1, 8))
    def small_blocks(self, points: int, sums: int, at_once: int) -> None:
        """Let blocks overflow after few points, and few be searched, read or sent at once."""
        self.patch.setattr(series_module, "POINTS_IN_BLOCK", points)
        self.patch.setattr(series_module, "SUMS_IN_BLOCK", sums)
        for name in ("KEYS_AT_ONCE", "NAMES_AT_ONCE", "BLOCKS_AT_ONCE", "BLOCKS_AHEAD"):
            self.patch.setattr(redis_layout, name, at_once)
        self.patch.setattr(redis_batches, "POINTS_AT_ONCE", 2 * at_once)
        self.patch.setattr(redis_listing, "SERIES_AT_FIRST", at_once)
        self.patch.setattr(redis_listing, "ROWS_AT_LEAST", at_once)
        self.patch.setattr(newest_point, "SERIES_AT_ONCE", at_once)
        for module in (store_module, first_points, series_view, large_deletion):
            self.patch.setattr(module, "AT_ONCE" if module is store_module else "SERIES_AT_ONCE", at_once)
        for module in (store_module, large_batch, large_deletion):
            self.patch.setattr(module, "POINTS_AT_ONCE", 2 * at_once)
        self.patch.setattr(large_batch, "ROWS_AT_ONCE", at_once)
        self.patch.setattr(store_module, "ROWS_AT_ONCE", 4 * at_once)
        self.patch.setattr(large_deletion, "PARTS_AT_ONCE", at_once)
        self.store = self.new_store()

    def teardown(self) -> None:
        self.patch.undo()

    @rule(point=points)
    def add(self, point: tuple[int, float, str, str]) -> None:
        time, value, device, user = point
        new = (time, device, user) not in self.points
        assert self.store.add(time, value, device, user) is new
        self.points.setdefault((time, device, user), value)

    @rule(batch=st.lists(points, max_size=30), skip=st.booleans())
    def add_many(self, batch: list[tuple[int, float, str, str]], skip: bool) -> None:
        seen = set(self.points)
        duplicates = []
        for i, (time, _, device, user) in enumerate(batch):
            if (time, device, user) in seen:
                duplicates.append(i)
            seen.add((time, device, user))
        if duplicates and not skip:
            with pytest.raises(DuplicatePointsError) as error:
                add_batch(self.store, batch, skip=False)
            assert error.value.positions == duplicates
            return
        assert add_batch(self.store, batch, skip=skip) == len(batch) - len(duplicates)
        for time, value, device, user in batch:
            self.points.setdefault((time, device, user), value)

    @rule(batch=st.lists(points, max_size=30))
    def replace_many(self, batch: list[tuple[int, float, str, str]]) -> None:
        new = {(time, device, user) for time, _, device, user in batch} - set(self.points)
        assert put_batch(self.store, batch, OnDuplicate.REPLACE) == len(new)
        self.points.update(((time, device, user), value) for time, value, device, user in batch)

    @rule(choice=st.randoms(use_true_random=False), count=st.integers(1, 10), value=values)
    def replace_some_that_exist(self, choice: random.Random, count: int, value: float) -> None:
        chosen = choice.sample(sorted(self.points), min(count, len(self.points)))
        batch = [(time, value * choice.randint(-2, 2) * 0.5 + 0.0, device, user) for time, device, user in chosen]
        assert put_batch(self.store, batch, OnDuplicate.REPLACE) == 0
        self.points.update(((time, device, user), value) for time, value, device, user in batch)

    @rule(
        axis=st.sampled_from(["device", "user"]),
        key=keys,
        other=st.none() | keys,
        start=st.just(0) | times,
        end=st.none() | times,
    )
    def delete_a_range(self, axis: Axis, key: str, other: str | None, start: int, end: int | None) -> None:
        place = 1 if axis == "device" else 2
        gone = [
            k
            for k in self.points
            if k[place] == key and other in (None, k[3 - place]) and start <= k[0] and (end is None or k[0] < end)
        ]
        assert self.store.delete(axis, key, other=other, start=start, end=end) == len(gone)
        for k in gone:
            del self.points[k]

    @rule(choice=st.randoms(use_true_random=False), axis=st.sampled_from(["device", "user"]), width=st.integers(0, 3))
    def delete_a_few(self, choice: random.Random, axis: Axis, width: int) -> None:
        """From one point of a key up to one of the next."""
        if not self.points:
            return
        place = 1 if axis == "device" else 2
        key = choice.choice(sorted(self.points))[place]
        mine = sorted(k[0] for k in self.points if k[place] == key)
        at = choice.randrange(len(mine))
        start, end = mine[at], mine[min(at + width, len(mine) - 1)] + choice.randint(0, 1)
        gone = [k for k in self.points if k[place] == key and start <= k[0] < end]
        assert self.store.delete(axis, key, start=start, end=end) == len(gone)
        for k in gone:
            del self.points[k]

    @rule(axis=st.sampled_from(["device", "user"]), key=keys)
    def delete(self, axis: Axis, key: str) -> None:
        place = 1 if axis == "device" else 2
        gone = [k for k in self.points if k[place] == key]
        assert self.store.delete(axis, key) == len(gone)
        for k in gone:
            del self.points[k]

    @rule(size=st.integers(1, 30))
    def it_is_copied(self, size: int) -> None:
        """As for a snapshot: what a store in memory holds is added to an empty one, portion by portion."""
        if isinstance(self.store, SeriesStore):
            copy = SeriesStore()
            added = [copy.add_batch(p.times, p.values, p.devices, p.users) for p in self.store.portions(size)]
            assert sum(added) == len(self.points)
            assert added[:-1] == [size] * (len(added) - 1)
            self.store = copy

    @rule()
    def clear(self) -> None:
        self.store.clear()
        self.points.clear()

    @rule(
        device=st.none() | keys,
        user=st.none() | keys,
        start=times,
        end=st.none() | times,
        after=st.none() | st.tuples(times, keys, keys),
        limit=st.integers(1, 20),
        descending=st.booleans(),
    )
    def list_a_page(
        self,
        device: str | None,
        user: str | None,
        start: int,
        end: int | None,
        after: Key | None,
        limit: int,
        descending: bool,
    ) -> None:
        expected = [
            (*k, v)
            for k, v in sorted(self.points.items(), reverse=descending)
            if device in (None, k[1])
            and user in (None, k[2])
            and start <= k[0]
            and (end is None or k[0] < end)
            and (after is None or (k < after if descending else k > after))
        ][:limit]
        chosen = {"device": device, "user": user, "start": start, "end": end, "after": after}
        assert self.store.listing(**chosen, limit=limit, descending=descending).points() == expected

    @rule(axis=st.sampled_from(["device", "user"]), key=keys)
    def look_at_the_latest(self, axis: Axis, key: str) -> None:
        place = 1 if axis == "device" else 2
        own = [(*k, v) for k, v in self.points.items() if k[place] == key]
        if not own:
            with pytest.raises(KeyError):
                self.store.latest(axis, key)
            return
        times = [point[0] for point in own]
        assert self.store.latest(axis, key) == (KeySummary(key, len(own), min(times), max(times)), max(own))

    @rule(
        axis=st.sampled_from(["device", "user"]),
        key=keys,
        cut=st.tuples(times, times),
        ahead=st.none() | st.builds(range, times, times) | st.just(range(2**53)),
    )
    def read_a_range(self, axis: Axis, key: str, cut: tuple[int, int], ahead: range | None) -> None:
        place, other = (1, 2) if axis == "device" else (2, 1)
        mine = sorted((k[0], k[other], v) for k, v in self.points.items() if k[place] == key)
        if not mine:
            with pytest.raises(KeyError), self.store.view(axis, key):
                pass
            return
        start, stop = sorted(cut)
        with self.store.view(axis, key, ahead=ahead) as view:
            first, last = view.first, view.last
            before, after = view.before(start), view.at_or_after(start)
            columns = view.points(start, stop)
            some = view.sums(start, stop)
            sums = view.sums(0, 2**51)
        assert (first, last) == (mine[0][0], mine[-1][0])
        assert before == max((t for t, _, _ in mine if t < start), default=None)
        assert after == min((t for t, _, _ in mine if t >= start), default=None)

        begun = {t // QUARTER_HOUR for t, _, _ in mine if start <= t // QUARTER_HOUR * QUARTER_HOUR < stop}
        assert set(some.numbers.tolist()) == begun
        wanted = np.isin(sums.numbers, list(begun))
        assert sorted(some.counts.tolist()) == sorted(sums.counts[wanted].tolist())
        inside = [(t, v) for t, _, v in mine if start <= t < stop]
        assert sorted(columns[0].tolist()) == [t for t, _ in inside]
        ordered = aggregate_points(*columns, Grid(1), Aggregate.FIRST)
        assert ordered.values.tolist() == [next(g)[1] for _, g in groupby(inside, key=lambda p: p[0])]

        quarters: dict[int, list[float]] = {}
        for time, _, value in mine:
            quarters.setdefault(time // QUARTER_HOUR, []).append(value)
        averages = aggregate_sums(sums, Grid(1), Aggregate.AVG)
        assert list(averages.numbers) == sorted(quarters)
        for number, average in zip(averages.numbers, averages.values, strict=True):
            # What the sums leave open is NaN, and decided by the points.
            assert math.isnan(average) or average == oracle.average(quarters[int(number)])

    @invariant()
    def keys_are_those_that_have_points(self) -> None:
        self.check(self.store)
        for axis, place in (("device", 1), ("user", 2)):
            expected = []
            for key in sorted({k[place] for k in self.points}):
                mine = [k[0] for k in self.points if k[place] == key]
                expected.append(KeySummary(key, len(mine), min(mine), max(mine)))
            assert self.store.keys(axis) == expected  # type: ignore[arg-type]


@pytest.mark.usefixtures("small_server_blocks")
def test_the_store_is_a_dictionary_that_keeps_order(
    storage_kind: str, new_store: Callable[[], Store], check: Callable[[Store], None]
) -> None:
    run_state_machine_as_test(
        lambda: StoreMachine(new_store, check),
        settings=lives(150 if storage_kind == "memory" else 40, steps=30),
    )


@pytest.mark.parametrize("step", [QUARTER_HOUR, QUARTER_HOUR // 3, 1])
def test_history_that_is_filled_in_backwards_is_merged(
    step: int, new_store: Callable[[], Store], check: Callable[[Store], None]
) -> None:
    """Blocks of thousands, each older than all before: merged, not inserted one by one."""
    store, size = new_store(), 20_000
    for block in (2, 0, 1):
        batch = [((block * size + i) * step, float(i % 7), "d", "u") for i in range(size)]
        assert add_batch(store, batch, skip=False) == size
        check(store)
    overlap = [(i * step, 1.0, "d", "u") for i in range(size - 10, size + 10)]
    assert add_batch(store, [*overlap, (3 * size * step, 1.0, "d", "u")], skip=True) == 1
    assert store.keys("device") == [KeySummary("d", 3 * size + 1, 0, 3 * size * step)]


def values(store: Store, axis: Axis, key: str, aggregate: Aggregate) -> list[float]:
    """Return an aggregate of each non-empty quarter-hour."""
    question = Question(axis, key, Division(Span(15, "m")), None, None, Fill.NULL, now=0)
    timeline, _, asked = questions.read(store, question, aggregate, window=1, oldest=0)
    found: list[float] = timeline.values(asked.start, asked.stop)[0].tolist()
    return found


@pytest.mark.parametrize("seed", range(3))
def test_sums_do_not_depend_on_the_order_of_arrival(seed: int, new_store: Callable[[], Store]) -> None:
    rng = random.Random(seed)
    batch = [(i * 10**6, rng.uniform(-50, 50), "d", "u") for i in range(3_000)]
    answers = []
    for _ in range(3):
        store = new_store()
        rng.shuffle(batch)
        cut = rng.randrange(len(batch))
        add_batch(store, batch[:cut], skip=False)
        for time, value, device, user in batch[cut:]:
            store.add(time, value, device, user)
        answers.append(values(store, "device", "d", Aggregate.AVG))
    assert answers[0] == answers[1] == answers[2]


def test_a_deleted_series_leaves_no_trace_in_what_comes_after(new_store: Callable[[], Store]) -> None:
    """A spike added and deleted leaves the sums as if it had never been."""
    read = []
    for touched in (True, False):
        store = new_store()
        if touched:
            store.add(1, 1e16, "spiky", "u")
        store.add(2, 0.1, "calm", "u")
        if touched:
            store.delete("device", "spiky")
        store.add(3, 0.2, "spiky", "u")
        with store.view("user", "u") as view:
            read.append([column.tolist() for column in view.sums(0, 2**40)])
    assert read[0] == read[1]


def test_sixteen_threads_lose_nothing_and_count_nothing_twice(
    process_stores: Callable[[int], list[Store]], check: Callable[[Store], None]
) -> None:
    """Each with a store of its own where processes can share one."""
    threads, rounds = 16, 60
    stores = process_stores(threads)
    store = stores[0]
    together = threading.Barrier(threads)
    torn: list[str] = []

    def work(number: int) -> int:
        added, store = 0, stores[number]
        together.wait()
        for i in range(rounds):
            # Every thread offers the same singles, and batches of its own: pairs that must be seen whole.
            added += store.add(i, 1.0, "shared", "u")
            added += add_batch(
                store, [(2 * i, 1.0, f"d{number}", "u"), (2 * i + 1, -1.0, f"d{number}", "u")], skip=False
            )
            torn.extend(s.key for s in store.keys("device") if s.key != "shared" and s.count % 2)
            store.listing(device=None, user="u", start=0, end=None, after=None, limit=50)
        return added

    with ThreadPoolExecutor(threads) as pool:
        added = sum(pool.map(work, range(threads)))
    assert added == rounds + threads * rounds * 2
    assert not torn
    check(store)
    assert sum(summary.count for summary in store.keys("user")) == added
    assert {s.key: s.count for s in store.keys("device")} == {
        "shared": rounds,
        **{f"d{n}": 2 * rounds for n in range(threads)},
    }
    assert values(store, "user", "u", Aggregate.SUM) == [rounds]


def test_totals_tell_series_bytes_and_what_was_ever_added(new_store: Callable[[], Store]) -> None:
    store = new_store()
    assert store.totals() in ((0, 0, 0, 0, 0, 0), (0, 0, 0, 0, None, 0))
    store.add_batch(np.arange(100), np.ones(100), ["a", "b"] * 50, ["u", "v"] * 50)
    totals = store.totals()
    assert (totals.devices, totals.users, totals.series, totals.points, totals.added) == (2, 2, 2, 100, 100)
    assert totals.nbytes is None or 100 * 16 < totals.nbytes < 100_000
    store.delete("device", "a")
    after = store.totals()
    assert (after.series, after.points, after.nbytes, after.added) == (1, 50, totals.nbytes, 100)
