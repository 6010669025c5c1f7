"""Time zones: when their days begin, held against `zoneinfo` one day at a time, and which names there are."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeseries_project.core import offload, zones
from timeseries_project.core.timestamps import MICROSECONDS, parse
from timeseries_project.tests.drawn import drawn

EPOCH_DAY = date(1970, 1, 1).toordinal()
#: From the oldest bucket that there may be, of a hundred years, to the last day of the calendar.
OLDEST, LAST = date(1869, 1, 1).toordinal() - EPOCH_DAY, zones.NO_DAY - 1
NAMES = sorted(zones.names().values())
OTHER_NAMES = [
    *("", "Europe", "Europe/", "/Europe/Berlin", "EuropeBerlin", "Berlin", "+01:00", "é", "\ud800"),
    *("../../etc/passwd", "Europe/../Asia/Tokyo", "zones", "__init__.py", "Europe/Berlin\n", "Europe/Berlin\0"),
    *("x" * 10_000, "UTC" * 1_000),
]


def first_instant(day: int, zone: ZoneInfo) -> int:
    """The first second at which a zone's clocks show a date or a later one, by PEP 495 and bisection."""
    midnight = datetime.fromordinal(day + EPOCH_DAY)
    low, high = sorted(int(midnight.replace(tzinfo=zone, fold=fold).timestamp()) for fold in (0, 1))
    # Of a midnight that comes twice both show it; of one that does not come, the earlier one is before the gap.
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if _shows(middle, zone) >= midnight else (middle + 1, high)
    return low


def _shows(second: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(second, zone).replace(tzinfo=None)


def agree(days: list[int], zone: ZoneInfo) -> None:
    found = zones.beginnings(np.array(days), zone)
    assert found.tolist() == [first_instant(day, zone) * MICROSECONDS for day in days]


@given(
    name=st.sampled_from(NAMES),
    days=st.lists(st.one_of(st.integers(OLDEST, 30_000), st.integers(OLDEST, LAST - 1)), min_size=1, max_size=40),
)
@drawn(1_000)
def test_days_begin_where_zoneinfo_says(name: str, days: list[int]) -> None:
    agree(sorted(days), zones.find(name))


@given(name=st.sampled_from(NAMES), year=st.integers(1880, 2120))
@drawn(1_000)
def test_days_of_a_year_begin_where_zoneinfo_says(name: str, year: int) -> None:
    first = date(year, 1, 1).toordinal() - EPOCH_DAY
    agree(list(range(first, first + 366)), zones.find(name))


@pytest.mark.parametrize(
    ("name", "day", "begins"),
    [
        ("Asia/Kolkata", "2026-01-31", "2026-01-30T18:30:00Z"),
        ("Asia/Kathmandu", "2026-01-31", "2026-01-30T18:15:00Z"),
        # Clocks are put forward at midnight, so the day begins with one o'clock.
        ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00Z"),
        ("Asia/Beirut", "2022-03-27", "2022-03-26T22:00:00Z"),
        ("Africa/Cairo", "2014-05-16", "2014-05-15T22:00:00Z"),
        ("America/Havana", "2019-03-10", "2019-03-10T05:00:00Z"),
        # They are put back over midnight: it comes twice, and the day begins with the first.
        ("America/Havana", "2019-11-03", "2019-11-03T04:00:00Z"),
        ("America/St_Johns", "2006-10-29", "2006-10-29T02:30:00Z"),
        # They are put back from midnight to eleven, so that midnight comes once.
        ("America/Sao_Paulo", "2019-02-17", "2019-02-17T03:00:00Z"),
        # A date that never came.
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00Z"),
        ("Pacific/Apia", "2011-12-31", "2011-12-30T10:00:00Z"),
        ("Pacific/Kwajalein", "1993-08-21", "1993-08-21T12:00:00Z"),
        ("Pacific/Kwajalein", "1993-08-22", "1993-08-21T12:00:00Z"),
        # Local mean time, which ended there in 1972.
        ("Africa/Monrovia", "1971-06-01", "1971-06-01T00:44:30Z"),
        # By the rule behind the last change that is listed.
        ("Europe/Berlin", "2250-07-01", "2250-06-30T22:00:00Z"),
        ("Europe/Berlin", "9999-12-31", "9999-12-30T23:00:00Z"),
    ],
)
def test_days_that_begin_in_another_way(name: str, day: str, begins: str) -> None:
    number = parse(day) // 86_400 // MICROSECONDS
    assert zones.beginnings(np.array([number]), zones.find(name)).tolist() == [parse(begins)]


def test_the_data_are_those_of_the_package_whatever_the_machine_has(tmp_path: Path) -> None:
    """A machine on which Berlin has the time of Tokyo."""
    there = tmp_path / "Europe" / "Berlin"
    there.parent.mkdir()
    there.write_bytes((zones._resource("Asia/Tokyo")).read_bytes())
    code = (
        "from zoneinfo import ZoneInfo; from timeseries_project.core import zones;"
        "print(zones.offset_at(0, ZoneInfo('Europe/Berlin')), zones.offset_at(0, zones.find('Europe/Berlin')))"
    )
    environment = os.environ | {"PYTHONTZPATH": str(tmp_path)}
    printed = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert printed.stdout.split() == ["32400", "3600"]


def test_every_name_of_the_package_is_a_zone() -> None:
    assert len(NAMES) > 500
    for name in NAMES:
        assert zones.find(name).key == name


@pytest.mark.parametrize("name", OTHER_NAMES)
def test_other_names_are_refused_in_a_short_sentence(name: str) -> None:
    with pytest.raises(ValueError, match="must be the name of an IANA time zone, such as Europe/Berlin") as refused:
        zones.find(name)
    assert len(str(refused.value)) < 250


@pytest.mark.parametrize("name", ["europe/berlin", "EUROPE/BERLIN", "Europe/berlin"])
def test_a_name_in_other_letters_is_refused_with_the_right_one(name: str) -> None:
    with pytest.raises(ValueError, match=r"write Europe/Berlin\."):
        zones.find(name)


def test_no_clocks_are_put_back_by_more_than_the_time_to_the_next_change() -> None:
    """What `beginnings` relies on, so that a new version of the database cannot break it unseen."""
    for name in NAMES:
        changes = zones._changes(name, 2100)
        assert (np.diff(changes.times) > 0).all(), name
        assert (np.diff(changes.times[1:] + changes.offsets[:-1]) > 0).all(), name


def test_a_zone_is_looked_into_once_and_not_in_the_event_loop() -> None:
    zones._changes.cache_clear()
    zone, days = zones.find("Europe/Berlin"), np.arange(3)
    with pytest.raises(offload.Offload):
        offload.inline(zones.beginnings, days, zone)
    zones.beginnings(days, zone)
    assert offload.inline(zones.beginnings, days, zone).tolist() == zones.beginnings(days, zone).tolist()
