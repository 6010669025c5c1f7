"""Incoming bodies: the limit of each, the budget of all, the deadline; received as messages on an event loop."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest
from rest_framework.exceptions import ParseError

from timeseries_project.api import bodies
from timeseries_project.api.bodies import Bodies
from timeseries_project.api.errors import BodyTooSlow, TooManyBodies

T = TypeVar("T")
Receive = Callable[[], Awaitable[dict[str, Any]]]
GONE = {"type": "http.disconnect"}


def on_a_loop(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on a new loop in a new thread: the tests' own thread may have the browser's loop."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def parts(*pieces: bytes) -> list[dict[str, Any]]:
    """Return the messages that make up a body."""
    last = len(pieces) - 1
    return [{"type": "http.request", "body": piece, "more_body": i < last} for i, piece in enumerate(pieces)]


def sent(*messages: dict[str, Any]) -> Receive:
    """Return a function that receives these messages; after the last one it waits for ever."""
    left = list(messages)

    async def receive() -> dict[str, Any]:
        return left.pop(0) if left else await asyncio.Future()

    return receive


@pytest.mark.parametrize(
    ("pieces", "body", "complete"),
    [
        ([b""], b"", True),
        ([b"abc"], b"abc", True),
        ([b"ab", b"", b"c"], b"abc", True),
        ([b"abcd", b"efgh", b""], b"abcdefgh", True),
        ([b"abcd", b"efghi", b"j"], b"abcdefghi", False),
    ],
)
def test_a_body_is_collected_up_to_the_limit(pieces: list[bytes], body: bytes, complete: bool) -> None:
    collected = Bodies(budget=100, seconds=60)
    assert on_a_loop(collected.collect(sent(*parts(*pieces)), 8)) == (body, complete)
    assert collected.held == 0


@pytest.mark.parametrize("messages", [[GONE], [*parts(b"a", b"b")[:1], GONE]])
def test_a_client_that_goes_leaves_nothing(messages: list[dict[str, Any]]) -> None:
    collected = Bodies(budget=100, seconds=60)
    with pytest.raises(ParseError):
        on_a_loop(collected.collect(sent(*messages), 100))
    assert collected.held == 0


@pytest.mark.parametrize("size", [2, 100, 20_000])
def test_a_body_takes_its_size_whatever_its_pieces(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Including the copy that is passed on; a list of two-byte pieces took twenty times as much."""
    monkeypatch.setattr(bodies, "LEAST_PIECE", 1)
    count = 200_000 // size
    piece = bytes(size)
    more, last = parts(piece, piece)
    place = 0

    async def receive() -> dict[str, Any]:
        nonlocal place
        place += 1
        return more if place < count else last

    async def run() -> None:
        collected = Bodies(budget=10**9, seconds=60)
        tracemalloc.start()
        try:
            body, complete = await collected.collect(receive, 10**9)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert (len(body), complete) == (count * size, True)
        assert peak < 1.25 * len(body)

    on_a_loop(run())


def test_a_body_in_absurdly_small_pieces_is_refused() -> None:
    many, least = bodies.MANY_PIECES, bodies.LEAST_PIECE
    collected = Bodies(budget=10**9, seconds=60)
    with pytest.raises(ParseError, match="pieces of less than 16 bytes"):
        on_a_loop(collected.collect(sent(*parts(*[b"ab"] * many, b"never")), 10**9))
    assert collected.held == 0
    few = [b"ab"] * many
    assert on_a_loop(collected.collect(sent(*parts(*few)), 10**9)) == (b"".join(few), True)
    larger = [bytes(least)] * (2 * many)
    assert on_a_loop(collected.collect(sent(*parts(*larger)), 10**9)) == (b"".join(larger), True)
    with_a_large_one = [bytes(2 * many * least), *few, b"end"]
    assert on_a_loop(collected.collect(sent(*parts(*with_a_large_one)), 10**9))[1]


async def stalled(collected: Bodies, pieces: list[bytes], limit: int) -> asyncio.Task[Any]:
    """Begin to receive a body that does not end, until it stalls."""
    task = asyncio.ensure_future(collected.collect(sent(*parts(*pieces, b"never")[:-1]), limit))
    await asyncio.sleep(0)
    return task


def test_all_bodies_have_one_budget() -> None:
    async def run() -> None:
        large, small = bytes(bodies.SMALL + 1), bytes(bodies.SMALL)
        collected = Bodies(budget=8 * len(large), seconds=60)
        waiting = [await stalled(collected, [large], 10**9) for _ in range(7)]
        assert collected.held == 7 * len(large)
        with pytest.raises(TooManyBodies):
            await collected.collect(sent(*parts(large, b"x")), 10**9)
        assert await collected.collect(sent(*parts(large)), 10**9) == (large, True)  # has its last byte: no wait
        assert await collected.collect(sent(*parts(small, b"")), 10**9) == (small, True)
        waiting.append(await stalled(collected, [small], 10**9))
        with pytest.raises(TooManyBodies):
            await collected.collect(sent(*parts(small, b"")), 10**9)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert collected.held == 0
        assert await collected.collect(sent(*parts(large, b"x")), 10**9) == (large + b"x", True)

    on_a_loop(run())


def test_a_body_that_is_refused_gives_back_what_it_held() -> None:
    collected = Bodies(budget=10 * bodies.SMALL, seconds=60)
    pieces = [bytes(bodies.SMALL)] * 20
    with pytest.raises(TooManyBodies):
        on_a_loop(collected.collect(sent(*parts(*pieces)), 10**9))
    assert collected.held == 0


@pytest.mark.parametrize("pieces", [[], [b"a"], [b"a", b"b"]])
def test_a_body_has_a_deadline(pieces: list[bytes]) -> None:
    async def run() -> None:
        collected = Bodies(budget=100, seconds=0.02)
        waiting = [await stalled(collected, pieces, 100) for _ in range(3)]
        for task in waiting:
            with pytest.raises(BodyTooSlow):
                await task
        assert await collected.collect(sent(*parts(b"a", b"b")), 100) == (b"ab", True)
        assert (collected.held, collected._begun, collected._overdue) == (0, {}, set())

    on_a_loop(run())


def test_a_task_that_somebody_else_cancels_is_cancelled() -> None:
    async def run() -> None:
        collected = Bodies(budget=100, seconds=60)
        task = await stalled(collected, [b"a"], 100)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (collected.held, collected._begun) == (0, {})

    on_a_loop(run())
