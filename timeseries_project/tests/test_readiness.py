"""The process's readiness: /readyz runs all registered checks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.conf import settings
from rest_framework.test import APIClient

from bandwidth import listing
from bandwidth.apps import BandwidthConfig
from timeseries_project import env
from timeseries_project.ops import readiness
from timeseries_project.tests.exposition import Samples
from timeseries_project.tests.problems import problem


@pytest.fixture
def storage() -> Iterator[list[str]]:
    """The reason why a storage is unavailable; none at first."""
    reasons: list[str] = []
    readiness.register("storage", lambda: reasons[0] if reasons else None)
    yield reasons
    readiness.forget("storage")


@pytest.mark.parametrize("path", ["/readyz", "/readyz/"])
def test_is_ready_when_nothing_stands_in_the_way(api: APIClient, path: str) -> None:
    response = api.get(path)
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


def test_is_not_ready_while_a_check_says_so(api: APIClient, storage: list[str]) -> None:
    assert api.get("/readyz").status_code == 200
    storage.append("The storage does not answer.")
    assert problem(api.get("/readyz"), 503)["detail"] == "The storage does not answer."
    assert Samples.ask(api).value("timeseries_ready") == 0
    assert api.get("/healthz").status_code == 200
    storage.clear()
    assert api.get("/readyz").status_code == 200


def test_names_every_reason(api: APIClient, storage: list[str]) -> None:
    storage.append("The storage does not answer.")
    with readiness.busy("work", "Something is being done."):
        detail = problem(api.get("/readyz"), 503)["detail"]
    assert detail == "The storage does not answer. Something is being done."


def test_is_not_ready_while_the_listing_is_loaded(api: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[int] = []
    read = listing.read

    def ask_and_read(*args: object) -> object:
        found.append(api.get("/readyz").status_code)
        return read(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(settings, "BANDWIDTHS_FILE", env.SAMPLE_LISTING)
    monkeypatch.setattr(listing, "read", ask_and_read)
    BandwidthConfig("bandwidth", __import__("bandwidth")).ready()
    assert (found, api.get("/readyz").status_code) == ([503], 200)


def test_a_listing_that_cannot_be_read_leaves_nothing_behind(api: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "BANDWIDTHS_FILE", "absent.py")
    with pytest.raises(SystemExit):
        BandwidthConfig("bandwidth", __import__("bandwidth")).ready()
    assert readiness.reasons() == []


def test_other_methods_are_refused(api: APIClient) -> None:
    problem(api.post("/readyz"), 405)
