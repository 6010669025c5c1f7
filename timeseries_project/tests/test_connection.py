"""Connections of the production server, on a real event loop and real sockets: their bounds in number and time."""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import weakref
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest

from timeseries_project.serving.connection import (
    HEAD_SECONDS,
    KEEP_SECONDS,
    MAX_HEADERS,
    MAX_PIPELINED,
    REST_SECONDS,
    Connection,
)
from timeseries_project.tests.asgi_requests import in_loop
from timeseries_project.tests.processes import PATIENCE

GET = b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n"
POST = b"POST /%d HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n"
Receive, Send = Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]


class Server:
    """What connections know of their server; the application answers with method, path and body, if it reads that."""

    date = b"date: now\r\n"
    is_leaving = False

    def __init__(self, headers: list[tuple[bytes, bytes]] | None = None) -> None:
        self.connections: set[Connection] = set()
        self.headers = headers or []
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.may_end = asyncio.Event()
        self.may_end.set()
        self.begun = 0
        self.reads = True

    async def application(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        self.begun += 1
        await self.may_answer.wait()
        body = b""
        while self.reads:
            message = await receive()
            if message["type"] != "http.request":
                return
            body += message["body"]
            if not message["more_body"]:
                break
        await send({"type": "http.response.start", "status": 200, "headers": self.headers})
        await self.may_end.wait()
        await send(
            {"type": "http.response.body", "body": f"<{scope['method']} {scope['path']} ".encode() + body + b">"}
        )


def on_a_loop(test: Callable[[Server, socket.socket], Awaitable[None]], server: Callable[[], Server] = Server) -> None:
    """Run a test with a server and the socket of a client that is connected to it."""

    async def run() -> None:
        loop, serving = asyncio.get_running_loop(), server()
        listening = await loop.create_server(lambda: Connection(serving, loop), "127.0.0.1", 0)
        with socket.socket() as client:
            client.setblocking(False)
            await loop.sock_connect(client, listening.sockets[0].getsockname())
            await test(serving, client)
        listening.close()
        await listening.wait_closed()

    in_loop(asyncio.wait_for(run(), PATIENCE))


async def read_to_the_end(client: socket.socket) -> bytes:
    """Return what comes until the server closes, which it may do before it has read all."""
    got = b""
    with suppress(ConnectionResetError):
        while piece := await asyncio.get_running_loop().sock_recv(client, 65_536):
            got += piece
    return got


async def read(client: socket.socket, end: bytes) -> bytes:
    got = b""
    while not got.endswith(end):
        got += await asyncio.get_running_loop().sock_recv(client, 65_536)
    return got


def expire(server: Server, seconds: float) -> None:
    """Look at the connections some seconds from now."""
    for connection in list(server.connections):
        connection.expire(asyncio.get_running_loop().time() + seconds)


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: h\r\nX: "])
def test_a_head_has_a_deadline(sent: bytes) -> None:
    async def test(server: Server, client: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(client, sent)
        while not server.connections:
            await asyncio.sleep(0)
        expire(server, HEAD_SECONDS - 5)
        assert len(server.connections) == 1
        expire(server, HEAD_SECONDS + 5)
        assert await read_to_the_end(client) == b""

    on_a_loop(test)


def test_a_connection_is_kept_longer_than_proxies_keep_theirs() -> None:
    async def test(server: Server, client: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(client, GET % 1)
        await read(client, b"\r\n0\r\n\r\n")
        expire(server, 60)
        await loop.sock_sendall(client, GET % 2)
        assert b"<GET /2 >" in await read(client, b"\r\n0\r\n\r\n")
        expire(server, KEEP_SECONDS + 5)
        assert await read_to_the_end(client) == b""

    on_a_loop(test)


def leave(server: Server) -> None:
    """Let the connections know that the server leaves its place to another one."""
    server.is_leaving = True
    for connection in list(server.connections):
        connection.leave()


def test_a_connection_at_rest_is_closed_soon_after_its_server_leaves() -> None:
    async def test(server: Server, client: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(client, GET % 1)
        await read(client, b"\r\n0\r\n\r\n")
        leave(server)
        # The client may just be sending.
        await loop.sock_sendall(client, GET % 2)
        got = await read_to_the_end(client)
        assert b"connection: close" in got
        assert b"<GET /2 >" in got

    on_a_loop(test)


def test_one_that_rests_on_is_closed_within_a_second_or_so() -> None:
    async def test(server: Server, client: socket.socket) -> None:
        await asyncio.get_running_loop().sock_sendall(client, GET % 1)
        await read(client, b"\r\n0\r\n\r\n")
        leave(server)
        expire(server, REST_SECONDS - 0.9)
        assert len(server.connections) == 1
        expire(server, REST_SECONDS)
        assert await read_to_the_end(client) == b""

    on_a_loop(test)


@pytest.mark.parametrize("sent", [b"", (GET % 1)[:20]])
def test_a_client_that_begins_is_answered_after_its_server_leaves(sent: bytes) -> None:
    async def test(server: Server, client: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(client, sent)
        while not server.connections:
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        leave(server)
        expire(server, HEAD_SECONDS - 5)
        await loop.sock_sendall(client, (GET % 1)[len(sent) :])
        assert b"<GET /1 >" in await read_to_the_end(client)

    on_a_loop(test)


def test_an_answer_that_had_begun_without_a_word_is_followed_by_a_short_rest() -> None:
    async def test(server: Server, client: socket.socket) -> None:
        server.may_end.clear()
        await asyncio.get_running_loop().sock_sendall(client, POST % 1 + b"12345")
        while not server.begun:
            await asyncio.sleep(0)
        leave(server)
        server.may_end.set()
        await read(client, b"\r\n0\r\n\r\n")
        expire(server, REST_SECONDS + 0.1)
        assert await read_to_the_end(client) == b""

    on_a_loop(test)


def test_a_request_that_is_being_answered_has_no_deadline_here() -> None:
    async def test(server: Server, client: socket.socket) -> None:
        server.may_answer.clear()
        await asyncio.get_running_loop().sock_sendall(client, POST % 1)
        while not server.begun:
            await asyncio.sleep(0)
        expire(server, 10_000)
        server.may_answer.set()
        await asyncio.get_running_loop().sock_sendall(client, b"12345")
        assert b"<POST /1 12345>" in await read(client, b"\r\n0\r\n\r\n")

    on_a_loop(test)


def test_requests_in_one_piece_are_answered_in_their_order() -> None:
    async def test(server: Server, client: socket.socket) -> None:
        pieces = [GET % 0, POST % 1 + b"first", POST % 2 + b"other", GET % 3]
        await asyncio.get_running_loop().sock_sendall(client, b"".join(pieces))
        got = await read(client, b"<GET /3 >\r\n0\r\n\r\n")
        assert [line for line in got.split(b"\r\n") if line[:1] == b"<"] == [
            b"<GET /0 >",
            b"<POST /1 first>",
            b"<POST /2 other>",
            b"<GET /3 >",
        ]

    on_a_loop(test)


def test_of_too_many_requests_in_one_piece_the_first_are_answered() -> None:
    async def test(server: Server, client: socket.socket) -> None:
        await asyncio.get_running_loop().sock_sendall(client, b"".join(GET % i for i in range(3 * MAX_PIPELINED)))
        got = await read_to_the_end(client)
        assert got.count(b"HTTP/1.1 200 ") == server.begun == MAX_PIPELINED + 1

    on_a_loop(test)


@pytest.mark.parametrize(("headers", "status"), [(MAX_HEADERS, b"200"), (MAX_HEADERS + 1, b"431")])
def test_headers_are_counted(headers: int, status: bytes) -> None:
    async def test(server: Server, client: socket.socket) -> None:
        head = b"GET / HTTP/1.1\r\nConnection: close\r\n" + b"X: y\r\n" * (headers - 1) + b"\r\n"
        await asyncio.get_running_loop().sock_sendall(client, head)
        got = await read_to_the_end(client)
        assert got.startswith(b"HTTP/1.1 " + status)
        if status == b"431":
            assert json.loads(got.partition(b"\r\n\r\n")[2])["status"] == 431

    on_a_loop(test)


def test_what_follows_a_refusal_is_not_read() -> None:
    async def test(server: Server, client: socket.socket) -> None:
        await asyncio.get_running_loop().sock_sendall(client, b"GET / HTTP/9\r\n\r\n")
        assert (await read_to_the_end(client)).startswith(b"HTTP/1.1 400 ")
        await asyncio.get_running_loop().sock_sendall(client, GET % 1)
        expire(server, HEAD_SECONDS + 5)
        while server.connections:
            await asyncio.sleep(0)
        assert server.begun == 0

    on_a_loop(test)


def test_the_rest_of_a_body_that_nobody_reads_is_thrown_away_but_not_for_ever() -> None:
    async def test(server: Server, client: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        server.reads = False
        for number in (1, 2):
            await loop.sock_sendall(client, POST % number)
            assert b"<POST /%d >" % number in await read(client, b"\r\n0\r\n\r\n")
            if number == 1:
                await loop.sock_sendall(client, b"12345")
        expire(server, HEAD_SECONDS + 5)
        assert await read_to_the_end(client) == b""

    on_a_loop(test)


def test_a_client_of_http_1_0_reads_to_the_end_of_the_connection() -> None:
    async def test(server: Server, client: socket.socket) -> None:
        await asyncio.get_running_loop().sock_sendall(client, b"GET /1 HTTP/1.0\r\n\r\n")
        head, _, body = (await read_to_the_end(client)).partition(b"\r\n\r\n")
        assert b"transfer-encoding" not in head
        assert b"connection: close" in head
        assert body == b"<GET /1 >"

    on_a_loop(test)


@pytest.mark.parametrize("value", [b"a\r\nset-cookie: b", b"a\nb", b"\r\n\r\n<script>"])
def test_a_header_with_a_line_end_is_not_sent(value: bytes) -> None:
    async def test(server: Server, client: socket.socket) -> None:
        await asyncio.get_running_loop().sock_sendall(client, GET % 1)
        assert value.split(b"\n")[-1] not in await read_to_the_end(client)

    on_a_loop(test, lambda: Server(headers=[(b"x", value)]))


@pytest.mark.parametrize("length", [b"3", b"300"])
def test_an_answer_of_another_length_than_declared_ends_the_connection(length: bytes) -> None:
    async def test(server: Server, client: socket.socket) -> None:
        await asyncio.get_running_loop().sock_sendall(client, GET % 1 + GET % 2)
        assert b"<GET /2" not in await read_to_the_end(client)
        assert server.begun == 1

    on_a_loop(test, lambda: Server(headers=[(b"content-length", length)]))


def test_a_connection_that_has_ended_leaves_nothing_to_the_garbage_collector() -> None:
    async def test(server: Server, client: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        gc.disable()
        try:
            for number in range(3):
                await loop.sock_sendall(client, POST % number + b"12345")
                await read(client, b"\r\n0\r\n\r\n")
            [connection] = map(weakref.ref, server.connections)
            client.shutdown(socket.SHUT_RDWR)
            while connection() is not None:
                await asyncio.sleep(0)
        finally:
            gc.enable()

    on_a_loop(test)
