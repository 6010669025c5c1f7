"""Sorted keys while keys come and go, against a plain set; and the cost of keeping them sorted."""

from __future__ import annotations

import random
from threading import Lock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from timeseries_project.core import key_order, offload
from timeseries_project.core.key_order import KeyOrder, in_order, places_in_order

keys = st.text("abÅz😀", max_size=3)


class Kept:
    """A store that holds only keys."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.known: dict[str, None] = {}
        self.order = KeyOrder(self.lock, lambda: [list(self.known)])

    def add(self, key: str) -> None:
        with self.lock:
            if key not in self.known:
                self.known[key] = None
                self.order.note(key)

    def all(self, count: int, after: str | None = None) -> list[str]:
        """Read all keys, so many at a time."""
        found: list[str] = []
        while True:
            some, after = self.order.after(after, count, self.known)
            assert len(some) <= count
            found += some
            if after is None:
                return found


class OrderMachine(RuleBasedStateMachine):
    """Adds and removes keys, and reads all of them or those after some key."""

    @initialize(block=st.sampled_from([1, 2, 5]), placed=st.integers(1, 4), least=st.sampled_from([0, 2, 1000]))
    def begin(self, block: int, placed: int, least: int) -> None:
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(key_order, "BLOCK", block)
        self.patch.setattr(key_order, "PLACED_AT_ONCE", placed)
        self.patch.setattr(key_order, "NEW_AT_LEAST", least)
        self.kept = Kept()

    def teardown(self) -> None:
        self.patch.undo()

    @rule(key=keys)
    def add(self, key: str) -> None:
        self.kept.add(key)

    @rule(key=keys)
    def remove(self, key: str) -> None:
        self.kept.known.pop(key, None)

    @rule(count=st.integers(1, 9), after=st.none() | keys)
    def read(self, count: int, after: str | None) -> None:
        assert self.kept.all(count, after) == [k for k in sorted(self.kept.known) if after is None or k > after]

    @invariant()
    def blocks_are_in_order(self) -> None:
        order = self.kept.order
        if order._blocks is None:
            return
        flat = [key for block in order._blocks for key in block]
        assert flat == sorted(set(flat))
        assert order._length == len(flat)
        assert len(order._bounds) == len(order._blocks) - 1
        assert max(map(len, order._blocks)) <= 2 * key_order.BLOCK
        for bound, before, block in zip(order._bounds, order._blocks, order._blocks[1:], strict=False):
            assert all(key < bound for key in before)
            assert all(key >= bound for key in block)


def test_keys_come_and_go() -> None:
    run_state_machine_as_test(OrderMachine)


@given(st.lists(keys, max_size=40), st.sampled_from([1, 3, 1000]))
def test_keys_are_sorted_in_blocks_as_at_once(names: list[str], block: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(key_order, "BLOCK", block)
        assert [names[place] for places in places_in_order(names) for place in places] == sorted(names)
        assert in_order(names) == sorted(set(names))


def test_nothing_is_kept_before_anybody_asks() -> None:
    kept = Kept()
    for number in range(100_000):
        kept.add(str(number))
    assert kept.order._new is None


def test_what_nobody_reads_is_given_up() -> None:
    """Keys that keep coming and going leave nothing behind that grows."""
    kept = Kept()
    kept.add("first")
    assert kept.all(10) == ["first"]
    for number in range(3 * key_order.NEW_AT_LEAST):
        kept.add(str(number))
        del kept.known[str(number)]
        if number % 1_000 == 0:
            kept.order.after(None, 1, kept.known)  # the first keys are read now and then
        assert len(kept.order._new or []) <= key_order.NEW_AT_LEAST + 1
    assert kept.order._length <= 2 * key_order.NEW_AT_LEAST
    assert kept.all(10) == ["first"]


def test_a_page_costs_its_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once sorted, the keys are never sorted again; a few new ones are inserted at once."""
    kept, turns = Kept(), []
    monkeypatch.setattr(key_order, "give_way", lambda: turns.append(kept.lock.locked()))
    names = [str(number) for number in range(20_000)]
    random.Random(1).shuffle(names)
    for name in names:
        kept.add(name)
    assert kept.all(1_000) == sorted(names)
    monkeypatch.setattr(key_order, "blocks_of", None)
    assert kept.order.after("5", 3, kept.known)[0] == ["50", "500", "5000"]
    assert turns == []
    for number in range(5 * key_order.PLACED_AT_ONCE):
        kept.add(f"new {number}")
    assert kept.order.after("new", 2, kept.known)[0] == ["new 0", "new 1"]
    assert turns == [False] * 4


def test_to_sort_many_keys_is_no_matter_of_the_event_loop() -> None:
    kept = Kept()
    for number in range(20_000):
        kept.add(str(number))
    with pytest.raises(offload.Offload):
        offload.inline(kept.order.after, None, 1, kept.known)
    kept.order.after(None, 1, kept.known)
    assert offload.inline(kept.order.after, None, 1, kept.known) == (["0"], "0")
    for number in range(5 * key_order.PLACED_AT_ONCE):
        kept.add(f"new {number}")
    with pytest.raises(offload.Offload):
        offload.inline(kept.order.after, None, 1, kept.known)


def test_a_step_that_fails_makes_it_build_the_order_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Kept()
    kept.add("a")
    kept.all(1)
    kept.add("b")

    def fail(*args: object) -> int:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(key_order, "bisect_right", fail)
        with pytest.raises(MemoryError):
            kept.all(1)
    assert not kept.lock.locked()
    assert kept.all(1) == ["a", "b"]
