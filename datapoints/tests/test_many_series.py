"""Questions about a few of many series, and about all of them: what they cost, and what is true while they are read."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datapoints import services
from datapoints.divisions import Grid
from datapoints.interface import QUARTER_HOUR, Axis, KeySummary, Point, ViewChangedError
from datapoints.memory import expiry, first_points, large_deletion, names, newest_point, series_view
from datapoints.memory import store as store_module
from datapoints.memory.series import SeriesPool
from datapoints.memory.store import SeriesStore
from datapoints.statistics import Aggregate, Fill, aggregate_points
from datapoints.tests.points import Key, add_batch
from timeseries_project.core import clock, offload
from timeseries_project.core.errors import NotReadyError
from timeseries_project.core.spans import Span
from timeseries_project.tests.drawn import drawn

SERIES = 5_000


def small_portions(patch: pytest.MonkeyPatch, at_once: int = 3) -> None:
    """Let more than three series be many."""
    for module, names_of in (
        (store_module, ("AT_ONCE",)),
        (expiry, ("DROPPED_FROM",)),
        (first_points, ("SERIES_AT_ONCE",)),
        (series_view, ("SERIES_AT_ONCE",)),
        (names, ("NAMES_AT_ONCE",)),
    ):
        for name in names_of:
            patch.setattr(module, name, at_once)
    patch.setattr(series_view, "POINTS_AT_ONCE", 2 * at_once)
    patch.setattr(first_points, "SERIES_AT_FIRST", 1)


def filled(points: dict[Key, float]) -> SeriesStore:
    store = SeriesStore()
    batch = [(time, value, device, user) for (time, device, user), value in points.items()]
    assert add_batch(store, batch[::-1], skip=False) == len(points)
    return store


def one_each(count: int = SERIES, **same: int) -> SeriesStore:
    """So many devices of one user with one point each."""
    times = np.full(count, same["time"]) if same else np.arange(count) * 7919 % count + 10**6
    store = SeriesStore()
    store.add_batch(times, np.arange(count, dtype=float), [f"d{i:05}" for i in range(count)], ["u"] * count)
    return store


def first_page(store: SeriesStore, limit: int, **chosen: Any) -> list[Point]:
    query = {"device": None, "user": None, "start": 0, "end": None, "after": None} | chosen
    return store.listing(**query, limit=limit).points()


times = st.integers(0, 12) | st.integers(0, 10**6)
many_points = st.dictionaries(
    st.tuples(times, st.sampled_from("abcdefghij"), st.sampled_from("uvwxyz")), st.floats(-9, 9), max_size=80
)


@drawn(300)
@given(
    points=many_points,
    device=st.none() | st.sampled_from("abz"),
    user=st.none() | st.sampled_from("uva"),
    start=times,
    end=st.none() | times,
    limit=st.integers(1, 12),
    descending=st.booleans(),
    at_once=st.integers(1, 5),
)
def test_pages_of_any_listing_follow_one_another(
    points: dict[Key, float],
    device: str | None,
    user: str | None,
    start: int,
    end: int | None,
    limit: int,
    descending: bool,
    at_once: int,
) -> None:
    """However many series are looked into at once, the blocks together are the points in order."""
    expected = [
        (*key, value)
        for key, value in sorted(points.items(), reverse=descending)
        if device in (None, key[1]) and user in (None, key[2]) and start <= key[0] and (end is None or key[0] < end)
    ]
    with pytest.MonkeyPatch.context() as patch:
        small_portions(patch, at_once)
        store = filled(points)
        found: list[Point] = []
        after: Key | None = None
        chosen = {"device": device, "user": user, "start": start, "end": end, "limit": limit}
        while block := store.listing(**chosen, after=after, descending=descending).points():
            assert len(block) <= limit
            found += block
            after = block[-1][:3]
    assert found == expected


def test_times_beyond_all_columns_are_no_points() -> None:
    store = filled({(5, "a", "u"): 1.0})
    for descending in (False, True):
        assert first_page(store, 9, start=10**30, descending=descending) == []
        assert len(first_page(store, 9, end=10**30, descending=descending)) == 1
        for far in (10**30, -(10**30)):
            ahead = (far > 0) == descending
            assert len(first_page(store, 9, after=(far, "a", "u"), descending=descending)) == ahead


class TestCost:
    """In series looked into and in turns of the others, which no busy machine changes."""

    @pytest.fixture
    def looked_into(self, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        """How many series each look concerned."""
        counts: list[int] = []
        for name in ("first_points", "merged_points"):
            copy = getattr(SeriesPool, name)

            def counted(pool: SeriesPool, series: Any, *rest: Any, look: Any = copy, **options: Any) -> Any:
                counts.append(len(series))
                return look(pool, series, *rest, **options)

            monkeypatch.setattr(SeriesPool, name, counted)
        return counts

    @pytest.mark.parametrize("limit", [1, 100])
    def test_the_first_page_looks_into_few_of_many_series(self, looked_into: list[int], limit: int) -> None:
        block = first_page(one_each(), limit)
        assert [point.timestamp for point in block] == [10**6 + i for i in range(limit)]
        assert sum(looked_into) <= first_points.SERIES_AT_ONCE
        del looked_into[:]
        block = first_page(one_each(), limit, descending=True)
        assert [point.timestamp for point in block] == [10**6 + SERIES - 1 - i for i in range(limit)]
        assert sum(looked_into) <= first_points.SERIES_AT_ONCE

    def test_a_page_in_the_middle_looks_into_few_of_many_series(self, looked_into: list[int]) -> None:
        block = first_page(one_each(), 10, start=10**6 + 2_000, after=(10**6 + 3_000, "", ""))
        assert [point.timestamp for point in block] == [10**6 + 3_000 + i for i in range(10)]
        assert sum(looked_into) <= first_points.SERIES_AT_ONCE

    def test_of_many_points_of_one_time_most_are_known_by_their_names(self, looked_into: list[int]) -> None:
        store = one_each(time=7)
        for descending, devices in ((False, ["d03334", "d03335"]), (True, ["d03332", "d03331"])):
            block = first_page(store, 2, after=(7, "d03333", "u"), descending=descending)
            assert [point.device for point in block] == devices
            assert sum(looked_into) <= 2 * first_points.SERIES_AT_ONCE
            del looked_into[:]

    def test_of_many_newest_points_the_last_is_found_with_the_lock_free_in_between(
        self, looked_into: list[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store, turns = one_each(time=7), []
        monkeypatch.setattr(newest_point, "give_way", lambda: turns.append(store._lock.locked()))
        summary, point = store.latest("user", "u")
        assert summary == KeySummary("u", SERIES, 7, 7)
        assert point == (7, f"d{SERIES - 1:05}", "u", SERIES - 1.0)
        assert max(looked_into) <= newest_point.SERIES_AT_ONCE
        assert turns == [False] * -(-SERIES // newest_point.SERIES_AT_ONCE)

    def test_newest_points_that_are_deleted_meanwhile_are_not_found(self, monkeypatch: pytest.MonkeyPatch) -> None:
        store, devices = one_each(10, time=7), [f"d{i:05}" for i in range(10)]
        store.add(6, 60.0, "earlier", "u")
        monkeypatch.setattr(newest_point, "SERIES_AT_ONCE", 3)
        # Called when it is known which series end with such a point, and before any is looked into.
        monkeypatch.setattr(newest_point, "leave_loop", lambda: [store.delete("device", device) for device in devices])
        assert store.latest("user", "u") == (KeySummary("u", 1, 6, 6), (6, "earlier", "u", 60.0))

    def test_long_series_are_not_read_to_their_ends(self, monkeypatch: pytest.MonkeyPatch) -> None:
        store = SeriesStore()
        for user in "abc":
            store.add_batch(np.arange(50_000), np.zeros(50_000), ["d"] * 50_000, [user] * 50_000)
        rows: list[int] = []
        for name in ("first_points", "merged_points"):
            copy = getattr(SeriesPool, name)

            def counted(pool: SeriesPool, *given: Any, look: Any = copy, **options: Any) -> Any:
                found = look(pool, *given, **options)
                rows.append(len(found[0]))
                return found

            monkeypatch.setattr(SeriesPool, name, counted)
        assert len(first_page(store, 10, start=30_000)) == 10
        assert len(first_page(store, 10, end=30_000, descending=True)) == 10
        assert sum(rows) == 2 * 10

    def test_what_concerns_many_series_leaves_the_event_loop_and_what_concerns_few_does_not(self) -> None:
        store = one_each()

        def sums(axis: Axis, key: str) -> None:
            with store.view(axis, key) as view:
                view.sums(0, 2**50)

        for dear in (
            lambda: first_page(store, 1),
            lambda: first_page(store, 1, user="u"),
            lambda: first_page(store, 1, user="u", descending=True),
            lambda: sums("user", "u"),
            lambda: store.delete("user", "u"),
            lambda: store.keys("device", "nothing"),
        ):
            with pytest.raises(offload.Offload):
                offload.inline(dear)
        assert store.totals().points == SERIES
        for cheap in (
            lambda: first_page(store, 1, device="d00001"),
            lambda: first_page(store, 1, device="d00001", descending=True),
            lambda: store.latest("device", "d00001"),
            lambda: store.latest("user", "u"),
            lambda: sums("device", "d00001"),
            lambda: store.delete("device", "d00001"),
            lambda: store.keys("user"),
            lambda: store.totals(),
        ):
            offload.inline(cheap)

    def test_the_lock_is_free_between_portions(self, monkeypatch: pytest.MonkeyPatch) -> None:
        store, turns = one_each(), []
        for module in (expiry, series_view, large_deletion):
            monkeypatch.setattr(module, "give_way", lambda: turns.append(store._lock.locked()))
        with store.view("user", "u") as view:
            assert len(turns) >= 5  # the names, and from when to when they reach
            del turns[:]
            assert len(view.points(0, 2**50)[0]) == SERIES
        assert turns == [False] * (-(-SERIES // series_view.SERIES_AT_ONCE) - 1)
        del turns[:]
        assert store.keys("device", oldest=2 * QUARTER_HOUR) == []
        assert len(turns) >= SERIES // expiry.DROPPED_FROM // 2  # the others go as it comes across them
        assert not any(turns)
        store = one_each()
        del turns[:]
        assert store.delete("user", "u") == SERIES
        assert turns == [False] * (2 * -(-SERIES // large_deletion.SERIES_AT_ONCE))  # to prepare it, and to do it
        store._check()

    def test_many_points_leave_the_event_loop(self) -> None:
        store, count = SeriesStore(), series_view.POINTS_AT_ONCE + 1
        store.add_batch(np.arange(count), np.zeros(count), ["d"] * count, ["u"] * count)
        with store.view("device", "d") as view, pytest.raises(offload.Offload):
            offload.inline(view.points, 0, 2**50)


@drawn(150)
@given(points=many_points.filter(bool), start=times, stop=times, at_once=st.integers(1, 4))
def test_many_series_are_answered_as_few_are(points: dict[Key, float], start: int, stop: int, at_once: int) -> None:
    """To the last bit: whatever order they are read in, ties are broken by the other key."""
    store = filled(points)

    def answers(axis: Axis, key: str) -> list[Any]:
        with store.view(axis, key) as view:
            times, values = view.points(min(start, stop), max(start, stop))
            sums = [column.tolist() for column in view.sums(0, 2**50)]
            reach = [view.first, view.last, view.before(start), view.at_or_after(start)]
        kinds = (Aggregate.FIRST, Aggregate.LAST, Aggregate.SUM, Aggregate.STDDEV)
        buckets = [[c.tolist() for c in aggregate_points(times, values, Grid(3), kind)] for kind in kinds if len(times)]
        return [*reach, *buckets, sums]

    found = {(axis, key[place]) for key in points for place, axis in ((1, "device"), (2, "user"))}
    whole = {one: answers(*one) for one in found}  # type: ignore[arg-type]
    with pytest.MonkeyPatch.context() as patch:
        small_portions(patch, at_once)
        assert {one: answers(*one) for one in found} == whole  # type: ignore[arg-type]


Change = Callable[[SeriesStore], object]


class TestWhileOthersWrite:
    """Something happens at the first turn that the others get."""

    @pytest.fixture
    def happening(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[SeriesStore, Change], None]:
        small_portions(monkeypatch)

        def at_the_next_turn(store: SeriesStore, change: Change) -> None:
            pending = [change]

            def give_way() -> None:
                if pending:
                    pending.pop()(store)

            for module in (expiry, series_view, first_points):
                monkeypatch.setattr(module, "give_way", give_way)

        return at_the_next_turn

    @pytest.mark.parametrize("portion", [1, 5, 30])
    def test_a_series_part_of_a_batch_is_listed_whole_or_not_at_all(
        self, happening: Callable[[SeriesStore, Change], None], portion: int
    ) -> None:
        store = filled({(100, f"d{i}", "u"): 1.0 for i in range(20)})
        batch = [(time, 2.0, f"d{i}", "u") for i in range(20) for time in (50, 150)]
        happening(store, lambda store: add_batch(store, batch, skip=False))
        block = first_page(store, 60)
        assert block == sorted(block)
        listed = {f"d{i}": [point.timestamp for point in block if point.device == f"d{i}"] for i in range(20)}
        assert set(map(tuple, listed.values())) == {(100,), (50, 100, 150)}
        assert [len(first_page(store, portion)) for _ in range(2)] == [portion] * 2

    def test_a_view_shows_nothing_that_was_added_behind_it(
        self, happening: Callable[[SeriesStore, Change], None]
    ) -> None:
        store = filled({(QUARTER_HOUR + i, f"d{i}", "u"): 1.0 for i in range(20)})
        batch = [(time, 2.0, f"d{i}", "u") for i in range(20) for time in (QUARTER_HOUR + 50, 3 * QUARTER_HOUR)]
        with store.view("user", "u") as view:
            before = [column.tolist() for column in view.sums(0, 2**50)]
            happening(store, lambda store: add_batch(store, batch, skip=False))
            assert len(view.points(0, 2**50)[0]) == 20
            assert [column.tolist() for column in view.sums(0, 2**50)] == before
            assert view.before(2**50) == view.last == QUARTER_HOUR + 19
            assert view.at_or_after(QUARTER_HOUR + 20) is None

    def test_a_view_sees_of_each_series_a_batch_whole_or_not_at_all(
        self, happening: Callable[[SeriesStore, Change], None]
    ) -> None:
        store = filled({(100, f"d{i}", "u"): 1.0 for i in range(20)})
        batch = [(time, 2.0, f"d{i}", "u") for i in range(20) for time in (101, 150)]
        with store.view("user", "u") as view:
            happening(store, lambda store: add_batch(store, batch, skip=False))
            times, _ = view.points(0, 1_000)
        assert times.tolist() == [100] * 20

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param(lambda store: store.delete("user", "u"), id="all are deleted"),
            pytest.param(lambda store: store.delete("device", "d9"), id="one is deleted"),
            pytest.param(
                lambda store: (store.delete("device", "d9"), store.add(100, 9.0, "other", "someone")),
                id="the number of one is given to another",
            ),
            pytest.param(
                lambda store: (store.delete("device", "d9"), store.add(100, 9.0, "d9", "u")), id="one is made anew"
            ),
            pytest.param(lambda store: store.add(1, 9.0, "d9", "u"), id="one gets a late point"),
        ],
    )
    def test_a_view_of_what_is_not_there_any_more_tells_so(
        self, happening: Callable[[SeriesStore, Change], None], change: Change
    ) -> None:
        store = filled({(100, f"d{i}", "u"): 1.0 for i in range(10)})
        with store.view("user", "u") as view:
            happening(store, change)
            with pytest.raises(ViewChangedError):
                view.points(0, 1_000)

    def test_statistics_are_then_asked_again(
        self, happening: Callable[[SeriesStore, Change], None], monkeypatch: pytest.MonkeyPatch, now: int
    ) -> None:
        store = filled({(now * 10**6 - 60, f"d{i}", "u"): float(i) for i in range(10)})
        monkeypatch.setattr(services, "store", store)
        happening(store, lambda store: store.delete("device", "d9"))
        rows = services.statistics_list(
            axis="user",
            key="u",
            aggregate=Aggregate.MAX,
            bucket=Span(1, "m"),
            start=None,
            end=None,
            fill=Fill.NONE,
            now=clock.now(),
        )
        assert [column.tolist() for column in rows.columns(0, len(rows))][1:] == [[8.0], [9]]

    def test_who_asks_about_what_never_rests_is_told_to_ask_again(
        self, monkeypatch: pytest.MonkeyPatch, now: int
    ) -> None:
        small_portions(monkeypatch)
        store, changes = filled({(now * 10**6 - 60, f"d{i}", "u"): float(i) for i in range(10)}), count(1)
        monkeypatch.setattr(services, "store", store)
        for module in (expiry, series_view):
            monkeypatch.setattr(module, "give_way", lambda: store.add(next(changes), 1.0, "d9", "u"))
        with pytest.raises(NotReadyError, match="faster than they can be read"):
            services.statistics_list(
                axis="user",
                key="u",
                aggregate=Aggregate.MAX,
                bucket=Span(1, "m"),
                start=None,
                end=None,
                fill=Fill.NONE,
                now=clock.now(),
            )

    def test_what_is_new_while_many_are_deleted_comes_after_all_of_them(self, monkeypatch: pytest.MonkeyPatch) -> None:
        store = filled({(100, f"d{i}", "u"): 1.0 for i in range(10)})
        batch = [(time, 2.0, device, "u") for device in ("d8", "new") for time in (101, 150)]
        late: list[Future[int]] = []
        monkeypatch.setattr(large_deletion, "SERIES_AT_ONCE", 3)
        with ThreadPoolExecutor(1) as pool:

            def give_way() -> None:
                if not late:
                    late.append(pool.submit(add_batch, store, batch, skip=False))

            monkeypatch.setattr(large_deletion, "give_way", give_way)
            assert store.delete("user", "u") == 10
            assert late[0].result() == 4
        store._check()
        assert [(point.timestamp, point.device) for point in first_page(store, 99)] == [
            (101, "d8"), (101, "new"), (150, "d8"), (150, "new")
        ]  # fmt: skip


def test_old_points_of_many_series_are_dropped_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    small_portions(monkeypatch)
    store = filled({(quarter * QUARTER_HOUR, f"d{i}", "u"): 1.0 for i in range(10) for quarter in (1, 5)})
    with store.view("user", "u", oldest=3 * QUARTER_HOUR) as view:
        assert (view.first, len(view.points(0, 2**50)[0])) == (5 * QUARTER_HOUR, 10)
    assert store.key("user", "u", oldest=3 * QUARTER_HOUR).count == 10
    assert store.delete("user", "u", oldest=6 * QUARTER_HOUR) == 0
    assert store.totals()[:4] == (0, 0, 0, 0)
    store._check()
