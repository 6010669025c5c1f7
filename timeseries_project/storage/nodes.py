"""The servers of a storage: their connections, deadlines, and a pause after a failure.

Plain Python; knows no framework. redis-py speaks the protocol and hiredis parses it. The clients of redis-py are not
used: they repeat a failed command ten times, and a cluster's pipeline node by node, so one request could take many
times its limit. Here all calls of one request share one deadline, and a node that did not answer in time is tried again
only now and then, by one request that gives it little of its time; the others that need it fail at once.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock
from typing import Any, Protocol

from redis.exceptions import BusyLoadingError, OutOfMemoryError, RedisError, ResponseError, TimeoutError

from timeseries_project.core import clock
from timeseries_project.storage.errors import StorageFullError, StorageUnavailableError
from timeseries_project.storage.location import Address

logger = logging.getLogger(__name__)

Argument = bytes | str | int | float
Command = tuple[Argument, ...]

#: Seconds for which a failed node is not called, so that not every request waits for it.
PAUSE_SECONDS = 0.5
#: The share of a request's time in which a node that had failed must answer when it is tried again.
TRIAL_SHARE = 0.25

_deadline: ContextVar[float | None] = ContextVar("storage_deadline", default=None)


@contextmanager
def deadline(seconds: float, *, begun: float | None = None) -> Iterator[None]:
    """End every call of a storage in the `with` block so many seconds after `begun` (monotonic; default now)."""
    token = _deadline.set((clock.elapsed() if begun is None else begun) + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)


def time_limit(timeout: float) -> float:
    """Return the latest end (monotonic) of a call that begins now: the deadline around it, else after `timeout`."""
    limit = _deadline.get()
    return clock.elapsed() + timeout if limit is None else limit


class Wire(Protocol):
    """The part of redis-py's connections that is used here; they have no types of their own."""

    _sock: Any

    def connect(self) -> None: ...
    def disconnect(self) -> None: ...
    def can_read(self) -> bool: ...
    def pack_commands(self, commands: Sequence[Command]) -> list[bytes]: ...
    def send_packed_command(self, command: list[bytes], check_health: bool) -> None: ...
    def read_response(self, *, timeout: float, disconnect_on_error: bool) -> Any: ...


class Node:
    """One server: its idle connections, and when it failed.

    It has failed if it does not answer within `patience` seconds, but not by a timeout of a call that had less.
    """

    def __init__(self, address: Address, connect: Callable[[float], Wire], patience: float) -> None:
        self.address = address
        self.serves = False
        self._connect = connect
        self._patience = patience
        self._idle: deque[Wire] = deque()
        self._failed_at: float | None = None
        self._trying = Lock()

    @property
    def is_failing(self) -> bool:
        """Whether it has failed, and has not answered since."""
        return self._failed_at is not None

    def check(self, until: float) -> None:
        """Raise StorageUnavailableError if the node is failing.

        After a pause one caller at a time tries whether it answers again, in a share of its time.
        """
        failed_at, now = self._failed_at, clock.elapsed()
        if failed_at is None:
            return
        if now < failed_at + PAUSE_SECONDS or not self._trying.acquire(blocking=False):
            raise StorageUnavailableError("the storage failed a moment ago")
        try:
            soon = now + (until - now) * TRIAL_SHARE
            with self.lent(soon) as connection:
                connection.send_packed_command(connection.pack_commands([("PING",)]), check_health=False)
                _read(connection, soon)
        finally:
            self._trying.release()

    @contextmanager
    def lent(self, until: float) -> Iterator[Wire]:
        """Lend a connection. It is closed after any error, since an answer might still arrive on it."""
        connection: Wire | None = None
        begun = clock.elapsed()
        try:
            connection = self._take(until)
            yield connection
        except BaseException as error:
            if connection is not None:
                connection.disconnect()
            if isinstance(error, OSError | RedisError):
                # A timeout of a call that had little time left says nothing new about the node.
                was_long = clock.elapsed() - begun >= self._patience
                if was_long or self.is_failing or not isinstance(error, TimeoutError):
                    self._fail(error)
                raise StorageUnavailableError(f"the storage does not answer: {type(error).__name__}") from error
            raise
        if self._failed_at is not None:
            self._failed_at = None
            logger.warning("The storage at %s:%s answers again.", *self.address)
        self._idle.append(connection)

    def _fail(self, error: Exception) -> None:
        if self._failed_at is None:  # once, not with every request
            logger.error("The storage at %s:%s does not answer: %s", *self.address, error)
        self._failed_at = clock.elapsed()

    def _take(self, until: float) -> Wire:
        seconds = until - clock.elapsed()
        if seconds <= 0:
            raise StorageUnavailableError("the storage did not answer in time")
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:  # another thread was quicker
                break
            try:
                if not connection.can_read():
                    connection._sock.settimeout(seconds)
                    return connection
            except (OSError, RedisError):
                pass  # the server has closed it since
            connection.disconnect()
        connection = self._connect(seconds)
        connection.connect()
        return connection


def exchange(commands: dict[Node, list[Command]], until: float) -> dict[Node, list[Any]]:
    """Send commands to several nodes, then read their answers; return these, errors included.

    If one of them is failing, nothing is sent to any.
    """
    for node in commands:
        node.check(until)
    replies: dict[Node, list[Any]] = {}
    pending = list(commands.items())

    def exchange(at: int) -> None:
        if at == len(pending):
            return
        node, sent = pending[at]
        with node.lent(until) as connection:
            connection.send_packed_command(connection.pack_commands(sent), check_health=False)
            exchange(at + 1)
            replies[node] = [_read(connection, until) for _ in sent]

    exchange(0)
    return replies


def _read(connection: Wire, until: float) -> Any:
    try:
        return connection.read_response(timeout=max(until - clock.elapsed(), 0.001), disconnect_on_error=False)
    except BusyLoadingError as error:  # which redis-py counts among broken connections
        return error
    except ResponseError as error:
        return error


def refused(error: RedisError, explained: Callable[[str], str] = str) -> Exception:
    """Return the exception for an error reply; log the reply, explained, if the fault is ours."""
    if isinstance(error, OutOfMemoryError) or "OOM" in str(error):
        return StorageFullError("the storage's memory is full")
    if type(error) is ResponseError and not str(error).startswith(("BUSY", "MISCONF", "NOREPLICAS")):
        logger.error("The storage refused a call: %s", explained(str(error)))
    return StorageUnavailableError(f"the storage cannot answer now: {type(error).__name__}")
