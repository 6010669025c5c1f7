"""Pages of other origins: CORS_ORIGINS, preflights, and what an answer lets them read."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import override_settings
from rest_framework.test import APIClient

from timeseries_project.api import access, cors, sessions
from timeseries_project.tests.headers import bearer
from timeseries_project.tests.problems import problem

PAGE, OTHER = "https://page.example:8443", "https://other.example"
NAMED = override_settings(CORS_ORIGINS=(PAGE, "http://localhost:3000"))
ANY = override_settings(CORS_ORIGINS=("*",))
TOKENS = {"API_TOKENS": ("secret",), "API_TOKENS_FOR_READS": True}
AMOUNT = {"amount": 1, "timestamp": 0}


def allowed(response: Any) -> str | None:
    """The origin whose pages may read an answer."""
    assert "Access-Control-Allow-Credentials" not in response.headers
    return response.headers.get("Access-Control-Allow-Origin")


def ask(api: APIClient, method: str, origin: str = PAGE, path: str = "/api/transactions", **more: str) -> Any:
    """A preflight."""
    return api.options(path, headers={"Origin": origin, "Access-Control-Request-Method": method, **more})


def names(response: Any, header: str) -> set[str]:
    return {name.strip().lower() for name in response.headers.get(header, "").split(",")} - {""}


class TestPreflights:
    @NAMED
    def test_need_no_token_and_let_pages_write_with_one(self, api: APIClient) -> None:
        with override_settings(**TOKENS):
            response = ask(api, "POST")
            assert (response.status_code, response.content, allowed(response)) == (204, b"", PAGE)
            assert {"get", "head", "post", "delete"} <= names(response, "Access-Control-Allow-Methods")
            assert {"authorization", "content-type"} <= names(response, "Access-Control-Allow-Headers")
            assert "origin" in names(response, "Vary")
            assert int(response["Access-Control-Max-Age"]) > 0
            assert not {"Content-Length", "Content-Type"} & {*response.headers}

    @NAMED
    def test_let_pages_only_read_where_there_are_no_tokens(self, api: APIClient) -> None:
        """Browsers always let a page POST; but without `Content-Type` only with types that are refused (415)."""
        response = ask(api, "POST")
        assert allowed(response) == PAGE
        assert names(response, "Access-Control-Allow-Methods") == {"get", "head"}
        assert not {"content-type", "authorization"} & names(response, "Access-Control-Allow-Headers")
        for media_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
            problem(api.generic("POST", "/api/transactions", "{}", content_type=media_type), 415)

    @pytest.mark.parametrize(
        "origin",
        [OTHER, "null", "", "*", PAGE.upper(), f"{PAGE}/", f"{PAGE}.evil.example", "https://page.example", "x" * 4_000],
    )
    @NAMED
    def test_of_origins_that_are_not_named_get_nothing(self, api: APIClient, origin: str) -> None:
        response = ask(api, "POST", origin)
        assert not [name for name in response.headers if name.startswith("Access-Control")]
        with override_settings(**TOKENS):
            problem(ask(api, "POST", origin), 401)

    def test_without_the_setting_get_nothing(self, api: APIClient) -> None:
        response = ask(api, "POST")
        assert not [name for name in response.headers if name.startswith("Access-Control")]
        assert "Origin" not in response["Vary"]

    @NAMED
    def test_are_answered_at_any_path_but_for_any_host(self, api: APIClient) -> None:
        assert ask(api, "GET", path="/nope").status_code == 204
        problem(ask(api, "GET", Host="evil.example"), 400)

    @NAMED
    def test_a_plain_options_describes_as_ever(self, api: APIClient) -> None:
        response = api.options("/api/transactions", headers={"Origin": PAGE})
        assert response.json()["parses"]
        assert allowed(response) == PAGE


class TestAnswers:
    @NAMED
    def test_may_be_read_by_pages_that_are_named(self, api: APIClient) -> None:
        response = api.get("/devices", headers={"Origin": PAGE})
        assert allowed(response) == PAGE
        assert {"etag", "link", "retry-after", "x-request-id"} <= names(response, "Access-Control-Expose-Headers")
        assert "origin" in names(response, "Vary")
        for origin in (OTHER, "null"):
            assert allowed(api.get("/devices", headers={"Origin": origin})) is None
        plain = api.get("/devices")
        assert allowed(plain) is None
        assert "origin" in names(plain, "Vary")
        unchanged = api.get("/devices", headers={"Origin": PAGE, "If-None-Match": "*"})
        assert (unchanged.status_code, allowed(unchanged)) == (304, PAGE)

    @ANY
    def test_may_be_read_by_all_pages_if_the_setting_says_so(self, api: APIClient) -> None:
        for headers in ({}, {"Origin": OTHER}, {"Origin": "null"}):
            response = api.get("/devices", headers=headers)
            assert allowed(response) == "*"
            assert "origin" not in names(response, "Vary")
        assert ask(api, "GET", OTHER).status_code == 204

    @NAMED
    def test_errors_too(self, api: APIClient) -> None:
        headers = {"Origin": PAGE}
        for path, status in (("/nope", 404), ("/devices/x", 404), ("/devices?limit=x", 400)):
            response = api.get(path, headers=headers)
            problem(response, status)
            assert allowed(response) == PAGE
        foreign = api.get("/devices", headers={**headers, "Host": "evil.example"})
        assert (foreign.status_code, allowed(foreign)) == (400, PAGE)
        with override_settings(**TOKENS):
            response = api.get("/devices", headers=headers)
            problem(response, 401)
            assert allowed(response) == PAGE
            assert "www-authenticate" in names(response, "Access-Control-Expose-Headers")

    @NAMED
    def test_a_write_needs_a_token_and_no_cookie_will_do(self, api: APIClient) -> None:
        with override_settings(**TOKENS):
            sent = {"path": "/api/transactions", "data": AMOUNT, "content_type": "application/json"}
            headers = {"Origin": PAGE, "Sec-Fetch-Site": "same-site"}
            assert api.post(**sent, headers={**headers, **bearer("secret")}).status_code == 204
            api.cookies[sessions.PLAIN] = sessions.issue(access.digest("secret"))
            problem(api.post(**sent, headers=headers), 401)

    @NAMED
    def test_static_files_are_for_our_own_pages(self, api: APIClient) -> None:
        response = api.get("/static/style.css", headers={"Origin": PAGE})
        assert allowed(response) is None
        response.close()

    def test_what_may_be_sent_is_what_a_page_needs(self) -> None:
        assert all(set(cors.METHODS[0].split(", ")) <= set(methods.split(", ")) for methods in cors.METHODS)
