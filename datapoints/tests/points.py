"""Points that tests put into stores, and a few names to draw from, so that they meet often."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from datapoints.interface import OnDuplicate, Store
from datapoints.redis.store import RedisStore
from timeseries_project.storage.client import Storage

Key = tuple[int, str, str]  # timestamp, device, user

keys = st.sampled_from(["a", "b", "c", "ü", "a "])

#: Values of all sizes, whose sums cancel now and then.
ordinary = st.floats(-1e6, 1e6)
spikes = st.builds(lambda sign, power: sign * 10.0**power, st.sampled_from([-1, 1]), st.integers(16, 150))
subnormal = st.integers(-(2**52), 2**52).map(lambda units: units * 5e-324)
values = st.one_of(
    ordinary,
    st.integers(-1000, 1000).map(lambda hundredths: hundredths / 100),
    st.floats(-1e150, 1e150),
    spikes,
    subnormal,
    st.sampled_from([1.0, 0.1, 1e16, -1e16, 1e60, -1e60, 1e30, -1e30, 5e-324]),
)


def add_batch(store: Store, batch: list[tuple[int, float, str, str]], *, skip: bool, oldest: int = 0) -> int:
    """Add points as the columns that they are; duplicates are skipped, or else raise an error."""
    return put_batch(store, batch, OnDuplicate.SKIP if skip else OnDuplicate.ERROR, oldest=oldest)


def put_batch(
    store: Store, batch: list[tuple[int, float, str, str]], on_duplicate: OnDuplicate, *, oldest: int = 0
) -> int:
    """Add points as the columns that they are."""
    return store.add_batch(
        np.array([p[0] for p in batch], dtype=np.int64),
        np.array([p[1] for p in batch], dtype=np.float64),
        [p[2] for p in batch],
        [p[3] for p in batch],
        on_duplicate=on_duplicate,
        oldest=oldest,
    )


def add(store: RedisStore, times: list[int], devices: list[str], users: list[str], *, skip: bool = False) -> int:
    """Add points whose values are their times."""
    column = np.array(times, dtype=np.int64)
    on_duplicate = OnDuplicate.SKIP if skip else OnDuplicate.ERROR
    return store.add_batch(column, column.astype(np.float64), devices, users, on_duplicate=on_duplicate)


def spread(points: int, devices: int) -> tuple[list[int], list[str], list[str]]:
    """Return points over so many devices of one user."""
    return [7 * i for i in range(points)], [f"d{i % devices}" for i in range(points)], ["u"] * points


def another(storage: Storage) -> RedisStore:
    """Return a store of the same data, as another process has it."""
    return RedisStore(Storage(storage.location, timeout=30))
