"""The client of a Redis or Valkey, one node or a cluster: it calls server functions of our own.

Plain Python; knows no framework. A node runs one function (FUNCTION LOAD, FCALL) at a time, so each call is atomic. A
hash tag in their names puts all keys of a call into one slot of the cluster.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Any, NamedTuple, cast
from weakref import WeakSet

from redis.backoff import NoBackoff
from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from redis.exceptions import AskError, MovedError, RedisError, ResponseError, TryAgainError
from redis.retry import Retry

from timeseries_project.core import clock
from timeseries_project.storage.errors import StorageUnavailableError
from timeseries_project.storage.layouts import UPGRADE, is_behind
from timeseries_project.storage.location import Address, Location
from timeseries_project.storage.lua import Function, Library
from timeseries_project.storage.nodes import (
    Argument,
    Command,
    Node,
    Wire,
    deadline,
    exchange,
    refused,
    time_limit,
)

#: Seconds between two attempts to find a slot that is being moved.
MOVE_SECONDS = 0.02
#: Seconds between two looks at the map of a cluster while a node is failing, and the share of a request's time for one.
LOOK_SECONDS, LOOK_SHARE = 0.1, 0.25
#: How long a node may take to answer, as a share of the time limit, before it counts as failing.
PATIENCE_SHARE, MOST_PATIENCE = 0.4, 0.5
#: The share of a request's time that it gives to what it can do without.
HELPFUL_SHARE = 0.5


class Call(NamedTuple):
    """A call of a function: one or more keys of one slot, then arguments; `read_only` if it changes nothing."""

    function: Function
    keys: Sequence[bytes]
    arguments: Sequence[Argument] = ()
    read_only: bool = False

    def command(self) -> Command:
        """Return the command that is sent."""
        verb = "FCALL_RO" if self.read_only else "FCALL"
        return (verb, self.function.name, len(self.keys), *self.keys, *self.arguments)


def upgrading_call(library: Library, key: bytes) -> Call:
    """Return the call that does a portion of upgrading the stripe of a key, and tells the layout that it then has."""
    return Call(library.function(library.name + UPGRADE), [key])


class Storage:
    """One node or a cluster. It connects at the first call, and threads may share it.

    Every method raises StorageUnavailableError if the storage does not answer within `timeout` seconds, or within the
    rest of the `deadline` around the call. A write may take effect all the same: a server that stalls carries out later
    what it has received. A write for which there is no room raises StorageFullError.
    """

    def __init__(self, location: Location, *, timeout: float) -> None:
        self.location = location
        self._timeout = timeout
        self._forget()
        _storages.add(self)

    def _forget(self) -> None:
        """Drop all connections and the map of the cluster, as a forked process must."""
        self._looking = Lock()
        self._nodes = {address: self._node(address) for address in self.location.addresses}
        self._slots: list[Node | None] = []
        #: How often a slot was found to have another server than before.
        self.moves = 0
        self._is_doubted = False  # whether a replica may have taken over since
        self._looked = 0.0

    @property
    def one_node(self) -> bool:
        """Whether all keys are on one node, so that one call may have any of them."""
        return not self.location.cluster

    def call(self, call: Call) -> Any:
        """Call one function and return its answer."""
        return self.calls([call])[0]

    def calls(self, calls: Sequence[Call]) -> list[Any]:
        """Call functions, in one pipeline for each node and on all nodes at once; return their answers.

        Each call is atomic, but not all of them together: if one fails, others may have been carried out.
        """
        with self._distrusted():
            return self._calls(calls, time_limit(self._timeout))

    def calls_in_reach(self, calls: Sequence[Call]) -> list[Any]:
        """Do the same where no answer is needed: None stands for those of nodes that are failing.

        It takes a part of the time that a request has. If a node turns out to be failing, no call is answered.
        """
        answers: list[Any] = [None] * len(calls)
        asked = [index for index, call in enumerate(calls) if not self.is_failing(call.keys[0])]
        try:
            with deadline((time_limit(self._timeout) - clock.elapsed()) * HELPFUL_SHARE):
                replies = self.calls([calls[index] for index in asked])
        except StorageUnavailableError:
            return answers
        for index, reply in zip(asked, replies, strict=True):
            answers[index] = reply
        return answers

    def is_failing(self, key: bytes) -> bool:
        """Return whether the node that has a key is known to be failing. Asks nobody."""
        if self.one_node:
            return next(iter(self._nodes.values())).is_failing
        slots = self._slots
        node = slots[key_slot(key)] if slots else None
        return node is not None and node.is_failing

    @contextmanager
    def _distrusted(self) -> Iterator[None]:
        """On a failure, doubt which node serves which slot: a replica may have taken over. A next call asks."""
        try:
            yield
        except StorageUnavailableError:
            self._is_doubted = True
            raise

    def _calls(self, calls: Sequence[Call], until: float) -> list[Any]:
        answers: list[Any] = [None] * len(calls)
        waiting = list(range(len(calls)))
        while waiting:
            groups: dict[Node, list[int]] = {}
            for index in waiting:
                groups.setdefault(self._node_of(calls[index].keys[0], until), []).append(index)
            commands = {node: [calls[i].command() for i in indexes] for node, indexes in groups.items()}
            waiting = []
            replies = exchange(commands, until)
            mended: set[tuple[type[RedisError], Node, Library]] = set()
            for node, indexes in groups.items():
                for index, reply in zip(indexes, replies[node], strict=True):
                    if not isinstance(reply, RedisError):
                        answers[index] = reply
                    elif isinstance(reply, AskError):
                        answers[index] = self._ask(reply, calls[index], until)
                    else:
                        fault = (type(reply), node, calls[index].function.library)
                        if fault not in mended:
                            self._mend(reply, node, calls[index], until)
                            mended.add(fault)
                        waiting.append(index)
        return answers

    def ping(self) -> None:
        """Check that every node answers."""
        self.each_node("PING")

    def held_bytes(self) -> int:
        """Return the memory of all nodes that hold slots, whatever they hold. O(nodes)."""
        return sum(
            int(re.findall(rb"^used_memory:(\d+)", told, re.MULTILINE)[0]) for told in self.each_node("INFO", "memory")
        )

    def each_node(self, *command: Argument) -> list[Any]:
        """Send a command to every node that holds slots, and return their answers."""
        answers = []
        for (reply,) in self.ask_each_node(command):
            if isinstance(reply, RedisError):
                raise refused(reply)
            answers.append(reply)
        return answers

    def ask_each_node(self, *commands: Command) -> list[list[Any]]:
        """Send commands to every node that holds slots; return the answers of each, refusals among them as errors."""
        until = time_limit(self._timeout)
        with self._distrusted():
            if not self.one_node:
                self._map(until)
            nodes = [node for node in self._nodes.values() if node.serves or self.one_node]
            return list(exchange({node: list(commands) for node in nodes}, until).values())

    def _node(self, address: Address) -> Node:
        def connect(seconds: float) -> Wire:
            connection = self.location.connection_class(
                host=address.host,
                port=address.port,
                socket_timeout=seconds,
                socket_connect_timeout=seconds,
                retry=Retry(NoBackoff(), 0),
                protocol=2,
                driver_info=None,
                **self.location.options,
            )
            return cast(Wire, connection)

        return Node(address, connect, min(MOST_PATIENCE, self._timeout * PATIENCE_SHARE))

    def _node_of(self, key: bytes, until: float) -> Node:
        if self.one_node:
            return next(iter(self._nodes.values()))
        node = self._map(until)[key_slot(key)]
        if node is None:
            raise StorageUnavailableError("a part of the storage has no server")
        return node

    def _mend(self, error: RedisError, node: Node, call: Call, until: float) -> None:
        """Prepare another attempt at a call that was refused; raise if none can succeed, or the time is up."""
        if clock.elapsed() > until:
            raise StorageUnavailableError("the storage did not answer in time") from error
        if isinstance(error, MovedError):
            self._look(until)
        elif isinstance(error, TryAgainError):
            clock.sleep(MOVE_SECONDS)
        elif isinstance(error, ResponseError) and "Function not found" in str(error):
            [[reply]] = exchange({node: [("FUNCTION", "LOAD", call.function.library.code)]}, until).values()
            # Another process may have been quicker.
            if isinstance(reply, RedisError) and "already exists" not in str(reply):
                raise refused(reply, call.function.library.explained)
        elif isinstance(error, ResponseError) and str(error).startswith("LAYOUT "):
            self._upgrade(call, str(error).removeprefix("LAYOUT "), until)
        else:
            raise refused(error, call.function.library.explained)

    def _upgrade(self, call: Call, found: str, until: float) -> None:
        """Bring the stripe of a call to the layout that its function expects; raise if it has a newer one."""
        library = call.function.library
        portion = upgrading_call(library, call.keys[0])
        while is_behind(library, found):
            if clock.elapsed() > until:
                raise StorageUnavailableError("the storage's layout is still being upgraded")
            found = self._calls([portion], until)[0].decode()

    def _ask(self, error: AskError, call: Call, until: float) -> Any:
        """Repeat the call at the node that the slot is being moved to."""
        node = self._nodes.setdefault(Address(error.host, error.port), self._node(Address(error.host, error.port)))
        for _ in range(2):
            [[_, reply]] = exchange({node: [("ASKING",), call.command()]}, until).values()
            if not isinstance(reply, RedisError):
                return reply
            self._mend(reply, node, call, until)
        return self.call(call)

    def _map(self, until: float) -> list[Node | None]:
        """Return which node serves each slot, as far as is known. If that is in doubt, one caller at a time looks."""
        slots = self._slots
        if not slots:
            return self._look(until)
        if not self._is_doubted:
            return slots
        now = clock.elapsed()
        if now >= self._looked + LOOK_SECONDS and self._looking.acquire(blocking=False):
            try:
                return self._ask_around(now + (until - now) * LOOK_SHARE)
            except StorageUnavailableError:
                return slots  # nobody knows better
            finally:
                self._looking.release()
        return slots

    def _look(self, until: float) -> list[Node | None]:
        """Return which node serves each slot now; a thread that comes while another one looks waits for that one."""
        before = self._slots
        if not self._looking.acquire(timeout=max(until - clock.elapsed(), 0)):
            raise StorageUnavailableError("the storage did not answer in time")
        try:
            if self._slots and self._slots is not before:  # another thread has looked
                return self._slots
            return self._ask_around(until)
        finally:
            self._looking.release()

    def _ask_around(self, until: float) -> list[Node | None]:
        """Ask the known nodes which one serves each slot, until one answers. The caller holds `_looking`."""
        self._is_doubted, self._looked = False, clock.elapsed()
        failure: Exception = StorageUnavailableError("no node of the storage can be reached")
        # First the nodes that serve slots, last those that are failing, each with a share of the remaining time.
        nodes = sorted(self._nodes.values(), key=lambda node: (node.is_failing, not node.serves))
        for place, node in enumerate(nodes):
            share = (until - clock.elapsed()) / (len(nodes) - place)
            try:
                [[reply]] = exchange({node: [("CLUSTER", "SLOTS")]}, clock.elapsed() + share).values()
            except StorageUnavailableError as error:
                failure = error
                continue
            if isinstance(reply, RedisError):
                failure = refused(reply)
                continue
            return self._learn(reply, node)
        raise failure

    def _learn(self, ranges: list[Any], asked: Node) -> list[Node | None]:
        slots: list[Node | None] = [None] * REDIS_CLUSTER_HASH_SLOTS
        nodes = {address: self._node_at(address) for address in self.location.addresses}
        for first, last, *serving_it in ranges:
            # The master, then its replicas. A node that does not know its own name is the one that was asked.
            addresses = [Address((host or b"").decode() or asked.address.host, port) for host, port, *_ in serving_it]
            nodes |= {address: self._node_at(address) for address in addresses}
            slots[first : last + 1] = [nodes[addresses[0]]] * (last + 1 - first)
        serving = set(slots)
        for node in nodes.values():
            node.serves = node in serving
        self.moves += bool(self._slots) and slots != self._slots
        self._nodes, self._slots = nodes, slots
        return slots

    def _node_at(self, address: Address) -> Node:
        return self._nodes.get(address) or self._node(address)


_storages: WeakSet[Storage] = WeakSet()


def _forget_all() -> None:
    for storage in _storages:
        storage._forget()


# Forked processes that shared a connection would read one another's answers.
os.register_at_fork(after_in_child=_forget_all)
