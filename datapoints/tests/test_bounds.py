"""The store under limits and retention against a plain dictionary: it answers as if old points had never been."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from datapoints.interface import (
    AXES,
    QUARTER_HOUR,
    Axis,
    DuplicatePointsError,
    FullError,
    KeySummary,
    OnDuplicate,
    Store,
)
from datapoints.memory import expiry, large_batch, large_deletion
from datapoints.memory import series as series_module
from datapoints.memory import store as store_module
from datapoints.memory.store import SeriesStore
from datapoints.redis import batches as redis_batches
from datapoints.tests.points import Key, add_batch, keys, put_batch
from timeseries_project.tests.drawn import lives

times = st.integers(0, 160).map(lambda n: n * QUARTER_HOUR // 4) | st.integers(0, 40 * QUARTER_HOUR)
points = st.tuples(times, st.floats(-1e6, 1e6), keys, keys)


class BoundsMachine(RuleBasedStateMachine):
    """Drives a store, whose oldest quarter-hour moves on and which has little room, and a dictionary side by side."""

    def __init__(self, new_store: Callable[[], Store], check: Callable[[Store], None]) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.new_store, self.check = new_store, check
        self.points: dict[Key, float] = {}
        self.oldest = 0

    @initialize(
        width=st.sampled_from([4, 5, 24]),
        step=st.sampled_from([(1, 1), (2, 1), (4096, 256)]),
        points=st.integers(1, 60),
        series=st.integers(1, 12),
        at_once=st.sampled_from([3, 10_000]),
    )
    def begin(self, width: int, step: tuple[int, int], points: int, series: int, at_once: int) -> None:
        """Let blocks overflow after few points, and few series be cleaned, or points be sent, at once."""
        self.patch.setattr(series_module, "POINTS_IN_BLOCK", width)
        self.patch.setattr(series_module, "SUMS_IN_BLOCK", 4)
        self.patch.setattr(expiry, "LOOKED_AT", step[0])
        self.patch.setattr(expiry, "DROPPED_FROM", step[1])
        self.patch.setattr(redis_batches, "POINTS_AT_ONCE", at_once)
        self.patch.setattr(redis_batches, "SERIES_AT_ONCE", at_once)
        self.patch.setattr(store_module, "AT_ONCE", at_once)
        for module in (store_module, large_batch):
            self.patch.setattr(module, "ROWS_AT_ONCE", 3 * at_once)
        for name in ("SERIES_AT_ONCE", "PARTS_AT_ONCE", "POINTS_AT_ONCE"):
            self.patch.setattr(large_deletion, name, at_once)
        self.store = self.new_store()
        self.store.max_points, self.store.max_series = points, series

    def teardown(self) -> None:
        self.patch.undo()

    def is_full(self, new: set[Key]) -> bool:
        """Whether what is stored and what is new are too much; what is yet to be dropped takes room."""
        held = self.store.totals()
        series = len({k[1:] for k in new} - {k[1:] for k in self.points})
        return held.points + len(new) > self.store.max_points or held.series + series > self.store.max_series

    def fits(self, new: set[Key]) -> bool:
        """Whether there is room even where nothing is dropped late."""
        kept = set(self.points) | new
        return len(kept) <= self.store.max_points and len({k[1:] for k in kept}) <= self.store.max_series

    @rule(quarter_hours=st.integers(0, 12))
    def time_passes(self, quarter_hours: int) -> None:
        self.oldest += quarter_hours * QUARTER_HOUR
        self.points = {k: v for k, v in self.points.items() if k[0] >= self.oldest}

    @rule(size=st.integers(1, 30))
    def it_is_copied(self, size: int) -> None:
        """As for a snapshot: what a store in memory holds is added to an empty one, but for what is too old by now."""
        if isinstance(self.store, SeriesStore):
            copy = SeriesStore(max_points=self.store.max_points, max_series=self.store.max_series)
            for p in self.store.portions(size):
                copy.add_batch(p.times, p.values, p.devices, p.users, oldest=self.oldest)
            assert copy.totals().points == len(self.points)
            self.store = copy

    @rule(point=points)
    def add(self, point: tuple[int, float, str, str]) -> None:
        time, value, *names = point
        key = (time, *names)
        if time < self.oldest:
            assert self.store.add(*point, oldest=self.oldest)
        elif key in self.points:
            assert not self.store.add(*point, oldest=self.oldest)
        else:
            try:
                assert self.store.add(*point, oldest=self.oldest)
            except FullError:
                assert self.is_full({key})
            else:
                assert self.fits({key})
                self.points[key] = value

    @rule(batch=st.lists(points, max_size=25), skip=st.booleans())
    def add_many(self, batch: list[tuple[int, float, str, str]], skip: bool) -> None:
        new: dict[Key, float] = {}
        duplicates = []
        for i, (time, value, device, user) in enumerate(batch):
            key = (time, device, user)
            if time < self.oldest:
                continue
            if key in self.points or key in new:
                duplicates.append(i)
            new.setdefault(key, value)
        new = {k: v for k, v in new.items() if k not in self.points}
        if duplicates and not skip:
            with pytest.raises(DuplicatePointsError) as error:
                add_batch(self.store, batch, skip=False, oldest=self.oldest)
            assert error.value.positions == duplicates
            return
        try:
            assert add_batch(self.store, batch, skip=skip, oldest=self.oldest) == len(new)
        except FullError:
            assert self.is_full(set(new))
        else:
            assert self.fits(set(new))
            self.points |= new

    @rule(batch=st.lists(points, max_size=25))
    def replace_many(self, batch: list[tuple[int, float, str, str]]) -> None:
        kept = {(time, device, user): v for time, v, device, user in batch if time >= self.oldest}
        new = set(kept) - set(self.points)
        try:
            assert put_batch(self.store, batch, OnDuplicate.REPLACE, oldest=self.oldest) == len(new)
        except FullError:
            assert self.is_full(new)
        else:
            assert self.fits(new)
            self.points |= kept

    @rule(
        axis=st.sampled_from(AXES),
        key=keys,
        other=st.none() | keys,
        start=st.just(0) | times,
        end=st.none() | times,
    )
    def delete(self, axis: Axis, key: str, other: str | None, start: int, end: int | None) -> None:
        place = 1 + AXES.index(axis)
        gone = [
            k
            for k in self.points
            if k[place] == key and other in (None, k[3 - place]) and start <= k[0] and (end is None or k[0] < end)
        ]
        assert self.store.delete(axis, key, other=other, start=start, end=end, oldest=self.oldest) == len(gone)
        for k in gone:
            del self.points[k]

    @rule(axis=st.sampled_from(AXES), key=keys, cut=st.tuples(times, times))
    def read_a_range(self, axis: Axis, key: str, cut: tuple[int, int]) -> None:
        place = 1 + AXES.index(axis)
        mine = sorted((k[0], v) for k, v in self.points.items() if k[place] == key)
        start, stop = sorted(cut)
        if not mine:
            with pytest.raises(KeyError), self.store.view(axis, key, oldest=self.oldest):
                pass
            with pytest.raises(KeyError):
                self.store.key(axis, key, oldest=self.oldest)
            return
        assert self.store.key(axis, key, oldest=self.oldest) == KeySummary(key, len(mine), mine[0][0], mine[-1][0])
        with self.store.view(axis, key, oldest=self.oldest) as view:
            assert (view.first, view.last) == (mine[0][0], mine[-1][0])
            assert view.before(start) == max((t for t, _ in mine if t < start), default=None)
            assert view.at_or_after(start) == min((t for t, _ in mine if t >= start), default=None)
            columns = view.points(start, stop)
            sums = view.sums(0, 2**51)
        rows = zip(*(column.tolist() for column in columns), strict=True)
        assert sorted(rows) == [row for row in mine if start <= row[0] < stop]
        for number in {t // QUARTER_HOUR for t, _ in mine}:
            here = sums.numbers == number
            group = [v for t, v in mine if t // QUARTER_HOUR == number]
            assert sums.counts[here].sum() == len(group)
            exact = sum(map(Fraction, group))
            found = sum(map(Fraction, [*sums.highs[here].tolist(), *sums.lows[here].tolist()]))
            assert abs(found - exact) <= Fraction(max(map(abs, group))) / 2**50
        assert set((sums.numbers).tolist()) == {t // QUARTER_HOUR for t, _ in mine}

    @rule(search=st.none() | keys, limit=st.none() | st.integers(1, 3))
    def list_keys(self, search: str | None, limit: int | None) -> None:
        for place, axis in enumerate(AXES, 1):
            expected = []
            for key in sorted({k[place] for k in self.points if search is None or search in k[place]})[:limit]:
                mine = [k[0] for k in self.points if k[place] == key]
                expected.append(KeySummary(key, len(mine), min(mine), max(mine)))
            assert self.store.keys(axis, search, limit, oldest=self.oldest) == expected

    @invariant()
    def the_structure_is_sound_and_the_listing_complete(self) -> None:
        everything = {"device": None, "user": None, "start": 0, "end": None, "after": None, "limit": 9_999}
        found = self.store.listing(**everything, oldest=self.oldest).points()
        assert found == [(*k, v) for k, v in sorted(self.points.items())]
        self.check(self.store)


@pytest.mark.storages("redis", "cluster")
@pytest.mark.usefixtures("small_server_blocks")
def test_the_store_answers_as_if_old_points_had_never_been(
    storage_kind: str, new_store: Callable[[], Store], check: Callable[[Store], None]
) -> None:
    run_state_machine_as_test(
        lambda: BoundsMachine(new_store, check),
        settings=lives(120 if storage_kind == "memory" else 30, steps=30),
    )


def test_a_large_store_becomes_clean_over_requests() -> None:
    """No request drops from more series than it may, and all of them together drop all."""
    store, series = SeriesStore(), 3 * expiry.DROPPED_FROM + 1
    batch = [(t, 1.0, f"d{i}", "u") for i in range(series) for t in (5, 3 * QUARTER_HOUR)]
    assert add_batch(store, batch, skip=False) == 2 * series
    left = [store.totals(oldest=QUARTER_HOUR).points - series for _ in range(5)]
    assert left == [max(series - n * expiry.DROPPED_FROM, 0) for n in range(1, 6)]
    assert store.totals(oldest=QUARTER_HOUR * 10).devices == series - expiry.DROPPED_FROM
    assert store.keys("device", oldest=QUARTER_HOUR * 10) == []
    assert store.totals(oldest=QUARTER_HOUR * 10)[:3] == (0, 0, 0)


def test_pages_and_numbers_that_were_dropped_are_used_again() -> None:
    """A store that forgets as much as it takes stops growing."""
    store = SeriesStore()
    sizes = []
    for day in range(12):
        oldest = max(day - 1, 0) * 96 * QUARTER_HOUR
        batch = [(day * 96 * QUARTER_HOUR + n * 10**6, 1.0, f"{day}-{n % 50}", "u") for n in range(5_000)]
        assert add_batch(store, batch, skip=False, oldest=oldest) == 5_000
        sizes.append(sum(column.nbytes for column in (store._pool._points._keys, store._pool.counts)))
    assert sizes[3:] == [sizes[3]] * 9
    assert store._names._vacant.used <= 150


@pytest.mark.storages("redis", "cluster")
def test_the_clock_may_step_back_and_ahead(new_store: Callable[[], Store]) -> None:
    """What was dropped stays so; what comes is held against the time of its coming."""
    store = new_store()
    for time in (0, QUARTER_HOUR, 2 * QUARTER_HOUR):
        assert store.add(time, 1.0, "d", "u")
    assert store.key("device", "d", oldest=2 * QUARTER_HOUR).count == 1
    assert store.key("device", "d", oldest=0).count == 1
    assert store.add(QUARTER_HOUR, 2.0, "d", "u", oldest=QUARTER_HOUR)
    assert store.key("device", "d", oldest=QUARTER_HOUR).count == 2
    assert store.key("device", "d", oldest=2 * QUARTER_HOUR).count == 1
