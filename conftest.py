"""What all tests share: stores that begin empty, a client, and a clock that stands where the test puts it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import settings
from rest_framework.test import APIClient

from bandwidth import services as bandwidth
from datapoints import services as datapoints
from timeseries_project import clock, timestamps
from transactions import services as transactions

# How long a drawn case takes says how busy the machine is, not whether the code is right.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(autouse=True)
def empty_stores() -> None:
    """Begin each test without data; the sample listing was loaded when Django started."""
    for clear in (datapoints.store.clear, bandwidth.store.clear, transactions.window.clear):
        clear()


@pytest.fixture
def api() -> APIClient:
    """A client that speaks to the views through all middleware."""
    return APIClient()


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], int]:
    """Set the server's clock to a timestamp; returns it in epoch seconds."""

    def set_to(text: str) -> int:
        moment = timestamps.parse(text)
        monkeypatch.setattr(clock, "now", lambda: moment)
        return moment // timestamps.MICROSECONDS

    return set_to


@pytest.fixture
def now(set_clock: Callable[[str], int]) -> int:
    """Noon of the last day of January 2026, in epoch seconds: the clock stands there."""
    return set_clock("2026-01-31T12:00:00Z")
