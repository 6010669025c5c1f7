"""The strings of a shared window in the storage, and a check of their invariants."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from redis import Redis

from timeseries_project.storage.client import Storage
from transactions.redis.library import BLOCK_MS, TOP_MS
from transactions.redis.window import COUNT, HIGH, LEAST, LOW, MOST, RedisWindow


def servers(storage: Storage) -> Iterator[Redis]:
    """Yield a client of each node."""
    for address in storage.location.addresses:
        with Redis(host=address.host, port=address.port) as client:
            yield client


def stripes(storage: Storage) -> dict[bytes, bytes]:
    """Return the keys of all windows in the storage with their strings, without the versions of the layout."""
    return {
        key: client.get(key)
        for client in servers(storage)
        for key in client.scan_iter("tx:*", _type="string")
        if not key.endswith(b":layout")
    }


def settle(window: RedisWindow, portions: int = 1_000_000) -> None:
    """Add up to so many portions of the rows that wait in each stripe to the points."""
    for key in window._keys:
        window._settle(key, portions)


def check(window: RedisWindow) -> None:
    """Assert the invariants where no rows wait: fixed sizes, and every cell in use is the sum of those below it."""
    found = stripes(window._storage)
    assert found.keys() <= set(window._keys)
    tops, parts = window._span // TOP_MS, TOP_MS // BLOCK_MS
    shapes = [(tops, 6), (tops, parts, 5), (tops, parts, BLOCK_MS, 5), (window._seconds, 6)]
    for stripe in found.values():
        assert len(stripe) == 8 * sum(map(math.prod, shapes))
        levels = np.split(np.frombuffer(stripe, "<f8"), np.cumsum([math.prod(shape) for shape in shapes])[:3])
        top, block, point, second = (level.reshape(shape) for level, shape in zip(levels, shapes, strict=True))
        used = np.flatnonzero(second[:, COUNT])
        assert (second[used, 5] % window._seconds == used).all()
        for place in np.flatnonzero(top[:, COUNT]):
            assert top[place, 5] % tops == place
            check_cell(top[place], block[place])
            for part in np.flatnonzero(block[place, :, COUNT]):
                check_cell(block[place, part], point[place, part])


def check_cell(cell: np.ndarray, below: np.ndarray) -> None:
    """Assert that a cell is the sum of those below it."""
    used = below[below[:, COUNT] > 0]
    assert cell[COUNT] == used[:, COUNT].sum()
    assert (cell[LEAST], cell[MOST]) == (used[:, LEAST].min(), used[:, MOST].max())
    assert cell[HIGH] + cell[LOW] == cell[HIGH]
    error = math.fsum([*used[:, HIGH], *used[:, LOW], -cell[HIGH], -cell[LOW]])
    assert abs(error) <= 2**-50 * max(abs(cell[[HIGH, LEAST, MOST]]))
