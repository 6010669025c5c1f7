"""What caches are told: Cache-Control and Vary."""

from __future__ import annotations

import pytest
from django.test import override_settings
from rest_framework.test import APIClient

from timeseries_project.tests.headers import BROWSER, bearer

PATHS = ["/", "/devices", "/api/statistics", "/charts/bandwidth", "/healthz", "/metrics", "/api/schema/", "/nope"]


@pytest.mark.parametrize("accept", [BROWSER, "*/*"])
@pytest.mark.parametrize("path", PATHS)
def test_caches_ask_each_time(api: APIClient, path: str, accept: str) -> None:
    response = api.get(path, headers={"Accept": accept})
    assert response["Cache-Control"] == "no-cache"
    assert response["Vary"] == "Accept, Accept-Encoding"


@pytest.mark.parametrize("headers", [{}, bearer("secret")])
@pytest.mark.parametrize("path", PATHS)
def test_they_keep_nothing_where_reads_need_a_token(api: APIClient, path: str, headers: dict[str, str]) -> None:
    with override_settings(API_TOKENS=("secret",), API_TOKENS_FOR_READS=True):
        assert api.get(path, headers=headers)["Cache-Control"] == "private, no-store"


def test_where_only_writes_need_one_pages_differ_by_who_has_signed_in(api: APIClient) -> None:
    with override_settings(API_TOKENS=("secret",)):
        response = api.get("/")
        assert response["Cache-Control"] == "no-cache"
        assert response["Vary"] == "Accept, Accept-Encoding, Authorization, Cookie"
        assert api.get("/sign-in")["Cache-Control"] == "no-store"


def test_static_files_have_their_own_rules(api: APIClient) -> None:
    with override_settings(API_TOKENS=("secret",), API_TOKENS_FOR_READS=True):
        response = api.get("/static/style.css")
        assert response["Cache-Control"] == "max-age=60, public"
        assert "Cookie" not in response.get("Vary", "")
        response.close()
