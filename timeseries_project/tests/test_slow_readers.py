"""Which connections are cut: real connections of this process, at times that the test chooses."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from timeseries_project.api.slow_readers import SlowReaders


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
        yield listening


@pytest.fixture
def readers(listener: socket.socket) -> SlowReaders:
    return SlowReaders(port=listener.getsockname()[1], seconds=30)


def connected(listener: socket.socket) -> tuple[socket.socket, socket.socket]:
    """Return both ends of a connection; the client's has a small buffer."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
    client.connect(listener.getsockname())
    server, _ = listener.accept()
    server.setblocking(False)
    client.settimeout(10)
    return client, server


def take(client: socket.socket, count: int) -> None:
    """Read so many bytes."""
    while count:
        got = len(client.recv(count))
        assert got
        count -= got


def read_on(client: socket.socket) -> None:
    """Read to the end."""
    while client.recv(65_536):
        pass


def fill(server: socket.socket) -> int:
    """Send as much as the system accepts."""
    sent = 0
    try:
        while True:
            sent += server.send(bytes(65_536))
    except BlockingIOError:
        return sent


def test_who_takes_nothing_is_cut_and_sees_it(listener: socket.socket, readers: SlowReaders) -> None:
    client, server = connected(listener)
    with client, server:
        fill(server)
        assert [readers.look(now) for now in (100.0, 115.0, 129.9)] == [0, 0, 0]
        assert readers.look(130.0) == 1
        with pytest.raises(OSError, match="pipe"):
            server.send(b"more")
        server.close()
        with pytest.raises(ConnectionResetError):
            read_on(client)
        assert readers.look(131.0) == 0


def test_who_takes_a_little_now_and_then_is_not(listener: socket.socket, readers: SlowReaders) -> None:
    client, server = connected(listener)
    with client, server:
        for now in range(100, 400, 25):
            fill(server)
            assert readers.look(float(now)) == 0
            take(client, 40_000)
        fill(server)
        assert readers.look(429.0) == 0
        assert readers.look(460.0) == 1


def test_who_has_taken_all_may_be_idle(listener: socket.socket, readers: SlowReaders) -> None:
    client, server = connected(listener)
    with client, server:
        server.sendall(b"x" * 1_000)
        take(client, 1_000)
        assert [readers.look(now) for now in (0.0, 1e6, 2e6)] == [0, 0, 0]
        server.sendall(b"y")
        assert client.recv(1) == b"y"


def test_the_time_begins_anew_with_each_answer(listener: socket.socket, readers: SlowReaders) -> None:
    client, server = connected(listener)
    with client, server:
        sent = fill(server)
        assert readers.look(100.0) == 0
        take(client, sent)
        fill(server)
        assert readers.look(131.0) == 0
        assert readers.look(161.0) == 1


def test_other_ports_are_not_ours(listener: socket.socket) -> None:
    client, server = connected(listener)
    with client, server:
        fill(server)
        other = SlowReaders(port=client.getsockname()[1], seconds=30)
        assert [other.look(now) for now in (0.0, 1e6)] == [0, 0]
        assert server.fileno() > 0
        assert client.recv(1) == b"\0"


def test_looking_leaves_no_descriptor(listener: socket.socket, readers: SlowReaders) -> None:
    client, server = connected(listener)
    with client, server:
        fill(server)
        for now in range(10):
            readers.look(float(now))
        server.close()
        read_on(client)  # reaches the end: nothing else holds the connection open
