"""The service behind a real nginx with the example configuration of ops/, under /ts, for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.nginx import EXAMPLE, WAYS, Nginx, Site, site
from tests.served import LINE, Served
from timeseries_project.tests.processes import PATIENCE, free_port, run

#: A key whose slashes and dots nginx changes if it takes the prefix off.
NASTY = "%2Fa%2F%2Fb%2F.."


@pytest.fixture(scope="module", params=WAYS)
def shown(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The service in each of the ways."""
    with ExitStack() as stack:
        yield site(tmp_path_factory.mktemp("nginx"), stack, request.param)


def add(shown: Site, device: str, *seconds: int) -> None:
    body = "".join(LINE % (second, device) for second in seconds)
    assert shown.request("POST", "/ts/datapoints", body, Content_Type="application/x-ndjson")[0] == 201


class TestForPrograms:
    """Headers, redirects, problem details, and the commands that send data."""

    def test_the_link_header_leads_on(self, shown: Site) -> None:
        add(shown, "linked", 1, 2, 3)
        url, found = f"{shown.url}/datapoints?device=linked&limit=1", []
        while url:
            assert url.startswith(f"{shown.url}/datapoints?")
            parts = urlsplit(url)
            status, headers, body = shown.request("GET", f"{parts.path}?{parts.query}")
            assert status == 200
            found += [point["timestamp"] for point in json.loads(body)["results"]]
            url = headers.get("Link", "").partition(">")[0].removeprefix("<")
        assert len(found) == 3

    def test_only_the_prefix_leads_to_the_service(self, shown: Site) -> None:
        assert shown.request("GET", "/ts/healthz")[0] == 200
        assert shown.request("GET", "/healthz")[0] == shown.request("GET", "/tsx/healthz")[0] == 404
        status, headers, _ = shown.request("GET", "/ts?a=b")
        assert (status, headers["Location"]) == (308, "/ts/?a=b")

    def test_a_prefix_that_a_client_invents_is_overwritten(self, shown: Site) -> None:
        _, _, page = shown.request("GET", "/ts/", Accept="text/html", X_Forwarded_Prefix="/evil")
        assert b"evil" not in page
        assert b'href="/ts/charts/bandwidth"' in page

    def test_problems_are_told_by_the_service(self, shown: Site) -> None:
        for path, body, expected in (("/ts/nope", None, 404), ("/ts/datapoints", "{", 400), ("/ts/users/x", None, 404)):
            method = "POST" if body else "GET"
            status, headers, content = shown.request(method, path, body, Content_Type="application/json")
            assert (status, headers["Content-Type"]) == (expected, "application/problem+json")
            assert json.loads(content)["status"] == expected
        too_much = "x" * (2 * 100_000)  # MAX_BODY_BYTES of these tests
        assert shown.request("POST", "/ts/datapoints", too_much, Content_Type="application/json")[0] == 413

    def test_a_long_answer_comes_whole(self, shown: Site) -> None:
        add(shown, "long", 0, 90_000_000)
        status, headers, body = shown.request("GET", "/ts/statistics/devices/long/avg?end=1972-11-08")
        assert (status, headers["Transfer-Encoding"]) == (200, "chunked")
        assert len(json.loads(body)) == 1_042 * 96

    def test_load_and_simulate_send_to_it(self, shown: Site, tmp_path: Path) -> None:
        file = tmp_path / "points.ndjson"
        file.write_text("".join(LINE % (second, "loaded") for second in range(7)))
        status, out, err = run("load", file, "--url", f"{shown.url}/")
        assert (status, err) == (0, "")
        assert "datapoints: 7 sent, 7 created" in out
        status, out, err = run("simulate", "--url", shown.url, "--duration", "2", "--devices", "2", "--rate", "50")
        assert (status, err) == (0, "")
        assert json.loads(shown.request("GET", "/ts/devices/loaded")[2])["count"] == 7
        assert len(json.loads(shown.request("GET", "/ts/devices?search=thermometer")[2])) == 1


def test_the_address_that_is_left_on_keeps_every_key(tmp_path: Path) -> None:
    with ExitStack() as stack:
        shown = site(tmp_path, stack, "left on, header")
        add(shown, "/a//b/..", 1)
        answer = json.loads(shown.request("GET", f"/ts/devices/{NASTY}")[2])
        assert (answer["device"], answer["count"]) == ("/a//b/..", 1)
        assert shown.request("DELETE", f"/ts/devices/{NASTY}/datapoints")[0] == 204
        assert shown.request("GET", f"/ts/devices/{NASTY}")[0] == 404


def test_what_a_proxy_forgets_to_set_is_seen_at_once(tmp_path: Path) -> None:
    """nginx passes the client's own header on, and the service answers no page with wrong addresses."""
    with ExitStack() as stack:
        served = stack.enter_context(Served(TRUSTED_PROXIES="1"))
        port = free_port()
        stack.enter_context(Nginx(tmp_path, port=port, service=served.port, takes_off=True, prefix_header=False))
        served.wait()
        with closing(HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as connection:
            connection.request("GET", "/ts/", headers={"X-Forwarded-Prefix": '/"><script>', "Accept": "text/html"})
            response = connection.getresponse()
            assert response.status == 400
            assert b'"><script>' not in response.read()


def test_the_example_allows_the_body_that_the_service_allows() -> None:
    limit = EXAMPLE.read_text().partition("client_max_body_size ")[2].partition("m;")[0]
    assert int(limit) * 2**20 > 32 * 2**20
