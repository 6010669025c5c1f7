"""Buckets of days, weeks, months and years in time zones, over HTTP: held against pandas, and against brute force."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from rest_framework.test import APIClient

from datapoints import services
from datapoints.divisions import Division
from datapoints.interface import QUARTER_HOUR
from datapoints.statistics import Aggregate, Fill
from datapoints.tests import oracle
from datapoints.tests.points import values
from timeseries_project.core import spans, timestamps, zones
from timeseries_project.core.timestamps import MICROSECONDS
from timeseries_project.tests.drawn import drawn
from timeseries_project.tests.problems import fields, problem

pytestmark = [pytest.mark.storages("redis", "cluster")]

DAY = 86_400 * MICROSECONDS
#: Half-hour, 45-minute and southern zones, some that change at midnight or skipped a day; each from a year on.
ZONES = {
    "Asia/Kolkata": 1970,
    "Asia/Kathmandu": 1987,  # until then half past; pandas passes over the whole hour in which clocks went on by 15 min
    "Pacific/Chatham": 1970,
    "Australia/Lord_Howe": 1982,  # in 1981 clocks went on by half an hour, likewise
    "Australia/Adelaide": 1970,
    "America/Santiago": 1970,
    "America/Sao_Paulo": 1970,
    "America/St_Johns": 1970,
    "America/Havana": 1970,
    "America/New_York": 1970,
    "Africa/Casablanca": 1970,
    "Africa/Cairo": 1970,
    "Asia/Beirut": 1970,
    "Europe/Dublin": 1970,
    "Pacific/Apia": 1970,
    "UTC": 1970,
}
#: Our units as pandas spells them, and how many days of each a test spans.
UNITS = {"d": ("D", 40), "w": ("W-MON", 300), "mo": ("MS", 1_000), "y": ("YS", 4_000)}
units = st.sampled_from(sorted(UNITS))


def get(api: APIClient, query: str, **parameters: object) -> list[dict[str, Any]]:
    response = api.get(f"/statistics/{query}", parameters)
    assert response.status_code == 200, response.content
    body = b"".join(response.streaming_content) if response.streaming else response.content
    rows: list[dict[str, Any]] = msgspec.json.decode(body)
    return rows


def add(points: dict[int, float], *, user: str = "u") -> None:
    for time, value in points.items():
        services.store.add(time, value, "d", user)


def text(time: int) -> str:
    return timestamps.render(time)


@st.composite
def stretches(draw: st.DrawFn, unit: str, since: int = 1970) -> dict[int, float]:
    """Points within some buckets, the values whole so that pandas' sums of them are exact."""
    base = draw(st.integers((date(since, 1, 1) - date(1970, 1, 1)).days + 1, 20_000)) * DAY
    times = st.integers(base, base + UNITS[unit][1] * DAY)
    return draw(st.dictionaries(times, st.integers(-1_000, 1_000).map(float), min_size=2, max_size=25))


@pytest.mark.parametrize("zone", list(ZONES))
@given(data=st.data(), unit=units)
@drawn(80, least=8)
def test_aggregates_are_those_of_pandas(
    api: APIClient, set_clock: Callable[[str], int], zone: str, unit: str, data: st.DataObject
) -> None:
    points = data.draw(stretches(unit, ZONES[zone]))
    frame = resampled(points, zone, unit)
    services.store.clear()
    set_clock(text(max(points)))
    add(points)
    starts = [text(time) for time in frame.index.tz_convert("UTC").as_unit("us").asi8.tolist()]
    for aggregate in ("count", "sum", "mean", "min", "max", "first", "last", "median"):
        name = {"mean": "avg"}.get(aggregate, aggregate)
        rows = get(api, f"devices/d/{name}", bucket=f"1{unit}", tz=zone)
        assert [row["timestamp"] for row in rows] == starts
        assert [row["count"] for row in rows] == frame["count"].tolist()
        expected = frame[aggregate].where(frame["count"] > 0) if aggregate != "count" else frame[aggregate]
        assert column(rows) == pytest.approx(expected.to_numpy(), abs=0, rel=1e-15, nan_ok=True)


@pytest.mark.parametrize("zone", ["America/Sao_Paulo", "Pacific/Chatham"])
@given(data=st.data(), unit=units, size=st.integers(1, 6), share=st.floats(0, 1))
@drawn(100)
def test_fills_and_moving_averages_are_those_of_pandas(
    api: APIClient,
    set_clock: Callable[[str], int],
    zone: str,
    unit: str,
    data: st.DataObject,
    size: int,
    share: float,
) -> None:
    """A line between two buckets runs by the number of buckets, as that of `interpolate` does, not by their length."""
    points = data.draw(stretches(unit))
    periods = max(1, round(share * size))
    mean = resampled(points, zone, unit)["mean"]
    services.store.clear()
    set_clock(text(max(points)))
    add(points)
    filled = {
        "null": mean,
        "zero": mean.fillna(0),
        "previous": mean.ffill(),
        "linear": mean.interpolate(limit_area="inside"),
        "none": mean.dropna(),
    }
    for fill, expected in filled.items():
        chosen = {"bucket": f"1{unit}", "tz": zone, "fill": fill}
        close = {"abs": 1e-9, "rel": 1e-12, "nan_ok": True}
        assert column(get(api, "users/u/avg", **chosen)) == pytest.approx(expected.to_numpy(), **close)
        rows = get(api, "users/u/moving_avg", **chosen, window_size=size, min_periods=periods)
        moving = expected.rolling(size, min_periods=periods).mean()
        assert column(rows) == pytest.approx(moving.to_numpy(), **close)


@given(data=st.data(), days=st.integers(1, 20), offset=st.integers(0, 20 * 86_400 - 1))
@drawn(100)
def test_widths_with_an_offset_are_those_of_pandas(
    api: APIClient, set_clock: Callable[[str], int], data: st.DataObject, days: int, offset: int
) -> None:
    points = data.draw(stretches("w"))
    offset = data.draw(st.sampled_from([offset, offset // 900 * 900])) % (days * 86_400)
    frame = (
        series(points, "UTC").resample(f"{days * 86_400}s", origin="epoch", offset=f"{offset}s").agg(["count", "sum"])
    )
    services.store.clear()
    set_clock(text(max(points)))
    add(points)
    rows = get(api, "devices/d/sum", bucket=f"{days}d", offset=f"{offset}s")
    assert [row["timestamp"] for row in rows] == [text(t) for t in frame.index.as_unit("us").asi8.tolist()]
    assert [row["count"] for row in rows] == frame["count"].tolist()
    assert [row["value"] or 0.0 for row in rows] == frame["sum"].tolist()


def column(rows: list[dict[str, Any]]) -> Any:
    return np.array([row["value"] for row in rows], dtype=np.float64)


def series(points: dict[int, float], zone: str) -> pd.Series[float]:
    index = pd.to_datetime(sorted(points), unit="us", utc=True).tz_convert(zones.find(zone))
    return pd.Series([points[time] for time in sorted(points)], index=index)


def resampled(points: dict[int, float], zone: str, unit: str) -> pd.DataFrame:
    """Points by the calendar of a zone. Pandas cannot do it if the first day, or the last, has no midnight or two."""
    kinds = ["count", "sum", "mean", "min", "max", "first", "last", "median"]
    try:
        return series(points, zone).resample(UNITS[unit][0], closed="left", label="left").agg(kinds)
    except ValueError:
        assume(False)
        raise


@st.composite
def spans_drawn(draw: st.DrawFn) -> str:
    unit = draw(st.sampled_from(["d", "w", "mo", "y"]))
    most = {"d": 366, "w": 5_217, "mo": 1_200, "y": 100}[unit]
    return f"{draw(st.integers(1, 5) | st.integers(1, most))}{unit}"


def bucket_of(time: int, bucket: str, zone: str) -> tuple[int, int]:
    """The times at which the bucket of a time begins and ends, by the dates of a calendar."""
    span, known = spans.parse(bucket), zones.find(zone)
    assert span is not None
    local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time)).astimezone(known).date()
    # Where midnight comes twice, a time between the two is of the next day already.
    [tomorrow] = zones.beginnings(np.array([number_of(local) + 1]), known).tolist()
    local += timedelta(days=1 if time >= tomorrow else 0)
    if span.unit in ("mo", "y"):
        months = span.number * (12 if span.unit == "y" else 1)
        place = ((local.year - 1970) * 12 + local.month - 1) // months
        first, after = (date(1970 + p * months // 12, p * months % 12 + 1, 1) for p in (place, place + 1))
    else:
        days = span.number * (7 if span.unit == "w" else 1)
        monday = 3 if span.unit == "w" else 0
        place = (number_of(local) + monday) // days
        first, after = (date(1970, 1, 1) + timedelta(days=p * days - monday) for p in (place, place + 1))
    begin, end = zones.beginnings(np.array([number_of(first), number_of(after)]), known).tolist()
    return begin, end


def number_of(day: date) -> int:
    return (day - date(1970, 1, 1)).days


def by_hand(points: dict[int, float], bucket: str, zone: str, now: int) -> list[tuple[int, list[float]]]:
    """Every bucket from that of the first point to that of now, with its values in the order of time."""
    begin, end = bucket_of(min(points), bucket, zone)
    rows = []
    while begin <= max(now, *points):
        rows.append((begin, [points[time] for time in sorted(points) if begin <= time < end]))
        begin, end = bucket_of(end, bucket, zone)
    return rows


@given(
    bucket=spans_drawn(),
    zone=st.sampled_from([*ZONES, "Africa/Monrovia", "Pacific/Kwajalein"]),
    base=st.integers(0, 1_500) | st.integers(0, 20_000),
    offsets=st.dictionaries(st.integers(0, 120 * DAY), values, min_size=1, max_size=12),
    later=st.integers(0, 60),
    fill=st.sampled_from(Fill),
    size=st.integers(1, 5),
    cut=st.tuples(st.none() | st.integers(-20, 200), st.none() | st.integers(0, 100)),
    gone=st.booleans(),
)
@drawn(1_000)
def test_every_aggregate_fill_window_and_range(
    api: APIClient,
    set_clock: Callable[[str], int],
    bucket: str,
    zone: str,
    base: int,
    offsets: dict[int, float],
    later: int,
    fill: Fill,
    size: int,
    cut: tuple[int | None, int | None],
    gone: bool,
) -> None:
    points = {base * DAY + offset: value for offset, value in offsets.items()}
    now = max(points) + later * DAY
    set_clock(text(now))
    services.store.clear()
    if gone:
        services.store.add(base * DAY, 1e16, "gone", "u")
    add(points)
    services.datapoints_delete(axis="device", key="gone")
    rows = by_hand(points, bucket, zone, now)
    start = None if cut[0] is None else max((base + cut[0]) * DAY, 0)
    end = None if cut[1] is None else (base * DAY if start is None else start) + cut[1] * DAY
    asked = {name: text(time) for name, time in (("start", start), ("end", end)) if time is not None}
    kept = [
        i
        for i, (begin, _) in enumerate(rows)
        if (start is None or bucket_of(begin, bucket, zone)[1] > start)
        and (end is None or begin < end)
        and not (start is not None and start == end)
    ]
    chosen = {"bucket": bucket, "tz": zone, "fill": fill, **asked}
    for aggregate in (Aggregate.AVG, Aggregate.SUM, Aggregate.COUNT, Aggregate.MAX, Aggregate.LAST):
        known = {i: exact(aggregate, group) for i, (_, group) in enumerate(rows) if group}
        ruled = Fill.ZERO if aggregate is Aggregate.COUNT and fill is not Fill.NONE else fill
        expected = oracle.filled(known, len(rows) - 1, ruled) if ruled is not Fill.NONE else sorted(known.items())
        answer = get(api, f"devices/d/{aggregate}", **chosen)
        assert [(row["timestamp"], row["value"]) for row in answer] == [
            (text(rows[i][0]), value) for i, value in expected if i in kept
        ]
        assert [row["count"] for row in answer] == [len(rows[i][1]) for i, _ in expected if i in kept]
        if aggregate is Aggregate.AVG:
            moving = oracle.moving(expected, size, max(size - 1, 1))
            periods = {"window_size": size, "min_periods": max(size - 1, 1)}
            answer = get(api, "users/u/moving_avg", **chosen, **periods)
            assert [(row["timestamp"], row["value"]) for row in answer] == [
                (text(rows[i][0]), value) for i, value in moving if i in kept
            ]


def exact(aggregate: Aggregate, group: list[float]) -> Any:
    match aggregate:
        case Aggregate.AVG:
            return oracle.average(group)
        case Aggregate.SUM:
            return oracle.total(group)
        case Aggregate.COUNT:
            return oracle.total([1.0] * len(group))
        case Aggregate.MAX:
            return oracle.total([max(group)])
        case _:
            return oracle.total([group[-1]])


class TestByExample:
    @pytest.mark.parametrize(
        ("bucket", "zone", "first", "last", "hours"),
        [
            ("1d", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-30T12:00:00Z", [24, 23]),
            ("1d", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z", [24, 25]),
            ("1d", "Australia/Lord_Howe", "2026-04-04T01:00:00Z", "2026-04-06T01:00:00Z", [24, 24.5]),
            ("1d", "America/Sao_Paulo", "2018-11-03T12:00:00Z", "2018-11-05T12:00:00Z", [24, 23]),
            # 2011-12-30 never came.
            ("1d", "Pacific/Apia", "2011-12-29T20:00:00Z", "2011-12-31T20:00:00Z", [24, 24]),
            ("2d", "Pacific/Apia", "2011-12-29T20:00:00Z", "2012-01-03T20:00:00Z", [48, 24, 48]),
            ("1w", "UTC", "2025-12-31T00:00:00Z", "2026-01-13T00:00:00Z", [168, 168]),
            ("1mo", "Europe/Berlin", "2026-02-10T00:00:00Z", "2026-04-10T00:00:00Z", [672, 743]),
            ("1y", "Asia/Kolkata", "2024-02-10T00:00:00Z", "2026-02-10T00:00:00Z", [8_784, 8_760]),
        ],
    )
    def test_buckets_are_as_long_as_the_calendar_says(
        self,
        api: APIClient,
        set_clock: Callable[[str], int],
        bucket: str,
        zone: str,
        first: str,
        last: str,
        hours: list[float],
    ) -> None:
        set_clock(last)
        add({timestamps.parse(first): 1.0})
        rows = get(api, "devices/d/avg", bucket=bucket, tz=zone)
        starts = [timestamps.parse(row["timestamp"]) for row in rows]
        assert [(after - before) / 3_600 / MICROSECONDS for before, after in pairwise(starts)] == hours

    @pytest.mark.parametrize(
        ("bucket", "parameters", "start"),
        [
            ("1d", {}, "2026-01-31T00:00:00Z"),
            ("1w", {}, "2026-01-26T00:00:00Z"),
            ("2w", {}, "2026-01-26T00:00:00Z"),
            ("1mo", {}, "2026-01-01T00:00:00Z"),
            ("3mo", {"tz": "Asia/Kathmandu"}, "2025-12-31T18:15:00Z"),
            ("5mo", {}, "2025-11-01T00:00:00Z"),
            ("1y", {"tz": "America/New_York"}, "2026-01-01T05:00:00Z"),
            ("10y", {}, "2020-01-01T00:00:00Z"),
            ("100y", {}, "1970-01-01T00:00:00Z"),
            ("7d", {}, "2026-01-29T00:00:00Z"),
            ("7d", {"offset": "4d"}, "2026-01-26T00:00:00Z"),
            ("1d", {"offset": "6h"}, "2026-01-31T06:00:00Z"),
            ("1h", {"offset": "59m"}, "2026-01-31T11:59:00Z"),
            ("15m", {"offset": "0s"}, "2026-01-31T12:00:00Z"),
            ("7d", {"tz": "Asia/Tokyo"}, "2026-01-28T15:00:00Z"),
        ],
    )
    @pytest.mark.usefixtures("now")
    def test_where_the_present_bucket_begins(
        self, api: APIClient, bucket: str, parameters: dict[str, str], start: str
    ) -> None:
        add({timestamps.parse("2026-01-31T12:00:00Z"): 3.0})
        assert get(api, "users/u/sum", bucket=bucket, **parameters) == [{"timestamp": start, "value": 3.0, "count": 1}]

    @pytest.mark.parametrize(
        ("bucket", "parameters", "start"),
        [
            ("1d", {"tz": "America/New_York"}, "1969-12-31T05:00:00Z"),
            ("1w", {}, "1969-12-29T00:00:00Z"),
            ("100y", {"tz": "America/New_York"}, "1870-01-01T04:56:02Z"),
            ("7d", {"offset": "4d"}, "1969-12-29T00:00:00Z"),
            ("1d", {"tz": "Africa/Monrovia"}, "1969-12-31T00:44:30Z"),
        ],
    )
    def test_the_bucket_of_the_first_second_may_begin_before_it(
        self, api: APIClient, set_clock: Callable[[str], int], bucket: str, parameters: dict[str, str], start: str
    ) -> None:
        set_clock("1970-01-01T00:10:00Z")
        add({1: 1.0})
        for fill in Fill:
            chosen = {"bucket": bucket, **parameters, "fill": fill}
            [row] = get(api, "devices/d/avg", **chosen)
            assert row == {"timestamp": start, "value": 1.0, "count": 1}
            assert get(api, "devices/d/moving_avg", **chosen, window_size=1, start=0)[0]["timestamp"] == start
            body = api.get("/statistics/devices/d/avg", {**chosen, "format": "csv"}).content.decode()
            assert body.splitlines()[1] == f"{start},1.0,1"

    @pytest.mark.parametrize(
        ("zone", "days"),
        # The last two are behind UTC at first, the last one is no more in the end.
        [("UTC", 36_526), ("Asia/Kathmandu", 36_526), ("America/St_Johns", 36_526), ("Africa/Monrovia", 36_527)],
    )
    def test_all_days_of_a_hundred_years(
        self, api: APIClient, set_clock: Callable[[str], int], zone: str, days: int
    ) -> None:
        set_clock("2070-01-01")
        add({0: 1.0, timestamps.parse("2069-12-31T12:00:00Z"): 2.0})
        rows = get(api, "devices/d/avg", bucket="1d", tz=zone, fill="zero")
        assert len(rows) == days
        assert [row["value"] for row in rows if row["count"]] == [1.0, 2.0]
        response = api.get("/statistics/devices/d/avg", {"bucket": "1d", "tz": zone, "format": "csv"})
        body = b"".join(response.streaming_content) if response.streaming else response.content
        cells = list(csv.DictReader(io.StringIO(body.decode())))
        assert [row["timestamp"] for row in cells] == [row["timestamp"] for row in rows]

    @pytest.mark.parametrize("start", ["2071-01-01", "9999-12-31T23:59:59Z", "253402300799"])
    @pytest.mark.parametrize("bucket", ["1d", "1w", "1mo", "100y"])
    @pytest.mark.usefixtures("now")
    def test_a_start_behind_everything_answers_nothing(self, api: APIClient, bucket: str, start: str) -> None:
        add({timestamps.parse("2026-01-31T11:00:00Z"): 1.0})
        for tz in ("UTC", "Pacific/Apia", "America/New_York"):
            assert get(api, "devices/d/avg", bucket=bucket, tz=tz, start=start) == []
            assert get(api, "devices/d/avg", bucket=bucket, tz=tz, end=start) == get(
                api, "devices/d/avg", bucket=bucket, tz=tz
            )


class TestParameters:
    @pytest.mark.parametrize(
        ("query", "wrong", "words"),
        [
            *((f"bucket={text}", "bucket", "must be a whole number and s, m, h, d, w, mo or y, such as 15m or 1mo")
              for text in ("0mo", "0w", "-1w", "5218w", "1201mo", "101y", "1.5mo", "mo", "1M", "1mon", "1 mo", "1٣mo",
                           "99999999999999999999y", "1Y", "w", "1mo%0A")),
            *((f"bucket=1d&tz={text}", "tz", "must be the name of an IANA time zone, such as Europe/Berlin")
              for text in ("", "../../etc/passwd", "x" * 10_000, "%ED%A0%80", "%00", "Europe", "Mars/Olympus", "CEST")),
            ("bucket=1mo&tz=europe/berlin", "tz", "write Europe/Berlin."),
            ("bucket=1h&tz=Europe/Berlin", "tz", "needs buckets of d, w, mo or y"),
            ("bucket=90m&tz=UTC", "tz", "those of 90m begin at the same times in every zone"),
            ("tz=UTC", "tz", "those of 15m begin at the same times in every zone"),
            ("bucket=1d&tz=UTC&offset=1h", "offset", "must not be given together with tz"),
            ("bucket=1mo&offset=1d", "offset", "those of 1mo begin with the calendar"),
            ("bucket=1w&offset=0s", "offset", "those of 1w begin with the calendar"),
            ("bucket=1h&offset=1h", "offset", "must be shorter than the bucket, 1h"),
            ("offset=15m", "offset", "must be shorter than the bucket, 15m"),
            *((f"bucket=7d&offset={text}", "offset", "must be a whole number and s, m, h or d, such as 4d")
              for text in ("-1s", "", "1", "1.5h", "1mo", "1w", "x", "4D")),
            ("bucket=1d&tz=UTC&tz=UTC", "tz", "is given more than once"),
        ],
    )  # fmt: skip
    def test_what_is_wrong_is_said(self, api: APIClient, query: str, wrong: str, words: str) -> None:
        for url in ("devices/d/avg?", "users/u/p99?", "devices/unknown/moving_avg?window_size=2&"):
            body = problem(api.get(f"/statistics/{url}{query}"), 400)
            assert fields(body) == [wrong]
            assert words in body["errors"][0]["message"]
            assert len(body["errors"][0]["message"]) < 300


def test_days_that_begin_with_quarter_hours_cost_buckets_and_others_points(
    set_clock: Callable[[str], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Months of points, of which none is read again where every day begins with a quarter-hour."""
    first = timestamps.parse("1971-12-01")
    now = set_clock("1972-02-01") * MICROSECONDS
    times = np.arange(first, now, QUARTER_HOUR // 3)
    services.store.clear()
    services.store.add_batch(times, np.ones(len(times)), ["d"] * len(times), ["u"] * len(times))
    read: list[int] = []
    with services.store.view("device", "d") as view:
        kind = type(view)
    points = kind.points

    def counted(self: Any, start: int, stop: int) -> Any:
        found = points(self, start, stop)
        read.append(len(found[0]))
        return found

    monkeypatch.setattr(kind, "points", counted)
    chosen = {"axis": "device", "key": "d", "start": None, "end": None, "fill": Fill.NULL, "now": now}
    for zone in ("Asia/Kathmandu", "Asia/Kolkata", "America/St_Johns", "Africa/Monrovia"):
        read.clear()
        days = spans.parse("1d")
        assert days is not None
        rows = services.statistics_list(aggregate=Aggregate.AVG, bucket=days, tz=zone, **chosen)
        starts, averages, counts = rows.columns(0, len(rows))
        assert counts.sum() == len(times)
        assert set(averages[counts > 0].tolist()) == {1.0}
        if zone != "Africa/Monrovia":
            assert sum(read) == 0
        else:  # its clocks went on from 00:44:30 behind UTC to UTC on 1972-01-07
            assert sum(read) == np.searchsorted(times, timestamps.parse("1972-01-08"))
        grid = Division(days, zone).grid(int(times[0]), now)
        assert (starts.astype(np.int64) * MICROSECONDS).tolist() == grid.edges[
            grid.number(int(times[0])) : grid.number(now) + 1
        ].tolist()
