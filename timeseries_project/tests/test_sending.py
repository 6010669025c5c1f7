"""Sending answers, on an event loop, to clients that wait, disconnect, or read nothing."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from timeseries_project.api.sending import PIECE, send_answer


class Client:
    """A client that takes `takes` messages, then waits until it may go on or disconnects."""

    def __init__(self, takes: int = 10**9) -> None:
        self.messages: list[dict[str, Any]] = []
        self.takes = takes
        self.waits, self.go_on, self.gone = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def send(self, message: dict[str, Any]) -> None:
        self.messages.append(message)
        if len(self.messages) == self.takes:
            self.waits.set()
            await self.go_on.wait()

    async def receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    def leave(self) -> None:
        """Disconnect, as the server reports it: messages that wait to be sent are dropped."""
        self.gone.set()
        self.go_on.set()

    @property
    def body(self) -> bytes:
        return b"".join(message["body"] for message in self.messages[1:])

    @property
    def complete(self) -> bool:
        return not self.messages[-1].get("more_body", False)


class Parts:
    """An answer's parts: counts them, and records which threads produce and close them."""

    def __init__(self, count: int, size: int = 10, wait: threading.Event | None = None) -> None:
        self.count, self.size, self.wait = count, size, wait
        self.made = 0
        self.closed = 0
        self.threads: set[int] = set()
        self._at_work = threading.Lock()

    def parts(self) -> Iterator[bytes]:
        try:
            for _ in range(self.count):
                self.threads.add(threading.get_ident())
                self.made += 1
                if self.made > 1 and self.wait is not None:
                    assert self.wait.wait(30)
                yield bytes(self.size)
        finally:
            self.closed += 1


def on_a_loop(work: Callable[[ThreadPoolExecutor], Coroutine[Any, Any, None]]) -> None:
    """Run a coroutine on a new loop in a new thread."""
    with ThreadPoolExecutor(2) as threads, ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work(threads)).result()


def sending(response: HttpResponseBase, client: Client, threads: ThreadPoolExecutor) -> asyncio.Task[None]:
    return asyncio.ensure_future(send_answer(response, "GET", client.receive, client.send, threads))


@pytest.mark.parametrize("size", [0, 1, PIECE, PIECE + 1, 10 * PIECE, 10 * PIECE + 1])
@pytest.mark.parametrize("streamed", [True, False])
def test_an_answer_comes_whole_and_in_small_pieces(size: int, streamed: bool) -> None:
    content = bytes(range(256)) * (size // 256 + 1)
    content = content[:size]

    async def run(threads: ThreadPoolExecutor) -> None:
        client = Client()
        response = StreamingHttpResponse(iter([content, b"end"])) if streamed else HttpResponse(content)
        await sending(response, client, threads)
        assert client.body == content + (b"end" if streamed else b"")
        assert client.complete
        assert max(len(message["body"]) for message in client.messages[1:]) <= PIECE
        if not streamed and size <= PIECE:
            assert len(client.messages) == 2

    on_a_loop(run)


def test_parts_are_worked_out_off_the_loop_and_one_ahead() -> None:
    async def run(threads: ThreadPoolExecutor) -> None:
        parts, client = Parts(5), Client(takes=2)
        task = sending(StreamingHttpResponse(parts.parts()), client, threads)
        await client.waits.wait()
        while parts.made < 2:
            await asyncio.sleep(0)
        for _ in range(100):
            await asyncio.sleep(0)
        assert parts.made == 2  # the one being sent, and the next one
        client.go_on.set()
        await task
        assert (parts.made, parts.closed, len(client.body), client.complete) == (5, 1, 50, True)
        assert threading.get_ident() not in parts.threads

    on_a_loop(run)


def test_a_part_that_takes_long_holds_up_no_one() -> None:
    async def run(threads: ThreadPoolExecutor) -> None:
        wait = threading.Event()
        parts, client = Parts(2, wait=wait), Client()
        task = sending(StreamingHttpResponse(parts.parts()), client, threads)
        while parts.made < 2:
            await asyncio.sleep(0)  # the loop runs while a thread waits
        assert not task.done()
        wait.set()
        await task
        assert len(client.body) == 20

    on_a_loop(run)


@pytest.mark.parametrize("at_work", [True, False])
def test_a_client_that_goes_ends_an_answer_and_closes_it_once(at_work: bool) -> None:
    async def run(threads: ThreadPoolExecutor) -> None:
        wait = threading.Event()
        parts, client = Parts(1_000, wait=wait), Client(takes=2)
        response = StreamingHttpResponse(parts.parts())
        task = sending(response, client, threads)
        await client.waits.wait()
        while parts.made < 2:
            await asyncio.sleep(0)
        if not at_work:
            wait.set()
        client.leave()
        for _ in range(20):
            await asyncio.sleep(0)
        if at_work:
            assert not task.done()  # a running generator cannot be closed
            wait.set()
        await task
        assert (parts.made, parts.closed) == (2, 1)
        assert not client.complete

    on_a_loop(run)


def test_an_answer_that_fails_is_cut_and_closed() -> None:
    class FailureError(Exception):
        pass

    def failing() -> Iterator[bytes]:
        yield b"begun"
        raise FailureError

    async def run(threads: ThreadPoolExecutor) -> None:
        client, closed = Client(), []
        response = StreamingHttpResponse(failing())
        response._resource_closers.append(lambda: closed.append(True))  # type: ignore[attr-defined]
        with pytest.raises(FailureError):
            await sending(response, client, threads)
        assert (client.body, client.complete, closed) == (b"begun", False, [True])

    on_a_loop(run)


def test_a_task_that_is_cancelled_closes_its_answer_when_it_can() -> None:
    async def run(threads: ThreadPoolExecutor) -> None:
        wait = threading.Event()
        parts, client = Parts(3, wait=wait), Client()
        task = sending(StreamingHttpResponse(parts.parts()), client, threads)
        while parts.made < 2:
            await asyncio.sleep(0)
        task.cancel()
        for _ in range(20):
            await asyncio.sleep(0)
        assert (parts.closed, task.done()) == (0, False)
        wait.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert parts.closed == 1

    on_a_loop(run)


@pytest.mark.parametrize("goes", [True, False])
def test_a_file_is_closed(tmp_path: Path, goes: bool) -> None:
    path = tmp_path / "long"
    path.write_bytes(bytes(10 * PIECE))

    async def run(threads: ThreadPoolExecutor) -> None:
        client = Client(takes=3 if goes else 10**9)
        file = path.open("rb")
        task = sending(FileResponse(file), client, threads)
        if goes:
            await client.waits.wait()
            client.leave()
        await task
        assert file.closed
        assert client.complete != goes
        assert len(client.messages) < 5 if goes else [len(m["body"]) for m in client.messages[1:]] == [PIECE] * 10 + [0]

    on_a_loop(run)


def test_a_head_sends_nothing_and_closes() -> None:
    async def run(threads: ThreadPoolExecutor) -> None:
        parts, client = Parts(3), Client()
        response = StreamingHttpResponse(parts.parts())
        await send_answer(response, "HEAD", client.receive, client.send, threads)
        assert (client.body, client.complete, parts.made) == (b"", True, 0)
        assert response.closed

    on_a_loop(run)
