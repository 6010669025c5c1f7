"""Batches of datapoints on their way to a Redis or Valkey: sorted, and divided into calls of limited size.

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
from timeseries_project.core.rounding_kernels import add_groups
from timeseries_project.core.summation import Floats, Integers

#: The largest numbers of points in one call, unless they are of one series, and of series. The server asks for fewer
#: points where many are late: see LATE_RUNS.
POINTS_AT_ONCE, SERIES_AT_ONCE = 10_000, 1_000


class Part(NamedTuple):
    """Points of one series, sorted, in the form that the server takes; they begin in row `low` of the batch."""

    device: str
    user: str
    low: int
    points: bytes
    sums: bytes

    @classmethod
    def of_one(cls, time: int, value: float, device: str, user: str) -> Part:
        """Return a part with one point."""
        sums = pack("<ddddd", time // QUARTER_HOUR, 1, value + 0.0, 0.0, 0.0)  # there is no negative zero among sums
        return cls(device, user, 0, pack("<dd", time, value), sums)


@dataclass(slots=True)
class Group:
    """Parts that one call adds, all or none of them: consecutive rows of the batch."""

    base: bytes
    parts: list[Part] = field(default_factory=list)
    rows: int = 0
    #: The token of a part's entry in its user's index, by the place of the part, where the entry must exist first.
    tokens: dict[int, bytes] = field(default_factory=dict)

    def takes(self, base: bytes, rows: int) -> bool:
        """Whether a part with so many points may go in the same call."""
        fits = self.rows + rows <= POINTS_AT_ONCE and len(self.parts) < SERIES_AT_ONCE
        return self.base == base and fits

    @property
    def span(self) -> slice:
        """The rows of the group in the batch."""
        return slice(self.parts[0].low, self.parts[0].low + self.rows)

    def arguments(self) -> Iterator[str | bytes]:
        """Yield the arguments of the call that adds the group."""
        for place, (device, user, _, points, sums) in enumerate(self.parts):
            yield from (device, user, self.tokens.get(place, b""), points, sums)

    def marks(self) -> Iterator[tuple[str, str, bytes]]:
        """Yield device, user and token of each series that the group was about to create in a cluster."""
        return ((self.parts[place].device, self.parts[place].user, token) for place, token in self.tokens.items())

    def rows_of(self, pairs: Sequence[int]) -> list[int]:
        """Return rows of the batch, from the server's answer: pairs of the place of a part and a row in the part."""
        return [self.parts[place].low + row for place, row in zip(pairs[::2], pairs[1::2], strict=True)]


class Batch:
    """Points sorted by base, series and time."""

    def __init__(self, layout: Layout, times: Integers, values: Floats, devices: Keys, users: Keys) -> None:
        """Sort points stably. O(n)."""
        self._devices, self._users = devices.names, users.names
        self._bases = [layout.base(device) for device in devices.names]
        # Devices of one base are consecutive.
        self._ranked = sorted(range(len(self._bases)), key=self._bases.__getitem__)
        ranks = np.empty(len(self._ranked), dtype=np.int64)
        ranks[self._ranked] = np.arange(len(self._ranked))
        codes = ranks[devices.codes] * len(users.names) + users.codes
        #: The original position of each point.
        self.positions = stable_order(times, codes)
        self._codes, self._times, self._values = codes[self.positions], times[self.positions], values[self.positions]
        #: The portion of each row; rows of different portions go in different calls.
        self._portions = np.zeros(len(times), dtype=np.int64)

    def __len__(self) -> int:
        return len(self._times)

    def repeated(self, *, but_last: bool = False) -> NDArray[np.bool_]:
        """Return which points repeat an earlier one of the batch, as a mask; or all but the last of equal ones."""
        found = np.zeros(len(self), dtype=bool)
        repeating = found[:-1] if but_last else found[1:]
        repeating[:] = (self._codes[1:] == self._codes[:-1]) & (self._times[1:] == self._times[:-1])
        return found

    def keep(self, chosen: NDArray[np.bool_]) -> None:
        """Keep only the chosen rows."""
        for name in ("positions", "_codes", "_times", "_values", "_portions"):
            setattr(self, name, getattr(self, name)[chosen])

    def divide(self, row: int) -> None:
        """Begin a new portion at a row."""
        self._portions[row:] += 1

    def groups(self) -> list[Group]:
        """Return groups, each of which one call can add. O(points), but loops over series only."""
        groups: list[Group] = []
        last = -1
        for base, portion, part in self._parts():
            rows = len(part.points) // 16
            if not groups or portion != last or not groups[-1].takes(base, rows):
                groups.append(Group(base))
                last = portion
            groups[-1].parts.append(part)
            groups[-1].rows += rows
        return groups

    def _parts(self) -> Iterator[tuple[bytes, int, Part]]:
        """Yield base, portion and part of each series; a part has the points and their sums per quarter-hour."""
        numbers = self._times // QUARTER_HOUR
        quarters = run_starts(self._codes, numbers, self._portions)
        counts = run_lengths(quarters, len(numbers))
        sums = np.column_stack((numbers[quarters], counts, *sums_of_groups(self._values, quarters))).tobytes()
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
                    sums[first * 40 : last * 40],
                ),
            )


def sums_of_groups(values: Floats, starts: Integers) -> tuple[Floats, Floats, Floats]:
    """Return the sum of each group values[starts[i]:starts[i+1]] as high, low and error. O(len(values)).

    >>> [column.tolist() for column in sums_of_groups(np.array([1e16, 1.0, 0.5]), np.array([0, 2]))]
    [[1e+16, 0.5], [1.0, 0.0], [0.0, 0.0]]
    """
    highs, lows, errors = np.zeros((3, len(starts)))
    add_groups(values, starts, highs, lows, errors)
    return highs, lows, errors
