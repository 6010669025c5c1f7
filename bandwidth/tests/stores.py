"""Stores of each kind for tests: new ones, one store as another process sees it, and checks of invariants."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable
from typing import Any

import pytest
from redis import Redis

from bandwidth.interface import DeviceSummary
from bandwidth.memory import devices, large_batch
from bandwidth.memory import store as memory_store
from bandwidth.memory.store import BandwidthStore
from bandwidth.redis.store import RedisStore
from timeseries_project.storage.client import Storage

AnyStore = BandwidthStore | RedisStore
NewStore = Callable[..., AnyStore]

HEAD = struct.Struct("<7s7s6s12s12sBI7s")
LEAF = struct.Struct("<7s6s12s12s")
INNER = struct.Struct("<7s6s12s12sI")
LEAF_ROWS, INNER_ROWS = 27, 24

_numbers = itertools.count()


def use_small_portions(patch: pytest.MonkeyPatch) -> None:
    """Let a store in memory do little at a time: a few entries make a large batch, and trees of several levels."""
    patch.setattr(memory_store, "AT_ONCE", 2)
    patch.setattr(large_batch, "LARGE", 3)
    patch.setattr(large_batch, "DEVICES_AT_ONCE", 2)
    patch.setattr(large_batch, "BLOCKS_AT_ONCE", 1)
    patch.setattr(large_batch, "ROWS_AT_ONCE", 2)
    patch.setattr(devices, "WIDTH", 4)
    patch.setattr(devices, "DROPPED_AT_ONCE", 1)


def new_in(storage: Storage | None, **limits: int) -> AnyStore:
    """Return an empty store, in a storage or in memory."""
    if storage is None:
        return BandwidthStore(**limits)
    store = RedisStore(storage, b"test-%d" % next(_numbers), **limits)
    store.clear()
    return store


def as_another_process(store: AnyStore) -> AnyStore:
    """Return the same store over separate connections, as another process would use it."""
    if isinstance(store, BandwidthStore):
        return store
    own = store._storage
    return RedisStore(Storage(own.location, timeout=own._timeout), name_of(store))


def name_of(store: RedisStore) -> bytes:
    return store._stripes[0].registry.partition(b":")[0]


def clients(storage: Storage) -> list[Redis]:
    """Return a separate client for each node."""
    return [Redis(address.host, address.port) for address in storage.location.addresses]


def contents(store: RedisStore) -> dict[bytes, bytes | None]:
    """Return everything stored, under any name."""
    found = {}
    for client in clients(store._storage):
        found |= {key: client.dump(key) for key in client.scan_iter()}
        client.close()
    return found


def check(store: AnyStore) -> None:
    """Assert the invariants of the structure. O(n) for all instants."""
    if isinstance(store, BandwidthStore):
        store._check()
        return
    found: dict[bytes, Any] = {}
    for client in clients(store._storage):
        for key in client.keys(name_of(store) + b":*"):
            kind = client.type(key)
            if kind == b"hash":
                found[key] = client.hgetall(key)
            elif kind == b"zset":
                found[key] = dict(client.zrange(key, 0, -1, withscores=True))
            elif kind == b"string":
                found[key] = int(client.get(key))
        client.close()
    for stripe in store._stripes:
        devices = {key: fields for key, fields in found.items() if key.startswith(stripe.prefix)}
        checked = {key: check_device(key, fields) for key, fields in devices.items()}
        assert found.get(stripe.stale, {}) == {key: stale for key, (_, stale) in checked.items()}
        summaries = [summary for summary, _ in checked.values()]
        assert found.get(stripe.registry, {}).keys() == devices.keys()
        assert found.get(stripe.entries, 0) == sum(summary.count for summary in summaries)


def check_device(key: bytes, fields: dict[bytes, bytes]) -> tuple[DeviceSummary, int]:
    """Assert the invariants of one device's tree; return its summary and its `stale` time."""
    *numbers, depth, following, stale = HEAD.unpack(fields[b"head"])
    first, last, *sums = (int.from_bytes(number, "little") for number in numbers)
    seen: list[int] = []
    times: list[int] = []
    leaves: list[int] = []

    def walk(node: int, level: int) -> tuple[int, list[int]]:
        """Return the first time and the sums of the entries under a node."""
        seen.append(node)
        kind = INNER if level else LEAF
        rows = list(kind.iter_unpack(fields[b"%d" % node]))
        assert 1 <= len(rows) <= (INNER_ROWS if level else LEAF_ROWS)
        before = [0, 0, 0]
        if not level:
            leaves.append(int.from_bytes(rows[0][0], "little"))
        for row in rows:
            time, *now = (int.from_bytes(number, "little") for number in row[:4])
            own = [b - a for a, b in zip(before, now, strict=True)]
            assert own[0] >= 1
            assert min(own) >= 0
            if level:
                assert walk(row[4], level - 1) == (time, own)
            else:
                times.append(time)
            before = now
        return int.from_bytes(rows[0][0], "little"), before

    assert walk(0, depth) == (first, sums)
    assert len(set(seen)) == len(seen)
    assert max(seen) < following
    assert set(fields) == {b"head", *(b"%d" % node for node in seen)}
    assert times == sorted(set(times))
    assert (times[0], times[-1]) == (first, last)
    assert depth == 0 or len(fields[b"0"]) > INNER.size
    assert int.from_bytes(stale, "little") == [*leaves, last + 1][1]
    return DeviceSummary(key.decode("latin-1"), sums[0], first, last, *sums[1:]), [*leaves, last + 1][1]
