"""Bodies at the production server: who may send them, how large, how slowly, and how many at once."""

from __future__ import annotations

import gzip
import json
import select
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import urllib3

from tests.served import LIMIT, LINE, Served, eventually, memory, post

TOKEN = {"Authorization": "Bearer secret-1"}
LARGE = 8_000_000


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    """A server with tokens and a body timeout of one second."""
    with Served(API_TOKENS="secret-1,secret-2", BODY_TIMEOUT_SECONDS="1", MAX_BODY_BYTES=str(LIMIT)) as served:
        served.wait()
        yield served
        assert served.stop() == 0


def answered(stream: socket.socket) -> bytes:
    """Return everything received until the server closes."""
    got = b""
    try:
        while piece := stream.recv(65_536):
            got += piece
    except TimeoutError:
        raise AssertionError(f"not closed after {got!r}") from None
    return got


def test_a_token_is_asked_for_as_everywhere(server: Served) -> None:
    point = LINE % (1, "token")
    for headers, status in ((TOKEN, 201), ({}, 401), ({"Authorization": "Bearer secret"}, 401)):
        answer = server.request(
            "POST",
            "/datapoints",
            point.replace(":1,", f":{status},"),
            **{"Content_Type": "application/json", **headers},
        )
        assert answer[0] == status
        assert answer[1].headers.get("WWW-Authenticate", "").startswith("Bearer") == (status == 401)
    assert server.request("GET", "/devices")[0] == 200


def test_signing_in_leaves_a_cookie_that_is_as_good(server: Served) -> None:
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    status, response, _ = server.request("POST", "/sign-in", "token=secret-2&next=/devices", **form)
    assert (status, response.headers["Location"]) == (303, "/devices")
    cookie = response.headers["Set-Cookie"].partition(";")[0]
    sent = {"Content_Type": "application/json", "Cookie": cookie}
    assert server.request("POST", "/datapoints", LINE % (2, "cookie"), **sent)[0] == 201


@pytest.mark.parametrize("chunked", [True, False])
def test_who_may_not_write_is_told_before_a_body_is_sent(server: Served, chunked: bool) -> None:
    """The answer comes after the head, or the first of many chunks; the server waits for no more."""
    length = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {LIMIT}"
    head = f"POST /datapoints HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{length}\r\n\r\n"
    with server.connect() as stream:
        stream.sendall(head.encode() + (b"5\r\n12345\r\n" if chunked else b""))
        assert stream.recv(65_536).startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize("headers", [TOKEN, {}, {"Content-Encoding": "gzip", **TOKEN}])
@pytest.mark.parametrize("chunked", [True, False])
@pytest.mark.parametrize("path", ["/datapoints", "/sign-in"])
def test_a_client_that_sends_too_much_sees_why_it_is_refused(
    server: Served, headers: dict[str, str], chunked: bool, path: str
) -> None:
    media_type = "application/json" if path == "/datapoints" else "application/x-www-form-urlencoded"
    body = (b" " * 80_000 for _ in range(LARGE // 80_000)) if chunked else b" " * LARGE
    sent = {"Content_Type": media_type, **({"Transfer_Encoding": "chunked"} if chunked else {})}
    status, response, _ = server.request("POST", path, body, **sent, **headers)
    refused = path == "/datapoints" and not headers
    assert (status, response.headers["Content-Type"]) == (401 if refused else 413, "application/problem+json")


def test_urllib3_and_curl_see_it_too(server: Served, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{server.port}/datapoints"
    with urllib3.PoolManager(retries=False) as pool:
        headers = {"Content-Type": "application/json", **TOKEN}
        assert [pool.request("POST", url, body=b" " * LARGE, headers=headers).status for _ in range(3)] == [413] * 3
    if shutil.which("curl") is None:
        return
    (tmp_path / "body").write_bytes(b" " * LARGE)
    for expect in ("Expect: 100-continue", "Expect:"):
        command = [
            "curl",
            "--silent",
            "--write-out",
            "%{http_code}",
            "--output",
            "-",
            "--data-binary",
            f"@{tmp_path}/body",
        ]
        for header in ("Content-Type: application/json", "Authorization: Bearer secret-1", expect):
            command += ["--header", header]
        done = subprocess.run([*command, url], capture_output=True, text=True, timeout=60, check=True)
        assert done.stdout.endswith("413")


def test_a_connection_is_kept_after_a_refusal(server: Served) -> None:
    with urllib3.HTTPConnectionPool("127.0.0.1", server.port, maxsize=1, retries=False) as pool:
        for _ in range(3):
            headers = {"Content-Type": "application/json", **TOKEN}
            assert pool.request("POST", "/datapoints", body=b" " * (LIMIT + 1), headers=headers).status == 413
            assert pool.request("GET", "/healthz").status == 200
        assert pool.num_connections == 1


def test_a_gzip_body_is_read_and_a_bomb_is_not(server: Served) -> None:
    lines = "".join(LINE % (i, "gzip") for i in range(1_000, 1_500)).encode()
    sent = {"Content_Type": "application/x-ndjson", "Content_Encoding": "gzip", **TOKEN}
    assert json.loads(server.request("POST", "/datapoints", gzip.compress(lines), **sent)[2]) == {"created": 500}
    before = memory(server)
    bomb = gzip.compress(bytes(80_000_000), 9)
    assert len(bomb) < LIMIT
    assert server.request("POST", "/datapoints", bomb, **sent)[0] == 413
    assert memory(server) - before < 20_000_000
    chunks = iter([bomb[:50_000], bomb[50_000:]])
    assert server.request("POST", "/datapoints", chunks, Transfer_Encoding="chunked", **sent)[0] == 413


@pytest.mark.parametrize("begun", [b"", b"[{"])
def test_a_body_that_does_not_end_is_answered_and_the_connection_closed(server: Served, begun: bytes) -> None:
    with server.connect() as stream:
        stream.sendall(
            post("application/json", 100).replace(b"\r\n\r\n", b"\r\nAuthorization: Bearer secret-1\r\n\r\n")
        )
        stream.sendall(begun)
        head, _, body = answered(stream).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 ")
    assert b"\r\nconnection: close" in head.lower()
    assert json.loads(body)["status"] == 408
    assert b"content-security-policy" in head.lower()


def test_a_delete_whose_body_does_not_end_deletes_nothing(server: Served) -> None:
    point = LINE % (7, "kept")
    assert server.request("POST", "/datapoints", point, Content_Type="application/json", **TOKEN)[0] == 201
    head = post("text/plain", 9).replace(b"POST /datapoints", b"DELETE /devices/kept/datapoints")
    with server.connect() as stream:
        stream.sendall(head.removesuffix(b"\r\n") + b"Authorization: Bearer secret-1\r\n\r\n")
        assert answered(stream).startswith(b"HTTP/1.1 408 ")
    assert server.request("GET", "/devices/kept")[0] == 200


def test_bodies_that_stall_are_bounded_together() -> None:
    """A hundred bodies of nearly the size limit stall: the first ones are kept, the others told to retry.

    The budget is that of eight bodies; a connection keeps up to 0.3 MB beside it.
    """
    limit = 4_000_000
    with Served(MAX_BODY_BYTES=str(limit)) as served:
        served.wait()
        before = memory(served)
        with ExitStack() as stack:
            streams = [stack.enter_context(served.connect()) for _ in range(100)]
            for stream in streams:
                stream.sendall(post("application/json", limit) + b" " * (limit - 1))
            answers: list[bytes] = []

            def are_refused() -> bool:
                for stream in select.select(streams, [], [], 0)[0]:
                    answers.append(stream.recv(65_536))
                    streams.remove(stream)
                return len(answers) >= 92

            eventually(are_refused)
            assert {answer[:13] for answer in answers} == {b"HTTP/1.1 503 "}
            assert all(b"retry-after: 1" in answer.lower() for answer in answers)
            assert memory(served) - before < 160_000_000
            assert served.request("POST", "/datapoints", LINE % (1, "small"), Content_Type="application/json")[0] == 201
            assert served.request("GET", "/api/statistics")[0] == 200
        assert served.request("POST", "/datapoints", " " * (limit - 1), Content_Type="application/json")[0] == 400
        assert served.stop() == 0
