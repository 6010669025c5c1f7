"""What a shared storage holds instant by instant. Plain Python; knows no framework."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from bandwidth.interface import Instant
from bandwidth.redis.layout import ROW_SIZE, TIME_BITS, Stripe, numbers
from bandwidth.redis.library import LIBRARY
from timeseries_project.storage.client import Call, Storage

#: Devices that are read first and, as long as instants are missing, at most at once.
DEVICES_AT_FIRST, DEVICES_AT_ONCE = 4, 1_000

_instants = LIBRARY.function("bandwidth_instants")


class Place(NamedTuple):
    """A device, where it is stored, and the time from which on its instants are wanted."""

    name: str
    stripe: Stripe
    key: bytes
    start: int


def read_instants(storage: Storage, places: Iterable[Place], stop: int, limit: int) -> list[Instant]:
    """Return the first instants before `stop` of devices, device by device, up to `limit`.

    A few devices are read at first, and then four times as many each time: one exchange each, O(devices + instants).
    """
    found: list[Instant] = []
    rest, size = iter(places), DEVICES_AT_FIRST
    while len(found) < limit and (some := list(islice(rest, size))):
        found += _read(storage, some, stop, limit - len(found))
        size = min(4 * size, DEVICES_AT_ONCE)
    return found[:limit]


def _read(storage: Storage, places: Sequence[Place], stop: int, limit: int) -> Iterator[Instant]:
    """Read devices at once; of those that come after enough instants some may be left out."""
    groups: dict[Stripe, list[Place]] = {}
    for place in places:
        groups.setdefault(place.stripe, []).append(place)
    calls = [
        Call(_instants, [one.key for one in group], [stop, limit, *(one.start for one in group)], read_only=True)
        for group in groups.values()
    ]
    leaves = {
        place.name: answer
        for group, answers in zip(groups.values(), storage.calls(calls), strict=True)
        for place, answer in zip(group, answers, strict=False)
    }
    for place in places:
        if place.name not in leaves:
            return
        for leaf in leaves[place.name]:
            yield from _instants_in(place.name, leaf)


def _instants_in(name: str, leaf: bytes) -> Iterator[Instant]:
    """Yield the instants of the rows of a leaf, the first of which is only there for its sums."""
    before = int.from_bytes(leaf[:ROW_SIZE], "little") >> TIME_BITS
    for at in range(ROW_SIZE, len(leaf), ROW_SIZE):
        row = int.from_bytes(leaf[at : at + ROW_SIZE], "little")
        sums = row >> TIME_BITS
        _, bytes_ts, bytes_fs = numbers(sums - before)
        yield Instant(name, row & (1 << TIME_BITS) - 1, bytes_ts, bytes_fs)
        before = sums
