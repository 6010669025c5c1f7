"""One process that answers: an event loop on a socket that is already bound, until it is asked to stop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

import uvloop

from timeseries_project.serving.connection import HEAD_SECONDS, Connection

#: Seconds that a stop waits for accepted requests; those that are not finished by then are cut off.
STOP_SECONDS = 10
#: Seconds that a process which leaves waits for requests that have begun; then it stops.
LEAVE_SECONDS = HEAD_SECONDS
#: Seconds between two looks at whether accepted requests are finished.
LOOK_SECONDS = 0.02
#: Seconds between two updates of the date, and between two looks at which clients should have gone on.
TICK_SECONDS = 1.0
#: Connections that the system accepts before the process does.
BACKLOG = 4_096


class Process:
    """Serves an ASGI application (HTTP only, without lifespan) on a bound socket."""

    def __init__(self, application: Any, listener: socket.socket, ready: Callable[[], object] | None = None) -> None:
        self.application = application
        self.connections: set[Connection] = set()
        self.date = b""
        self._listener = listener
        self._ready = ready
        self.is_leaving = False
        self._is_stopping = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake: Callable[[], object] | None = None

    def stop(self) -> None:
        """Ask the process to stop; may be called from a signal handler, before or while it serves."""
        self._is_stopping = True
        if self._wake is not None:
            self._wake()

    def leave(self) -> None:
        """Ask the process to let another one take its place on the socket, in the same way.

        It accepts no more connections, closes those at rest, and tells the other clients with their next answer that it
        is the last one. It ends when all have gone, or have had their time.
        """
        self.is_leaving = True
        if self._wake is not None:
            self._wake()

    def soon(self, act: Callable[[], object]) -> None:
        """Call a function in the loop, between two steps; may be called from a signal handler, while it serves."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(act)

    def serve_until_stopped(self, stop_when_readable: int | None = None) -> None:
        """Serve until `stop`, or until a descriptor can be read.

        The event loop is not closed: that would cancel requests that run on in threads, and wait for them. The caller
        ends the process.
        """
        loop = uvloop.new_event_loop()
        asyncio.set_event_loop(loop)
        if stop_when_readable is not None:
            loop.add_reader(stop_when_readable, self.stop)
        loop.run_until_complete(self._serve(loop))

    async def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        asked = asyncio.Event()
        self._loop = loop
        self._wake = lambda: loop.call_soon_threadsafe(asked.set)
        self._tick(loop)
        server = await loop.create_server(lambda: Connection(self, loop), sock=self._listener, backlog=BACKLOG)
        if self._ready is not None:
            self._ready()
        if not (self._is_stopping or self.is_leaving):  # before there was something to wake
            await asked.wait()
        server.close()
        self._listener.close()
        if not self._is_stopping:
            await self._let_go(loop)
        await self._finish(loop)

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        self.date = f"date: {formatdate(usegmt=True)}\r\n".encode()
        now = loop.time()
        for connection in list(self.connections):
            connection.expire(now)
        loop.call_later(TICK_SECONDS, self._tick, loop)

    async def _let_go(self, loop: asyncio.AbstractEventLoop) -> None:
        """Serve the connections that there are, until all have ended, or none may stay longer."""
        deadline = loop.time() + LEAVE_SECONDS
        await asyncio.sleep(LOOK_SECONDS)  # first read what has been received, and accept who was there just before
        for connection in list(self.connections):
            connection.leave()
        while self.connections and not self._is_stopping and loop.time() < deadline:
            await asyncio.sleep(LOOK_SECONDS)

    async def _finish(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let accepted requests finish, and cut off those that do not."""
        for connection in list(self.connections):
            connection.stop()
        deadline = loop.time() + STOP_SECONDS
        while self.connections and loop.time() < deadline:
            await asyncio.sleep(LOOK_SECONDS)
        for connection in list(self.connections):
            connection.transport.abort()
