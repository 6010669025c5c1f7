"""The entries of users in a Redis or Valkey, which name the devices of their series, as the store changes them.

On one node the functions that create and delete series do it themselves. Plain Python; knows no framework.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from contextlib import suppress
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
REMEMBERED, REMEMBERED_SECONDS = 50_000, 300
#: How many of these are looked at in one exchange.
LOOKED_AT_ONCE = 1_000


class UserIndex:
    """The entries of all users, each under its user's base. Errors are those of `Storage`."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        #: When an entry was made, of which device and user.
        self._made: deque[tuple[float, str, str]] = deque(maxlen=REMEMBERED)
        self._moves, self._mending = layout.storage.moves, Lock()

    def enter(self, entries: Sequence[tuple[str, str, bytes]]) -> None:
        """Make entries (user, device, token) of series that will be created, and remember them for a while."""
        self.change(ENTER, entries)
        now = clock.elapsed()
        self._made.extend((now, device, user) for user, device, _ in entries)

    def mend(self) -> None:
        """If a server took over since, make entries anew that it lacks, of those remembered whose series exist.

        A server that takes over may not have received the last writes of the one before it. Does nothing in nearly all
        cases; else two exchanges for each thousand remembered, and it is tried again after a failure.
        """
        moves = self._layout.storage.moves
        if moves == self._moves or not self._mending.acquire(blocking=False):
            return
        try:
            with suppress(StorageUnavailableError, StorageFullError):
                since = clock.elapsed() - REMEMBERED_SECONDS
                pairs = [(device, user) for made, device, user in self._made.copy() if made >= since]
                for begin in range(0, len(pairs), LOOKED_AT_ONCE):
                    self._enter_missing(pairs[begin : begin + LOOKED_AT_ONCE])
                self._moves = moves
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
