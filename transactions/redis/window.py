"""The window of transactions in a Redis or Valkey that any number of processes share.

The same idea as in memory (`sliding_window.py`), with cells of 2 s, 40 ms and 1 ms. A ring of seconds beside these,
which stand for themselves, is the history. All rings are one string of fixed size, laid out as
`redis/lua/includes/ring.lua` says. To add is one call, a summary is one call for each stripe, all at once; the server
hands out the few cells that a summary is made of and the caller adds them up, for callers are many and the server is
one.

A server runs one function at a time, so on one node a single string serves as well as many. In a cluster, six strings
in six slots, the stripes, share the work. A value goes to any one of them, and a summary reads all.

The servers' clocks decide, so that processes whose clocks are wrong agree on which values are too old or too far
ahead. A value lives by the clock of the server that holds its stripe, from when it is accepted until it is sixty
seconds old: it counts exactly once and for exactly that long. If two servers' clocks differ, a summary shows their
stripes at moments that far apart. Asking one server for the time first would avoid that, but it would take two round
trips, and a value could be accepted that the next summary does not hold.

A string is gone by itself one turn of the ring of seconds, some ten minutes, after its last 2 s were begun.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from itertools import cycle
from struct import Struct
from threading import Lock

import numpy as np

from timeseries_project.core.summation import Floats, Integers
from timeseries_project.storage.client import Call, Storage
from timeseries_project.storage.errors import StorageUnavailableError
from timeseries_project.storage.versions import Unversioned
from transactions.interface import (
    HISTORY_SECONDS,
    KEPT_SECONDS,
    NOTHING,
    Second,
    Summary,
    TooFarAheadError,
    begin_of_history,
)
from transactions.memory.batches import columns
from transactions.redis.library import LIBRARY, SECOND_MS, TOP_MS
from transactions.redis.rows import condense

# How far a server's clock may step back without loss.
STEP_BACK_MS = 5_000

# Six, so that one, two, three or six servers carry equal shares; each tag lies in the middle of its sixth of the slots.
TAGS = ("tx376", "tx1415", "tx1425", "tx1298", "tx1763", "tx1753")

# Rows in one call at most, and of those that are added to the narrowest cells, for other calls wait meanwhile.
ROWS, PORTION = 10_000, 2_000

# Times up to here are exact as doubles; those beyond are too far ahead, or too old, by any clock.
FAR = 2**53

# The server's formats: a cell; a top, which is a cell and a number; a row, which is a time and a cell to add.
CELL, TOP, ROW = Struct("<5d"), Struct("<6d"), Struct("<6d")
LITTLE = np.dtype("<f8")
HIGH, LOW, COUNT, LEAST, MOST, NUMBER = range(6)

_add, _settle, _summary, _history, _clear = (
    LIBRARY.function(f"transactions_{name}") for name in ("add", "settle", "summary", "history", "clear")
)


class RedisWindow(Unversioned):
    """Statistics of the last `length_ms` milliseconds, exact to the millisecond, shared by all users of the storage.

    It keeps the promises of `interface.Window`; every method also raises what `Storage` does. Memory is fixed: 42 bytes
    for each millisecond of `length_ms + ahead_ms` and at most nine seconds more, and 48 for each second of the
    history and what may lie ahead, in each stripe that is used. Those
    who share a window give the same lengths. `now` is the caller's if `server_clock` is false, else it is ignored.

    A value whose answer was lost may or may not have been counted. After the clock steps back by up to five seconds,
    nothing is missing; after a longer step, values from before it may be.
    """

    def __init__(self, storage: Storage, *, length_ms: int, ahead_ms: int, server_clock: bool = True) -> None:
        """Share this storage's window; does not connect yet. A timestamp may be up to `ahead_ms` ahead of now."""
        self._storage = storage
        self._length, self._ahead = length_ms, ahead_ms
        self._server_clock = server_clock
        # Rounded up to whole cells, and one more because neither end need fall on a border.
        self._span = (-(-(length_ms + ahead_ms + STEP_BACK_MS) // TOP_MS) + 1) * TOP_MS
        reach = max(length_ms, KEPT_SECONDS * SECOND_MS) + ahead_ms + STEP_BACK_MS
        self._seconds = -(-reach // SECOND_MS) + 1
        # Rings of another length are another window, not one to be misread.
        tags = TAGS[: 1 if storage.one_node else None]
        self._keys = [b"tx:{%s}:%d:%d" % (tag.encode(), self._span, self._seconds) for tag in tags]
        self._turns = cycle(self._keys)
        self._turning = Lock()

    def add(self, timestamp: int, amount: float, *, now: int) -> bool:
        """Count an amount; return whether it was young enough. O(1), one round trip."""
        timestamp = min(max(-FAR, timestamp), FAR)
        row = ROW.pack(timestamp, amount, 0.0, 1.0, amount, amount)
        return self._add(self._next_key(), row, latest=timestamp, now=now) > 0

    def add_batch(self, timestamps: Sequence[int] | Integers, amounts: Sequence[float] | Floats, *, now: int) -> int:
        """Count each amount as `add` would; return how many were young enough. O(n log n).

        A batch of up to 10,000 distinct milliseconds takes one round trip, and a summary sees all or nothing of it. A
        larger one is sent in portions, in order of time. If it is refused, nothing of it is counted, but a summary may
        see a part of it, and only a part stays if the storage fails half-way.
        """
        times, values = columns(timestamps, amounts)
        if not len(times):
            return 0
        times = times.clip(-FAR, FAR)
        latest = int(times.max())
        # Values before that are too old by any clock that accepts the latest.
        held = times >= latest - self._ahead - self._length
        rows = condense(times[held], values[held])
        # By columns, then by rows.
        table = np.stack(rows, dtype=LITTLE, casting="same_kind").T
        portions = [table[i : i + ROWS].tobytes() for i in range(0, len(table), ROWS)]
        key = self._next_key()
        accepted = self._add(key, portions[0], latest=latest, now=now)
        return accepted + sum(self._add(key, portion, latest=None, now=now) for portion in portions[1:])

    def summary(self, *, now: int, length_ms: int | None = None) -> Summary:
        """Summarise all values that are young enough, also those ahead of now. O(1), one round trip to each node."""
        length = self._length if length_ms is None else length_ms
        arguments = (self._now(now), length, self._span)
        answers = self._storage.calls([Call(_summary, [key], arguments, read_only=True) for key in self._keys])
        cells = [cell for answer in answers for cell in self._cells(length, *answer)]
        if not cells:
            return NOTHING
        high, low, counts, least, most = zip(*cells, strict=True)
        return Summary.of((*high, *low), count=int(sum(counts)), least=min(least), most=max(most))

    def history(self, *, now: int, seconds: int = HISTORY_SECONDS) -> list[Second]:
        """Return a row for each of the last seconds, oldest first. One round trip to each node.

        In a cluster the latest of the servers' clocks says which is the last.
        """
        arguments = (self._now(now), self._span, self._seconds)
        answers = self._storage.calls([Call(_history, [key], arguments, read_only=True) for key in self._keys])
        begin = begin_of_history(max(now for now, _ in answers), seconds)
        cells: list[list[tuple[float, ...]]] = [[] for _ in range(seconds)]
        for cell in (cell for _, ring in answers for cell in TOP.iter_unpack(ring)):
            if cell[COUNT] and 0 <= cell[NUMBER] - begin < seconds:
                cells[int(cell[NUMBER]) - begin].append(cell)
        return [_second(timestamp, parts) for timestamp, parts in enumerate(cells, begin)]

    def clear(self) -> None:
        """Forget all values, the history too: each stripe at once, one stripe after the other. O(1)."""
        self._storage.calls([Call(_clear, [key]) for key in self._keys])

    def _next_key(self) -> bytes:
        """Return the key of the next stripe in turn, but of none whose server is failing if there is another."""
        with self._turning:
            key = next(self._turns)
            for _ in self._keys[1:]:
                if not self._storage.is_failing(key):
                    break
                key = next(self._turns)
            return key

    def _now(self, now: int) -> int | str:
        """Return the time to send to the server: '' if it should use its own clock."""
        return "" if self._server_clock else now

    def _add(self, key: bytes, rows: bytes, *, latest: int | None, now: int) -> int:
        """Add rows; return how many values were young enough. `latest` is the latest time, None if that was judged."""
        judged = "" if latest is None else latest
        arguments = (self._now(now), self._length, self._ahead, self._span, self._seconds, judged, rows, PORTION)
        accepted, now, portions = self._storage.call(Call(_add, [key], arguments))
        if latest is not None and accepted < 0:
            raise TooFarAheadError(latest, ahead_ms=self._ahead, now=now)
        self._settle(key, portions)
        return int(accepted)

    def _settle(self, key: bytes, portions: int) -> None:
        """Add up to so many portions of the rows that wait to the points: one by one, so that others are served too."""
        with suppress(StorageUnavailableError):  # they count, and may wait
            while portions and self._storage.call(Call(_settle, [key], (self._span, self._seconds))):
                portions -= 1

    @staticmethod
    def _cells(
        length: int, now: int, tops: bytes, blocks: bytes, points: bytes, waiting: bytes
    ) -> list[tuple[float, ...]]:
        """Return the cells in use that together hold exactly what is at most so old in a stripe."""
        first = (now - length) // TOP_MS
        in_use = [top for top in TOP.iter_unpack(tops) if top[COUNT]]
        cells = [top[:NUMBER] for top in in_use if top[NUMBER] > first]
        if any(top[NUMBER] == first for top in in_use):  # else the blocks do not stand for this time
            cut, *whole = CELL.iter_unpack(blocks)
            cells += whole
            if cut[COUNT]:
                cells += CELL.iter_unpack(points)
                cells += (row[1:] for row in ROW.iter_unpack(waiting))
        return [cell for cell in cells if cell[COUNT]]


def _second(timestamp: int, cells: list[tuple[float, ...]]) -> Second:
    """Return what the stripes' cells of one second hold together."""
    if not cells:
        return Second(timestamp, 0, None, None, None)
    high, low, counts, least, most, _ = zip(*cells, strict=True)
    return Second.of(timestamp, (*high, *low), count=int(sum(counts)), least=min(least), most=max(most))
