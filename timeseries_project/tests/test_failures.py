"""Writes whose steps fail in turn, in all three engines: nothing is half done, and no lock stays taken."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bandwidth.interface import Overview
from bandwidth.memory import busiest, large_batch
from bandwidth.memory import devices as devices_module
from bandwidth.memory.store import BandwidthStore
from datapoints.interface import AXES, QUARTER_HOUR, OnDuplicate
from datapoints.memory import large_batch as large_points
from datapoints.memory import large_deletion
from datapoints.memory import series as series_module
from datapoints.memory import store as store_module
from datapoints.memory.store import SeriesStore
from timeseries_project.tests.engines import ENGINES
from timeseries_project.tests.failures import fail_each_step, uncommitted_calls
from timeseries_project.tests.processes import ROOT
from transactions.memory.sliding_window import LARGE, SlidingWindow

STEP = QUARTER_HOUR // 3
NOW = 1_700_000_000_000


@pytest.mark.parametrize("engine", ENGINES)
def test_what_commits_only_assigns(engine: str) -> None:
    assert uncommitted_calls(ROOT / engine) == []


def test_a_call_in_what_commits_would_be_found(tmp_path: Path) -> None:
    path = tmp_path / "engine.py"
    path.write_text("def _commit(self):\n    self.commit_more(1)\n    self.blocks.append(2)\n    len(self)\n")
    assert uncommitted_calls(path) == ["engine.py: _commit calls append", "engine.py: _commit calls len"]


class TestDatapoints:
    @pytest.fixture(autouse=True)
    def small_blocks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Make blocks overflow after few points."""
        monkeypatch.setattr(series_module, "POINTS_IN_BLOCK", 4)
        monkeypatch.setattr(series_module, "SUMS_IN_BLOCK", 4)

    @staticmethod
    def filled() -> SeriesStore:
        """Return a store with long and short series, and with freed series numbers and blocks."""
        store = SeriesStore()
        times = np.arange(18) * 10 * STEP
        for device in ("a", "b", "gone"):
            store.add_batch(times, times / 7.0, [device] * 18, ["u", "u", "v"] * 6)
        for time in (5, 9, 12, 15):
            store.add(time, 1.5, "alone", "u")
        store.delete("device", "gone")
        return store

    @staticmethod
    def batch(store: SeriesStore, count: int = 10, oldest: int = 0) -> int:
        """Add points before, between and after the old ones, to old series and new ones."""
        draw = random.Random(1)
        rows = [
            (draw.randrange(200) * STEP + 1 + i, draw.gauss(0, 1), draw.choice("abcde"), draw.choice("uvxyz"))
            for i in range(count)
        ]
        times, values, devices, users = zip(*rows, strict=True)
        return store.add_batch(np.array(times), np.array(values), devices, users, oldest=oldest)

    @staticmethod
    def replace(store: SeriesStore) -> int:
        """Write over some points, and add others to old series and new ones."""
        times = np.array([0, 10 * STEP, 10 * STEP, 5, 5, 7])
        devices, users = ["a", "a", "b", "alone", "new", "alone"], ["u", "u", "u", "u", "u", "u"]
        return store.add_batch(times, np.arange(6.0), devices, users, on_duplicate=OnDuplicate.REPLACE)

    @pytest.mark.parametrize(
        "write",
        [
            pytest.param(lambda store: store.add(7, 2.5, "new", "new"), id="one of a new series"),
            pytest.param(lambda store: store.add(7, 2.5, "alone", "u"), id="one that divides a block"),
            pytest.param(lambda store: store.add(10**12, 2.5, "a", "u"), id="one that begins a block"),
            pytest.param(lambda store: store.add(30 * STEP + 1, 2.5, "a", "u"), id="one in between"),
            pytest.param(lambda store: store.add(8, 1.0, "a", "u", oldest=120 * QUARTER_HOUR), id="one too old"),
            pytest.param(lambda store: TestDatapoints.batch(store), id="a batch"),
            pytest.param(lambda store: TestDatapoints.batch(store, 3), id="a small batch"),
            pytest.param(lambda store: store.delete("device", "a"), id="delete a device"),
            pytest.param(lambda store: store.delete("user", "u"), id="delete a user"),
            pytest.param(lambda store: store.delete("user", "u", start=9, end=90 * STEP), id="delete a range"),
            pytest.param(lambda store: store.delete("device", "a", other="u"), id="delete a device's of a user"),
            pytest.param(lambda store: TestDatapoints.replace(store), id="replace"),
            pytest.param(lambda store: store.clear(), id="forget all"),
        ],
    )
    @pytest.mark.parametrize("large", [False, True])
    def test_a_step_fails(
        self, write: Callable[[SeriesStore], object], large: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if large:  # so that all but single points take several portions
            for module, name in (
                (store_module, "ROWS_AT_ONCE"),
                (large_points, "ROWS_AT_ONCE"),
                (large_points, "PAIRS_AT_ONCE"),
                (large_points, "POINTS_AT_ONCE"),
                (large_deletion, "SERIES_AT_ONCE"),
                (large_deletion, "PARTS_AT_ONCE"),
                (large_deletion, "POINTS_AT_ONCE"),
            ):
                monkeypatch.setattr(module, name, 1)
        assert fail_each_step(self.filled, write, lambda store: answers_of(store), SeriesStore._check) >= 2

    @pytest.mark.parametrize(
        "ask",
        [
            pytest.param(lambda store, oldest: store.totals(oldest=oldest), id="totals"),
            pytest.param(lambda store, oldest: store.keys("device", oldest=oldest), id="keys"),
            pytest.param(lambda store, oldest: store.add(2**50, 1.0, "a", "u", oldest=oldest), id="one"),
            pytest.param(lambda store, oldest: TestDatapoints.batch(store, oldest=oldest), id="a batch"),
        ],
    )
    @pytest.mark.parametrize("quarter_hours", [1, 35, 10_000])
    def test_a_step_of_dropping_fails(self, ask: Callable[[SeriesStore, int], object], quarter_hours: int) -> None:
        oldest = quarter_hours * QUARTER_HOUR
        steps = fail_each_step(
            self.filled, lambda store: ask(store, oldest), lambda store: answers_of(store, oldest), SeriesStore._check
        )
        assert steps >= 3


def answers_of(store: SeriesStore, oldest: int = 0) -> object:
    """All answers of a store, except how many points were ever added."""
    answers: list[object] = [store.totals(oldest=oldest)[:3]]
    everything = store.listing(device=None, user=None, start=0, end=None, after=None, limit=9_999, oldest=oldest)
    answers.append(everything.points())
    for axis in AXES:
        keys = store.keys(axis, oldest=oldest)
        answers.append(keys)
        for summary in keys:
            answers.append(store.latest(axis, summary.key, oldest=oldest))
            with store.view(axis, summary.key, oldest=oldest) as view:
                sums = view.sums(0, 2**55)
                rows = zip(*(column.tolist() for column in sums), strict=True)
                answers.append([view.first, view.last, view.before(50 * STEP), view.at_or_after(50 * STEP)])
                answers.append(sorted((number, count, high + low) for number, count, high, low, _ in rows))
    return answers


class TestBandwidth:
    @pytest.fixture(autouse=True)
    def small_portions(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Make batches large that have a thousand entries, and trees of several levels."""
        monkeypatch.setattr(devices_module, "WIDTH", 4)
        monkeypatch.setattr(devices_module, "BLOCKS_FOR_ONE", 1)
        monkeypatch.setattr(large_batch, "LARGE", 1_000)
        monkeypatch.setattr(large_batch, "DEVICES_AT_ONCE", 3)
        monkeypatch.setattr(large_batch, "BLOCKS_AT_ONCE", 200)
        monkeypatch.setattr(large_batch, "ROWS_AT_ONCE", 100)

    @staticmethod
    def filled() -> BandwidthStore:
        store = BandwidthStore()
        for device in ("a", "b", "c"):
            store.add_batch([device] * 40, range(0, 400, 10), range(40), range(40))
        store.add("huge", 5, 2**53 - 1, 0)
        store.delete("c")
        return store

    @staticmethod
    def batch(store: BandwidthStore, oldest: int = 0, count: int = 600) -> None:
        """Add entries before, between and after the old ones, to old devices and new ones, with sums beyond 64 bits."""
        draw = random.Random(1)
        devices = [draw.choice("abc" if count < 1_000 else "abcde") for _ in range(60)] + ["huge"] * count
        times = [draw.randrange(500) for _ in devices]
        store.add_batch(devices, times, [2**53 - 1] * len(times), times, oldest=oldest)

    @pytest.mark.parametrize(
        "write",
        [
            pytest.param(lambda store, oldest: store.add("new", 400, 1, 2, oldest=oldest), id="one of a new device"),
            pytest.param(lambda store, oldest: store.add("a", 400, 1, 2, oldest=oldest), id="the newest"),
            pytest.param(lambda store, oldest: store.add("a", 390, 1, 2, oldest=oldest), id="one of the last instant"),
            pytest.param(lambda store, oldest: store.add("a", 355, 1, 2, oldest=oldest), id="a late one"),
            pytest.param(lambda store, oldest: TestBandwidth.batch(store, oldest), id="a batch"),
            pytest.param(lambda store, oldest: TestBandwidth.batch(store, oldest, 1_100), id="a large batch"),
            pytest.param(lambda store, oldest: store.delete("a"), id="delete"),
            pytest.param(lambda store, oldest: store.clear(), id="forget all"),
        ],
    )
    @pytest.mark.parametrize("oldest", [0, 50, 350, 10_000])
    def test_a_step_fails(self, write: Callable[[BandwidthStore, int], object], oldest: int) -> None:
        def answers(store: BandwidthStore) -> object:
            keys = [device.device_id for device in store.devices(oldest=oldest)]
            windows = [store.windows(key, end=600, length=7, count=100, oldest=oldest) for key in keys]
            instants = store.instants(limit=10_000, oldest=oldest)
            return store.overview(3, now=600, oldest=oldest), store.devices(oldest=oldest), windows, instants

        def check(store: BandwidthStore) -> None:
            assert not store._lock.locked()
            store._check()

        fail_each_step(self.filled, lambda store: write(store, oldest), answers, check)

    @pytest.mark.parametrize("oldest", [0, 350])
    def test_a_step_of_asking_for_the_busiest_fails(self, oldest: int, monkeypatch: pytest.MonkeyPatch) -> None:
        """After the clock was set back, when all devices are looked at."""
        monkeypatch.setattr(busiest, "AT_ONCE", 1)

        def set_back() -> BandwidthStore:
            store = self.filled()
            store.add("a", 10**6, 1, 1, now=10**6)
            return store

        def ask(store: BandwidthStore) -> Overview:
            return store.overview(2, now=600, oldest=oldest)

        expected = ["a", "b"] if oldest else ["huge", "a"]
        assert [one.device_id for one in ask(set_back()).busiest] == expected
        fail_each_step(set_back, ask, ask, BandwidthStore._check)


class TestTransactions:
    @staticmethod
    def filled() -> SlidingWindow:
        window = SlidingWindow(length_ms=60_000, ahead_ms=5_000)
        for age in range(-5_000, 60_000, 997):
            window.add(NOW - age, age / 3, now=NOW)
        return window

    @staticmethod
    def batch(window: SlidingWindow, count: int, after: int) -> None:
        draw = random.Random(1)
        now = NOW + after
        times = [now - draw.randrange(-5_000, 70_000) for _ in range(count)]
        window.add_batch(times, [draw.gauss(0, 1) for _ in times], now=now)

    @pytest.mark.parametrize("after", [0, 3_000, 30_000, 10**9])
    @pytest.mark.parametrize(
        "write",
        [
            pytest.param(lambda window, after: window.add(NOW + after, 7.5, now=NOW + after), id="one"),
            pytest.param(lambda window, after: window.add(NOW + after - 1_234, 7.5, now=NOW + after), id="a late one"),
            pytest.param(lambda window, after: TestTransactions.batch(window, 8, after), id="a small batch"),
            pytest.param(lambda window, after: TestTransactions.batch(window, LARGE + 200, after), id="a batch"),
            pytest.param(lambda window, after: window.clear(), id="forget all"),
        ],
    )
    def test_a_step_fails(self, write: Callable[[SlidingWindow, int], object], after: int) -> None:
        def answers(window: SlidingWindow) -> object:
            summaries = [window.summary(now=NOW + after + shift) for shift in (0, 1, 500, 12_345, 59_999)]
            return summaries, window.history(now=NOW + after)

        def check(window: SlidingWindow) -> None:
            assert not window._lock.locked()
            window._check()

        fail_each_step(self.filled, lambda window: write(window, after), answers, check)
