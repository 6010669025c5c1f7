"""The location of series of datapoints in a Redis or Valkey, and the calls that read them.

Plain Python and NumPy; knows no framework. The other half is `redis/lua/`, whose `includes/layout.lua` describes the
keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from struct import Struct
from typing import Any, NamedTuple
from zlib import crc32

from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot

from datapoints.interface import Axis
from datapoints.redis.library import LIBRARY
from timeseries_project.storage.client import Call, Storage
from timeseries_project.storage.lua import Function
from timeseries_project.storage.nodes import Argument

#: The beginning of every key. Its number changes with the format of rows: rows of an earlier format are not read.
PREFIX = b"dp2"
#: Later than every timestamp.
NEVER = 2**53
#: The number of slots used in a cluster, evenly spaced, so that each node has its share.
STRIPES = 64
#: The largest number of devices, users or series that one call asks for.
KEYS_AT_ONCE = 1_000
#: The approximate number of names that one call lists.
NAMES_AT_ONCE = 5_000
#: The largest number of blocks that one call copies: about a mebibyte.
BLOCKS_AT_ONCE = 1_000
#: The largest number of blocks of quarter-hours sent when the series of a key are opened: some weeks of one series.
BLOCKS_AHEAD = 32

LOOK = LIBRARY.function("datapoints_look")
LOOK_THROUGH = LIBRARY.function("datapoints_look_through")
NAMES = LIBRARY.function("datapoints_names")
OPEN = LIBRARY.function("datapoints_open")
NEIGHBOURS = LIBRARY.function("datapoints_neighbours")
READ = LIBRARY.function("datapoints_read")
READ_BACK = LIBRARY.function("datapoints_read_back")
TOTALS = LIBRARY.function("datapoints_totals")

#: The figures of a series that are used here: count, late, corrected, first, last, epoch.
_FIGURES = Struct("<IIIddd")


class Figures(NamedTuple):
    """Figures of a series: number of points, first and last time, and how often it was changed other than at its end.

    `corrected` counts how often points were removed from within it or replaced, `late` also the additions of late ones.
    The epoch is a random number that distinguishes the series from earlier ones of the same name.
    """

    points: int
    late: int
    corrected: int
    first: int
    last: int
    epoch: float

    @classmethod
    def read(cls, packed: bytes) -> Figures | None:
        """Unpack the server's form; None if there is no series: nothing, or only the mark of one to come."""
        if len(packed) < _FIGURES.size:
            return None
        points, late, corrected, first, last, epoch = _FIGURES.unpack_from(packed)
        return cls(points, late, corrected, int(first), int(last), epoch)


class Series(NamedTuple):
    """A series, with its figures when they were read."""

    device: str
    user: str
    figures: Figures


class Chunk(NamedTuple):
    """Consecutive rows of a column, the figures of the series at that moment, and the key at which to continue.

    Blocks are sent whole, so the rows may begin before the requested range and end after it.
    """

    figures: Figures | None
    rows: bytes
    following: int | None


def stripe_bases(one_node: bool) -> list[bytes]:
    """Return the bases, with which all keys begin: one on one node; in a cluster one per stripe, each in its own slot.

    >>> stripe_bases(one_node=True)
    [b'dp2:{0}']
    >>> bases = stripe_bases(one_node=False)
    >>> len(bases), len({key_slot(base) for base in bases})
    (64, 64)
    """
    if one_node:
        return [b"%s:{0}" % PREFIX]
    tags: dict[int, int] = {}
    for number in count():
        tags.setdefault(key_slot(b"%d" % number) * STRIPES // REDIS_CLUSTER_HASH_SLOTS, number)
        if len(tags) == STRIPES:
            break
    return [b"%s:{%d}" % (PREFIX, tags[stripe]) for stripe in range(STRIPES)]


def _pairs(flat: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
    return zip(flat[::2], flat[1::2], strict=True)


class Layout:
    """Calls of the functions that read, each sent to the node that has the keys. Errors are those of `Storage`."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.bases = stripe_bases(storage.one_node)

    def base(self, name: str) -> bytes:
        """Return the base of the series of a device, or of the entries of a user."""
        return self.bases[crc32(name.encode()) % len(self.bases)] if len(self.bases) > 1 else self.bases[0]

    def grouped(self, names: Iterable[str]) -> list[tuple[bytes, list[int]]]:
        """Return the places of the names by base, in groups of at most KEYS_AT_ONCE."""
        groups: list[tuple[bytes, list[int]]] = []
        open_groups: dict[bytes, list[int]] = {}
        for place, name in enumerate(names):
            base = self.base(name)
            group = open_groups.get(base)
            if group is None or len(group) == KEYS_AT_ONCE:
                group = open_groups[base] = []
                groups.append((base, group))
            group.append(place)
        return groups

    def look(self, letter: str, pairs: Sequence[tuple[str, str]]) -> list[dict[str, bytes]]:
        """Read hashes: those of devices (letter d) hold figures by user, those of users (u) tokens by device.

        A pair names the hash and a field, or "" for all fields.
        """
        groups = self.grouped([key for key, _ in pairs])
        calls = [
            Call(LOOK, [base], [letter, *(name for place in places for name in pairs[place])], read_only=True)
            for base, places in groups
        ]
        return self._spread(len(pairs), groups, self.storage.calls(calls))

    def _look_through(self, users: Sequence[str]) -> list[dict[str, bytes]]:
        groups = self.grouped(users)
        calls = [Call(LOOK_THROUGH, [base], [users[at] for at in places], read_only=True) for base, places in groups]
        return self._spread(len(users), groups, self.storage.calls(calls))

    @staticmethod
    def _spread(length: int, groups: list[tuple[bytes, list[int]]], replies: list[Any]) -> list[dict[str, bytes]]:
        answers: list[dict[str, bytes]] = [{}] * length
        for (_, places), reply in zip(groups, replies, strict=True):
            for place, flat in zip(places, reply, strict=True):
                answers[place] = {name.decode(): value for name, value in _pairs(flat)}
        return answers

    def members(self, axis: Axis, keys: Sequence[str]) -> list[list[Series]]:
        """Return the series of each of these devices or users, by the other key. O(series).

        One exchange; two for users in a cluster, whose series may be on other nodes than the user's entries.
        """
        if axis == "device":
            found = self.look("d", [(key, "") for key in keys])
        elif self.storage.one_node:
            found = self._look_through(keys)
        else:
            entries = self.look("u", [(key, "") for key in keys])
            pairs = [(device, user) for user, devices in zip(keys, entries, strict=True) for device in devices]
            packed = dict(zip(pairs, self.look("d", pairs), strict=True))
            found = [
                {device: packed[device, user][user] for device in devices}
                for user, devices in zip(keys, entries, strict=True)
            ]
        return [self._series(axis, key, others) for key, others in zip(keys, found, strict=True)]

    def one(self, device: str, user: str) -> list[Series]:
        """Return one series in a list; an empty list if it does not exist."""
        [found] = self.look("d", [(device, user)])
        return self._series("device", device, found)

    @staticmethod
    def _series(axis: Axis, key: str, others: dict[str, bytes]) -> list[Series]:
        return [
            Series(key, other, figures) if axis == "device" else Series(other, key, figures)
            for other, packed in sorted(others.items())
            if (figures := Figures.read(packed)) is not None
        ]

    def opened(self, axis: Axis, key: str, ahead: range) -> list[tuple[Series, Chunk]]:
        """Return the series of a device or user, each with its first sums of the quarter-hours in `ahead`.

        One exchange; two for a user in a cluster, without any sums.
        """
        if axis == "user" and not self.storage.one_node:
            nothing_yet = ahead.start if ahead else None
            return [(one, Chunk(one.figures, b"", nothing_yet)) for one in self.members(axis, [key])[0]]
        arguments: list[Argument] = [axis[0], key, ahead.start, ahead.stop, BLOCKS_AHEAD if ahead else 0]
        found = []
        for name, packed, blocks, following in self.storage.call(
            Call(OPEN, [self.base(key)], arguments, read_only=True)
        ):
            figures = Figures.read(packed)
            assert figures is not None
            other = name.decode()
            series = Series(key, other, figures) if axis == "device" else Series(other, key, figures)
            found.append((series, Chunk(figures, b"".join(blocks), int(following) if following else None)))
        return sorted(found)

    def totals(self) -> list[list[int]]:
        """Return the counts of each base: devices, users, series, points, points ever added."""
        return self.storage.calls([Call(TOTALS, [base], read_only=True) for base in self.bases])

    def totals_in_reach(self) -> list[list[int] | None]:
        """Return the same; None for a base whose server is failing."""
        return self.storage.calls_in_reach([Call(TOTALS, [base], read_only=True) for base in self.bases])

    def names(self, axis: Axis) -> list[str]:
        """Return all devices or users, in any order; some may have no points any more, or not yet. O(names)."""
        found: set[bytes] = set()
        cursors = dict.fromkeys(self.bases, b"0")
        while cursors:
            letter = "D" if axis == "device" else "U"
            calls = [Call(NAMES, [base], [letter, at, NAMES_AT_ONCE], read_only=True) for base, at in cursors.items()]
            replies = self.storage.calls(calls)
            for base, (cursor, some) in zip(list(cursors), replies, strict=True):
                found.update(some)
                if cursor == b"0":
                    del cursors[base]
                else:
                    cursors[base] = cursor
        return [name.decode() for name in found]

    def read(
        self, letter: str, wanted: Sequence[tuple[Series, int]], stop: int, *, rows: int = 0, whole: bool = False
    ) -> list[Chunk | None]:
        """Read rows of columns, points (letter p) or sums (s): from the key given with each series, before `stop`.

        At most `rows` rows of each series (0: all). Where one call would copy too many blocks a chunk is None or ends
        early; `whole` reads everything in one call, however much.
        """
        return self._read(READ, [letter, stop, rows, -1 if whole else BLOCKS_AT_ONCE], wanted)

    def _read(
        self, function: Function, limits: list[Argument], wanted: Sequence[tuple[Series, int]]
    ) -> list[Chunk | None]:
        groups = self.grouped([series.device for series, _ in wanted])
        calls = []
        for base, places in groups:
            names = (part for at in places for part in (wanted[at][0].device, wanted[at][0].user, wanted[at][1]))
            calls.append(Call(function, [base], [*limits, *names], read_only=True))
        chunks: list[Chunk | None] = [None] * len(wanted)
        for (_, places), reply in zip(groups, self.storage.calls(calls), strict=True):
            for place, (packed, blocks, following) in zip(places, reply, strict=False):
                chunks[place] = Chunk(Figures.read(packed), b"".join(blocks), int(following) if following else None)
        return chunks

    def read_back(
        self, letter: str, wanted: Sequence[tuple[Series, int]], start: int, *, rows: int
    ) -> list[Chunk | None]:
        """Read up to `rows` rows of columns backwards: those before the key given with each series, from `start` on.

        The rows of a chunk come block by block, the last block first, and in each in order; some may lie before
        `start`. What is left of it lies before `following`. Otherwise as `read`.
        """
        return self._read(READ_BACK, [letter, start, rows, BLOCKS_AT_ONCE], wanted)

    def neighbours(self, series: Sequence[Series], time: int) -> tuple[int | None, int | None]:
        """Return the time of the last point before `time`, and of the first at or after it, in all these series."""
        groups = self.grouped([one.device for one in series])
        calls = [
            Call(NEIGHBOURS, [base], [time, *(name for at in places for name in series[at][:2])], read_only=True)
            for base, places in groups
        ]
        replies = self.storage.calls(calls)
        before = max((before for before, _ in replies), default=-1)
        after = min((after for _, after in replies if after >= 0), default=None)
        return None if before < 0 else before, after
