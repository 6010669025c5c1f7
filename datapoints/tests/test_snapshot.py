"""Datapoints that are written to a snapshot's stream and taken back: every answer is the same to the byte."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from datapoints import services, snapshot
from datapoints.interface import QUARTER_HOUR
from datapoints.memory.store import SeriesStore
from datapoints.tests.points import keys, values
from datapoints.tests.requests import NOON, post
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

NOW = timestamps.parse(NOON)
SECOND = 1_000_000
#: From some days before noon on, in steps that meet one another and the borders of quarter-hours.
times = st.integers(1, 400).map(lambda steps: NOW - steps * QUARTER_HOUR // 3) | st.integers(NOW - 2**40, NOW)
points = st.fixed_dictionaries({"timestamp": times, "value": values, "device": keys, "user": keys})
batches = st.tuples(st.lists(points, min_size=1, max_size=30), st.sampled_from(["skip", "replace"]))
deletions = st.tuples(st.sampled_from(["device", "user"]), keys, st.none() | times, st.none() | times)


def send(api: APIClient, change: tuple[Any, ...]) -> None:
    """Send a batch, or delete something."""
    if len(change) == 2:
        batch, on_duplicate = change
        rows = [point | {"timestamp": timestamps.render(point["timestamp"])} for point in batch]
        assert post(api, rows, f"?on_duplicate={on_duplicate}").status_code == 201
    else:
        axis, key, start, end = change
        services.datapoints_delete(axis=axis, key=key, start=start, end=end)


def answers(api: APIClient) -> dict[str, bytes]:
    """Return what is answered to everything that can be asked of datapoints."""
    paths = ["/datapoints?limit=10000", "/datapoints?limit=7&order=desc", "/devices", "/users"]
    for axis in ("device", "user"):
        for key in ("a", "b"):
            paths += [f"/{axis}s/{key}", f"/datapoints?{axis}={key}&limit=9"]
            base = f"/statistics/{axis}s/{key}"
            paths += [f"{base}/{what}" for what in ("avg", "sum?bucket=1h", "avg?bucket=7m", "max", "stddev?bucket=1d")]
            paths += [f"{base}/moving_avg?window_size=3", f"{base}/percentile?q=0.9&bucket=1d"]
    return answers_to(api, paths)


def restart(now: int = NOW) -> None:
    """Write everything to a stream, forget it, and take it back."""
    stream = written(snapshot)
    services.store.clear()
    restore(snapshot, stream, now)
    assert isinstance(services.store, SeriesStore)
    services.store._check()


@drawn(60)
@given(
    changes=st.lists(batches | deletions, max_size=8), more=st.lists(batches | deletions, max_size=3), data=st.data()
)
def test_every_answer_is_the_same_after_it(
    changes: list[tuple[Any, ...]],
    more: list[tuple[Any, ...]],
    data: st.DataObject,
    api: APIClient,
    set_clock: Callable[[str], int],
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(snapshot, "ROWS", data.draw(st.sampled_from([3, 1000])))
    settings.RETENTION_SECONDS = data.draw(st.sampled_from([None, 2 * 86_400]))
    services.store.clear()
    set_clock(NOON)
    for change in changes:
        send(api, change)
    restart()
    later = "2026-02-01T11:59:00Z"
    for moment in (NOON, later):
        set_clock(moment)
        before = answers(api)
        restart(timestamps.parse(moment))
        assert answers(api) == before
        for change in more:
            send(api, change)


POINTS = 7
DEVICES = 3


def fill(users: int = 1) -> None:
    """Store seven points of each pair of three devices and some users."""
    for user in range(users):
        times = np.arange(POINTS).repeat(DEVICES) * QUARTER_HOUR
        devices = [f"d{i}" for i in range(DEVICES)] * POINTS
        services.store.add_batch(times, times / SECOND, devices, [f"u{user}"] * len(devices))


def test_other_libraries_read_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    fill(users=2)
    monkeypatch.setattr(snapshot, "ROWS", 5)
    stream = written(snapshot)
    rows = pa.ipc.open_stream(stream).read_all().to_pylist()
    assert len(rows) == 2 * DEVICES * POINTS
    assert rows[8] == {"timestamp": pd.Timestamp(QUARTER_HOUR, unit="us", tz="UTC"), "value": 900.0} | {
        "device": "d1",
        "user": "u0",
    }
    in_polars = pl.read_ipc_stream(stream.to_pybytes()).with_columns(pl.col("device", "user").cast(pl.String))
    assert in_polars.to_dicts() == rows
    in_pandas = pa.ipc.open_stream(stream).read_pandas()
    assert in_pandas.groupby("device", observed=True)["value"].count().tolist() == [2 * POINTS] * DEVICES


def test_a_batch_has_no_keys_but_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    fill(users=5)
    monkeypatch.setattr(snapshot, "ROWS", 2 * POINTS)
    for batch in snapshot.batches():
        for column in ("device", "user"):
            assert set(batch.column(column).dictionary.to_pylist()) == set(batch.column(column).to_pylist())


def test_it_takes_no_more_memory_afterwards() -> None:
    fill(users=400)
    before = services.totals_get()
    restart()
    after = services.totals_get()
    assert after[:4] == before[:4]
    assert before.nbytes is not None
    assert after.nbytes is not None
    assert after.nbytes <= before.nbytes * 9 / 8  # the spare room of arrays


def test_nothing_is_stored_and_nothing_comes_back(api: APIClient) -> None:
    restart()
    assert services.totals_get()[:5] == (0, 0, 0, 0, 0)
    assert api.get("/devices").json() == []


def cast(kind: pa.DataType) -> Callable[[pa.Array], pa.Array]:
    return lambda column: column.cast(kind)


def with_names(*names: str | None) -> Callable[[pa.Array], pa.Array]:
    """Return a change of the dictionary of a column."""
    names_only = pa.array(names, type=pa.string())
    return lambda column: pa.DictionaryArray.from_arrays(column.indices, names_only, safe=False)


@pytest.mark.parametrize(
    ("column", "change", "reason"),
    [
        ("timestamp", cast(pa.timestamp("ns", tz="UTC")), "other columns"),
        ("device", cast(pa.string()), "other columns"),
        ("value", with_first(None), "nulls"),
        ("timestamp", with_first(None), "nulls"),
        ("device", with_first(None), "nulls"),
        ("value", with_first(float("nan")), "value of 'datapoints' that is out of range"),
        ("value", with_first(1.1e150), "value of 'datapoints' that is out of range"),
        ("timestamp", with_first(-1), "timestamp of 'datapoints' that is out of range"),
        ("timestamp", with_first(253_402_300_800 * SECOND), "timestamp of 'datapoints' that is out of range"),
        ("timestamp", with_first(QUARTER_HOUR), "exist already"),
        ("device", with_names("a", "a", "b"), "twice"),
        ("device", with_names("a", None, "b"), "nulls|without a name"),
        ("device", with_names("a", "", "b"), "blank"),
        ("user", with_names("a\nb"), "control characters"),
        ("user", with_names("a" * 256), "at most 255"),
        ("device", with_names("a", "b"), "no valid Arrow"),
    ],
)
def test_what_no_store_could_have_written_is_refused(
    column: str, change: Callable[[pa.Array], pa.Array], reason: str
) -> None:
    fill()
    [batch] = snapshot.batches()
    services.store.clear()
    assert_refused(snapshot, [changed(batch, column, change)], reason)


@pytest.mark.parametrize(
    ("limit", "reason"),
    [("max_points", "more than 20 datapoints, the limit MAX_DATAPOINTS"), ("max_series", "the limit MAX_SERIES")],
)
def test_more_than_a_limit_is_refused(limit: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(users=8)
    batches = list(snapshot.batches())
    services.store.clear()
    monkeypatch.setattr(services.store, limit, 20)
    assert_refused(snapshot, batches, reason)


def cut() -> None:
    """Fork while a large batch or a large deletion is being written, and other threads read."""
    devices = [f"d{i}" for i in range(2_000)]
    rows = 50 * len(devices)
    times = np.arange(50).repeat(len(devices)) * SECOND

    def write(number: int) -> None:
        services.store.add_batch(times, np.full(rows, float(number)), devices * 50, ["u"] * rows)
        services.store.listing(device=None, user=None, start=0, end=None, after=None, limit=9)
        services.datapoints_delete(axis="user", key="u")

    see_only_whole_writes(snapshot, write, "value", rows)


def test_what_is_forked_while_it_is_held_has_each_write_whole_or_not_at_all() -> None:
    run_alone(__name__, "cut")
