"""Resetting the connections of clients that do not read: those that take no bytes for too long.

An ASGI application cannot see how much of an answer has arrived, nor close a connection: the last megabytes of an
answer are buffered by the server and the operating system for as long as the client likes. But the operating system
counts the bytes that a client has acknowledged. So a thread checks every connection from time to time, which adds no
cost to an answer. Works on Linux; elsewhere nothing is reset. Knows no framework.
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

from timeseries_project.core import clock

#: Least number of checks before a deadline ends, and most seconds between two checks.
LOOKS, MOST_SECONDS = 4, 5.0
_DESCRIPTORS = "/proc/self/fd"
#: `tcpi_bytes_acked` in Linux's `struct tcp_info`, after eight bytes, 24 numbers of 32 bits and two of 64.
_ACKNOWLEDGED = struct.Struct("=120xQ")
#: SO_LINGER value that closes at once and drops unsent bytes: the system frees them, and the client sees an error.
_RESET = struct.pack("ii", 1, 0)


class SlowReaders:
    """Watches the connections to one port of this process for bytes that the client does not acknowledge."""

    def __init__(self, *, port: int, seconds: float) -> None:
        self._port = port
        self._seconds = seconds
        #: By the inode of a socket: the bytes acknowledged, and the time since which there have been no more.
        self._waiting: dict[int, tuple[int, float]] = {}

    def watch(self) -> None:
        """Start a daemon thread that checks the connections periodically."""
        if sys.platform == "linux":
            threading.Thread(target=self._watch, name="slow-readers", daemon=True).start()

    def _watch(self) -> None:
        pause, never = min(self._seconds / LOOKS, MOST_SECONDS), threading.Event()
        while not never.wait(pause):
            self.look(clock.elapsed())

    def look(self, now: float) -> int:
        """Reset the connections that have taken nothing for too long; return how many. O(open descriptors).

        A connection that has taken everything, as nearly all have, costs one system call.
        """
        waiting: dict[int, tuple[int, float]] = {}
        cut = 0
        for name in os.listdir(_DESCRIPTORS):
            descriptor = int(name)
            # The descriptor may be closed or reused meanwhile, so a duplicate is examined.
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
                    connection.shutdown(socket.SHUT_RDWR)  # the server notices, and closes its own descriptor
        self._waiting = waiting
        return cut

    def _is_ours(self, connection: socket.socket) -> bool:
        """Whether the connection is one of a client to our port."""
        if connection.family not in (socket.AF_INET, socket.AF_INET6) or connection.type != socket.SOCK_STREAM:
            return False
        port: int = connection.getsockname()[1]
        return port == self._port


def _untaken(descriptor: int) -> int:
    """Return how many bytes sent through a socket are not acknowledged. Raises OSError if it is not a socket."""
    count: int = struct.unpack("i", fcntl.ioctl(descriptor, termios.TIOCOUTQ, bytes(4)))[0]
    return count


def _taken(connection: socket.socket) -> int:
    """Return how many bytes the other end has acknowledged."""
    information = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _ACKNOWLEDGED.size)
    count: int = _ACKNOWLEDGED.unpack(information)[0]
    return count
