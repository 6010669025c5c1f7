"""The client against servers that are foreign, refuse, fail for a while, or are unreachable."""

from __future__ import annotations

import pytest

from timeseries_project.client.sender import Client, ClientError, Outcome, RefusedError
from timeseries_project.client.target import targets
from timeseries_project.tests.processes import Request, answering, serving

Answer = tuple[int, dict[str, str], bytes]
HEALTHY: Answer = (200, {}, b'{"status": "ok"}')
TRANSACTIONS = targets()["transactions"]


@pytest.mark.parametrize(
    "url",
    [
        "", "127.0.0.1:8000", "http://", "http://[::1", "http://127.0.0.1:99999", "http://127.0.0.1:0",
        "ftp://127.0.0.1", "http://user@127.0.0.1", "http://127.0.0.1/?a", "http://127.0.0.1/#a", "http://a b",
    ],
)  # fmt: skip
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(ClientError, match="is not the URL of a server, such as http"):
        Client(url)


@pytest.mark.parametrize(
    "url", [f"http://{'a' * 64}.invalid", "http://a..invalid", "http://%00/", "http://127.0.0.1:1"]
)
def test_a_server_that_is_nowhere(url: str) -> None:
    with pytest.raises(ClientError, match=" does not answer: "):
        Client(url).greet()


@pytest.mark.parametrize("token", ["a\nb", "ü", "a b", "\x7f"])
def test_what_is_no_token(token: str) -> None:
    with pytest.raises(ClientError, match="The token must be ASCII"):
        Client("http://127.0.0.1:1", token=token)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((200, {}, b"<html>"), "is not this service: /healthz answers 200 OK"),
        ((404, {}, b"{}"), "is not this service: /healthz answers 404 Not Found"),
        ((302, {"Location": "/elsewhere"}, b""), "is not this service: /healthz answers 302 Found"),
        ((599, {}, b""), "is not this service: /healthz answers 599"),
        ((200, {}, b"[" * 100_000), "is not this service"),
        ((200, {}, b" " * (2 << 20)), "is not this service: the answer to /healthz has an unexpected form."),
        ((200, {"Content-Encoding": "gzip"}, b"{}"), "does not answer: "),
        ((200, {"Content-Length": "100", "Connection": "close"}, b"{}"), "does not answer: the connection was closed"),
    ],
)
def test_a_server_that_is_not_ours(answer: Answer, reason: str) -> None:
    with answering(lambda request: answer) as url, pytest.raises(ClientError, match=reason):
        Client(url).greet()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((201, {}, b"<html>"), "is not this service: the answer to /api/transactions has an unexpected form."),
        ((201, {}, b"[]"), "is not this service: the answer to"),
        ((201, {}, b'{"accepted": 5}'), "is not this service: the answer to"),
        ((201, {}, b'{"accepted": "1"}'), "is not this service: the answer to"),
        ((201, {}, b'{"accepted": true}'), "is not this service: the answer to"),
        ((201, {}, b'{"accepted": 2, "expired": -1}'), "is not this service: the answer to"),
        ((200, {}, b'{"accepted": 1}'), "answers 200 OK without problem details; it is not this service."),
        ((500, {}, b'{"detail": 1}'), "answers 500 Internal Server Error without problem details"),
        ((507, {}, b'{"detail": "Full."}'), "^507 Insufficient Storage: Full.$"),
        ((401, {}, b'{"detail": "A\\n\\u001b[0m\\u202e"}'), "^401 Unauthorized: A \ufffd\\[0m\ufffd$"),
        ((400, {}, b'{"detail": "no", "errors": ["a"]}'), "^400 Bad Request: no$"),
        ((400, {}, b'{"detail": "' + b"no" * 9_000 + b'"}'), "^400 Bad Request: no.{900,1000}…$"),
        ((429, {"Retry-After": "1000"}, b""), "did not answer within 5 s: 429 Too Many Requests."),
    ],
)
def test_an_answer_that_is_not_ours_or_refuses(answer: Answer, reason: str) -> None:
    with answering(lambda request: answer) as url, pytest.raises(ClientError, match=reason) as caught:
        Client(url, patience=5).post(TRANSACTIONS, [b"{}"])
    assert str(caught.value).isprintable()


def test_a_refusal_names_the_item() -> None:
    with serving() as server, pytest.raises(RefusedError) as caught:
        Client(server.url).post(TRANSACTIONS, [b'{"amount": 1, "timestamp": 1}', b'{"amount": 1}'])
    assert (str(caught.value), caught.value.index) == ("400 Bad Request: timestamp is required.", 1)


def test_what_is_not_there_is_none() -> None:
    with serving() as server:
        assert Client(server.url).get("/api/bandwidth?device_uuid=nobody") is None
        assert Client(server.url).get("/devices") == []


@pytest.mark.parametrize(("status", "doubtful"), [(408, 0), (429, 0), (502, 6), (503, 0), (504, 6)])
def test_a_server_that_is_away_is_asked_again_more_and_more_seldom(status: int, doubtful: int) -> None:
    answers: list[Answer] = [(status, {}, b"")] * 2 + [(status, {"Retry-After": "7"}, b"")]
    answers += [(status, {}, b"")] * 5 + [(201, {}, b'{"accepted": 1, "expired": 1}')]
    waited: list[float] = []
    reasons: list[str] = []
    connections = set()

    def respond(request: Request) -> Answer:
        connections.add(request.client_address)
        assert request.headers["Authorization"] == "Bearer t"
        return answers.pop(0)

    with answering(respond) as url:
        client = Client(f"{url}/", token="t", wait=waited.append, on_wait=reasons.append)
        assert client.post(TRANSACTIONS, [b"{}", b"{}"]) == Outcome(1, 0, 1)
    assert waited == pytest.approx([0.1, 0.2, 7, 0.8, 1.6, 3.2, 5, 5])
    assert (client.retries, len(reasons)) == (8, 1)
    assert reasons[0].startswith(str(status))
    assert client.doubtful == (16 if doubtful else 0)
    assert len(connections) == 1


def test_a_datapoint_sent_again_is_not_in_doubt() -> None:
    with serving(lose=[1]) as server:
        client = Client(server.url)
        body = b'{"timestamp": 1, "value": 1, "device": "d", "user": "u"}'
        assert client.post(targets()["datapoints"], [body]) == Outcome(0, 1, 0)
    assert (client.retries, client.doubtful) == (1, 0)
