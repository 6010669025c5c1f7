"""Versions of stored entries: every change makes another one, and what does not concern a device leaves its own."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandwidth.memory import large_batch
from bandwidth.memory.store import BandwidthStore
from timeseries_project.tests.drawn import drawn

DEVICES = st.sampled_from("abc")
ENTRIES = st.tuples(DEVICES, st.integers(0, 9), st.integers(0, 3), st.integers(0, 3))
OLDEST = st.integers(0, 5)
CHANGES = st.one_of(
    st.tuples(st.just("add"), ENTRIES, OLDEST),
    st.tuples(st.just("batch"), st.lists(ENTRIES, max_size=6), OLDEST),
    st.tuples(st.just("delete"), DEVICES, OLDEST),
    st.tuples(st.just("clear"), st.just(""), OLDEST),
)
SUBJECTS = [None, "a", "b", "c"]


def change(store: BandwidthStore, kind: str, what: Any, oldest: int) -> None:
    if kind == "add":
        store.add(*what, oldest=oldest)
    elif kind == "batch":
        store.add_batch(*([list(column) for column in zip(*what, strict=True)] or [[]] * 4), oldest=oldest)
    elif kind == "delete":
        store.delete(what)
    else:
        store.clear()


def answer(store: BandwidthStore, device: str | None, oldest: int) -> Any:
    if device is None:
        return store.devices(oldest=oldest)
    try:
        return store.device(device, oldest=oldest), store.windows(device, end=9, length=1, count=10, oldest=oldest)
    except KeyError:
        return None


@pytest.mark.parametrize("large", [large_batch.LARGE, 2])
@drawn(300)
@given(st.lists(CHANGES, max_size=25))
def test_answers_of_one_version_are_equal(large: int, changes: list[Any]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(large_batch, "LARGE", large)
        store, answers = BandwidthStore(), {}
        for kind, what, oldest in changes:
            change(store, kind, what, oldest)
            for device in SUBJECTS:
                version, found = store.version(device, oldest=oldest), answer(store, device, oldest)
                assert (version is None) == (found is None)
                assert answers.setdefault((version, device), found) == found


@drawn(300)
@given(st.lists(CHANGES, max_size=10), CHANGES)
def test_what_does_not_concern_a_device_leaves_its_version(before: list[Any], last: Any) -> None:
    store = BandwidthStore()
    for kind, what, _ in before:
        change(store, kind, what, 0)
    held = {device: (store.version(device), answer(store, device, 0)) for device in "abc"}
    kind, what, _ = last
    change(store, kind, what, 0)
    written = [what] if kind == "add" else what if kind == "batch" else []
    concerned = set({"delete": what, "clear": "abc"}.get(kind, [entry[0] for entry in written]))
    for device in set("abc") - set(concerned):
        assert (store.version(device), answer(store, device, 0)) == held[device]


def test_what_is_too_old_counts_only_where_there_is_such() -> None:
    store = BandwidthStore()
    store.add("a", 5, 1, 1)
    assert store.version("a", oldest=4) == store.version("a", oldest=5) == store.version("a")
    store.add("a", 7, 1, 1)
    assert len({store.version("a", oldest=oldest) for oldest in (5, 6, 7)}) == 3
    assert store.version("a", oldest=8) is None
