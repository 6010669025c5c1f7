"""What holds for writes that were acknowledged, by how the storage's servers are configured.

Managed services forbid CONFIG, so all that INFO tells is taken from there. Plain Python; knows no framework.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from redis.exceptions import RedisError

from timeseries_project.storage.client import Storage

_CONFIGURED = ("appendfsync", "cluster-require-full-coverage", "min-replicas-to-write", "save")
_INFO = ("INFO", "replication", "persistence", "memory", "cluster")


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
    #: Whether it refuses everything while a part of its cluster is away.
    is_all_or_none: bool

    @classmethod
    def read(cls, info: bytes, configured: dict[str, str]) -> Durability:
        """Read what INFO tells, and CONFIG GET if that is allowed.

        >>> info = b"aof_enabled:1\\r\\nconnected_slaves:2\\r\\nmin_slaves_good_slaves:2\\r\\n"
        >>> Durability.read(info, {})  # doctest: +NORMALIZE_WHITESPACE
        Durability(appends=True, appendfsync=None, save=None, replicas=2, min_replicas=1, eviction='noeviction',
            is_all_or_none=False)
        """
        told = dict(re.findall(r"^(\w+):([^\r\n]*)", info.decode(), re.MULTILINE))
        # If CONFIG is forbidden: there is such a line only where replicas are asked for.
        least = int(configured.get("min-replicas-to-write", "min_slaves_good_slaves" in told))
        return cls(
            appends=told.get("aof_enabled") == "1",
            appendfsync=configured.get("appendfsync"),
            save=configured.get("save"),
            replicas=int(told.get("connected_slaves", 0)),
            min_replicas=least,
            eviction=told.get("maxmemory_policy", "noeviction") if told.get("maxmemory", "0") != "0" else "noeviction",
            is_all_or_none=(
                told.get("cluster_enabled") == "1" and configured.get("cluster-require-full-coverage") == "yes"
            ),
        )

    @property
    def restart(self) -> str:
        """What a restart leaves of the writes that were acknowledged."""
        if self.appends:
            return _APPENDED.get(self.appendfsync or "", _APPENDED["unknown"])
        if self.save is None:
            return (
                "a storage server that restarts has lost those since its last save, "
                "and whether it saves at all cannot be known, as CONFIG GET is refused (appendonly no)"
            )
        if self.save:
            return "a storage server that restarts has lost those since its last save (appendonly no)"
        return "a storage server that restarts has lost all of them (appendonly no, and no save)"

    @property
    def takeover(self) -> str:
        """What is left of them when a server is lost for good."""
        if not self.replicas and not self.min_replicas:
            return "one that is lost takes them with it (no replica)"
        if self.min_replicas:
            return (
                "a replica that takes over lacks only those on their way, or since its link stalled unnoticed "
                f"(min-replicas-to-write {self.min_replicas})"
            )
        return "a replica that takes over lacks the last ones, or all since its link was cut (min-replicas-to-write 0)"

    @property
    def is_weak(self) -> bool:
        """Whether they may be lost though nothing fails, or all of them by one restart."""
        return self.eviction != "noeviction" or (self.save == "" and not self.appends and not self.replicas)


_APPENDED = {
    "always": "a storage server that restarts has lost none, nor has one whose machine fails (appendfsync always)",
    "everysec": (
        "a storage server that restarts has lost none, one whose machine fails those of up to two seconds "
        "(appendfsync everysec)"
    ),
    "no": (
        "a storage server that restarts has lost none, one whose machine fails those of half a minute or so "
        "(appendfsync no)"
    ),
    "unknown": (
        "a storage server that restarts has lost none, and what one loses whose machine fails cannot be known, "
        "as CONFIG GET is refused"
    ),
}
#: From the weakest on.
_FSYNC = (None, "no", "everysec", "always")


def ask(storage: Storage) -> list[Durability | None]:
    """Return how each server keeps its data, None if it does not tell. Raises StorageUnavailableError."""
    return [_read(answers) for answers in storage.ask_each_node(_INFO, ("CONFIG", "GET", *_CONFIGURED))]


def _read(answers: Sequence[Any]) -> Durability | None:
    info, pairs = answers
    if isinstance(info, RedisError):
        return None
    words = [] if isinstance(pairs, RedisError) else [word.decode() for word in pairs]
    return Durability.read(info, dict(zip(words[::2], words[1::2], strict=True)))


def promise(nodes: Sequence[Durability | None]) -> str:
    """Return the promise that holds on all servers: that of the weakest."""
    known = [node for node in nodes if node is not None]
    if len(known) < len(nodes) or not known:
        return "What this storage keeps of acknowledged writes cannot be known, as it refuses INFO."
    restart = min(known, key=lambda node: (node.appends, _FSYNC.index(node.appendfsync), bool(node.save)))
    takeover = min(known, key=lambda node: (bool(node.replicas or node.min_replicas), bool(node.min_replicas)))
    text = f"Of acknowledged writes, {restart.restart}; {takeover.takeover}"
    if evicting := [node.eviction for node in known if node.eviction != "noeviction"]:
        text += f"; AND A FULL MEMORY THROWS DATA AWAY (maxmemory-policy {evicting[0]}; set noeviction)"
    if any(node.is_all_or_none for node in known):
        text += "; while one server is away, all refuse everything (cluster-require-full-coverage yes; set no)"
    return f"{text}."
