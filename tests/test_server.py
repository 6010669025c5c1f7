"""The production server as `make serve` runs it: a separate process, used over sockets."""

from __future__ import annotations

import json
import signal
import socket
import struct
import time
from contextlib import ExitStack, suppress
from typing import Any

import pytest
from django.conf import settings

from tests.served import LIMIT, LINE, Served, post
from timeseries_project.serving.process import STOP_SECONDS
from timeseries_project.tests.headers import POLICY

#: The head of a chunked request, without its chunks.
CHUNKED = b"%b HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_speaks_the_same_contract(server: Served) -> None:
    status, response, body = server.request("GET", "/healthz")
    assert (status, body, response.headers["Content-Length"]) == (200, b'{"status":"ok"}', "15")
    assert response.headers["Content-Security-Policy"] == POLICY
    for method, path, expected in (
        ("GET", "/nope", 404),
        ("DELETE", "/devices/%FF/datapoints", 400),
        ("GET", "/datapoints?device=%FF", 400),
        ("PUT", "/datapoints", 405),
        ("DELETE", "/devices/a%2Fb%20%C3%BC/datapoints", 204),
        ("GET", "/static/style.css", 200),
        ("GET", "/charts/bandwidth", 200),
        ("HEAD", "/api/bandwidth/devices", 200),
    ):
        status, response, body = server.request(method, path)
        assert status == expected, path
        if status >= 400:
            assert response.headers["Content-Type"] == "application/problem+json"
            assert json.loads(body)["status"] == status
        assert bool(body) == (status != 204 and method != "HEAD")


@pytest.mark.parametrize("media_type", ["application/x-ndjson", "application/json"])
def test_a_chunked_body_is_read(server: Served, media_type: str) -> None:
    lines = [(LINE % (i, f"chunked {media_type}")).encode() for i in range(1, 4)]
    if media_type == "application/json":
        lines = [b"[", lines[0], b"]"]
    status, _, body = server.request(
        "POST", "/datapoints", iter(lines), Content_Type=media_type, Transfer_Encoding="chunked"
    )
    assert (status, json.loads(body)) == (201, {"created": len(lines) if media_type.endswith("ndjson") else 1})


@pytest.mark.parametrize("chunked", [True, False])
def test_a_body_beyond_the_limit_is_refused(server: Served, chunked: bool) -> None:
    piece = b" " * (LIMIT // 4)
    if chunked:
        body: Any = (piece for _ in range(5))
        headers = {"Transfer_Encoding": "chunked"}
    else:
        body, headers = piece * 5, {}
    status, response, _ = server.request("POST", "/datapoints", body, Content_Type="application/json", **headers)
    assert (status, response.headers["Content-Type"]) == (413, "application/problem+json")
    assert server.request("GET", "/healthz")[0] == 200


def test_a_client_that_goes_in_the_middle_of_a_body_stores_nothing(server: Served) -> None:
    with server.connect() as stream:
        stream.sendall(post("application/x-ndjson", 5_000) + (LINE % (1, "gone")).encode())
    assert b'"gone"' not in server.request("GET", "/devices")[2]


@pytest.mark.parametrize(
    "half",
    [
        post("text/csv", 5_000) + b"timestamp,value,device,user\n1,1,gone,u\n",
        CHUNKED % b"POST /datapoints" + b"2d\r\n" + (LINE % (1, "gone")).encode(),
        CHUNKED % b"DELETE /users/kept/datapoints" + b"5\r\nhello",
        CHUNKED % b"DELETE /users/kept/datapoints" + b"zz\r\n",
    ],
)
def test_a_client_that_goes_leaves_nothing(server: Served, half: bytes) -> None:
    kept = b'{"timestamp":1,"value":1,"device":"kept","user":"kept"}'
    server.request("POST", "/datapoints?on_duplicate=skip", kept, Content_Type="application/json")
    with server.connect() as stream:
        stream.sendall(half)
    assert [json.loads(server.request("GET", f"/devices/{key}")[2]).get("count") for key in ("kept", "gone")] == [
        1,
        None,
    ]


def test_clients_that_send_byte_by_byte_hold_up_no_one_and_are_served(server: Served) -> None:
    body = (LINE % (3, "drop")).encode()
    with ExitStack() as stack:
        streams = [stack.enter_context(server.connect()) for _ in range(20)]
        for stream in streams:
            stream.sendall(post("application/json", len(body)))
        for place in range(len(body)):
            for stream in streams:
                stream.sendall(body[place : place + 1])
            assert server.request("GET", "/healthz")[0] == 200
        statuses = [int(stream.recv(65_536).split()[1]) for stream in streams]
    assert sorted(statuses) == [201] + [409] * 19


def test_two_lengths_are_none(server: Served) -> None:
    answer = server.raw(
        b"POST /datapoints HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/x-ndjson\r\n"
        b"Content-Length: 3\r\nContent-Length: 60\r\n\r\n" + (LINE % (1, "two")).encode()
    )
    assert answer.startswith(b"HTTP/1.1 400 ")


def test_clients_that_stall_hold_up_no_one(server: Served) -> None:
    """Two hundred clients send half a request; fifty more request a long answer and never read it."""
    server.request("POST", "/datapoints", LINE % (1, "long"), Content_Type="application/json")
    half = post("application/json", 100) + b"[{"
    with ExitStack() as stack:
        for i in range(250):
            stream = stack.enter_context(server.connect())
            stream.sendall(half if i < 200 else b"GET /statistics/devices/long/avg HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for _ in range(20):
            assert server.request("GET", "/api/statistics")[0] == 200
    assert server.request("GET", "/healthz")[0] == 200


def test_a_small_answer_comes_in_one_segment(server: Served) -> None:
    with server.connect() as stream:
        for _ in range(20):
            stream.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = b""
            while not answer.endswith(b'{"status":"ok"}'):
                answer += stream.recv(65_536)
        # `tcpi_data_segs_in` of Linux's `struct tcp_info`.
        assert struct.unpack_from("I", stream.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 160), 152) == (20,)


def test_a_long_answer_comes_whole(server: Served) -> None:
    server.request("POST", "/datapoints", LINE % (2, "whole"), Content_Type="application/json")
    buckets = json.loads(server.request("GET", "/statistics/devices/whole/avg")[2])
    assert len(buckets) > 1_900_000
    assert buckets[0]["count"] == 1


def test_a_stop_lets_no_accepted_request_go_unanswered() -> None:
    with Served() as served:
        served.wait()
        body = (LINE % (1, "last")).encode()
        with served.connect() as stream:
            stream.sendall(post("application/json", len(body)) + body[:5])
            served.request("GET", "/healthz")  # by now the server has read what was sent before
            served.process.send_signal(signal.SIGTERM)
            stream.sendall(body[5:])
            assert stream.recv(65_536).startswith(b"HTTP/1.1 201 ")
        assert served.ended()[0] == 0


def test_a_stop_waits_for_what_goes_on_and_cuts_what_stalls() -> None:
    """Completed bodies are answered and a long answer is sent to its end; then stalled clients are cut off."""
    with Served() as served:
        served.wait()
        served.request("POST", "/datapoints", LINE % (1, "long"), Content_Type="application/json")
        body = (LINE % (1, "last")).encode()
        with ExitStack() as stack:
            going, stalled = ([stack.enter_context(served.connect()) for _ in range(20)] for _ in range(2))
            for stream in [*going, *stalled]:
                stream.sendall(post("application/json", len(body)) + body[:5])
            reader = stack.enter_context(served.connect())
            # Larger than the sockets' buffers, but small enough to be read in time on a busy machine.
            reader.sendall(b"GET /statistics/devices/long/avg?end=1976-01-01 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = bytearray(reader.recv(1_000))
            served.request("GET", "/healthz")  # by now the server has read what was sent before
            served.process.send_signal(signal.SIGTERM)
            stopped = time.monotonic()
            for stream in going:
                stream.sendall(body[5:])
            assert sorted(stream.recv(65_536).split()[1] for stream in going) == [b"201"] + [b"409"] * 19
            while not answer.endswith(b"\r\n0\r\n\r\n"):
                part = reader.recv(1_000_000)
                assert part, "the long answer was cut"
                answer += part
            assert answer.count(b'"count"') > 200_000
            served.ended()
            # The bodies have a minute: they would be answered 408 then.
            assert STOP_SECONDS - 1 < time.monotonic() - stopped < settings.BODY_TIMEOUT_SECONDS
            for stream in stalled:
                with suppress(ConnectionError):
                    assert stream.recv(65_536) == b""


def test_a_test_that_fails_leaves_no_server_behind() -> None:
    with suppress(ZeroDivisionError), Served() as served:
        served.wait()
        raise ZeroDivisionError
    with pytest.raises(ConnectionRefusedError):
        served.connect()
    assert served.process.returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("name", "value"),
    [("PORT", "0"), ("PORT", "http"), ("WORKERS", "2"), ("BANDWIDTHS_FILE", "absent.py"), ("DJANGO_DEBUG", "maybe")],
)
def test_a_bad_setting_stops_the_start_with_one_line(name: str, value: str) -> None:
    with Served(**{name: value}) as served:
        status, out, err = served.ended()
        assert (status, out) == (1, "")
        assert len(err.splitlines()) == 1
        assert err.startswith(f"{name}: ")
