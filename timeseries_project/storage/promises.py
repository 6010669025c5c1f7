"""What holds for writes that were acknowledged, by how the storage's servers are configured.

Managed services forbid CONFIG, so all that INFO tells is taken from there. Plain Python; knows no framework.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from redis.exceptions import RedisError

from timeseries_project.storage.client import Storage

_CONFIGURED = ("appendfsync", "min-replicas-to-write", "save")
_INFO = ("INFO", "replication", "persistence", "memory")


class Durability(NamedTuple):
    """How one server keeps its data; None where it does not tell."""

    appends: bool
    appendfsync: str | None
    #: When it saves all data: empty if never.
    save: str | None
    replicas: int
    min_replicas: int
    #: What is thrown away at the limit of its memory; `noeviction` if nothing, or if there is no limit.
    eviction: str

    @classmethod
    def read(cls, info: bytes, configured: dict[str, str] | None) -> Durability:
        """Read what INFO tells, and CONFIG GET if that is allowed.

        >>> Durability.read(b"aof_enabled:1\\r\\nconnected_slaves:2\\r\\nmin_slaves_good_slaves:2\\r\\n", None)
        Durability(appends=True, appendfsync=None, save=None, replicas=2, min_replicas=1, eviction='noeviction')
        """
        told = dict(re.findall(r"^(\w+):([^\r\n]*)", info.decode(), re.MULTILINE))
        allowed = configured or {}
        # If CONFIG is forbidden: there is such a line only where replicas are asked for.
        least = int(allowed.get("min-replicas-to-write", "min_slaves_good_slaves" in told))
        return cls(
            appends=told.get("aof_enabled") == "1",
            appendfsync=allowed.get("appendfsync"),
            save=allowed.get("save"),
            replicas=int(told.get("connected_slaves", 0)),
            min_replicas=least,
            eviction=told.get("maxmemory_policy", "noeviction") if told.get("maxmemory", "0") != "0" else "noeviction",
        )

    @property
    def restart(self) -> str:
        """What a restart leaves of the writes that were acknowledged."""
        if self.appends:
            return _APPENDED.get(self.appendfsync or "", "a restart keeps them, as far as the system had written them")
        if self.save is None:
            return "a restart loses what came after the last save, if there is one (no appendonly)"
        return "a restart loses what came after the last save" if self.save else "a restart loses all of them"

    @property
    def takeover(self) -> str:
        """What is left of them when a server is lost for good."""
        if not self.replicas and not self.min_replicas:
            return "the loss of a server loses its data (no replica)"
        if self.min_replicas:
            return "a replica that takes over has them, but for the last ones if its link had stalled"
        return "a replica that takes over may lack the last ones (min-replicas-to-write is 0)"

    @property
    def is_weak(self) -> bool:
        """Whether they may be lost though nothing fails, or all of them by one restart."""
        return self.eviction != "noeviction" or not (self.appends or self.save or self.replicas)


_APPENDED = {
    "always": "a restart loses none of them",
    "everysec": "a restart loses none of them, that of a machine up to the last two seconds",
    "no": "a restart loses none of them, that of a machine up to the last half a minute",
}


def ask(storage: Storage) -> list[Durability]:
    """Return how each server keeps its data. Raises StorageUnavailableError."""
    return [_read(answers) for answers in storage.ask_each_node(_INFO, ("CONFIG", "GET", *_CONFIGURED))]


def _read(answers: Sequence[Any]) -> Durability:
    info, pairs = answers
    if isinstance(info, RedisError):  # nothing may be asked
        info = b""
    configured = None
    if not isinstance(pairs, RedisError):
        words = [word.decode() for word in pairs]
        configured = dict(zip(words[::2], words[1::2], strict=True))
    return Durability.read(info, configured)


def promise(nodes: Sequence[Durability]) -> str:
    """Return the promise that holds on all servers: that of the weakest."""
    restart = min(nodes, key=lambda node: (node.appends, node.appendfsync != "no", bool(node.save)))
    takeover = min(nodes, key=lambda node: (bool(node.replicas), bool(node.min_replicas)))
    text = f"Acknowledged writes on this storage: {restart.restart}; {takeover.takeover}"
    if evicting := [node.eviction for node in nodes if node.eviction != "noeviction"]:
        text += f"; AND A FULL MEMORY THROWS DATA AWAY (maxmemory-policy is {evicting[0]}, set noeviction)"
    return f"{text}."
