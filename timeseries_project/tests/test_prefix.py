"""The prefix under which a proxy shows the service: every address carries it, and no one can invent one."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest
from django.conf import settings
from django.urls import clear_script_prefix
from django.urls.resolvers import URLPattern
from pytest_django.fixtures import Settings

from bandwidth import services as bandwidth
from datapoints import services as datapoints
from timeseries_project import urls
from timeseries_project.api import access, prefix
from timeseries_project.asgi import Application
from timeseries_project.core import clock
from timeseries_project.tests.asgi_requests import asking, in_loop
from timeseries_project.tests.environs import call
from timeseries_project.web import pages

HTML = {"HTTP_ACCEPT": "text/html"}
FORM = {"CONTENT_TYPE": "application/x-www-form-urlencoded"}
PAGES = [
    "/",
    "/charts/bandwidth",
    "/charts/bandwidth?device_uuid=router&end_time=100",
    "/charts/bandwidth?device_uuid=nobody",
    "/charts/bandwidth?num_windows=x",
    "/charts/datapoints",
    "/charts/datapoints?device=a%2F%2Fb&bucket=1h",
    "/charts/transactions",
    "/datapoints?limit=1",
    "/api/bandwidth/devices",
    "/api/bandwidth/entries?limit=1",
    "/metrics",
    "/api/docs/",
    "/sign-in",
    "/nowhere",
]
_ADDRESS = re.compile(r"\b(?:href|src|action|data-keys|data-sign-in)=[\"']([^\"']*)[\"']")


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """Forget the prefix of the last request, which Django keeps for this thread until the next one."""
    yield
    clear_script_prefix()


@pytest.fixture
def stores() -> None:
    """Some data, so that pages have something to link to."""
    for second in (1, 2):
        datapoints.store.add(second * 10**6, 1.0, "a//b", "u")
    bandwidth.entry_add(device_id="router", timestamp=90, bytes_ts=1, bytes_fs=2, now=clock.now_s())


@pytest.fixture(params=["setting", "header"])
def under(request: pytest.FixtureRequest, settings: Settings) -> dict[str, str]:
    """The headers that put a request under /ts: none if ROOT_PATH does it."""
    if request.param == "setting":
        settings.ROOT_PATH = "/ts"
        return {}
    believe_proxies(settings)
    return {prefix.HEADER: "/ts"}


def believe_proxies(settings: Settings) -> None:
    """Set what settings.py sets for TRUSTED_PROXIES=1."""
    settings.TRUSTED_PROXIES = 1
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")


def addresses(page: str) -> list[str]:
    """Return the paths that a page names, except those of other sites and of places in the page itself."""
    found = [unescape(address).removeprefix("http://127.0.0.1:8000") for address in _ADDRESS.findall(page)]
    return [address for address in found if not address.startswith(("#", "https://"))]


@pytest.mark.usefixtures("stores")
@pytest.mark.parametrize("left", ["/ts", ""], ids=["left on", "taken off"])
@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("tokens", [(), ("a-long-random-token",)], ids=["open", "tokens"])
def test_every_address_on_a_page_has_it(
    settings: Settings, under: dict[str, str], left: str, path: str, tokens: tuple[str, ...]
) -> None:
    settings.API_TOKENS = tokens
    status, headers, page = call("GET", left + path, **HTML, **under)
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert status == call("GET", path, **HTML)[0]
    found = addresses(page)
    assert len(found) > 5
    assert [address for address in found if not address.startswith("/ts/")] == []
    assert "/ts/ts" not in page


@pytest.mark.usefixtures("stores")
@pytest.mark.parametrize("path", PAGES)
def test_without_one_the_pages_have_none(path: str) -> None:
    found = addresses(call("GET", path, **HTML, **{prefix.HEADER: "/evil"})[2])  # from a stranger
    assert len(found) > 5
    assert [address for address in found if not address.startswith("/") or address.startswith(("//", "/evil"))] == []


def test_every_static_file_of_a_page_is_found(under: dict[str, str]) -> None:
    for path in ("/", "/datapoints", "/api/docs/", "/charts/bandwidth"):
        files = [address for address in addresses(call("GET", path, **HTML, **under)[2]) if "/static/" in address]
        assert files
        for file in files:
            assert call("HEAD", file, **under)[0] == call("HEAD", file.removeprefix("/ts"), **under)[0] == 200


def test_scripts_and_styles_name_no_address_of_ours() -> None:
    """A script takes them from the page, where they have the prefix."""
    own = "|".join(map(re.escape, sorted(prefix.OWN)))
    for file in settings.STATICFILES_DIRS[0].glob("**/*"):
        if file.suffix in (".js", ".css"):
            assert not re.search(rf"[\"'`(]/(?:{own})\b", file.read_text()), file


@pytest.mark.usefixtures("stores")
def test_the_link_header_is_absolute_and_leads_on(under: dict[str, str]) -> None:
    said = {**under, "HTTP_HOST": "localhost:81", "HTTP_X_FORWARDED_PROTO": "https"}
    for path in ("/datapoints?limit=1", "/ts/datapoints?limit=1", "/ts/datapoints/?format=csv&limit=1"):
        link = call("GET", path, **said)[1]["Link"]
        scheme = "https" if settings.TRUSTED_PROXIES else "http"
        assert link.startswith(f"<{scheme}://localhost:81/ts/datapoints")
        target = link[1 : link.index(">")].partition("localhost:81")[2]
        status, headers, _ = call("GET", target, **said)
        assert (status, "Link" in headers) == (200, False)


def test_the_schema_names_it_as_server(under: dict[str, str]) -> None:
    asked = {"HTTP_ACCEPT": "application/vnd.oai.openapi+json"}
    schema = call("GET", "/ts/api/schema/?format=json", **asked, **under)[2]
    assert schema["servers"] == [{"url": "/ts"}]
    assert "/datapoints" in schema["paths"]


def test_the_docs_page_loads_its_script_and_the_schema_from_it(under: dict[str, str]) -> None:
    script = next(a for a in addresses(call("GET", "/ts/api/docs/", **HTML, **under)[2]) if "?script" in a)
    assert script.startswith("/ts/api/docs/?script")
    assert 'url: "/ts/api/schema",' in call("GET", script, **under)[2]


def test_the_commands_that_add_data_post_to_it(under: dict[str, str]) -> None:
    page = unescape(call("GET", "/charts/datapoints", HTTP_HOST="localhost:81", **HTML, **under)[2])
    assert "curl 'http://localhost:81/ts/datapoints'" in page


class TestSigningIn:
    """The cookie and the redirects stay under the prefix."""

    TOKEN = "a-long-random-token"

    @pytest.fixture(autouse=True)
    def tokens(self, settings: Settings) -> None:
        settings.API_TOKENS = (self.TOKEN,)
        settings.API_TOKENS_FOR_READS = True

    def sign_in(self, target: str, **more: str) -> dict[str, str]:
        status, headers, _ = call("POST", "/ts/sign-in", f"token={self.TOKEN}&next={target}".encode(), **FORM, **more)
        assert status == 303
        return headers

    @pytest.mark.parametrize(
        ("target", "location"),
        [
            ("/ts/devices?limit=3", "/ts/devices?limit=3"),
            ("/ts/", "/ts/"),
            ("", "/ts/"),
            ("/", "/ts/"),
            ("/tsx/devices", "/ts/"),
            ("/another/service", "/ts/"),
            ("/ts/../another/service", "/ts/"),
            ("/ts/%252e%252E/another/service", "/ts/"),
            ("//example.org/ts/", "/ts/"),
            ("https://example.org/ts/", "/ts/"),
        ],
    )
    def test_leads_back_to_a_page_of_this_service(self, under: dict[str, str], target: str, location: str) -> None:
        assert self.sign_in(target, **under)["Location"] == location

    def test_sets_a_cookie_for_this_service_only(self, under: dict[str, str]) -> None:
        cookie = self.sign_in("", **under)["Set-Cookie"].lstrip()
        assert cookie.startswith("timeseries_token=")
        assert "; Path=/ts;" in cookie
        value = cookie.partition(";")[0]
        assert call("GET", "/ts/devices", **under)[0] == 401
        assert call("GET", "/ts/devices", HTTP_COOKIE=value, **under)[0] == 200
        status, headers, _ = call("POST", "/ts/sign-out", HTTP_COOKIE=value, **FORM, **under)
        assert (status, headers["Location"]) == (303, "/ts/sign-in")
        assert headers["Set-Cookie"].lstrip().startswith('timeseries_token="";')
        assert "; Path=/ts;" in headers["Set-Cookie"].lstrip()
        assert call("GET", "/ts/devices", HTTP_COOKIE=value, **under)[0] == 401

    def test_by_https_the_cookie_has_a_name_that_allows_a_path(self, settings: Settings) -> None:
        """Browsers take a cookie called `__Host-…` only for the whole host."""
        believe_proxies(settings)
        secure = {"HTTP_X_FORWARDED_PROTO": "https", prefix.HEADER: "/ts"}
        cookie = self.sign_in("", **secure)["Set-Cookie"].lstrip()
        assert cookie.startswith("__Secure-timeseries_token=")
        assert "; Path=/ts;" in cookie
        assert "; Secure" in cookie
        assert call("GET", "/devices", HTTP_COOKIE=cookie.partition(";")[0], **secure)[0] == 200
        at_root = {name: value for name, value in secure.items() if name != prefix.HEADER}
        form = f"token={self.TOKEN}".encode()
        cookie = call("POST", "/sign-in", form, **FORM, **at_root)[1]["Set-Cookie"].lstrip()
        assert cookie.startswith("__Host-timeseries_token=")
        assert "; Path=/;" in cookie

    def test_the_refusal_leads_to_the_form_and_back(self, under: dict[str, str]) -> None:
        status, _, page = call("GET", "/ts/devices?limit=5", **HTML, **under)
        assert status == 401
        assert "/ts/sign-in?next=/ts/devices%3Flimit%3D5" in addresses(page)

    def test_the_form_may_be_sent_without_a_token(self, under: dict[str, str]) -> None:
        """The production server collects no body of a client without one, except that of the form."""

        async def sign_in() -> Any:
            named = {name.removeprefix("HTTP_").lower(): value for name, value in under.items()}
            body = f"token={self.TOKEN}".encode()
            return await asking(Application())("POST", "/ts/sign-in", body, content_type=FORM["CONTENT_TYPE"], **named)

        assert in_loop(sign_in())[0] == 303


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/ts", 200),
        ("/ts/", 200),
        ("/ts/healthz", 200),
        ("http://localhost/ts/healthz", 200),
        ("http://localhost/healthz", 200),
        ("/tsx/healthz", 404),
        ("/ts/ts/healthz", 404),
        ("/ts//healthz", 404),
        ("ts/healthz", 404),
    ],
)
def test_it_is_taken_off_once_and_only_whole(under: dict[str, str], path: str, status: int) -> None:
    assert call("GET", path, **under)[0] == status


@pytest.mark.parametrize(
    "value",
    [
        "evil",
        "//evil.example",
        "/evil//x",
        "https://evil.example",
        "/..",
        "/evil/../x",
        "/./evil",
        '/evil"onload="x',
        "/evil'",
        "/evil?x",
        "/evil#x",
        "/ev il",
        "/evil\r\nSet-Cookie: x",
        "/%65vil",
        "/evil\\",
        "/évil",
        "/evil;x",
        "/evil<script>",
        "/" + "e" * prefix.MAX_PREFIX,
        "/api",
        "/devices/evil",
        ",/evil//",
    ],
)
class TestAMalformedOne:
    """Neither believed nor repeated."""

    def test_is_refused_from_a_trusted_proxy(self, settings: Settings, value: str) -> None:
        settings.TRUSTED_PROXIES = 1
        for accepted in ({}, HTML):
            status, headers, answer = call("GET", "/devices", **{prefix.HEADER: value}, **accepted)
            assert status == 400
            assert "X-Forwarded-Prefix must " in str(answer)
            assert "evil" not in str(answer) + str(headers)
        assert in_loop(asking(Application())("GET", "/devices", x_forwarded_prefix=value))[0] == 400

    def test_is_ignored_from_a_stranger(self, value: str) -> None:
        status, headers, page = call("GET", "/", **{prefix.HEADER: value}, **HTML)
        assert status == 200
        assert [address for address in addresses(page) if not address.startswith("/")] == []
        assert "evil" not in page + str(headers)

    def test_is_ignored_where_the_setting_says_it(self, settings: Settings, value: str) -> None:
        settings.TRUSTED_PROXIES = 1
        settings.ROOT_PATH = "/ts"
        status, _, page = call("GET", "/", **{prefix.HEADER: value}, **HTML)
        assert status == 200
        assert [address for address in addresses(page) if not address.startswith("/ts/")] == []


@pytest.mark.parametrize(
    ("hops", "value", "found"),
    [
        (1, "/ts", "/ts"),
        (1, "/ts/", "/ts"),
        (1, "/", ""),
        (1, "", ""),
        (1, "/evil, /ts", "/ts"),
        (1, "//evil,/ts", "/ts"),
        (2, "/evil, /a , /b", "/a/b"),
        (2, "/b", "/b"),
        (2, "/a,", "/a"),
        (2, "/a, /api", "/a/api"),
    ],
)
def test_only_entries_of_trusted_proxies_count(settings: Settings, hops: int, value: str, found: str) -> None:
    settings.TRUSTED_PROXIES = hops
    page = call("GET", "/", **{prefix.HEADER: value}, **HTML)[2]
    assert f'<a class="brand" href="{found}/">' in page


def test_no_request_gets_the_prefix_of_another(settings: Settings) -> None:
    """Small requests are answered in the event loop, long ones in threads, and parts of answers in others."""
    settings.TRUSTED_PROXIES = 1
    for number in range(pages.MANY_LISTED + 1):  # so many that their page is made in a thread
        datapoints.store.add(number, 1.0, f"device-{number}", "u")
    asked = [
        (f"/{name}" if name else "", path)
        for path in ("/", "/charts/datapoints", "/devices", "/nowhere", "/api/schema/?format=json")
        for name in ("", "a", "b/c", "", "d", "a")
    ] * 3

    async def ask_all() -> list[bytes]:
        ask = asking(Application())

        async def one(named: str, path: str) -> bytes:
            headers = {"x_forwarded_prefix": named} if named else {}
            return (await ask("GET", path, accept="*/*" if "schema" in path else "text/html", **headers))[1]

        return await asyncio.gather(*(one(*each) for each in asked))

    for (named, path), answer in zip(asked, in_loop(ask_all()), strict=True):
        if "schema" in path:
            assert re.findall(r'"servers": ?\[\s*{\s*"url": ?"([^"]*)"', answer.decode()) == ([named] if named else [])
            continue
        found = addresses(answer.decode())
        assert len(found) > 5
        own = tuple(f"{named}/{first}" for first in ("", *sorted(prefix.OWN), "nowhere"))
        assert [address for address in found if not (address.startswith(own[1:]) or address == own[0])] == []


def test_the_first_parts_of_all_routes_are_known() -> None:
    """A prefix that begins as a route does could not be told from it."""
    first = set()
    for pattern in urls.urlpatterns:
        assert isinstance(pattern, URLPattern)
        found = re.match(r"\^([\w-]+)", str(pattern.pattern))
        first |= {found[1]} if found else set()
    assert first | {settings.STATIC_URL.strip("/")} == prefix.OWN


def test_the_log_and_the_metrics_have_the_route_without_it(under: dict[str, str]) -> None:
    call("GET", "/ts/devices", **under)
    call("HEAD", "/ts/static/style.css", **under)
    text = str(call("GET", "/ts/metrics", **under)[2])
    assert 'route="/devices"' in text
    assert 'route="/static/{path}"' in text
    assert "/ts" not in text


def test_whoever_is_refused_without_a_token_is_so_under_it(settings: Settings, under: dict[str, str]) -> None:
    settings.API_TOKENS = ("a-long-random-token",)
    status, _, problem = call("POST", "/ts/datapoints", b"{}", CONTENT_TYPE="application/json", **under)
    assert (status, problem["detail"]) == (401, access.MISSING)
