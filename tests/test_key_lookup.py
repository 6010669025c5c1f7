"""Looking up keys: by search, with a limit, one by one."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from rest_framework.test import APIClient

from bandwidth import services as bandwidth
from datapoints import services as datapoints
from timeseries_project.core import clock

pytestmark = pytest.mark.usefixtures("now")

NAMES = ["Ada", "adam", "a/", "a//b", "a", "ß", "STRASSE", "<b>", "a'b\"", "%2F", "z"]
LISTINGS = [("/devices", "device"), ("/users", "user"), ("/api/bandwidth/devices", "device_id")]


@pytest.fixture(autouse=True)
def three_stores() -> None:
    """Fill every listing with the same keys."""
    for i, name in enumerate(NAMES):
        datapoints.datapoint_add(timestamp=i * 10**6, value=1.0, device=name, user=name, now=clock.now())
        bandwidth.entry_add(device_id=name, timestamp=i, bytes_ts=i, bytes_fs=10 * i, now=clock.now_s())


@pytest.mark.parametrize(("path", "field"), LISTINGS)
@pytest.mark.parametrize("search", [None, "a", "A", "ss", "/", "<", "%", "nothing", "'"])
@pytest.mark.parametrize("limit", [None, 1, 3, 10_000])
def test_keys_are_searched_and_limited(
    api: APIClient, path: str, field: str, search: str | None, limit: int | None
) -> None:
    query = {name: value for name, value in (("search", search), ("limit", limit)) if value is not None}
    found = [row[field] for row in api.get(path, query).json()]
    assert found == sorted(n for n in NAMES if search is None or search.casefold() in n.casefold())[:limit]


@pytest.mark.parametrize(("path", "field"), LISTINGS)
@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ("search=", "search"),
        ("search=%20", "search"),
        ("limit=0", "limit"),
        ("limit=10001", "limit"),
        ("limit=x", "limit"),
    ],
)
def test_a_wrong_search_is_refused(api: APIClient, path: str, field: str, query: str, wrong: str) -> None:
    response = api.get(f"{path}?{query}")
    assert (response.status_code, [e["field"] for e in response.json()["errors"]]) == (400, [wrong])


@pytest.mark.parametrize(("path", "field"), LISTINGS)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("end", ["", "/"])
def test_one_key_is_answered_as_in_the_listing(api: APIClient, path: str, field: str, name: str, end: str) -> None:
    # One slash at the end is optional, so a key that ends in a slash needs it twice.
    end = "/" if name.endswith("/") else end
    [row] = [row for row in api.get(path).json() if row[field] == name]
    response = api.get(f"{path}/{quote(name, safe='')}{end}")
    one = response.json()
    one.pop("latest", None)  # of datapoints only
    assert (response.status_code, one) == (200, row)


@pytest.mark.parametrize(("path", "field"), LISTINGS)
@pytest.mark.parametrize("name", ["unknown", "a/b", "%00", " ", "x" * 300])
def test_an_unknown_key_is_not_found(api: APIClient, path: str, field: str, name: str) -> None:
    response = api.get(f"{path}/{quote(name)}")
    assert (response.status_code, response["Content-Type"]) == (404, "application/problem+json")
    assert api.put(f"{path}/{quote(name)}").status_code == 405
