"""The store of datapoints in a Redis or Valkey, one node or a cluster, for any number of processes.

Plain Python and NumPy; knows no framework. Times are microseconds since the Unix epoch. docs/storage.md says what is
atomic.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from struct import pack

import numpy as np

from datapoints.interface import (
    QUARTER_HOUR,
    Axis,
    DuplicatePointsError,
    FullError,
    KeySummary,
    OnDuplicate,
    Outlines,
    Point,
    PointColumns,
    Totals,
)
from datapoints.redis.batches import Batch, Group, Part
from datapoints.redis.capacity import BaseCounts, Room
from datapoints.redis.layout import KEYS_AT_ONCE, NEVER, Layout, Series
from datapoints.redis.library import LIBRARY
from datapoints.redis.listing import Wanted, read_listing
from datapoints.redis.outlines import read_outlines
from datapoints.redis.reading import RedisView, newest_point, summary_of
from datapoints.redis.user_index import LEAVE, UserIndex
from timeseries_project.core.arrays import Keys, gathered, matching
from timeseries_project.core.key_order import in_order
from timeseries_project.core.summation import Floats, Integers
from timeseries_project.storage.client import Call, Storage
from timeseries_project.storage.errors import StorageFullError
from timeseries_project.storage.lua import Function
from timeseries_project.storage.versions import Unversioned

ADD = LIBRARY.function("datapoints_add")
CHECK = LIBRARY.function("datapoints_check")
CLEAR = LIBRARY.function("datapoints_clear")
CUT = LIBRARY.function("datapoints_cut")
DELETE = LIBRARY.function("datapoints_delete")
ERASE = LIBRARY.function("datapoints_erase")
REPLACE = LIBRARY.function("datapoints_replace")


class _Answer:
    """The outcome of adding a group: rows that are stored already, or the row at which it exceeded one call.

    If there is neither, the group was added; where values are replaced, also if some were stored already.
    """

    __slots__ = ("found", "stopped")

    def __init__(self, found: list[int], stopped: int | None) -> None:
        self.found = found
        self.stopped = stopped


class RedisStore(Unversioned):
    """All series, by device and user. Every method may also raise the errors of `Storage`.

    After such an error a write may have been done, for all series or some. Repeated, with duplicates skipped or
    replaced, it ends in the right state.
    """

    def __init__(self, storage: Storage, *, max_points: int = 2**53, max_series: int = 2**53) -> None:
        self.max_points = max_points
        self.max_series = max_series
        self._storage = storage
        self._layout = Layout(storage)
        self._room = Room(self._layout)
        self._index = UserIndex(self._layout)
        #: Whether the entries of users are under the same base as the series, so that one call changes both.
        self._here = b"1" if storage.one_node else b"0"

    def add(self, time: int, value: float, device: str, user: str, *, oldest: int = 0) -> bool:
        """Add one point; return False, and change nothing, if it exists already.

        One exchange; four for a new series in a cluster. A point before `oldest` is passed over.
        """
        group = Group(self._layout.base(device))
        if time < oldest:
            self._sweep([group.base], oldest)
            return True
        group.parts.append(Part.of_one(time, value, device, user))
        group.rows = 1
        [answer] = self._add([group], oldest, ADD)
        return not answer.found

    def add_batch(
        self,
        times: Integers,
        values: Floats,
        devices: Sequence[str] | Keys,
        users: Sequence[str] | Keys,
        *,
        on_duplicate: OnDuplicate = OnDuplicate.ERROR,
        oldest: int = 0,
    ) -> int:
        """Add points in any order; return how many are new. Duplicates and FullError are as in `interface.Store`.

        A batch that fits one call is added wholly or not at all. If it takes several, everything is checked before
        the first one adds, and each adds all of its points or nothing.
        """
        batch = Batch(self._layout, times, values, Keys.of(devices), Keys.of(users))
        created, replace = 0, on_duplicate is OnDuplicate.REPLACE
        if oldest and len(batch) and times.min() < oldest:
            batch.keep(times[batch.positions] >= oldest)
        repeated = batch.repeated(but_last=replace)
        twice = batch.positions[repeated]
        if len(twice):
            batch.keep(~repeated)
        groups = batch.groups() if len(batch) else []
        whole = len(groups) == 1 and (on_duplicate is not OnDuplicate.ERROR or not len(twice))
        while groups:
            if not whole:
                groups = self._checked(batch, groups, twice, on_duplicate, oldest)
                whole = True
            rest = np.zeros(len(batch), dtype=bool)
            divisions = []
            for group, answer in zip(groups, self._add(groups, oldest, REPLACE if replace else ADD), strict=True):
                rest[group.span] = answer.stopped is not None or (bool(answer.found) and not replace)
                if answer.stopped is not None:
                    divisions.append(answer.stopped)
                    whole = len(groups) > 1  # nothing was added: the batch now takes several calls
                elif replace or not answer.found:
                    created += group.rows - len(answer.found)
                elif on_duplicate is OnDuplicate.SKIP:
                    rest[answer.found] = False
                else:
                    raise DuplicatePointsError(batch.positions[answer.found])
            for row in divisions:
                batch.divide(row)
            batch.keep(rest)
            groups = batch.groups() if len(batch) else []
        return created

    def _checked(
        self, batch: Batch, groups: list[Group], twice: Integers, on_duplicate: OnDuplicate, oldest: int
    ) -> list[Group]:
        """Check a batch that takes several calls before the first one adds; return the group for each call.

        Removes stored points if duplicates are skipped, and divides what is too much for one call.
        """
        self._sweep(dict.fromkeys(group.base for group in groups), oldest)
        found: list[int] = []
        series = 0
        while groups:
            calls = [Call(CHECK, [group.base], [*group.arguments()]) for group in groups]
            unseen = []
            for group, (pairs, stop, new, *_) in zip(groups, self._storage.calls(calls), strict=True):
                found += group.rows_of(pairs)
                if stop:
                    [row] = group.rows_of(stop)
                    batch.divide(row)
                    batch.divide(group.span.stop)  # groups that were checked stay as they are
                    unseen.append(row)
                series += new
            groups = [group for group in batch.groups() if group.span.start in unseen] if unseen else []
        if on_duplicate is OnDuplicate.ERROR and (len(twice) or found):
            raise DuplicatePointsError(np.concatenate((twice, batch.positions[found])))
        new = len(batch) - len(found)
        if found and on_duplicate is OnDuplicate.SKIP:
            kept = np.ones(len(batch), dtype=bool)
            kept[found] = False
            batch.keep(kept)
        self._room.refuse_too_many(BaseCounts(self.max_points, self.max_series), BaseCounts(new, series))
        return batch.groups() if len(batch) else []

    def _add(self, groups: list[Group], oldest: int, function: Function) -> list[_Answer]:
        """Add groups, each wholly or not at all; return the outcome of each.

        In a cluster a new series is entered in its user's index before it is created. See `marks` in add.lua.
        """
        answers = [_Answer([], None)] * len(groups)
        pending = list(range(len(groups)))
        sweeps = self._sweeps(dict.fromkeys(group.base for group in groups), oldest)
        doubted: set[int] = set()
        try:
            while pending:
                replies = self._storage.calls([*sweeps, *(self._adding(groups[at], function) for at in pending)])
                self._index.leave_dropped(replies[: len(sweeps)])
                marked, again = [], []
                for at, reply in zip(pending, replies[len(sweeps) :], strict=True):
                    found, stop, full, marks, points, series = reply
                    group = groups[at]
                    self._room.learn(group.base, points, series)
                    if full:
                        # The other bases may hold less by now: read their counts and try once more.
                        if self._storage.one_node or at in doubted:
                            raise self._full(full)
                        doubted.add(at)
                        again.append(at)
                    elif marks:
                        group.tokens |= zip(marks[::2], marks[1::2], strict=True)
                        marked += [(group, place) for place in marks[::2]]
                        again.append(at)
                    else:
                        answers[at] = _Answer(group.rows_of(found), group.rows_of(stop)[0] if stop else None)
                if doubted:
                    self._room.look()
                entries = [(group.parts[at].user, group.parts[at].device, group.tokens[at]) for group, at in marked]
                self._index.enter(entries)
                pending, sweeps = again, []
        except (FullError, StorageFullError):
            self._index.withdraw([mark for at in pending for mark in groups[at].marks()])
            raise
        self._index.mend()
        return answers

    def _full(self, what: bytes) -> FullError:
        return FullError("points", self.max_points) if what == b"points" else FullError("series", self.max_series)

    def _adding(self, group: Group, function: Function) -> Call:
        beside = self._room.beside(group.base)
        epoch = pack("<d", 1 + secrets.randbits(52))
        room = self.max_points - beside.points, self.max_series - beside.series
        return Call(function, [group.base], [epoch, self._here, *room, *group.arguments()])

    def _sweeps(self, bases: Iterable[bytes], oldest: int) -> list[Call]:
        return [Call(CUT, [base], [self._here, oldest]) for base in bases] if oldest else []

    def _sweep(self, bases: Iterable[bytes], oldest: int) -> list[bytes]:
        """Drop points before `oldest` of some series under each base; return the bases that may have more."""
        bases = list(bases)
        calls = self._sweeps(bases, oldest)
        replies = self._storage.calls(calls) if calls else []
        self._index.leave_dropped(replies)
        return [base for base, (more, _) in zip(bases, replies, strict=False) if more]

    def _drop_expired(self, series: Sequence[Series], oldest: int) -> bool:
        """Drop points before `oldest` of these series in one step; return whether there were any."""
        behind = [one for one in series if one.figures.first < oldest]
        groups = self._layout.grouped(one.device for one in behind)
        calls = [
            Call(CUT, [base], [self._here, oldest, *(name for at in places for name in behind[at][:2])])
            for base, places in groups
        ]
        if calls:
            self._index.leave_dropped(self._storage.calls(calls))
        return bool(calls)

    def delete(
        self,
        axis: Axis,
        key: str,
        *,
        other: str | None = None,
        start: int = 0,
        end: int | None = None,
        oldest: int = 0,
    ) -> int:
        """Delete the points of a device or user with start <= time < end; return how many there were.

        O(its series and the blocks that go). Atomic for a device, and on one node for a user of up to KEYS_AT_ONCE
        devices; in a cluster a user's are deleted stripe by stripe.
        """
        if not key or other == "":
            return 0
        if oldest:
            while self._drop_expired(self._layout.members(axis, [key])[0], oldest):
                pass
        if other is None and start == 0 and end is None:
            return self._delete_all(axis, key)
        pairs = [(key, other or "") if axis == "device" else (other or "", key)]
        if axis == "user" and other is None:
            [devices] = self._layout.look("u", [(key, "")])
            pairs = [(device, key) for device in devices]
        start, stop = max(start, oldest), NEVER if end is None else end
        groups = self._layout.grouped(device for device, _ in pairs)
        calls = [
            Call(ERASE, [base], [self._here, start, stop, *(name for at in places for name in pairs[at])])
            for base, places in groups
        ]
        replies = self._storage.calls(calls)
        self._index.leave_dropped(replies)
        return sum(gone for gone, _ in replies)

    def _delete_all(self, axis: Axis, key: str) -> int:
        # The entries are read first: those made from now on have other tokens, and stay.
        entries: list[tuple[str, str, bytes]] = []
        if axis == "user":
            [devices] = self._layout.look("u", [(key, "")])
            entries = [(key, device, token) for device, token in devices.items()]
            pairs = [(device, key) for device in devices]
        else:
            pairs = [(key, "")]
            if not self._storage.one_node:
                [users] = self._layout.look("d", pairs)
                tokens = self._layout.look("u", [(user, key) for user in users])
                entries = [(user, key, token[key]) for user, token in zip(users, tokens, strict=True)]
        groups = self._layout.grouped(device for device, _ in pairs)
        replies = self._storage.calls(
            [
                Call(DELETE, [base], [self._here, *(name for at in places for name in pairs[at])])
                for base, places in groups
            ]
        )
        if not self._storage.one_node:
            self._index.change(LEAVE, entries)
        return sum(replies)

    def clear(self) -> None:
        """Delete everything, in steps, except the count of points ever added. Nothing should be added meanwhile."""
        bases = self._layout.bases
        while bases:
            replies = self._storage.calls([Call(CLEAR, [base]) for base in bases])
            bases = [base for base, more in zip(bases, replies, strict=True) if more]

    @contextmanager
    def view(self, axis: Axis, key: str, *, oldest: int = 0, ahead: range | None = None) -> Iterator[RedisView]:
        """Open the series of one device or user for reading; KeyError if it has none. Usually one exchange."""
        quarters = range(0)
        if ahead is not None:
            quarters = range(-(-max(ahead.start, oldest) // QUARTER_HOUR), -(-ahead.stop // QUARTER_HOUR))
        opened = self._layout.opened(axis, key, quarters) if key else []
        while self._drop_expired([series for series, _ in opened], oldest):
            opened = self._layout.opened(axis, key, quarters)
        if not opened:
            raise KeyError(key)
        yield RedisView(self._layout, opened, oldest, quarters)

    def keys(
        self,
        axis: Axis,
        search: str | None = None,
        limit: int | None = None,
        *,
        after: str | None = None,
        oldest: int = 0,
    ) -> list[KeySummary]:
        """Return the summaries of devices or users, by key. See `key_portions`."""
        return gathered(self.key_portions(axis, search, after=after, size=limit, oldest=oldest), limit)

    def key_portions(
        self,
        axis: Axis,
        search: str | None = None,
        *,
        after: str | None = None,
        size: int | None = None,
        oldest: int = 0,
    ) -> Iterator[list[KeySummary]]:
        """Yield the same in portions: one exchange per 5,000 of all names, then one per portion. O(names).

        A name that has no points any more, or not yet, is left out.
        """
        bases = self._layout.bases if oldest else []
        while bases:
            bases = self._sweep(bases, oldest)
        found = matching(self._layout.names(axis), search)
        names = in_order(name for name in found if after is None or name > after)
        size = min(size or KEYS_AT_ONCE, KEYS_AT_ONCE)
        for begin in range(0, len(names), size):
            some = names[begin : begin + size]
            members = self._layout.members(axis, some)
            summaries = [summary_of(name, series) for name, series in zip(some, members, strict=True) if series]
            if summaries:
                yield summaries

    def outlines(
        self, axis: Axis, keys: Sequence[str], *, start: int, width: int, count: int, oldest: int = 0
    ) -> Outlines:
        """Return the sums of each key in some spans. Two or three exchanges. See `read_outlines`."""
        return read_outlines(self._layout, axis, keys, start, width, count, oldest)

    def key(self, axis: Axis, key: str, *, oldest: int = 0) -> KeySummary:
        """Return the summary of one device or user; KeyError if it has no points. O(its series)."""
        with self.view(axis, key, oldest=oldest) as view:
            return summary_of(key, view.series)

    def latest(self, axis: Axis, key: str, *, oldest: int = 0) -> tuple[KeySummary, Point]:
        """Return the same, and its newest point: of several the last by the other key. One exchange more."""
        while True:
            with self.view(axis, key, oldest=oldest) as view:
                summary = summary_of(key, view.series)
                point = newest_point(self._layout, view.series)
            if point is not None:  # unless it was deleted in between
                return summary, point

    def totals(self, *, oldest: int = 0) -> Totals:
        """Return how much is stored. O(1).

        If a process or node of a cluster fails while it creates the first series of a device or user, that device or
        user counts until it is deleted.
        """
        self._sweep(self._layout.bases, oldest)
        devices, users, series, points, added = map(sum, zip(*self._layout.totals(), strict=True))
        return Totals(devices, users, series, points, None, added)

    def listing(
        self,
        *,
        device: str | None,
        user: str | None,
        start: int,
        end: int | None,
        after: tuple[int, str, str] | None,
        limit: int,
        descending: bool = False,
        oldest: int = 0,
    ) -> PointColumns:
        """Return up to `limit` points by time, device and user: those in [start, end) that come after `after`.

        O(series that match + limit + blocks that hold these points).
        """
        wanted = Wanted.of(max(start, oldest), end, after, limit, NEVER, descending)
        return read_listing(self._layout, device, user, wanted)
