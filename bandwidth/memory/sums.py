"""Sums of entries and bytes as kernels leave them, in two parts each, and as Python's integers.

Plain Python and NumPy; knows no framework.
"""

from __future__ import annotations

from typing import NamedTuple

from bandwidth.interface import DeviceSummary, Instant
from timeseries_project.core.block_kernels import LOWER_BITS
from timeseries_project.core.summation import Integers

#: A row of sums: the number of entries, and the upper and lower bits of the bytes to and from the server.
PARTS = 5
#: So few entries, and upper parts up to here, make sums that fit in 64 bits.
NARROW = 2**29


class DeviceSums(NamedTuple):
    """What some devices hold: a name, a row of sums, and the first and last second of each."""

    names: list[str]
    sums: Integers
    firsts: Integers
    lasts: Integers

    def summaries(self) -> list[DeviceSummary]:
        """Return the summaries of those that have entries. O(devices)."""
        counts, bytes_ts, bytes_fs = whole_sums(self.sums)
        columns = self.names, counts, self.firsts.tolist(), self.lasts.tolist(), bytes_ts, bytes_fs
        return [summary for summary in map(DeviceSummary, *columns) if summary[1]]


class InstantSums(NamedTuple):
    """What some devices hold instant by instant: of each its device, its second and a row of sums."""

    names: list[str]
    times: Integers
    sums: Integers

    def instants(self) -> list[Instant]:
        """Return the instants. O(these)."""
        _, bytes_ts, bytes_fs = whole_sums(self.sums)
        return list(map(Instant, self.names, self.times.tolist(), bytes_ts, bytes_fs))


def whole_sums(sums: Integers) -> list[list[int]]:
    """Return the columns of rows of sums as Python's integers, exact beyond 64 bits: entries, bytes to and from.

    >>> import numpy as np
    >>> whole_sums(np.array([[1, 0, 5, 2**31, 2**40]]))
    [[1], [5], [9223373136366403584]]
    """
    uppers, lowers = sums[:, 1::2], sums[:, 2::2]
    if len(sums) and (uppers.max() >= NARROW or sums[:, 0].max() >= NARROW):
        uppers = uppers.astype(object)
    joined: list[list[int]] = ((uppers << LOWER_BITS) + lowers).T.tolist()
    return [sums[:, 0].tolist(), *joined]
