"""One process that answers: uvicorn's server on a socket that is already bound, until it is asked to stop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import Any, cast

import uvicorn
import uvloop

from timeseries_project.serving.connection import Connection

#: Seconds that a stop waits for accepted requests; those that are not finished by then are cut off.
STOP_SECONDS = 10
#: Seconds between two looks at whether accepted requests are finished.
LOOK_SECONDS = 0.02
#: Connections that the system accepts before the process does.
BACKLOG = 4_096
#: Seconds that a connection is kept between two requests: more than proxies keep theirs (nginx: 60), so that none of
#: them sends a request to a connection that is just being closed.
KEEP_SECONDS = 75
#: Ticks of uvicorn's main loop, of 0.1 s each, between two looks at which clients owe bytes for too long.
EXPIRY_TICKS = 10


class Process(uvicorn.Server):
    """Serves an ASGI application on a bound socket."""

    def __init__(self, application: Any, listener: socket.socket, ready: Callable[[], object] | None = None) -> None:
        config = uvicorn.Config(
            application,
            interface="asgi3",
            http=Connection,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_SECONDS,
        )
        super().__init__(config)
        self._listener = listener
        self._ready = ready

    def stop(self) -> None:
        """Ask the process to stop; may be called from a signal handler, before or while it serves."""
        self.should_exit = True

    def serve_until_stopped(self, stop_when_readable: int | None = None) -> None:
        """Serve until `stop`, or until a descriptor can be read.

        The event loop is not closed: that would cancel requests that run on in threads, and wait for them. The caller
        ends the process.
        """
        loop = uvloop.new_event_loop()
        asyncio.set_event_loop(loop)
        if stop_when_readable is not None:
            loop.add_reader(stop_when_readable, self.stop)
        loop.run_until_complete(self.serve([self._listener]))

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the caller: uvicorn would raise them again at the end, so that the process died of them."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve, and say so."""
        await super().startup(sockets)
        if self._ready is not None:
            self._ready()

    async def on_tick(self, counter: int) -> bool:
        """Close connections whose clients owe bytes for too long."""
        if counter % EXPIRY_TICKS == 0:
            now = asyncio.get_running_loop().time()
            for connection in list(self.server_state.connections):
                cast(Connection, connection).expire(now)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept no more, let accepted requests finish, and cut off those that do not."""
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        connections = self.server_state.connections
        for connection in list(connections):
            connection.shutdown()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + STOP_SECONDS
        while connections and loop.time() < deadline:
            await asyncio.sleep(LOOK_SECONDS)
        for connection in list(connections):
            connection.transport.abort()
