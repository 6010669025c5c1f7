"""Connections whose clients do not read: where nothing is taken for too long, the connection is reset.

An application cannot tell how far an answer has come, nor end a connection: the last megabytes of an answer lie with
the server and with the operating system, which keeps them as long as the client likes. But the operating system
counts what a client has acknowledged. So a thread looks at every connection now and then, and an answer costs
nothing, however it is sent and whatever its size. On Linux; elsewhere nothing is reset. Knows no framework.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import sys
import termios
import threading
from contextlib import suppress

from timeseries_project import clock

#: A deadline is looked at so many times before it ends, and every so many seconds at least.
LOOKS, MOST_SECONDS = 4, 5.0
_DESCRIPTORS = "/proc/self/fd"
#: Where Linux has `tcpi_bytes_acked` in `struct tcp_info`: eight bytes, 24 numbers of 32 bits, two of 64.
_ACKNOWLEDGED = struct.Struct("=120xQ")
#: Close at once and drop what was not taken, so that the system lets go of it and the client sees an error.
_RESET = struct.pack("ii", 1, 0)


class SlowReaders:
    """Watches all connections to one port of this process that have not taken what was sent to them."""

    def __init__(self, *, port: int, seconds: float) -> None:
        self._port = port
        self._seconds = seconds
        #: By socket: the bytes it has taken, and since when no more.
        self._waiting: dict[int, tuple[int, float]] = {}

    def watch(self) -> None:
        """Look again and again, in a thread that ends with the process."""
        if sys.platform == "linux":
            threading.Thread(target=self._watch, name="slow-readers", daemon=True).start()

    def _watch(self) -> None:
        pause, never = min(self._seconds / LOOKS, MOST_SECONDS), threading.Event()
        while not never.wait(pause):
            self.look(clock.elapsed())

    def look(self, now: float) -> int:
        """Reset the connections of which nothing was taken for too long; return how many. O(open descriptors).

        One that has taken all, as nearly all have, costs a system call.
        """
        waiting: dict[int, tuple[int, float]] = {}
        cut = 0
        for name in os.listdir(_DESCRIPTORS):
            descriptor = int(name)
            # It may be closed, or that of another connection, by now: what is looked at is a duplicate.
            with suppress(OSError):
                if not _untaken(descriptor):
                    continue
                with socket.socket(fileno=os.dup(descriptor)) as connection:
                    if not self._is_ours(connection):
                        continue
                    number = os.fstat(connection.fileno()).st_ino
                    taken = _taken(connection)
                    before, since = self._waiting.get(number, (-1, now))
                    if taken != before:
                        since = now
                    if now - since < self._seconds:
                        waiting[number] = (taken, since)
                        continue
                    cut += 1
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                    connection.shutdown(socket.SHUT_RDWR)  # the server sees it, closes its own and lets go
        self._waiting = waiting
        return cut

    def _is_ours(self, connection: socket.socket) -> bool:
        """Tell whether a client of ours is at its other end."""
        if connection.family not in (socket.AF_INET, socket.AF_INET6) or connection.type != socket.SOCK_STREAM:
            return False
        port: int = connection.getsockname()[1]
        return port == self._port


def _untaken(descriptor: int) -> int:
    """Return how many bytes were sent through a socket and not acknowledged. OSError if it is none."""
    count: int = struct.unpack("i", fcntl.ioctl(descriptor, termios.TIOCOUTQ, bytes(4)))[0]
    return count


def _taken(connection: socket.socket) -> int:
    """Return how many bytes the other end has acknowledged."""
    information = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _ACKNOWLEDGED.size)
    count: int = _ACKNOWLEDGED.unpack(information)[0]
    return count
