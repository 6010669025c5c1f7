"""Batches of datapoints on their way to a Redis or Valkey: sorted, and cut into what one call may bring.

Plain Python and NumPy; knows no framework. Times are microseconds since the Unix epoch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from struct import pack
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from datapoints.interface import QUARTER_HOUR
from datapoints.redis.layout import Layout
from timeseries_project.core.arrays import Keys, run_lengths, run_starts, stable_order
from timeseries_project.core.summation import Floats, Integers, grouped_sums

#: Points that one call brings at most. It is told to bring fewer where many are late: see LATE_PAGES in the Lua file.
POINTS_AT_ONCE = 10_000


class Part(NamedTuple):
    """Points of one series, sorted, as the server takes them; `low` is the row where they begin in the batch."""

    device: str
    user: str
    low: int
    points: bytes
    sums: bytes

    @classmethod
    def of_one(cls, time: int, value: float, device: str, user: str) -> Part:
        """Return one point as a part."""
        return cls(device, user, 0, pack("<dd", time, value), pack("<dddd", time // QUARTER_HOUR, 1, value, 0.0))


@dataclass(slots=True)
class Group:
    """Parts that one call adds, all or none of them: neighbouring rows of the batch."""

    base: bytes
    parts: list[Part] = field(default_factory=list)
    rows: int = 0
    #: By the part's place: what its entry in its user's index carries, where that must be there first.
    tokens: dict[int, bytes] = field(default_factory=dict)

    @property
    def span(self) -> slice:
        """Its rows in the batch."""
        return slice(self.parts[0].low, self.parts[0].low + self.rows)

    def arguments(self) -> Iterator[str | bytes]:
        """Yield what is sent of it."""
        for place, (device, user, _, points, sums) in enumerate(self.parts):
            yield from (device, user, self.tokens.get(place, b""), points, sums)

    def marks(self) -> Iterator[tuple[str, str, bytes]]:
        """Yield device, user and token of the series that it was about to create in a cluster."""
        return ((self.parts[place].device, self.parts[place].user, token) for place, token in self.tokens.items())

    def rows_of(self, pairs: Sequence[int]) -> list[int]:
        """Return the batch's rows of what the server tells: pairs of a part's place and a row in it."""
        return [self.parts[place].low + row for place, row in zip(pairs[::2], pairs[1::2], strict=True)]


class Batch:
    """Points sorted by where their series are, series and time."""

    def __init__(self, layout: Layout, times: Integers, values: Floats, devices: Keys, users: Keys) -> None:
        """Sort them; of equal ones, those that came first come first. O(n)."""
        self._devices, self._users = devices.names, users.names
        self._bases = [layout.base(device) for device in devices.names]
        # Devices of one base stand together.
        self._ranked = sorted(range(len(self._bases)), key=self._bases.__getitem__)
        ranks = np.empty(len(self._ranked), dtype=np.int64)
        ranks[self._ranked] = np.arange(len(self._ranked))
        codes = ranks[devices.codes] * len(users.names) + users.codes
        #: Where the points came from.
        self.positions = stable_order(times, codes)
        self._codes, self._times, self._values = codes[self.positions], times[self.positions], values[self.positions]
        #: Rows of different portions go in different calls.
        self._portions = np.zeros(len(times), dtype=np.int64)

    def __len__(self) -> int:
        return len(self._times)

    def repeated(self) -> NDArray[np.bool_]:
        """Return which points occur in the batch already."""
        found = np.zeros(len(self), dtype=bool)
        found[1:] = (self._codes[1:] == self._codes[:-1]) & (self._times[1:] == self._times[:-1])
        return found

    def keep(self, chosen: NDArray[np.bool_]) -> None:
        """Leave out all other rows."""
        for name in ("positions", "_codes", "_times", "_values", "_portions"):
            setattr(self, name, getattr(self, name)[chosen])

    def divide(self, row: int) -> None:
        """Let a new portion begin at a row."""
        self._portions[row:] += 1

    def groups(self) -> list[Group]:
        """Put together what one call can add. O(points), a loop over series only."""
        groups: list[Group] = []
        last = -1
        for base, portion, part in self._parts():
            rows = len(part.points) // 16
            if not groups or portion != last or groups[-1].base != base or groups[-1].rows + rows > POINTS_AT_ONCE:
                groups.append(Group(base))
                last = portion
            groups[-1].parts.append(part)
            groups[-1].rows += rows
        return groups

    def _parts(self) -> Iterator[tuple[bytes, int, Part]]:
        """Yield the points of each series, with their sums by quarter-hours; with their base and portion."""
        numbers = self._times // QUARTER_HOUR
        quarters = run_starts(self._codes, numbers, self._portions)
        counts = run_lengths(quarters, len(numbers))
        sums = np.column_stack((numbers[quarters], counts, *grouped_sums(self._values, quarters))).tobytes()
        points = np.column_stack((self._times, self._values)).tobytes()
        starts = run_starts(self._codes, self._portions)
        ranks, users = np.divmod(self._codes[starts], len(self._users))
        rows = pairwise([*starts.tolist(), len(numbers)])
        places = pairwise([*np.searchsorted(quarters, starts).tolist(), len(quarters)])
        owners = zip(ranks.tolist(), users.tolist(), self._portions[starts].tolist(), strict=True)
        for (rank, user, portion), (low, high), (first, last) in zip(owners, rows, places, strict=True):
            device = self._ranked[rank]
            yield (
                self._bases[device],
                portion,
                Part(
                    self._devices[device],
                    self._users[user],
                    low,
                    points[low * 16 : high * 16],
                    sums[first * 32 : last * 32],
                ),
            )
