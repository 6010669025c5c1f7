"""The entries of users in a Redis or Valkey, which name the devices of their series, as the store changes them.

On one node the functions that create and delete series do it themselves. Plain Python; knows no framework.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from struct import pack
from threading import Lock

from datapoints.redis.layout import Figures, Layout
from datapoints.redis.library import LIBRARY
from timeseries_project.core import clock
from timeseries_project.storage.client import Call
from timeseries_project.storage.errors import StorageFullError, StorageUnavailableError
from timeseries_project.storage.lua import Function

ENTER = LIBRARY.function("datapoints_enter")
LEAVE = LIBRARY.function("datapoints_leave")
UNMARK = LIBRARY.function("datapoints_unmark")

#: The entries that a process remembers to have made: how many, and for how many seconds.
REMEMBERED, REMEMBERED_SECONDS = 20_000, 300
#: How many of these are looked at in one exchange, and after how many seconds again if their servers are failing.
LOOKED_AT_ONCE, MENDING_SECONDS = 1_000, 1.0


class UserIndex:
    """The entries of all users, each under its user's base. Errors are those of `Storage`."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        #: When an entry was made, of which device and user.
        self._made: deque[tuple[float, str, str]] = deque(maxlen=REMEMBERED)
        #: Devices and users whose entries may be missing.
        self._doubted: list[tuple[str, str]] = []
        self._moves, self._again, self._mending = layout.storage.moves, 0.0, Lock()

    def enter(self, entries: Sequence[tuple[str, str, bytes]]) -> None:
        """Make entries (user, device, token) of series that will be created, and remember them for a while."""
        self.change(ENTER, entries)
        now = clock.elapsed()
        self._made.extend((now, device, user) for user, device, _ in entries)

    def mend(self) -> None:
        """After another server took over, make entries anew that it lacks, of those remembered whose series exist.

        A server that takes over may not have received the last writes of the one before it. Does nothing in nearly all
        cases; else a thousand entries in two exchanges, and the rest at the next calls. Those of servers that are
        failing wait until these answer again.
        """
        storage, now = self._layout.storage, clock.elapsed()
        is_due = storage.moves != self._moves or (self._doubted and now >= self._again)
        if not is_due or not self._mending.acquire(blocking=False):
            return
        try:
            if storage.moves != self._moves:
                self._moves = storage.moves
                made = (pair for at, *pair in self._made.copy() if at >= now - REMEMBERED_SECONDS)
                self._doubted = [(device, user) for device, user in made]
            failing = set(filter(storage.is_failing, self._layout.bases))
            in_reach = (pair for pair in self._doubted if failing.isdisjoint(map(self._layout.base, pair)))
            chosen = list(islice(in_reach, LOOKED_AT_ONCE))
            self._again = now if chosen else now + MENDING_SECONDS
            with suppress(StorageUnavailableError, StorageFullError):
                self._enter_missing(chosen)
                done = set(chosen)
                self._doubted = [pair for pair in self._doubted if pair not in done]
        finally:
            self._mending.release()

    def _enter_missing(self, pairs: Sequence[tuple[str, str]]) -> None:
        series = self._layout.look("d", pairs)
        entries = self._layout.look("u", [(user, device) for device, user in pairs])
        missing = []
        for (device, user), of_device, of_user in zip(pairs, series, entries, strict=True):
            figures = Figures.read(of_device[user])
            token = figures and pack("<d", figures.epoch)
            if token and of_user[device] != token:
                missing.append((user, device, token))
        if missing:
            self.change(ENTER, missing)

    def change(self, function: Function, entries: Sequence[tuple[str, str, bytes]]) -> None:
        """Enter or remove entries (user, device, token), each under its user's base."""
        groups = self._layout.grouped(user for user, _, _ in entries)
        self._layout.storage.calls(
            [Call(function, [base], [part for at in places for part in entries[at]]) for base, places in groups]
        )

    def withdraw(self, marks: Sequence[tuple[str, str, bytes]]) -> None:
        """Remove marks (device, user, token) of series that will not be created, and then their entries.

        An entry is removed only if its mark was still there: then nobody can create the series with it any more.
        """
        groups = self._layout.grouped(device for device, _, _ in marks)
        replies = self._layout.storage.calls(
            [Call(UNMARK, [base], [part for at in places for part in marks[at]]) for base, places in groups]
        )
        gone = [
            at
            for (_, places), reply in zip(groups, replies, strict=True)
            for at, was_there in zip(places, reply, strict=True)
            if was_there
        ]
        self.change(LEAVE, [(marks[at][1], marks[at][0], marks[at][2]) for at in gone])

    def leave_dropped(self, replies: Sequence[tuple[int, list[bytes]]]) -> None:
        """In a cluster, remove the entries of series that were dropped as a whole."""
        if self._layout.storage.one_node:
            return
        dropped = [names for _, names in replies]
        entries = [
            (user.decode(), device.decode(), token)
            for names in dropped
            for user, device, token in zip(names[::3], names[1::3], names[2::3], strict=True)
        ]
        if entries:
            self.change(LEAVE, entries)
