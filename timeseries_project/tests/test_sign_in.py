"""Signing in: the cookie, what it permits, and what other sites cannot do with it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from urllib.parse import quote

import pytest
from django.test import override_settings
from rest_framework.test import APIClient

from timeseries_project.api import access, sessions
from timeseries_project.core import clock
from timeseries_project.tests.headers import BROWSER, bearer
from timeseries_project.tests.problems import problem, refused

POINT = json.dumps({"timestamp": 1, "value": 1, "device": "d", "user": "u"})
FORM = "application/x-www-form-urlencoded"
FORGED = ".".join(("9" * 12, "a" * 16, "a" * 43))
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
    [(name, cookie)] = sign_in(api, secure=https).cookies.items()
    assert name == ("__Host-timeseries_token" if https else "timeseries_token")
    assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["domain"]) == (True, "Strict", "/", "")
    assert bool(cookie["secure"]) == https
    assert cookie["max-age"] == 12 * 3_600
    for told in ("good-token", access.digest("good-token").hex()):
        assert told not in cookie.OutputString()


def test_each_cookie_is_another_one(api: APIClient) -> None:
    assert len({sign_in(api).cookies[sessions.PLAIN].value for _ in range(3)}) == 3


@pytest.mark.parametrize("https", [True, False])
def test_only_the_cookie_of_the_scheme_counts(api: APIClient, https: bool) -> None:
    value = sign_in(api, secure=https).cookies[sessions.SECURE if https else sessions.PLAIN].value
    for name in (sessions.SECURE, sessions.PLAIN):
        status = APIClient().get("/", secure=https, headers={"Cookie": f"a=b; {name}={value}; c"}).status_code
        assert status == (200 if (name == sessions.SECURE) == https else 401)


@pytest.mark.parametrize("hours", [1, 8_760])
def test_a_cookie_ends_after_its_hours(
    api: APIClient, settings: Any, set_clock: Callable[[str], int], monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    settings.SIGN_IN_HOURS = hours
    begin = set_clock("2026-01-31T12:00:00Z") * 10**6
    value = sign_in(api).cookies[sessions.PLAIN].value
    for age, status in ((hours * 3_600 - 1, 200), (hours * 3_600, 401)):
        moment = begin + age * 10**6
        monkeypatch.setattr(clock, "now", partial(int, moment))
        assert APIClient().get("/", headers={"Cookie": f"{sessions.PLAIN}={value}"}).status_code == status


def test_a_cookie_is_worthless_under_another_key(api: APIClient, settings: Any) -> None:
    value = sign_in(api).cookies[sessions.PLAIN].value
    settings.SECRET_KEY = "another"
    refused(api.get("/", headers={"Cookie": f"{sessions.PLAIN}={value}"}), wrong=True)


@pytest.mark.parametrize("place", range(3))
def test_a_cookie_that_was_altered_opens_nothing(api: APIClient, place: int) -> None:
    parts = sign_in(api).cookies[sessions.PLAIN].value.split(".")
    whole = ".".join(parts)
    parts[place] = ("2" if parts[place][0] != "2" else "3") + parts[place][1:]
    assert APIClient().get("/", headers={"Cookie": f"{sessions.PLAIN}={whole}"}).status_code == 200
    assert APIClient().get("/", headers={"Cookie": f"{sessions.PLAIN}={'.'.join(parts)}"}).status_code == 401


@pytest.mark.parametrize(("hops", "secure"), [(0, False), (1, True)])
def test_a_proxy_that_is_trusted_says_that_it_was_https(api: APIClient, settings: Any, hops: int, secure: bool) -> None:
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if hops else None
    response = sign_in(api, headers={**HERE, "X-Forwarded-Proto": "https"})
    [(name, cookie)] = response.cookies.items()
    assert (name == sessions.SECURE, bool(cookie["secure"])) == (secure, secure)


@pytest.mark.parametrize(
    "body", ["", "token=", "token=wrong", "next=/", "token=good-toke", "token=%FF", "token=ü", "&&&"]
)
def test_a_wrong_token_is_told_on_the_form(api: APIClient, body: str) -> None:
    response = sign_in(api, body)
    assert (response.status_code, response["WWW-Authenticate"]) == (401, access.challenge(wrong=True))
    assert "does not accept this token" in response.content.decode()
    assert not response.cookies
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
        {"Origin": "https://testserver"},
        {"Origin": "foo://testserver"},
        {"Origin": "testserver"},
        {"Origin": "://testserver"},
        {"Origin": "http://testserver/"},
        {"Origin": "http://testserver:443"},
        {"Origin": "http://x@testserver"},
        {"Origin": "null"},
        {"Origin": ""},
    ],
)
def test_another_sites_page_can_sign_nobody_in_or_out_or_write(api: APIClient, headers: dict[str, str]) -> None:
    headers = {"Host": "testserver", **headers}
    problem(sign_in(api, headers=headers), 403)
    sign_in(api)
    problem(api.generic("POST", "/sign-out", "", content_type=FORM, headers=headers), 403)
    write = api.post("/datapoints", POINT, content_type="application/json", headers=headers)
    refused(write, wrong=False)
    assert api.delete("/devices/d/datapoints", headers={**headers, **bearer("good-token")}).status_code == 204


@pytest.mark.parametrize(
    ("https", "origin", "host"),
    [
        (False, "http://testserver", "testserver:80"),
        (False, "http://testserver:80", "TestServer"),
        (False, "http://testserver:8001", "testserver:8001"),
        (True, "https://testserver", "testserver:443"),
        (True, "HTTPS://testserver", "testserver"),
    ],
)
def test_our_own_page_writes_whichever_way_its_origin_is_spelt(
    api: APIClient, https: bool, origin: str, host: str
) -> None:
    headers = {"Origin": origin, "Host": host}
    assert sign_in(api, headers={**headers, "Accept": BROWSER}, secure=https).status_code == 303
    assert api.delete("/devices/d/datapoints", headers=headers, secure=https).status_code == 204


def test_the_scheme_is_that_of_the_client_where_a_proxy_tells_it(api: APIClient, settings: Any) -> None:
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    headers = {"Origin": "https://testserver", "Host": "testserver", "X-Forwarded-Proto": "https"}
    assert sign_in(api, headers=headers).status_code == 303
    problem(sign_in(api, headers={**headers, "X-Forwarded-Proto": "http"}), 403)


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


@pytest.mark.parametrize("https", [True, False])
def test_signing_out_ends_that_cookie_for_good_and_no_other(api: APIClient, https: bool) -> None:
    def cookie(value: str) -> dict[str, str]:
        return {"Cookie": f"{sessions.SECURE if https else sessions.PLAIN}={value}"}

    ended, other = (next(iter(sign_in(APIClient(), secure=https).cookies.values())).value for _ in range(2))
    out = APIClient().generic("POST", "/sign-out", "", content_type=FORM, secure=https, headers=HERE | cookie(ended))
    assert next(iter(out.cookies.values()))["max-age"] == 0
    refused(APIClient().get("/", secure=https, headers=cookie(ended)), wrong=True)
    assert APIClient().get("/", secure=https, headers=cookie(other)).status_code == 200


def test_only_a_good_cookie_is_remembered_as_signed_out(api: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = sessions.SignedOut()
    monkeypatch.setattr(sessions, "_signed_out", ended)
    value = sign_in(api).cookies[sessions.PLAIN].value
    for text in ("x", "9" + value[1:], value[:10] + ".." + value[10:], value.swapcase()):
        headers = {**HERE, "Cookie": f"{sessions.PLAIN}={text}"}
        APIClient().generic("POST", "/sign-out", "", content_type=FORM, headers=headers)
    assert len(ended) == 0
    for _ in range(2):
        headers = {**HERE, "Cookie": f"{sessions.PLAIN}={value}"}
        APIClient().generic("POST", "/sign-out", "", content_type=FORM, headers=headers)
    assert len(ended) == 1


def test_what_is_signed_out_is_remembered_until_it_would_have_ended_and_within_bounds() -> None:
    ended = sessions.SignedOut()
    for number in range(sessions.MAX_SIGNED_OUT + 5):
        ended.add(sessions.Session(100 + number, b"%d" % number), now=0)
    assert len(ended) == sessions.MAX_SIGNED_OUT
    assert [b"%d" % number in ended for number in (4, 5)] == [False, True]
    ended.add(sessions.Session(10**6, b"last"), now=100 + sessions.MAX_SIGNED_OUT)
    assert len(ended) == 5
    assert b"last" in ended


def test_a_way_back_that_no_redirect_may_name_leads_to_the_first_page(api: APIClient) -> None:
    assert sign_in(api, "token=good-token&next=/" + "x" * 3_000)["Location"] == "/"
    assert sign_in(api, "token=good-token&next=/" + "x" * 1_000)["Location"] == "/" + "x" * 1_000
    assert 'href="/sign-in"' in APIClient().get("/devices?" + "x" * 3_000, headers=HERE).content.decode()


def test_a_token_that_is_gone_signs_out(api: APIClient) -> None:
    sign_in(api)
    with override_settings(API_TOKENS=("other+/~._-==",)):
        refused(api.get("/"), wrong=True)


@pytest.mark.parametrize(
    "value", ["", "x", "zz", "good-token", "00" * 32, "ü", "9" * 300, ".".join(("9" * 12, "a" * 16, "a" * 43))]
)
def test_other_cookies_open_nothing(api: APIClient, value: str) -> None:
    assert api.get("/", headers={"Cookie": f"{sessions.PLAIN}={value}"}).status_code == 401


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
