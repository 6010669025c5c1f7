"""The headings of the browsable pages and of the answers to OPTIONS."""

from __future__ import annotations

import pytest
from django.urls import get_resolver
from rest_framework.test import APIClient
from rest_framework.viewsets import ViewSetMixin

from timeseries_project.tests.headers import BROWSER


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/datapoints", "Datapoints"),
        ("/devices", "Devices"),
        ("/users", "Users"),
        ("/devices/a", "Device"),
        ("/users/a/datapoints", "Datapoints of a user"),
        ("/statistics/devices/a/avg", "Statistics of a device"),
        ("/statistics/users/a/moving_avg", "Moving average of a user"),
        ("/statistics/users/a/percentile", "Percentile of a user"),
        ("/api/bandwidth", "Bandwidth"),
        ("/api/bandwidth/entries", "Bandwidth entries"),
        ("/api/bandwidth/devices", "Bandwidth of all devices"),
        ("/api/bandwidth/devices/a", "Bandwidth of a device"),
        ("/api/transactions", "Transactions"),
        ("/api/statistics", "Statistics of transactions"),
        ("/api/statistics/history", "History of transactions"),
        ("/healthz", "Health"),
        ("/metrics", "Metrics"),
        ("/nope", "Error"),
    ],
)
def test_an_endpoint_has_its_name_on_its_page(api: APIClient, path: str, name: str) -> None:
    text = api.get(path, headers={"Accept": BROWSER}).content.decode()
    assert f"<h1>{name}</h1>" in text
    assert f"<title>{name} – Time-series statistics</title>" in text
    if name != "Error":
        assert api.options(path).json()["name"] == name


def test_each_endpoint_has_its_own_name() -> None:
    """The framework forgets the `name` of a viewset's class: only one that the route gives is shown."""
    callbacks = [pattern.callback for pattern in get_resolver().url_patterns]
    views = [view for view in callbacks if issubclass(getattr(view, "cls", object), ViewSetMixin)]
    names = [view.initkwargs.get("name") for view in views]
    assert all(names)
    assert len(set(names)) == len(names) > 10
