"""Signing in: the cookie, whom it lets in, and what other sites cannot do with it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from django.test import override_settings
from rest_framework.test import APIClient

from timeseries_project.api import access
from timeseries_project.tests.headers import BROWSER, bearer
from timeseries_project.tests.problems import problem, refused

POINT = json.dumps({"timestamp": 1, "value": 1, "device": "d", "user": "u"})
FORM = "application/x-www-form-urlencoded"
HERE = {"Sec-Fetch-Site": "same-origin", "Origin": "http://testserver", "Accept": BROWSER}


@pytest.fixture(autouse=True)
def tokens() -> Iterator[None]:
    with override_settings(API_TOKENS=("good-token", "other+/~._-=="), API_TOKENS_FOR_READS=True):
        yield


@pytest.fixture(autouse=True)
def host(settings: Any) -> None:
    settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, "testserver"]


def sign_in(api: APIClient, body: str = "token=good-token", headers: dict[str, str] = HERE, **extra: Any) -> Any:
    return api.generic("POST", "/sign-in", body, **{"content_type": FORM, "headers": headers, **extra})


@pytest.mark.parametrize("token", ["good-token", "other%2B%2F~._-%3D%3D", "+good-token+"])
def test_a_good_token_leaves_a_cookie_that_opens_everything(api: APIClient, token: str) -> None:
    response = sign_in(api, f"token={token}&next=/devices%3Flimit%3D5")
    assert (response.status_code, response["Location"]) == (303, "/devices?limit=5")
    for path in ("/", "/devices", "/charts/datapoints", "/api/docs/", "/api/schema/"):
        assert api.get(path).status_code == 200
    assert api.post("/datapoints", POINT, content_type="application/json").status_code == 201
    assert api.delete("/devices/d/datapoints").status_code == 204


@pytest.mark.parametrize("https", [True, False])
def test_the_cookie_is_kept_from_scripts_and_other_sites_and_holds_no_token(api: APIClient, https: bool) -> None:
    cookie = sign_in(api, secure=https).cookies[access.COOKIE]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Strict", "/")
    assert bool(cookie["secure"]) == https
    assert (cookie["max-age"], cookie["expires"]) == ("", "")
    assert "good-token" not in cookie.OutputString()


@pytest.mark.parametrize(("hops", "secure"), [(0, False), (1, True)])
def test_a_proxy_that_is_trusted_says_that_it_was_https(api: APIClient, settings: Any, hops: int, secure: bool) -> None:
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if hops else None
    response = sign_in(api, headers={**HERE, "X-Forwarded-Proto": "https"})
    assert bool(response.cookies[access.COOKIE]["secure"]) == secure


@pytest.mark.parametrize(
    "body", ["", "token=", "token=wrong", "next=/", "token=good-toke", "token=%FF", "token=ü", "&&&"]
)
def test_a_wrong_token_is_told_on_the_form(api: APIClient, body: str) -> None:
    response = sign_in(api, body)
    assert (response.status_code, response["WWW-Authenticate"]) == (401, access.challenge(wrong=True))
    assert "is not one of those" in response.content.decode()
    assert access.COOKIE not in response.cookies
    refused(sign_in(api, body, {}), wrong=False)


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/", "//evil.example", "/\\evil.example", "\\\\evil", "javascript:alert(1)", "evil", "",
        "///evil.example", "/\t/evil.example", "http:evil", " //evil.example",
    ],
)  # fmt: skip
def test_nobody_is_sent_elsewhere(api: APIClient, target: str) -> None:
    assert sign_in(api, f"token=good-token&next={quote(target)}")["Location"] == "/"
    page = APIClient().get(f"/sign-in?next={quote(target)}", headers={"Accept": BROWSER}).content.decode()
    assert 'name="next" value="/"' in page


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://testserver"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://testserver:8001"},
        {"Origin": "null"},
        {"Origin": ""},
    ],
)
def test_another_sites_page_can_sign_nobody_in_or_out_or_write(api: APIClient, headers: dict[str, str]) -> None:
    problem(sign_in(api, headers=headers), 403)
    sign_in(api)
    problem(api.generic("POST", "/sign-out", "", content_type=FORM, headers=headers), 403)
    write = api.post("/datapoints", POINT, content_type="application/json", headers=headers)
    refused(write, wrong=False)
    assert api.delete("/devices/d/datapoints", headers={**headers, **bearer("good-token")}).status_code == 204


@pytest.mark.parametrize("media_type", ["application/json", "multipart/form-data; boundary=x", "text/plain", ""])
def test_only_a_form_signs_in(api: APIClient, media_type: str) -> None:
    problem(sign_in(api, headers={}, content_type=media_type), 415)


def test_a_form_is_small(api: APIClient) -> None:
    problem(sign_in(api, "token=" + "x" * 9_000, {}), 413)


def test_signing_out_takes_the_cookie_away(api: APIClient) -> None:
    sign_in(api)
    assert "Sign out" in api.get("/").content.decode()
    response = api.generic("POST", "/sign-out", "", content_type=FORM, headers=HERE)
    assert (response.status_code, response["Location"]) == (303, "/sign-in")
    refused(api.get("/"), wrong=False)


def test_a_token_that_is_gone_signs_out(api: APIClient) -> None:
    sign_in(api)
    with override_settings(API_TOKENS=("other+/~._-==",)):
        refused(api.get("/"), wrong=True)


@pytest.mark.parametrize("value", ["", "x", "zz", "good-token", "00" * 32, "ü"])
def test_other_cookies_open_nothing(api: APIClient, value: str) -> None:
    assert api.get("/", headers={"Cookie": f"{access.COOKIE}={value}"}).status_code == 401


def test_a_header_counts_before_the_cookie(api: APIClient) -> None:
    sign_in(api)
    refused(api.get("/", headers=bearer("wrong")), wrong=True)


@pytest.mark.parametrize(("path", "allowed"), [("/sign-in", "GET, HEAD, POST"), ("/sign-out", "POST")])
def test_methods(api: APIClient, path: str, allowed: str) -> None:
    response = api.put(path)
    problem(response, 405)
    assert response["Allow"] == allowed


@pytest.mark.parametrize("path", ["/sign-in", "/sign-out"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_there_is_nothing_where_there_are_no_tokens(api: APIClient, path: str, method: str) -> None:
    with override_settings(API_TOKENS=(), API_TOKENS_FOR_READS=False):
        problem(getattr(api, method)(path), 404)
        assert "ign in" not in api.get("/").content.decode()
        assert "ign in" not in api.get("/devices", headers={"Accept": BROWSER}).content.decode()
