"""Clients of the production server that request much and read nothing, and that they leave nothing behind."""

from __future__ import annotations

import json
import os
import re
import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.served import LINE, Served, children, eventually, memory
from timeseries_project.tests.processes import PATIENCE

SCRIPT = "/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js"
LONG = "/statistics/devices/long/avg"
#: Quarter-hours with a point in the device with a large answer; each takes 12 bytes of columns.
WIDE = 700_000


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    """A server with a send timeout of one second and long answers of every kind."""
    with Served(SEND_TIMEOUT_SECONDS="1", MAX_BODY_BYTES=str(2**23)) as served:
        served.wait()
        assert served.request("POST", "/datapoints", LINE % (0, "long"), Content_Type="application/json")[0] == 201
        listed = "".join(LINE % (i, "a device of some length " * 10) for i in range(10_000))
        assert served.request("POST", "/datapoints", listed, Content_Type="application/x-ndjson")[0] == 201
        yield served
        assert served.stop() == 0


def ask(served: Served, path: str, room: int = 4_096) -> socket.socket:
    """Send a request from a socket with a small buffer, and read nothing."""
    stream = socket.socket()
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    stream.settimeout(PATIENCE)
    stream.connect(("127.0.0.1", served.port))
    stream.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    return stream


def wait_for_cut(stream: socket.socket) -> None:
    """Wait until the connection has ended, without reading from it."""
    ended = select.poll()
    ended.register(stream, 0)  # errors and hang-ups are always reported
    assert ended.poll(PATIENCE * 1_000), "the connection goes on"


def rest(stream: socket.socket) -> tuple[bytes, bool]:
    """Return what can still be read, and whether reading ends in an error, as after a reset."""
    got = b""
    try:
        while piece := stream.recv(65_536):
            got += piece
    except ConnectionError:
        return got, True
    return got, False


def open_files(served: Served) -> list[str]:
    """Return the open files of the server's processes."""
    found = []
    for process in (served.process.pid, *children(served.process.pid)):
        for entry in Path(f"/proc/{process}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed in the meantime
                found.append(os.readlink(entry))
    return found


@pytest.mark.parametrize(
    "path",
    [
        LONG,
        f"{LONG}?format=csv",
        f"{LONG}?format=arrow",
        SCRIPT,
        "/datapoints?limit=10000",
        "/api/schema/",
        "/datapoints?limit=100",
    ],
)
def test_an_answer_of_which_nothing_is_taken_is_cut_and_does_not_look_complete(server: Served, path: str) -> None:
    with ask(server, path) as stream:
        wait_for_cut(stream)
        got, was_reset = rest(stream)
    assert was_reset
    assert got.startswith(b"HTTP/1.1 200 ")
    assert not got.endswith(b"0\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", got.partition(b"\r\n\r\n")[0])
    assert (length is None) == path.startswith(LONG)
    assert length is None or len(got) < int(length[1])
    assert server.request("GET", "/healthz")[0] == 200


def test_files_are_closed(server: Served) -> None:
    with ExitStack() as stack:
        streams = [stack.enter_context(ask(server, SCRIPT)) for _ in range(5)]
        for stream in streams:
            wait_for_cut(stream)
    with ask(server, SCRIPT) as stream:
        assert stream.recv(4)  # one that disconnects by itself
    eventually(lambda: not any(name.endswith(".js") for name in open_files(server)))


def test_who_reads_slowly_is_served_to_the_end(server: Served) -> None:
    """It reads a little in every quarter of the timeout, for several times the timeout."""
    with ask(server, "/statistics/devices/long/avg?end=1976-01-01", 65_536) as stream:
        begun, got = time.monotonic(), bytearray()
        never = select.poll()
        while time.monotonic() - begun < 4:
            got += stream.recv(100_000)
            never.poll(100)
        while not got.endswith(b"\r\n0\r\n\r\n"):
            part = stream.recv(1_000_000)
            assert part, "the answer was cut"
            got += part
    assert got.count(b'"count"') > 200_000


def test_readers_that_do_not_read_have_a_budget_and_a_deadline() -> None:
    """Forty answers of ten megabytes each: some have room, the others are told to retry.

    After the deadline none takes memory any more, and there is room again.
    """
    with Served(SEND_TIMEOUT_SECONDS="10", MAX_BODY_BYTES=str(2**25)) as served:
        served.wait()
        lines = "timestamp,value,device,user\n" + "".join(f"{900 * i}.0,1,wide,u\n" for i in range(WIDE))
        assert served.request("POST", "/datapoints", lines, Content_Type="text/csv")[0] == 201
        path = "/statistics/devices/wide/avg?end=1990-01-01&format=csv"
        whole = served.request("GET", path)[2]
        before = memory(served)
        with ExitStack() as stack:
            streams = [stack.enter_context(ask(served, path)) for _ in range(40)]
            heads = [stream.recv(2_000) for stream in streams]
            refused = [head for head in heads if head.startswith(b"HTTP/1.1 503 ")]
            reading = [stream for stream, head in zip(streams, heads, strict=True) if head.startswith(b"HTTP/1.1 200 ")]
            assert len(refused) + len(reading) == 40
            assert len(refused) >= 10
            for head in refused:
                assert b"retry-after: 1" in head.lower()
                assert json.loads(head.partition(b"\r\n\r\n")[2])["detail"].startswith("Too many long answers")
            assert served.request("GET", "/datapoints?limit=1000")[0] == 200  # short answers have a share of their own
            during = memory(served)
            assert 100_000_000 < during - before < 400_000_000
            for stream in reading:
                wait_for_cut(stream)
        eventually(lambda: served.request("GET", path)[2] == whole)
        eventually(lambda: memory(served) - before < (during - before) / 2)
        assert served.stop() == 0


def test_a_body_in_chunks_of_two_bytes_holds_up_no_one(server: Served) -> None:
    """Chunks that come together are one piece to the application, however small they are."""
    head = (
        b"POST /datapoints HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n"
    )
    with server.connect() as stream:
        stream.sendall(head + b"2\r\n \n\r\n" * 100_000)
        assert server.request("GET", "/healthz")[0] == 200
        stream.sendall(b"0\r\n\r\n")
        answer = stream.recv(65_536)
    assert answer.startswith(b"HTTP/1.1 201 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2]) == {"created": 0}
