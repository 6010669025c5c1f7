"""Headers that are too large or malicious: which are refused, which are ignored, and that reading takes few steps."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import pytest
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.test import APIClient

from datapoints import services
from timeseries_project.api import framework, headers, negotiation, sessions, throttling
from timeseries_project.api.headers import MAX_BLOCK, MAX_PARTS, MAX_VALUE, parse_parameters, split_list
from timeseries_project.asgi import application as asgi
from timeseries_project.core.errors import MAX_SHOWN
from timeseries_project.tests.environs import LINE, call
from timeseries_project.tests.headers import BROWSER
from timeseries_project.tests.problems import PROBLEM, members, problem

Answer = tuple[int, dict[bytes, bytes], bytes]


async def answer(path: str, *sent: tuple[bytes, bytes], body: bytes = b"", method: str = "GET") -> Answer:
    """Send a request to the production server's application; return status, headers and body."""
    scope = {
        "type": "http",
        "server": ("127.0.0.1", 1),
        "method": method,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", b"localhost"), *sent],
    }
    left = [{"type": "http.request", "body": body, "more_body": False}]
    messages: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return left.pop() if left else await asyncio.Future()

    async def send(message: dict[str, Any]) -> None:
        messages.append(message)

    await asgi(scope, receive, send)
    parts = b"".join(message.get("body", b"") for message in messages[1:])
    return messages[0]["status"], dict(messages[0]["headers"]), parts


def ask(*arguments: Any, **options: Any) -> Answer:
    """Do the same in a new thread, because this one may have an event loop."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(answer(*arguments, **options))).result()


def steps(work: Callable[[], object]) -> int:
    """Return the number of functions that run during a call, in Python and in C."""
    count = 0

    def step(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(step)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


class TestParsing:
    @pytest.mark.parametrize(
        ("value", "name", "parameters"),
        [
            ("", "", {}),
            ("Application/JSON", "application/json", {}),
            ("a/b;C=D ; e =f", "a/b", {"c": "D", "e": "f"}),
            ('a/b; c="d;e=f"', "a/b", {"c": "d;e=f"}),
            (r'a/b; c="\"\\\x"', "a/b", {"c": '"\\x'}),
            ('a/b; c="', "a/b", {"c": '"'}),
            ('a/b; c="d;e=f', "a/b", {"c": '"d;e=f'}),
            ('a/b; c=""', "a/b", {"c": ""}),
            ("a/b;;;c;=d", "a/b", {"": "d"}),
            ("a/b;c=1;c=2", "a/b", {"c": "2"}),
            ("a/b\xa0", "a/b\xa0", {}),
            ("a/b; c*=utf-8''d", "a/b", {"c*": "utf-8''d"}),
        ],
    )
    def test_value_and_parameters(self, value: str, name: str, parameters: dict[str, str]) -> None:
        assert parse_parameters(value) == (name, parameters)

    @given(st.text(alphabet=';,"\\=ab/ \t', max_size=300))
    def test_anything_is_read_and_nothing_is_made_up(self, value: str) -> None:
        for separator in ";,":
            parts = split_list(value, separator)
            assert value.startswith(separator.join(parts))
            assert len(parts) <= MAX_PARTS
        name, parameters = parse_parameters(value)
        assert len(name) + sum(map(len, parameters)) + sum(map(len, parameters.values())) <= len(value)

    @given(st.lists(st.text(alphabet=';,"\\ab', max_size=9), min_size=1, max_size=9))
    def test_a_separator_in_quotes_is_none(self, texts: list[str]) -> None:
        quoted = ['"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' for text in texts]
        assert split_list(",".join(quoted), ",") == quoted
        value = "a/b;" + ";".join(f"p{place}={text}" for place, text in enumerate(quoted))
        assert parse_parameters(value)[1] == {f"p{place}": text for place, text in enumerate(texts)}

    @pytest.mark.parametrize(
        "piece", [";", ",", '"', " ", "\\", '\\"', '"",', '";', "a=b;", "a/b,", '"\\\\', "a/b;q=1,", "=", 'a="\\b";']
    )
    @pytest.mark.parametrize("begin", ["", 'a;"', "a;", 'a/b;c="'])
    def test_it_takes_so_many_steps_whatever_the_length(self, begin: str, piece: str) -> None:
        def taken(times: int) -> int:
            value = begin + piece * times
            return steps(lambda: split_list(value, ",")) + steps(lambda: parse_parameters(value))

        most = taken(4 * MAX_PARTS)
        assert most < 40 * MAX_PARTS
        assert taken(1_000) == taken(100_000) <= most


class TestBlocks:
    LARGE = tuple((b"x-%d" % place, b"x" * 1_000) for place in range(33))

    @pytest.mark.parametrize("path", ["/healthz", "/static/style.css", "/nope", "/datapoints", "/", "/sign-in"])
    def test_large_ones_are_refused_before_anything_is_read(self, path: str) -> None:
        status, sent, body = ask(path, (b"accept", BROWSER.encode()), (b"x-request-id", b"mine"), *self.LARGE)
        assert (status, sent[b"content-type"]) == (431, PROBLEM.encode())
        assert sent[b"x-request-id"] != b"mine"
        assert str(MAX_BLOCK) in members(json.loads(body), 431)["detail"]

    def test_one_of_exactly_the_limit_is_read(self) -> None:
        room = MAX_BLOCK - len(b"host" + b"localhost" + b"x")
        assert ask("/healthz", (b"x", b"x" * room))[0] == 200
        assert ask("/healthz", (b"x", b"x" * (room + 1)))[0] == 431
        assert ask("/healthz", (b"x" * room, b"x"))[0] == 200

    def test_nothing_of_such_a_request_is_done(self) -> None:
        typed = ((b"content-type", b"application/x-ndjson"), (b"content-length", b"%d" % len(LINE)))
        assert ask("/datapoints", *typed, *self.LARGE, method="POST", body=LINE)[0] == 431
        assert services.totals_get().points == 0
        assert ask("/datapoints", *typed, method="POST", body=LINE)[0] == 201

    @pytest.mark.parametrize("path", ["/healthz", "/static/style.css", "/datapoints"])
    def test_behind_wsgi_too(self, path: str) -> None:
        large = {f"HTTP_X_{place}": "x" * 1_000 for place in range(33)}
        status, sent, body = call("GET", path, HTTP_ACCEPT=BROWSER, **large)
        assert (status, sent["Content-Type"]) == (431, PROBLEM)
        members(body, 431)
        large.popitem()
        assert call("GET", "/healthz", **large)[0] == 200
        assert call("GET", "/healthz", SOME_VARIABLE="x" * 50_000)[0] == 200

    def test_a_media_type_is_not_parsed_for_what_reads_no_body(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def parse(value: str) -> None:
            pytest.fail(value)

        monkeypatch.setattr(framework, "header_parameters", parse)
        monkeypatch.setattr(negotiation, "header_parameters", parse)
        for path in ("/healthz", "/static/style.css", "/devices", "/nope"):
            assert ask(path, (b"content-type", b'a;"' + b";" * 1_000))[0] in (200, 404)


class TestLongValues:
    def test_a_long_media_type_is_refused_and_not_repeated(self, api: APIClient) -> None:
        kind = "application/json; " + "x" * MAX_VALUE
        body = problem(api.generic("POST", "/datapoints", "{}", content_type=kind), 415)
        assert "Content-Type: application/json" in body["detail"]
        assert len(body["detail"]) < 500
        fits = kind[:MAX_VALUE]
        assert api.generic("POST", "/datapoints", LINE, content_type=fits).status_code == 201

    @pytest.mark.parametrize("begin", ["image/png", "text/html", BROWSER])
    def test_a_long_accept_takes_anything(self, api: APIClient, begin: str) -> None:
        response = api.get("/devices", headers={"Accept": begin + "," * MAX_VALUE})
        assert (response.status_code, response["Content-Type"]) == (200, "application/json")

    def test_ranges_beyond_the_first_are_not_looked_at(self, api: APIClient) -> None:
        many = ["image/png"] * MAX_PARTS
        assert api.get("/devices", headers={"Accept": ",".join([*many[1:], "text/csv"])}).status_code == 200
        problem(api.get("/devices", headers={"Accept": ",".join([*many, "text/csv"])}), 406)

    def test_commas_in_quotes_part_nothing(self, api: APIClient) -> None:
        response = api.get("/devices", headers={"Accept": 'image/png;a=",text/csv,", application/json'})
        assert response["Content-Type"] == "application/json"

    @pytest.mark.parametrize(
        ("method", "path", "headers"),
        [
            ("POST", "/datapoints", {"Content-Type": "x" * 4_000}),
            ("POST", "/datapoints", {"Content-Type": "application/json;charset=" + "x" * 4_000}),
            ("POST", "/datapoints", {"Content-Encoding": "x" * 9_000}),
            ("POST", "/datapoints", {"Transfer-Encoding": "x" * 9_000}),
            ("POST", "/datapoints", {"Content-Length": "x" * 9_000}),
            ("GET", "/devices?format=" + "x" * 9_000, {}),
            ("GET", "/?format=" + "x" * 9_000, {}),
            ("GET", "/devices?" + "x" * 9_000, {}),
            ("GET", "/statistics/devices/" + "x" * 9_000 + "/avg", {}),
            ("GET", "/statistics/users/" + "x" * 9_000 + "/avg", {}),
            ("GET", "/api/bandwidth?device_uuid=x&" + "x" * 9_000, {}),
            ("X" * 9_000, "/devices", {}),
            ("X" * 9_000, "/", {}),
        ],
    )
    def test_a_refusal_repeats_little(self, method: str, path: str, headers: dict[str, str]) -> None:
        named = {"CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(LINE))}
        for name, value in headers.items():
            key = name.upper().replace("-", "_")
            named[key if key in named else f"HTTP_{key}"] = value
        status, _, body = call(method, path, LINE, **named)
        assert 400 <= status < 500
        assert len(json.dumps(members(body, status))) < 1_500


class TestHosts:
    @pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:1", "127.0.0.1:65535", "[::1]:00080"])
    def test_with_a_port_are_served(self, host: str) -> None:
        assert call("GET", "/devices", HTTP_HOST=host)[0] == 200

    @pytest.mark.parametrize("port", ["", "65536", "99999", "100000", "000080", "8" * 20_000])
    def test_with_no_port_at_all_are_refused(self, port: str) -> None:
        status, _, body = call("GET", "/devices", HTTP_HOST=f"127.0.0.1:{port}")
        assert (status, len(body["detail"]) < 100 + MAX_SHOWN) == (400, True)

    def test_of_any_length_are_refused_where_all_are_allowed(self) -> None:
        with override_settings(ALLOWED_HOSTS=["*"]):
            assert call("GET", "/devices", HTTP_HOST="x" * 255 + ":65535")[0] == 200
            assert call("GET", "/devices", HTTP_HOST="x" * 262)[0] == 400

    def test_are_those_of_the_setting_as_it_is(self) -> None:
        with override_settings(ALLOWED_HOSTS=["other.example"]):
            assert call("GET", "/devices", HTTP_HOST="other.example")[0] == 200
            assert call("GET", "/devices", HTTP_HOST="127.0.0.1")[0] == 400
        assert call("GET", "/devices", HTTP_HOST="other.example")[0] == 400
        assert call("GET", "/static/style.css", HTTP_HOST="other.example")[0] == 400

    @pytest.mark.parametrize(
        ("host", "shown"),
        [
            ("evil.example", "'evil.example'"),
            ("192.168.1.5:8000", "'192.168.1.5:8000'"),
            ("a\x1b[31m\n", r"'a\x1b[31m\n'"),
            ("x" * 5_000, f"'{'x' * MAX_SHOWN}…'"),
        ],
    )
    def test_that_are_refused_are_named_beside_the_setting(self, host: str, shown: str) -> None:
        status, _, body = call("GET", "/devices", HTTP_HOST=host)
        assert (status, body["detail"]) == (
            400,
            f"The Host header names {shown}; those that are served are in DJANGO_ALLOWED_HOSTS.",
        )

    @pytest.mark.parametrize("headers", [{"HTTP_HOST": ""}, {"SERVER_NAME": "0.0.0.0"}])
    def test_that_are_missing_are_not_named(self, headers: dict[str, str]) -> None:
        status, _, body = call("GET", "/devices", **headers)
        assert (status, body["detail"]) == (
            400,
            "The request names no host; those that are served are in DJANGO_ALLOWED_HOSTS.",
        )

    @pytest.mark.parametrize("path", ["/healthz", "/readyz", "/healthz/", "/readyz/", "/healthz?format=json"])
    @pytest.mark.parametrize(
        "headers",
        [
            {"HTTP_HOST": "10.1.2.3:8000"},
            {"HTTP_HOST": ""},
            {"HTTP_HOST": "\xff \x01<b>:x"},
            {"HTTP_HOST": "x" * 20_000},
            {"SERVER_NAME": "0.0.0.0"},
            {"HTTP_HOST": "evil.example", "HTTP_ACCEPT": BROWSER},
        ],
    )
    def test_of_probes_are_not_looked_at(self, path: str, headers: dict[str, str]) -> None:
        assert call("GET", path, **headers)[0] == 200
        assert call("HEAD", path, **headers)[0] == 200

    @pytest.mark.parametrize("path", ["/healthz/x", "//healthz", "/healthz//", "/HEALTHZ", "/metrics", "/", "/nope"])
    def test_of_other_paths_are(self, path: str) -> None:
        assert call("GET", path, HTTP_HOST="10.1.2.3:8000")[0] == 400


class TestSteps:
    """Everything else in a request is read in a number of steps that does not grow with its size."""

    CASES: ClassVar[list[tuple[Callable[[str], object], str, str]]] = [
        (lambda value: sessions.cookie({"HTTP_COOKIE": value}), "a=", '"\\1'),
        (lambda value: sessions.cookie({"HTTP_COOKIE": value}), "", ";"),
        (lambda value: sessions.cookie({"HTTP_COOKIE": value}), "", "; "),
        (lambda value: sessions.cookie({"HTTP_COOKIE": value}), "", " "),
        (lambda value: sessions.cookie({"HTTP_COOKIE": value}), "", "timeseries_token"),
        (lambda value: throttling.client_address({"HTTP_X_FORWARDED_FOR": value}), "", ","),
        (lambda value: throttling.client_address({"HTTP_X_FORWARDED_FOR": value}), "fe80::1%", "x"),
        (negotiation.media_ranges, "", ","),
        (negotiation.media_ranges, "", "a/b,"),
        (negotiation.media_ranges, 'a/b;"', ","),
        (headers.header_parameters, "a;", "x=y;"),
    ]

    @pytest.mark.parametrize(("read", "begin", "piece"), CASES)
    def test_are_few(self, read: Callable[[str], object], begin: str, piece: str) -> None:
        with override_settings(TRUSTED_PROXIES=1):
            few = steps(lambda: read(begin + piece * 300))
            assert steps(lambda: read(begin + piece * 1_000)) <= few + 1
            assert steps(lambda: read(begin + piece * 30_000)) <= few + 1
            assert few < 40 * MAX_PARTS
