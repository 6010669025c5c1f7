"""Cheap HTTP clients: one connection, a bystander, and a crowd that stalls."""

from __future__ import annotations

import multiprocessing
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection as Pipe
from multiprocessing.synchronize import Event
from typing import NamedTuple

KEPT = 65_536  # bytes kept of an answer; the rest is read and counted
PIECE = 1 << 18
TIMEOUT = 60.0


class Answer(NamedTuple):
    """An answer: status, size of the body in bytes, and the beginning of the body."""

    status: int
    size: int
    body: bytes


class UnexpectedStatusError(RuntimeError):
    """A server refused what the benchmark sent."""


def request(method: str, path: str, body: bytes = b"", media_type: str = "application/json") -> bytes:
    """Return a whole request as bytes, so that sending it takes one call."""
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    if method != "GET":
        head += f"Content-Type: {media_type}\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


class BrokenAnswerError(RuntimeError):
    """A server closed the connection before its answer."""


class Connection:
    """One keep-alive connection, opened again after the server has closed it."""

    def __init__(self, port: int, timeout: float = TIMEOUT) -> None:
        self._port = port
        self._timeout = timeout
        self._socket: socket.socket | None = None
        #: The headers of the last answer, by their names in lower case.
        self.headers: dict[bytes, bytes] = {}

    def send(self, message: bytes) -> Answer:
        """Send one request and read the whole answer; UnexpectedStatusError unless the status is 2xx."""
        answer = self.exchange(message)
        if not 200 <= answer.status < 300:
            start = message[:200].split(b"\r\n", 1)[0].decode()
            raise UnexpectedStatusError(f"{start}: {answer.status} {answer.body[:500].decode(errors='replace')}")
        return answer

    def exchange(self, message: bytes) -> Answer:
        """Send one request and read the whole answer, whatever its status."""
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=self._timeout)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._stream = self._socket.makefile("rb", buffering=PIECE)
        with suppress(BrokenPipeError, ConnectionResetError):  # a refusal may come before all is sent
            self._socket.sendall(message)
        return self._read()

    def timed(self, message: bytes) -> float:
        """Return the seconds from a request to the last byte of its answer."""
        begin = time.perf_counter()
        self.send(message)
        return time.perf_counter() - begin

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._socket is not None:
            self._stream.close()
            self._socket.close()
            self._socket = None

    def _read(self) -> Answer:
        first = self._stream.readline().split(b" ", 2)
        if len(first) < 2:
            raise BrokenAnswerError("the connection was closed without an answer")
        status = int(first[1])
        headers = {}
        while (line := self._stream.readline()) not in (b"\r\n", b""):
            name, _, value = line.partition(b":")
            headers[name.lower()] = value.strip()
        self.headers = headers
        size, start = 0, b""
        for piece in self._pieces(status, headers):
            size += len(piece)
            start = start or piece[:KEPT]
        if headers.get(b"connection", b"").lower() == b"close":
            self.close()
        return Answer(status, size, start)

    def _pieces(self, status: int, headers: dict[bytes, bytes]) -> Iterator[bytes]:
        if headers.get(b"transfer-encoding", b"").lower() == b"chunked":
            while length := int(self._stream.readline(), 16):
                yield self._stream.read(length)
                self._stream.readline()
            self._stream.readline()
        elif b"content-length" in headers:
            yield self._stream.read(int(headers[b"content-length"]))
        elif status != 204:  # the body ends with the connection
            headers[b"connection"] = b"close"
            while piece := self._stream.read(PIECE):
                yield piece


def send_all(port: int, messages: Sequence[bytes], connections: int = 1) -> float:
    """Share requests among connections, each of which sends one at a time; return the seconds they take in all."""
    lines = [Connection(port) for _ in range(connections)]
    failures: list[Exception] = []

    def work(line: Connection, share: Sequence[bytes]) -> None:
        try:
            for message in share:
                line.send(message)
        except Exception as error:
            failures.append(error)

    threads = [
        threading.Thread(target=work, args=(line, messages[i::connections])) for i, line in enumerate(lines[1:], 1)
    ]
    begin = time.perf_counter()
    for thread in threads:
        thread.start()
    work(lines[0], messages[::connections])
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - begin
    for line in lines:
        line.close()
    if failures:
        raise failures[0]
    return seconds


class Sample(NamedTuple):
    """When one request began (on the clock of `time.perf_counter`) and how many seconds it took."""

    begin: float
    seconds: float


@contextmanager
def bystander(
    port: int, message: bytes, pause: float, timeout: float = TIMEOUT
) -> Iterator[Callable[[], list[Sample]]]:
    """Let another process repeat a request; the function that is yielded stops it and returns its samples."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    stop = context.Event()
    process = context.Process(target=_stand_by, args=(port, message, pause, timeout, stop, sender), daemon=True)
    process.start()
    sender.close()  # so that the wait for samples ends if the bystander fails

    def finish() -> list[Sample]:
        stop.set()
        samples: list[Sample] = receiver.recv()
        return samples

    try:
        yield finish
    finally:
        stop.set()
        process.join(timeout=5)
        process.kill()


def _stand_by(port: int, message: bytes, pause: float, timeout: float, stop: Event, sender: Pipe) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends it
    connection = Connection(port, timeout)
    samples = []
    while not stop.is_set():
        begin = time.perf_counter()
        try:
            samples.append(Sample(begin, connection.timed(message)))
        except TimeoutError:  # took at least this long
            samples.append(Sample(begin, time.perf_counter() - begin))
            break
        time.sleep(pause)
    sender.send(samples)


@contextmanager
def stalled(port: int, clients: int, message: bytes) -> Iterator[None]:
    """Keep clients connected that have sent half of a request's head, or its head and half of its body, in turn."""
    head = message.index(b"\r\n\r\n") + 4
    halves = [message[: head // 2], message[: (head + len(message)) // 2]]
    crowd = []
    try:
        for i in range(clients):
            crowd.append(socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT))
            crowd[-1].sendall(halves[i % 2])
        time.sleep(0.3)  # for the server to read them all
        yield
    finally:
        for one in crowd:
            one.close()
