"""Bandwidth entries that are written to a snapshot's stream and taken back: every answer is the same to the byte."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from bandwidth import services, snapshot
from bandwidth.interface import SLOT
from bandwidth.memory.store import BandwidthStore
from bandwidth.tests.oracle import MAX_WHOLE, Entry
from timeseries_project.core import timestamps
from timeseries_project.tests.drawn import drawn
from timeseries_project.tests.processes import run_alone
from timeseries_project.tests.streams import (
    answers_to,
    assert_refused,
    changed,
    restore,
    see_only_whole_writes,
    with_first,
    written,
)

NOON = "2026-01-31T12:00:00Z"
LATER = "2026-01-31T12:10:00Z"
NOW = timestamps.parse(NOON) // timestamps.MICROSECONDS

devices = st.sampled_from(["a", "b", "é"])
times = st.integers(0, 30).map(lambda age: NOW - age) | st.integers(NOW - 3_000, NOW)
sizes = st.integers(0, 100) | st.just(MAX_WHOLE)
entries = st.tuples(devices, times, sizes, sizes)
batches = st.lists(entries, min_size=1, max_size=40)


def add(batch: list[Entry], now: int) -> None:
    device_id, timestamp, bytes_ts, bytes_fs = zip(*batch, strict=True)
    columns = {"device_id": device_id, "timestamp": timestamp, "bytes_ts": bytes_ts, "bytes_fs": bytes_fs}
    services.entries_add(**columns, now=now)


def answers(api: APIClient) -> dict[str, bytes]:
    """Return what is answered to everything that can be asked of bandwidth."""
    paths = ["/api/bandwidth/devices", "/api/bandwidth/entries?limit=10000", "/api/bandwidth/entries?limit=5"]
    for device in ("a", "b", "é"):
        paths += [f"/api/bandwidth/devices/{device}", f"/api/bandwidth?device_uuid={device}&window_time=7"]
        paths += [f"/api/bandwidth?device_uuid={device}&end_time={NOW - 5}&num_windows=100&window_time=30"]
    return answers_to(api, paths)


def restart(now: int = NOW) -> None:
    """Write everything to a stream, forget it, and take it back."""
    stream = written(snapshot)
    services.store.clear()
    restore(snapshot, stream, now * timestamps.MICROSECONDS)
    assert isinstance(services.store, BandwidthStore)
    services.store._check()


@drawn(80)
@given(
    changes=st.lists(batches | devices, max_size=8),
    more=st.lists(batches, max_size=3),
    rows=st.sampled_from([3, 1000]),
    retention=st.sampled_from([None, 1200]),
)
def test_every_answer_is_the_same_after_it(
    changes: list[Any],
    more: list[list[Entry]],
    rows: int,
    retention: int | None,
    api: APIClient,
    set_clock: Callable[[str], int],
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(snapshot, "ROWS", rows)
    settings.RETENTION_SECONDS = retention
    services.store.clear()
    set_clock(NOON)
    for change in changes:
        if isinstance(change, str):
            services.device_delete(device_id=change)
        else:
            add(change, NOW)
    restart()
    for moment in (NOON, LATER):
        now = set_clock(moment)
        before = answers(api), services.overview_get()
        restart(now)
        assert (answers(api), services.overview_get()) == before
        for batch in more:
            add(batch, now)


@pytest.mark.parametrize(("later", "busiest"), [(0, ["a", "b"]), (SLOT, ["b"]), (2 * SLOT, [])])
def test_the_busiest_of_now_are_worked_out_anew(later: int, busiest: list[str], now: int) -> None:
    """A snapshot has entries alone; what they make of now depends on when it is read."""
    add([("a", now - SLOT, 10**9, 0), ("b", now - SLOT + 1, 7, 0), ("old", now - 9 * SLOT, 10**15, 0)], now)
    add([("b", now + 5, 1, 2)], now + 5)
    restart(now + later)
    overview = services.overview_get(now=now + later)
    assert [one.device_id for one in overview.busiest] == busiest
    assert overview.latest == (None if busiest else now + 5)


def test_sums_beyond_64_bits_come_back(api: APIClient, now: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "ROWS", 1_000)
    add([("a", now, MAX_WHOLE, 1)] * 5_000, now)
    restart(now)
    [device] = api.get("/api/bandwidth/devices").json()
    assert device["bytes_ts"] == 5_000 * MAX_WHOLE > 2**64
    assert device["count"] == 5_000
    [row] = api.get("/api/bandwidth/entries").json()["results"]
    assert row == {"device_id": "a", "timestamp": now, "bytes_ts": 5_000 * MAX_WHOLE, "bytes_fs": 5_000}


@pytest.mark.parametrize(
    ("column", "change", "reason"),
    [
        ("bytes_ts", lambda column: column.cast(pa.uint64()), "other columns"),
        ("bytes_fs", with_first(None), "nulls"),
        ("device_id", with_first(None), "nulls"),
        ("bytes_ts", with_first(-1), "bytes_ts of 'bandwidth' that is out of range"),
        ("bytes_fs", with_first(2**53), "bytes_fs of 'bandwidth' that is out of range"),
        ("timestamp", with_first(-1), "timestamp of 'bandwidth' that is out of range"),
        ("timestamp", with_first(253_402_300_800), "timestamp of 'bandwidth' that is out of range"),
        ("device_id", with_first("a\tb"), "control characters"),
    ],
)
def test_what_no_store_could_have_written_is_refused(
    column: str, change: Callable[[pa.Array], pa.Array], reason: str
) -> None:
    add([("a", NOW, 1, 2), ("b", NOW, 3, 4)], NOW)
    [batch] = snapshot.batches()
    services.store.clear()
    assert_refused(snapshot, [changed(batch, column, change)], reason)


@pytest.mark.parametrize(
    ("limit", "reason"),
    [
        ("max_entries", "more than 5 bandwidth entries, the limit MAX_BANDWIDTH_ENTRIES"),
        ("max_devices", "more than 5 bandwidth devices, the limit MAX_SERIES"),
    ],
)
def test_more_than_a_limit_is_refused(limit: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    add([(f"d{i}", NOW, 1, 2) for i in range(6)], NOW)
    batches = list(snapshot.batches())
    services.store.clear()
    monkeypatch.setattr(services.store, limit, 5)
    assert_refused(snapshot, batches, reason)


def cut() -> None:
    """Fork while large batches are being written, and others read."""
    devices = [f"d{i}" for i in range(2_500)]
    rows = 40 * len(devices)
    times = np.arange(40).repeat(len(devices))

    def write(number: int) -> None:
        services.store.add_batch(devices * 40, times, np.full(rows, number), np.full(rows, 1))
        services.devices_list(limit=100)
        if number % 4 == 0:
            services.store.clear()

    see_only_whole_writes(snapshot, write, "bytes_ts", rows)


def test_what_is_forked_while_it_is_held_has_each_batch_whole_or_not_at_all() -> None:
    run_alone(__name__, "cut")
