"""What must be true of the keys in a Redis that holds datapoints: whatever was done, they fit one another."""

from __future__ import annotations

import math
import re
import struct
from fractions import Fraction
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
from redis import Redis

from datapoints.interface import QUARTER_HOUR
from datapoints.redis.layout import stripe_bases
from timeseries_project.storage.client import Storage

FIGURES = struct.Struct("<IIIdddd" + "HIIHI")
KEY = re.compile(rb"(dp2:\{\d+\})(.)(.*)", re.DOTALL)
NOTHING: dict[bytes, bytes] = {}


class Column(NamedTuple):
    """A column as its keys say, and the figures that its series keeps of it."""

    rows: np.ndarray[Any, Any]
    bound: float
    rows_in_last: int
    blocks: int


def clients(storage: Storage) -> list[Redis]:
    """Return clients of all nodes."""
    return [Redis(host=address.host, port=address.port) for address in storage.location.addresses]


def dumps(storage: Storage) -> dict[bytes, bytes]:
    """Return all keys, each as a string that tells any change."""
    return {key: client.dump(key) for client in clients(storage) for key in client.scan_iter()}


def contents(storage: Storage) -> dict[bytes, Any]:
    """Return all keys of datapoints with what they hold."""
    found: dict[bytes, Any] = {}
    for client in clients(storage):
        with client:
            for key in client.scan_iter("dp2:*", count=10_000):
                kind = client.type(key)
                if kind == b"string":
                    found[key] = client.get(key)
                elif kind == b"hash":
                    found[key] = client.hgetall(key)
                elif kind == b"set":
                    found[key] = client.smembers(key)
                else:
                    found[key] = client.zrange(key, 0, -1, withscores=True)
    return found


def check(storage: Storage, *, marks: bool = False, stale: bool = False) -> None:
    """Assert that all keys of datapoints fit one another and that there are no others.

    `marks` and entries without a series (`stale`) stay where a write failed, or was refused after its preparation.
    """
    data = contents(storage)
    left = set(data)
    bases = stripe_bases(storage.one_node)
    points = dict.fromkeys(bases, 0)
    begun: dict[bytes, list[tuple[bytes, float]]] = {base: [] for base in bases}
    entries: dict[tuple[bytes, bytes], bytes] = {}
    for key in data:
        base, letter, device = KEY.fullmatch(key).groups()  # type: ignore[union-attr]
        if letter != b"d":
            continue
        left.remove(key)
        assert base == bases[crc32(device) % len(bases)]
        assert device in data[base + b"D"]
        for user, packed in data[key].items():
            if len(packed) == 8:
                assert marks
                continue
            count, late, corrected, first, last, epoch, *columns = FIGURES.unpack(packed)
            p_bound, p_rows, p_blocks, s_bound, s_rows, s_blocks = columns
            assert late >= corrected
            name = device + b"\x1f" + user
            column = take_column(data, left, base + b"p" + name, 2)
            assert column[1:] == (p_bound, p_rows, p_blocks)
            times, values = column.rows.T
            assert (len(times), times[0], times[-1]) == (count, first, last)
            sums = take_column(data, left, base + b"s" + name, 5)
            assert sums[1:] == (s_bound, s_rows, s_blocks)
            check_sums(times, values, sums.rows)
            entries[user, device] = struct.pack("<d", epoch)
            points[base] += count
            begun[base].append((name, first))
    for base in bases:
        devices = {KEY.fullmatch(key)[3] for key in data if key.startswith(base + b"d")}  # type: ignore[index]
        assert data.get(base + b"D", set()) == devices
        assert int(data.get(base + b"C", NOTHING).get(b"points", 0)) == points[base]
        assert sorted(data.get(base + b"F", [])) == sorted(begun[base])
        users = {KEY.fullmatch(key)[3] for key in data if key.startswith(base + b"u")}  # type: ignore[index]
        assert data.get(base + b"U", set()) == users
        for user in users:
            assert base == bases[crc32(user) % len(bases)]
            for device, token in data[base + b"u" + user].items():
                assert entries.pop((user, device), None) == token or stale
            left.remove(base + b"u" + user)
        left -= {base + letter for letter in (b"D", b"U", b"F", b"C")}
    assert not entries
    assert not left


def take_column(data: dict[bytes, Any], left: set[bytes], key: bytes, width: int) -> Column:
    """Read a column, strike its keys off `left`, and check how its blocks follow one another."""
    directory = data.get(key, [(b"0", 0.0)])
    if key in data:
        assert len(directory) > 1
        left.remove(key)
    assert directory[0] == (b"0", 0.0)
    assert all(b"%d" % score == name for name, score in directory)
    blocks = []
    for (name, bound), following in zip(directory, [*directory[1:], (b"", math.inf)], strict=True):
        block = np.frombuffer(data[key + b"\x1f" + name]).reshape(-1, width)
        left.remove(key + b"\x1f" + name)
        assert len(block)
        assert bound <= block[0, 0]
        assert block[-1, 0] < following[1]
        blocks.append(block)
    rows = np.concatenate(blocks)
    assert (np.diff(rows[:, 0]) > 0).all()
    return Column(rows, directory[-1][1], len(blocks[-1]), len(blocks))


def check_sums(times: Any, values: Any, sums: Any) -> None:
    """Assert that these are the sums of the points' quarter-hours."""
    numbers, starts = np.unique(times // QUARTER_HOUR, return_index=True)
    assert sums[:, 0].tolist() == numbers.tolist()
    groups = np.split(values, starts[1:])
    assert sums[:, 1].tolist() == [len(group) for group in groups]
    for (_, _, high, low, error), group in zip(sums.tolist(), groups, strict=True):
        assert high == high + low
        assert abs(Fraction(high) + Fraction(low) - sum(map(Fraction, group.tolist()))) <= Fraction(error)
        assert error <= abs(group).max() * 2.0**-50
