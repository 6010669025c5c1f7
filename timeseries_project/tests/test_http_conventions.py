"""The conventions of all endpoints: errors, negotiation, paths, media types, limits."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from django.test import override_settings
from rest_framework.test import APIClient

from datapoints import services as datapoints
from datapoints import views
from timeseries_project.core import clock
from timeseries_project.tests.headers import BROWSER, POLICY
from timeseries_project.tests.problems import problem

POINT = {"timestamp": 1, "value": 1, "device": "d", "user": "u"}
GETS = ["/datapoints", "/devices", "/users", "/api/bandwidth/devices", "/api/statistics", "/healthz", "/readyz"]
GETS += ["/api/bandwidth/entries"]
KEYS = [
    "a/b",
    "a/",
    "/a",
    "a/avg",
    "a/datapoints",
    "a b",
    "ü✓",
    "100%",
    "%2F",
    "a?b#c",
    "..",
    ".",
    "'\"<b>",
    "a;b",
    "\\",
]


def post(api: APIClient, body: bytes, **headers: str) -> Any:
    return api.generic("POST", "/datapoints", body, **headers)


class TestPaths:
    @pytest.mark.parametrize("path", GETS)
    def test_a_trailing_slash_is_accepted_without_a_redirect(self, api: APIClient, path: str) -> None:
        assert api.get(path).status_code == api.get(f"{path}/").status_code == 200
        assert api.get(path).content == api.get(f"{path}/").content

    @pytest.mark.parametrize(
        "path", ["/nope", "/datapoints/x", "/datapoints//", "/static/nope", "/static/../x", "/a\nb"]
    )
    @pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "options"])
    def test_an_unknown_route(self, api: APIClient, path: str, method: str) -> None:
        problem(getattr(api, method)(path), 404)

    @pytest.mark.parametrize("accept", ["image/png", "application/problem+json", "text/csv", "nonsense"])
    def test_an_unknown_route_is_one_whatever_is_accepted(self, api: APIClient, accept: str) -> None:
        problem(api.get("/nope", headers={"Accept": accept}), 404)

    @pytest.mark.parametrize("key", KEYS)
    def test_a_key_in_a_path_is_percent_encoded(self, api: APIClient, key: str) -> None:
        datapoints.store.add(1, 1.0, key, "u")
        datapoints.store.add(1, 1.0, "other", "u")
        path = quote(key, safe="")
        query = "end=1970-01-02"
        assert api.get(f"/statistics/devices/{path}/avg?{query}").json()[0]["count"] == 1
        assert api.get(f"/statistics/devices/{path}/moving_avg?window_size=1&{query}").json()[0]["value"] == 1
        assert api.delete(f"/devices/{path}/datapoints").status_code == 204
        problem(api.get(f"/statistics/devices/{path}/avg"), 404)
        assert [d["device"] for d in api.get("/devices").json()] == ["other"]

    @pytest.mark.parametrize("host", ["evil.example", "a b", "127.0.0.1:x", ""])
    def test_a_foreign_host(self, api: APIClient, host: str) -> None:
        problem(api.get("/devices", headers={"Host": host}), 400)
        assert "text/html" in api.get("/devices", headers={"Host": host, "Accept": BROWSER})["Content-Type"]


class TestMethods:
    @pytest.mark.parametrize(
        ("method", "path", "allowed"),
        [
            ("put", "/datapoints", {"GET", "HEAD", "POST", "DELETE", "OPTIONS"}),
            ("post", "/devices", {"GET", "HEAD", "OPTIONS"}),
            ("get", "/devices/a/datapoints", {"DELETE", "OPTIONS"}),
            ("get", "/api/transactions", {"POST", "DELETE", "OPTIONS"}),
            ("delete", "/healthz", {"GET", "HEAD", "OPTIONS"}),
            ("post", "/api/schema/", {"GET", "HEAD", "OPTIONS"}),
            ("post", "/api/docs/", {"GET", "HEAD", "OPTIONS"}),
        ],
    )
    def test_that_are_not_allowed(self, api: APIClient, method: str, path: str, allowed: set[str]) -> None:
        response = getattr(api, method)(path)
        problem(response, 405)
        assert set(response["Allow"].split(", ")) == allowed

    @pytest.mark.parametrize("method", ["FOO", "DISPATCH", "QUERY", "TRACE", "__CLASS__"])
    @pytest.mark.parametrize("query", ["", "?bogus=1"])
    def test_an_unheard_of_method(self, api: APIClient, method: str, query: str) -> None:
        problem(api.generic(method, f"/devices{query}"), 405)

    def test_the_method_cannot_be_overridden(self, api: APIClient) -> None:
        datapoints.store.add(1, 1.0, "d", "u")
        for headers in ({"X-HTTP-Method-Override": "DELETE"}, {"X-Method-Override": "DELETE"}):
            problem(api.post("/devices/d/datapoints", "{}", content_type="application/json", headers=headers), 405)
        assert len(api.get("/devices").json()) == 1

    @pytest.mark.parametrize("path", [*GETS, "/datapoints", "/api/transactions", "/devices/a/datapoints"])
    def test_options_describe(self, api: APIClient, path: str) -> None:
        response = api.options(path)
        assert response.status_code == 200
        assert response.json()["renders"]

    @pytest.mark.parametrize("path", GETS)
    def test_head_is_get_without_a_body(self, api: APIClient, path: str) -> None:
        response = api.head(path)
        assert response.status_code == 200
        assert response["Content-Type"] == api.get(path)["Content-Type"]


class TestNegotiation:
    @pytest.mark.parametrize(
        ("accept", "media_type"),
        [
            ("", "application/json"),
            ("*/*", "application/json"),
            ("application/*", "application/json"),
            ("text/csv", "text/csv; charset=utf-8"),
            ("text/*", "text/csv; charset=utf-8"),
            ("TEXT/CSV", "text/csv; charset=utf-8"),
            ("text/html", "text/html; charset=utf-8"),
            (BROWSER, "text/html; charset=utf-8"),
            ("text/html;q=0.1, application/json", "application/json"),
            ("text/csv;q=0.2, application/json;q=0.1", "text/csv; charset=utf-8"),
            ("application/json;q=0, */*", "text/csv; charset=utf-8"),
            ("image/png, */*;q=0.1", "application/json"),
            ("text/html, application/json", "application/json"),
            ("text/html; q=1.0, */*", "text/html; charset=utf-8"),
            ("nonsense", "application/json"),
            (",,;q=1,", "application/json"),
            ("text/csv;q=x, application/json;q=0.1", "application/json"),
            ("application/json; indent=4", "application/json"),
        ],
    )
    def test_the_best_accepted_type_is_answered(self, api: APIClient, accept: str, media_type: str) -> None:
        response = api.get("/devices", headers={"Accept": accept})
        assert (response.status_code, response["Content-Type"]) == (200, media_type)
        assert "Accept" in response["Vary"]

    @pytest.mark.parametrize("accept", ["image/png", "application/xml", "*/*;q=0", "application/problem+json"])
    def test_nothing_acceptable(self, api: APIClient, accept: str) -> None:
        assert "application/json" in problem(api.get("/devices", headers={"Accept": accept}), 406)["detail"]

    @pytest.mark.parametrize(
        ("name", "kind"),
        [
            ("json", "application/json"),
            ("csv", "text/csv"),
            ("arrow", "application/vnd.apache.arrow.stream"),
            ("api", "text/html"),
        ],
    )
    @pytest.mark.parametrize("accept", ["*/*", BROWSER, "application/json", "image/png"])
    def test_format_decides_alone(self, api: APIClient, name: str, kind: str, accept: str) -> None:
        response = api.get(f"/devices?format={name}", headers={"Accept": accept})
        assert response["Content-Type"].startswith(kind)

    @pytest.mark.parametrize("path", GETS)
    @pytest.mark.parametrize("name", ["xml", "", "JSON", "problem"])
    def test_an_unknown_format(self, api: APIClient, path: str, name: str) -> None:
        problem(api.get(f"{path}?format={name}"), 406)

    def test_a_page_is_html_only(self, api: APIClient) -> None:
        for path in ("/", "/charts/bandwidth"):
            assert api.get(f"{path}?format=html").status_code == 200
            problem(api.get(f"{path}?format=xyz"), 406)

    def test_format_is_known_everywhere(self, api: APIClient) -> None:
        for path in GETS:
            assert api.get(f"{path}?format=json").status_code == 200
        assert api.delete("/devices/x/datapoints?format=json").status_code == 204
        body = json.dumps(POINT)
        assert api.post("/datapoints?format=json", body, content_type="application/json").status_code == 201

    @pytest.mark.parametrize("path", ["/api/statistics", "/healthz"])
    def test_csv_only_where_rows_are_answered(self, api: APIClient, path: str) -> None:
        problem(api.get(path, headers={"Accept": "text/csv"}), 406)

    def test_a_write_that_cannot_be_answered_is_not_done(self, api: APIClient) -> None:
        problem(post(api, json.dumps(POINT).encode(), content_type="application/json", HTTP_ACCEPT="image/png"), 406)
        assert api.get("/devices").json() == []


class TestErrors:
    CASES = (
        ("get", "/nope", 404),
        ("get", "/statistics/devices/nope/avg", 404),
        ("put", "/datapoints", 405),
        ("get", "/devices?format=xml", 406),
        ("get", "/datapoints?limit=x", 400),
        ("post", "/nope", 404),
    )

    @pytest.mark.parametrize(("method", "path", "status"), CASES)
    @pytest.mark.parametrize("accept", ["application/json", "text/csv", "*/*", "text/html;q=0.5, application/json"])
    @pytest.mark.parametrize("debug", [True, False])
    def test_are_problem_json(
        self, api: APIClient, method: str, path: str, status: int, accept: str, debug: bool
    ) -> None:
        with override_settings(DEBUG=debug):
            response = api.generic(method.upper(), path, "x", content_type="text/plain", headers={"Accept": accept})
        problem(response, status)

    @pytest.mark.parametrize(("method", "path", "status"), [case for case in CASES if "format" not in case[1]])
    @pytest.mark.parametrize("debug", [True, False])
    def test_are_a_page_for_browsers(self, api: APIClient, method: str, path: str, status: int, debug: bool) -> None:
        with override_settings(DEBUG=debug):
            response = api.generic(method.upper(), path, "x", content_type="text/plain", headers={"Accept": BROWSER})
        assert response.status_code == status
        assert response["Content-Type"] == "text/html; charset=utf-8"
        for member in ("type", "title", "status", "detail"):
            assert f"&quot;{member}&quot;" in response.content.decode()

    @pytest.mark.parametrize("debug", [True, False])
    @pytest.mark.parametrize("accept", ["*/*", BROWSER])
    def test_a_failure_is_logged_and_tells_nothing(
        self,
        api: APIClient,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
        debug: bool,
        accept: str,
    ) -> None:
        def fail(*args: object, **kwargs: object) -> None:
            raise RuntimeError("secret reason")

        monkeypatch.setattr(views.services, "keys_portions", fail)
        with override_settings(DEBUG=debug):
            response = api.get("/devices", headers={"Accept": accept})
        assert response.status_code == 500
        assert "secret" not in response.content.decode()
        assert "Traceback" not in response.content.decode()
        assert "secret reason" in caplog.text
        if accept == "*/*":
            problem(response, 500)

    @pytest.mark.parametrize("path", ["/devices", "/nope", "/", "/charts/bandwidth", "/api/docs/"])
    @pytest.mark.parametrize("accept", ["*/*", BROWSER])
    @pytest.mark.parametrize("debug", [True, False])
    def test_too_many_parameters(self, api: APIClient, path: str, accept: str, debug: bool) -> None:
        query = "&".join(f"a{i}=1" for i in range(1_001))
        with override_settings(DEBUG=debug):
            response = api.get(f"{path}?{query}", headers={"Accept": accept})
        assert response.status_code == (404 if path == "/nope" else 400)
        if accept == "*/*":
            problem(response, response.status_code)
        else:
            assert "&quot;detail&quot;" in response.content.decode()

    @pytest.mark.parametrize("path", ["/api/schema/", "/api/docs/", "/metrics", *GETS])
    def test_unknown_parameters_are_refused_in_the_api_and_on_its_pages(self, api: APIClient, path: str) -> None:
        problem(api.get(f"{path}?utm_source=mail"), 400)
        assert api.get(f"{path}?utm_source=mail", headers={"Accept": BROWSER}).status_code == 400

    @pytest.mark.parametrize(
        "path", ["/", "/charts/bandwidth", "/charts/datapoints", "/charts/transactions", "/sign-in"]
    )
    @pytest.mark.parametrize("accept", ["*/*", BROWSER])
    def test_unknown_parameters_are_passed_over_on_pages(self, api: APIClient, path: str, accept: str) -> None:
        with override_settings(API_TOKENS=("secret",)):
            assert api.get(f"{path}?utm_source=mail&utm_source=a", headers={"Accept": accept}).status_code == 200

    def test_a_known_parameter_stays_strict_beside_an_unknown_one(self, api: APIClient) -> None:
        problem(api.get("/charts/bandwidth?utm_source=mail&window_time=0"), 400)
        problem(api.get("/charts/datapoints?utm_source=mail&device=a&bucket=1h&bucket=2h"), 400)

    def test_a_query_that_is_not_utf8_is_an_invalid_parameter(self, api: APIClient) -> None:
        problem(api.get("/datapoints?limit=%FF"), 400)


class TestMediaTypes:
    BODY = json.dumps(POINT).encode()

    @pytest.mark.parametrize(
        "media_type",
        [
            "application/json",
            "APPLICATION/JSON",
            "application/json; charset=utf-8",
            'application/json; charset="UTF-8"',
            "application/json;charset=utf8;x=y",
            "application/json; charset=us-ascii",
        ],
    )
    def test_json_is_utf8(self, api: APIClient, media_type: str) -> None:
        assert post(api, self.BODY, content_type=media_type).status_code == 201

    @pytest.mark.parametrize(
        "media_type",
        [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/xml",
            "json",
            "",
            "application/json, text/csv",
            "application/*",
            "*/*",
            "application/json; charset=latin-1",
            "application/json; charset=utf-16",
            "application/json; charset=hex",
            "application/json; charset=",
            "text/csv; charset=utf-7",
        ],
    )
    @pytest.mark.parametrize("body", [BODY, b""])
    def test_others_are_refused(self, api: APIClient, media_type: str, body: bytes) -> None:
        problem(post(api, body, content_type=media_type), 415)
        assert api.get("/devices").json() == []

    @pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
    def test_the_refusal_names_what_to_send(self, api: APIClient, media_type: str) -> None:
        body = problem(post(api, self.BODY, content_type=media_type), 415)
        assert "Content-Type: application/json" in body["detail"]

    @pytest.mark.parametrize("encoding", ["br", "x", "gzip, gzip", "identity, gzip", "gzip;q=1"])
    def test_other_content_encodings_are_refused(self, api: APIClient, encoding: str) -> None:
        response = post(api, self.BODY, content_type="application/json", HTTP_CONTENT_ENCODING=encoding)
        assert "send gzip" in problem(response, 415)["detail"]
        assert response["Accept-Encoding"] == "gzip"
        assert api.get("/devices").json() == []

    def test_the_identity_encoding_is_none(self, api: APIClient) -> None:
        response = post(api, self.BODY, content_type="application/json", HTTP_CONTENT_ENCODING="identity")
        assert response.status_code == 201


class TestBodyLimit:
    @pytest.mark.parametrize("media_type", ["application/json", "application/x-ndjson", "text/csv"])
    def test_a_larger_body_is_refused(self, api: APIClient, media_type: str) -> None:
        with override_settings(MAX_BODY_BYTES=100):
            assert "100 bytes" in problem(post(api, b" " * 101, content_type=media_type), 413)["detail"]

    def test_one_of_exactly_the_limit_is_read(self, api: APIClient) -> None:
        body = json.dumps(POINT).encode()
        with override_settings(MAX_BODY_BYTES=len(body)):
            assert post(api, body, content_type="application/json").status_code == 201


class TestBrowsableApi:
    @pytest.mark.parametrize(
        "path", [*GETS, "/api/transactions", "/devices/a/datapoints", "/api/bandwidth", "/api/schema/", "/nope"]
    )
    def test_every_endpoint_has_a_page_that_keeps_the_policy(self, api: APIClient, path: str) -> None:
        response = api.get(path, headers={"Accept": BROWSER})
        text = response.content.decode()
        assert response["Content-Type"] == "text/html; charset=utf-8"
        assert response["Content-Security-Policy"] == POLICY
        assert "<style" not in text
        assert 'rel="icon"' in text

    @pytest.mark.parametrize(
        ("method", "path", "media_type"),
        [
            ("GET", "/healthz", "application/json"),
            ("GET", "/datapoints", "application/json"),
            ("GET", "/datapoints?limit=0", "application/problem+json"),
            ("GET", "/nope", "application/problem+json"),
            ("GET", "/statistics/devices/d/mode", "application/problem+json"),
            ("GET", "/api/transactions", "application/problem+json"),
            ("GET", "/metrics", "text/plain; version=0.0.4; charset=utf-8"),
            ("GET", "/metrics?bogus=1", "application/problem+json"),
            ("OPTIONS", "/metrics", "application/json"),
        ],
    )
    def test_the_page_shows_the_content_type_of_the_answer_without_it(
        self, api: APIClient, method: str, path: str, media_type: str
    ) -> None:
        page = api.generic(method, path, headers={"Accept": BROWSER}).content.decode()
        assert f"<b>Content-Type:</b> {media_type}\n" in page
        assert api.generic(method, path)["Content-Type"] == media_type

    def test_the_page_of_an_empty_answer_shows_no_content_type(self, api: APIClient) -> None:
        body = f'{{"amount": 1, "timestamp": {clock.now_ms()}}}'
        answers = [
            api.post("/api/transactions", body, content_type="application/json", headers={"Accept": accept})
            for accept in (BROWSER, "*/*")
        ]
        assert "HTTP 201 Created" in answers[0].content.decode()
        assert "Content-Type:" not in answers[0].content.decode()
        assert "Content-Type" not in answers[1].headers

    def test_has_the_raw_form_only_with_an_example(self, api: APIClient) -> None:
        text = api.get("/datapoints", headers={"Accept": BROWSER}).content.decode()
        assert 'name="_content"' in text
        assert "thermometer-1" in text
        assert "multipart/form-data" not in text

    def test_a_delete_stays_without_content(self, api: APIClient) -> None:
        response = api.delete("/devices/x/datapoints", headers={"Accept": BROWSER})
        assert (response.status_code, response.content) == (204, b"")

    def test_an_expired_transaction_stays_without_content(self, api: APIClient) -> None:
        response = api.post(
            "/api/transactions",
            '{"amount": 1, "timestamp": 1}',
            content_type="application/json",
            headers={"Accept": BROWSER},
        )
        assert response.status_code == 204

    def test_text_is_escaped(self, api: APIClient) -> None:
        datapoints.store.add(1, 1.0, "<script>alert(1)</script>", "u")
        text = api.get("/devices", headers={"Accept": BROWSER}).content.decode()
        assert "<script>alert" not in text
        assert "&lt;script&gt;" in text


SAFE_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize(
    "path",
    [*GETS, "/nope", "/", "/static/rest_framework/css/default.css", "/static/nope", "/api/docs/", "/datapoints?limit=0",
     "/devices?format=xml", "/statistics/devices/long/avg"],
)  # fmt: skip
def test_every_answer_has_the_headers_that_keep_browsers_safe(api: APIClient, path: str, debug: bool) -> None:
    datapoints.store.add(0, 1.0, "long", "u")  # the answer is streamed
    with override_settings(DEBUG=debug):
        response = api.get(path)
        refused = api.get(path, headers={"Host": "evil.example"})
    for answer in (response, refused):
        assert {name: answer.headers.get(name) for name in SAFE_HEADERS} == SAFE_HEADERS
        assert "Strict-Transport-Security" not in answer
        answer.close()
