"""The entries of users in a Redis or Valkey, which name the devices of their series, as the store changes them.

On one node the functions that create and delete series do it themselves. Plain Python; knows no framework.
"""

from __future__ import annotations

from collections.abc import Sequence

from datapoints.redis.layout import Layout
from datapoints.redis.library import LIBRARY
from timeseries_project.storage.client import Call
from timeseries_project.storage.lua import Function

ENTER = LIBRARY.function("datapoints_enter")
LEAVE = LIBRARY.function("datapoints_leave")
UNMARK = LIBRARY.function("datapoints_unmark")


class UserIndex:
    """The entries of all users, each under its user's base. Errors are those of `Storage`."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

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
