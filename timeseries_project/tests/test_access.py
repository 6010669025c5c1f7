"""Tokens: when one is needed, which are valid, and how a request without one is refused."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import override_settings
from rest_framework.test import APIClient

from datapoints import services as datapoints
from timeseries_project.api import access, sessions
from timeseries_project.tests.headers import BROWSER, bearer
from timeseries_project.tests.problems import problem, refused

TOKENS = ("first-token", "aZ0-._~+/==")
POINT = json.dumps({"timestamp": 1, "value": 1, "device": "d", "user": "u"})
READS = [
    "/datapoints", "/devices", "/users", "/api/bandwidth/devices", "/api/bandwidth/entries", "/api/statistics",
    "/", "/charts/bandwidth",
    "/charts/datapoints", "/charts/transactions", "/api/schema/", "/api/docs/", "/metrics",
]  # fmt: skip
OPEN = ["/healthz", "/readyz", "/ping", "/static/style.css", "/sign-in"]
WRITES = [
    ("post", "/datapoints"), ("post", "/api/bandwidth"), ("post", "/api/transactions"),
    ("delete", "/api/transactions"), ("delete", "/devices/d/datapoints"), ("delete", "/users/u/datapoints"),
    ("delete", "/datapoints?device=d&start=1"),
]  # fmt: skip


@pytest.fixture(autouse=True)
def tokens() -> Iterator[None]:
    with override_settings(API_TOKENS=TOKENS):
        yield


@pytest.fixture
def reads() -> Iterator[None]:
    """Reading needs a token too."""
    with override_settings(API_TOKENS_FOR_READS=True):
        yield


def post(api: APIClient, **headers: str) -> Any:
    return api.post("/datapoints", POINT, content_type="application/json", headers=headers)


class TestWrites:
    @pytest.mark.parametrize(("method", "path"), WRITES)
    def test_need_a_token(self, api: APIClient, method: str, path: str) -> None:
        datapoints.store.add(1, 1.0, "d", "u")
        refused(getattr(api, method)(path), wrong=False)
        refused(getattr(api, method)(path, headers=bearer("nope")), wrong=True)
        assert len(datapoints.keys_list(axis="device")) == 1
        assert getattr(api, method)(path, headers=bearer(TOKENS[0])).status_code != 401

    @pytest.mark.parametrize("token", TOKENS)
    @pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer  "])
    def test_take_any_of_the_tokens(self, api: APIClient, token: str, scheme: str) -> None:
        assert post(api, Authorization=f"{scheme} {token}").status_code == 201

    @pytest.mark.parametrize(
        "value",
        [
            "Bearer first-toke", "Bearer first-token,", "Bearer first-tokem", "Bearer FIRST-TOKEN", "Bearer ü",
            "Bearer first-token first-token", "Bearer first-token,Bearer first-token", 'Bearer "first-token"',
        ],
    )  # fmt: skip
    def test_refuse_what_is_not_quite_one(self, api: APIClient, value: str) -> None:
        refused(post(api, Authorization=value), wrong=True)

    @pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", "first-token", "Basic Zmlyc3QtdG9rZW4=", "Bearerfirst"])
    def test_refuse_what_is_none(self, api: APIClient, value: str) -> None:
        refused(post(api, Authorization=value), wrong=False)

    def test_a_token_in_the_query_is_none(self, api: APIClient) -> None:
        refused(api.post("/datapoints?access_token=first-token", POINT, content_type="application/json"), wrong=False)

    @pytest.mark.parametrize(
        ("body", "headers"),
        [
            ("{", {}),
            ("", {}),
            (POINT, {"Accept": "image/png"}),
            (POINT, {"Content-Type": "text/plain"}),
            (POINT, {"Content-Encoding": "br"}),
        ],
    )
    def test_are_refused_before_any_other_fault_is_found(
        self, api: APIClient, body: str, headers: dict[str, str]
    ) -> None:
        media_type = headers.pop("Content-Type", "application/json")
        for path in ("/datapoints", "/datapoints?bogus=1", "/datapoints?format=xml"):
            refused(api.generic("POST", path, body, content_type=media_type, headers=headers), wrong=False)

    def test_unknown_routes_and_methods_are_told_as_such(self, api: APIClient) -> None:
        problem(api.post("/nope"), 404)
        problem(api.put("/datapoints"), 405)
        problem(api.post("/"), 405)
        problem(api.post("/api/docs/"), 405)

    def test_a_page_for_browsers_offers_to_sign_in(self, api: APIClient) -> None:
        response = post(api, Accept=BROWSER)
        text = response.content.decode()
        assert (response.status_code, response["WWW-Authenticate"]) == (401, 'Bearer realm="timeseries"')
        assert 'href="/sign-in?next=/datapoints"' in text
        assert "&quot;detail&quot;" in text


class TestReads:
    @pytest.mark.parametrize("path", READS)
    def test_are_open_by_default_whatever_is_sent(self, api: APIClient, path: str) -> None:
        for headers in ({}, bearer("nope"), {"Cookie": f"{sessions.PLAIN}=nope"}):
            assert api.get(path, headers=headers).status_code == 200

    @pytest.mark.usefixtures("reads")
    @pytest.mark.parametrize("path", READS)
    def test_need_a_token_where_the_setting_says_so(self, api: APIClient, path: str) -> None:
        refused(api.get(path), wrong=False)
        refused(api.get(path, headers=bearer("nope")), wrong=True)
        assert api.get(path, headers=bearer(TOKENS[1])).status_code == 200
        assert api.head(path).status_code == 401
        problem(api.get("/nope"), 404)

    @pytest.mark.usefixtures("reads")
    @pytest.mark.parametrize("path", READS)
    def test_a_browser_gets_a_page_that_leads_to_the_form(self, api: APIClient, path: str) -> None:
        response = api.get(path, headers={"Accept": BROWSER})
        assert (response.status_code, response["Content-Type"]) == (401, "text/html; charset=utf-8")
        came = f"?next={path}" if path != "/" else ""
        assert f'href="/sign-in{came}"' in response.content.decode()

    @pytest.mark.usefixtures("reads")
    @pytest.mark.parametrize("path", OPEN)
    def test_what_is_open_stays_open(self, api: APIClient, path: str) -> None:
        for headers in ({}, bearer("nope")):
            response = api.get(path, headers=headers)
            response.close()
            assert response.status_code in (200, 204)

    @pytest.mark.usefixtures("reads")
    def test_are_refused_before_any_other_fault_is_found(self, api: APIClient) -> None:
        for path in ("/devices?format=xml", "/datapoints?limit=x", "/charts/bandwidth?bogus=1", "/?format=xml"):
            refused(api.get(path), wrong=False)
        refused(api.get("/devices", headers={"Accept": "image/png"}), wrong=False)


def test_every_token_is_compared_whichever_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[bytes] = []

    def compare(a: bytes, b: bytes) -> bool:
        compared.append(a)
        return hmac.compare_digest(a, b)

    monkeypatch.setattr(access, "hmac", type("", (), {"compare_digest": staticmethod(compare)}))
    every = [access.digest(token) for token in TOKENS]
    for token in (*TOKENS, "nope"):
        compared.clear()
        assert access.is_known(access.digest(token)) == (token in TOKENS)
        assert compared == every


@pytest.mark.usefixtures("reads")
def test_no_token_is_shown_or_logged(api: APIClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    for path in (*READS, "/nope", "/healthz", "/readyz"):
        for token in (*TOKENS, "wrong-token"):
            for accept in ("*/*", BROWSER):
                text = api.get(path, headers={**bearer(token), "Accept": accept}).content.decode()
                assert token not in text
                assert access.digest(token).hex() not in text
    assert not [token for token in (*TOKENS, "wrong-token") if token in caplog.text]


def test_commands_take_the_token_from_the_shell(api: APIClient) -> None:
    text = api.get("/").content.decode()
    assert text.count("Authorization: Bearer $API_TOKEN&quot;") == 3


class TestSchema:
    def test_says_what_needs_a_token(self, api: APIClient) -> None:
        document = api.get("/api/schema/?format=json").json()
        assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
        for path, item in document["paths"].items():
            for method, operation in item.items():
                assert operation.get("security") == ([{"bearer": []}] if method != "get" else None), path
                assert ("401" in operation["responses"]) == ("429" in operation["responses"]) == (path not in OPEN)

    @pytest.mark.usefixtures("reads")
    def test_says_so_of_reads(self, api: APIClient) -> None:
        document = api.get("/api/schema/?format=json", headers=bearer(TOKENS[0])).json()
        for path, item in document["paths"].items():
            for operation in item.values():
                assert operation.get("security") == ([{"bearer": []}] if path not in OPEN else None)

    def test_says_that_without_tokens_none_is_needed(self, api: APIClient) -> None:
        with override_settings(API_TOKENS=()):
            document = api.get("/api/schema/?format=json").json()
        assert document["paths"]["/datapoints"]["post"]["security"] == [{}, {"bearer": []}]
        assert "security" not in document["paths"]["/datapoints"]["get"]
