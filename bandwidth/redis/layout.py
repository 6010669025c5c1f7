"""The layout of bandwidth in a shared storage: its keys, and rows of bytes that the server reads as numbers.

Plain Python and NumPy; knows no framework. Keys:

    bw:{STRIPE}:device:DEVICE   hash: a device's summary, and the tree of its instants
    bw:{STRIPE}:devices         sorted set: the keys of the devices; their scores mean nothing
    bw:{STRIPE}:stale           sorted set: the same keys, by the time from which on entries of them can be dropped
    bw:{STRIPE}:entries         number: how many entries these devices have
    bw:{STRIPE}:busy:0 to 3     sorted sets: devices by their bytes since a slot of time began, see `spans.lua`
    bw:{STRIPE}:listings        set: markers of the parts of listings that were stored

A row is one little-endian integer that packs a time and three sums. The sums are one integer too, so that a single
addition adds all three, and a single subtraction takes all three from sums that contain them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot

from bandwidth.entries import Condensed, Rows
from bandwidth.interface import DeviceSummary

#: Bits of a row's time, of its number of entries, and of each of its two sums of bytes.
TIME_BITS, COUNT_BITS, SUM_BITS = 56, 48, 96
TIME_SIZE = TIME_BITS // 8
SUMS_SIZE = (COUNT_BITS + 2 * SUM_BITS) // 8
ROW_SIZE = TIME_SIZE + SUMS_SIZE
#: A summary is the first and last time and the sums; a head adds what only the server needs.
SUMMARY_SIZE = 2 * TIME_SIZE + SUMS_SIZE
HEAD_SIZE = SUMMARY_SIZE + 12
#: The server's numbers are doubles, so it splits a sum of bytes into two words: the low bits, and those above.
LOW_BITS = 48
#: Spans that have a key: a write adds to three, and what a server with a slow clock adds to is left alone.
SPAN_KEYS, SPANS_ADDED = 4, 3
#: What a new device costs a call, in rows.
DEVICE_COST = 10


class Stripe(NamedTuple):
    """The keys of a stripe, the devices that share a hash slot."""

    registry: bytes
    stale: bytes
    entries: bytes
    listings: bytes
    busy: bytes
    prefix: bytes

    @classmethod
    def tagged(cls, name: bytes, tag: int) -> Stripe:
        """Return the keys of the store called `name` with a hash tag."""
        kinds = (b"devices", b"stale", b"entries", b"listings", b"busy", b"device:")
        return cls(*(b"%b:{%d}:%b" % (name, tag, kind) for kind in kinds))

    @property
    def all_devices(self) -> tuple[bytes, bytes, bytes]:
        """The keys that a call needs to add or remove devices."""
        return self.registry, self.stale, self.entries

    def spans(self, first: int, count: int) -> list[bytes]:
        """Return the keys of spans, from that with the number `first` on; one key has every fourth."""
        return [b"%b:%d" % (self.busy, span % SPAN_KEYS) for span in range(first, first + count)]


class Part(NamedTuple):
    """The devices of one stripe and their rows, for one call."""

    stripe: Stripe
    devices: list[bytes]
    rows: list[bytes]


def portions(stripe: Stripe, devices: Iterable[tuple[bytes, bytes]], most: int) -> Iterator[Part]:
    """Yield devices and their rows in portions that cost at most `most` rows."""
    part, cost, longest = Part(stripe, [], []), 0, (most - DEVICE_COST) * ROW_SIZE
    for key, rows in devices:
        for at in range(0, len(rows), longest):
            piece = rows[at : at + longest]
            costs = len(piece) // ROW_SIZE + DEVICE_COST
            if cost + costs > most and part.devices:
                yield part
                part, cost = Part(stripe, [], []), 0
            part.devices.append(key)
            part.rows.append(piece)
            cost += costs
    yield part


def stripes(name: bytes, number: int) -> list[Stripe]:
    """Return `number` stripes, their slots spread evenly over the cluster's, so that each node gets its share."""
    tags: dict[int, int] = {}
    for tag in count():
        if len(tags) == number:
            break
        tags.setdefault(key_slot(b"%d" % tag) * number // REDIS_CLUSTER_HASH_SLOTS, tag)
    return [Stripe.tagged(name, tags[place]) for place in range(number)]


def row_of(timestamp: int, bytes_ts: int, bytes_fs: int) -> bytes:
    """Return the row of one entry."""
    sums = 1 | bytes_ts << COUNT_BITS | bytes_fs << COUNT_BITS + SUM_BITS
    return (timestamp | sums << TIME_BITS).to_bytes(ROW_SIZE, "little")


def rows_of(entries: Condensed) -> bytes:
    """Return one row for each device and instant, with the sums of its own entries only."""
    sums = np.diff(entries.sums, axis=0, prepend=0)
    words = [sums[:, 0]]
    for column in sums[:, 1:].T:
        words += [column & ((1 << LOW_BITS) - 1), column >> LOW_BITS]
    table = [_bytes(entries.times, TIME_SIZE), *(_bytes(word, LOW_BITS // 8) for word in words)]
    return np.concatenate(table, axis=1).tobytes()


def _bytes(numbers: Rows, size: int) -> NDArray[np.uint8]:
    """Return the low `size` bytes of each number, little-endian."""
    return numbers.astype("<i8").view(np.uint8).reshape(-1, 8)[:, :size]


def sums_in(data: bytes, count: int) -> Iterator[int]:
    """Yield `count` sums. Each is sent as equally many addends; all but its last are often those of the sum before."""
    size = len(data) // count
    known, base = b"", 0
    for start in range(0, len(data), size):
        last = start + size - SUMS_SIZE
        if data[start:last] != known:
            known = data[start:last]
            base = sum(int.from_bytes(known[at : at + SUMS_SIZE], "little") for at in range(0, len(known), SUMS_SIZE))
        yield base + int.from_bytes(data[last : last + SUMS_SIZE], "little")


def numbers(sums: int) -> tuple[int, int, int]:
    """Unpack sums: the number of entries, and the bytes to and from the server.

    >>> numbers(int.from_bytes(row_of(timestamp=5, bytes_ts=7, bytes_fs=9), "little") >> TIME_BITS)
    (1, 7, 9)
    """
    return (
        sums & (1 << COUNT_BITS) - 1,
        sums >> COUNT_BITS & (1 << SUM_BITS) - 1,
        sums >> COUNT_BITS + SUM_BITS,
    )


def summary_of(device_id: str, answer: bytes) -> DeviceSummary:
    """Return a device's summary from the answer of `heads`.

    An answer longer than a head goes on with the first instant that is kept and the sums before it.
    """
    first, last = answer[:TIME_SIZE], answer[TIME_SIZE : 2 * TIME_SIZE]
    sums = int.from_bytes(answer[2 * TIME_SIZE : SUMMARY_SIZE], "little")
    if len(answer) > HEAD_SIZE:
        first, before = answer[HEAD_SIZE : HEAD_SIZE + TIME_SIZE], answer[HEAD_SIZE + TIME_SIZE :]
        sums -= next(sums_in(before, 1))
    entries, bytes_ts, bytes_fs = numbers(sums)
    return DeviceSummary(
        device_id, entries, int.from_bytes(first, "little"), int.from_bytes(last, "little"), bytes_ts, bytes_fs
    )
