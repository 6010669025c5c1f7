"""Versions of stored datapoints: every change makes another one, and what does not concern a key leaves it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from datapoints.interface import QUARTER_HOUR, OnDuplicate
from datapoints.memory import store as store_module
from datapoints.memory.store import SeriesStore
from timeseries_project.core.offload import Offload, inline
from timeseries_project.tests.drawn import drawn

KEYS = st.sampled_from("ab")
STEP = QUARTER_HOUR // 3
TIMES = st.integers(0, 12).map(lambda step: step * STEP)
POINTS = st.tuples(TIMES, KEYS, KEYS)
OLDEST = st.integers(0, 3).map(lambda step: step * QUARTER_HOUR)
CHANGES = st.one_of(
    st.tuples(st.just("add"), st.lists(POINTS, min_size=1, max_size=1), OLDEST),
    st.tuples(st.just("batch"), st.lists(POINTS, max_size=6), OLDEST),
    st.tuples(st.just("replace"), st.lists(POINTS, max_size=6), OLDEST),
    st.tuples(st.just("range"), st.tuples(KEYS, KEYS, TIMES, TIMES), OLDEST),
    st.tuples(st.just("device"), KEYS, OLDEST),
    st.tuples(st.just("user"), KEYS, OLDEST),
    st.tuples(st.just("clear"), st.none(), OLDEST),
)
#: Whose points a version is of.
SUBJECTS = [(device, user) for device in (None, "a", "b") for user in (None, "a", "b")]


def change(store: SeriesStore, kind: str, what: Any, oldest: int) -> None:
    if kind == "clear":
        store.clear()
    elif kind == "range":
        device, user, start, end = what
        store.delete("device", device, other=user, start=start, end=end, oldest=oldest)
    elif kind in ("add", "batch", "replace"):
        times, devices, users = zip(*what, strict=True) if what else ((), (), ())
        values = np.arange(len(times), dtype=float) + (len(times) if kind == "replace" else 0)
        if kind == "add":
            store.add(times[0], 1.0, devices[0], users[0], oldest=oldest)
        else:
            chosen = OnDuplicate.REPLACE if kind == "replace" else OnDuplicate.SKIP
            store.add_batch(np.array(times, dtype=np.int64), values, devices, users, on_duplicate=chosen, oldest=oldest)
    else:
        store.delete(kind, what, oldest=oldest)  # type: ignore[arg-type]  # an axis


def answer(store: SeriesStore, device: str | None, user: str | None, oldest: int) -> Any:
    listed = store.listing(device=device, user=user, start=0, end=None, after=None, limit=1_000, oldest=oldest)
    return listed.points(), [store.keys(axis, oldest=oldest) for axis in ("device", "user") if device is user is None]


@pytest.mark.parametrize("rows_at_once", [store_module.ROWS_AT_ONCE, 2])
@drawn(300)
@given(st.lists(CHANGES, max_size=25))
def test_answers_of_one_version_are_equal(rows_at_once: int, changes: list[Any]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store_module, "ROWS_AT_ONCE", rows_at_once)
        store, answers = SeriesStore(), {}
        for kind, what, oldest in changes:
            change(store, kind, what, oldest)
            for subject in SUBJECTS:
                version = store.version(device=subject[0], user=subject[1])
                found = answer(store, *subject, oldest)
                if version is None:
                    assert not found[0]
                else:
                    assert answers.setdefault((version, subject, oldest), found) == found
                # What reading dropped is another version, of an equal answer.
                assert answer(store, *subject, oldest) == found


@drawn(300)
@given(st.lists(CHANGES, max_size=10), CHANGES)
@example([("batch", [(0, "a", "a"), (2 * STEP, "a", "a")], 0)], ("range", ("a", "a", STEP, 2 * STEP), 0))
def test_what_does_not_concern_a_key_leaves_its_version(before: list[Any], last: Any) -> None:
    store = SeriesStore()
    for kind, what, _ in before:
        change(store, kind, what, 0)
    versions = {subject: store.version(device=subject[0], user=subject[1]) for subject in SUBJECTS}
    held = {subject: answer(store, *subject, 0)[0] for subject in SUBJECTS}
    kind, what, _ = last
    change(store, kind, what, 0)
    for device, user in SUBJECTS:
        if kind == "clear" or device is user is None:
            continue
        if answer(store, device, user, 0)[0] == held[device, user]:
            assert store.version(device=device, user=user) == versions[device, user]


def test_a_series_that_takes_the_number_of_another_is_another() -> None:
    store = SeriesStore()
    store.add(1, 1.0, "a", "u")
    before = store.version(device="a")
    store.delete("device", "a")
    assert store.version(device="a") is None
    store.add(2, 2.0, "a", "u")
    assert store.version(device="a") not in (None, before)


def test_as_many_points_as_before_are_not_those_of_before() -> None:
    store = SeriesStore()
    for time in (1, 2 * QUARTER_HOUR):
        store.add(time, 1.0, "a", "u")
    before = store.version(device="a")
    assert store.key("device", "a", oldest=QUARTER_HOUR).count == 1
    store.add(3 * QUARTER_HOUR, 1.0, "a", "u")
    assert store.key("device", "a").count == 2
    assert store.version(device="a") != before


def test_nothing_comes_again_after_all_is_forgotten() -> None:
    store = SeriesStore()
    seen = set()
    for value in range(3):
        store.clear()
        store.add(1, float(value), "a", "u")
        seen |= {store.version(), store.version(device="a"), store.version(device="a", user="u")}
    assert len(seen) == 3 * 2  # of one series, a device and a pair are the same


def test_of_very_many_series_it_is_worked_out_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    from datapoints.memory import versions

    store = SeriesStore()
    store.add(1, 1.0, "a", "u")
    monkeypatch.setattr(versions, "SERIES_SUMMED_UP", 0)
    with pytest.raises(Offload):
        inline(store.version, device="a")
    assert store.version(device="a")
