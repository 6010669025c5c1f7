"""Sums of entries and bytes as kernels leave them, in two parts each, and as Python's integers.

Plain Python and NumPy; knows no framework.
"""

from __future__ import annotations

from typing import NamedTuple

from bandwidth.interface import DeviceSummary
from timeseries_project.core.block_kernels import LOWER_BITS
from timeseries_project.core.summation import Integers

#: A row of sums: the number of entries, and the upper and lower bits of the bytes to and from the server.
PARTS = 5
#: Upper parts up to here make sums that fit in 64 bits, whatever their lower parts.
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


def whole_sums(sums: Integers) -> tuple[list[int], list[int], list[int]]:
    """Return the columns of rows of sums as Python's integers, exact beyond 64 bits: entries, bytes to and from.

    >>> whole_sums(np.array([[1, 0, 5, 2**31, 2**40]]))
    ([1], [5], [9223373136366403584])
    """
    counts, *columns = sums.T
    bytes_ts, bytes_fs = (_joined(columns[at], columns[at + 1]) for at in (0, 2))
    return counts.tolist(), bytes_ts, bytes_fs


def _joined(uppers: Integers, lowers: Integers) -> list[int]:
    if not len(uppers) or (uppers.max() < NARROW and lowers.max() < 2**62):
        joined: list[int] = ((uppers << LOWER_BITS) + lowers).tolist()
        return joined
    return [(upper << LOWER_BITS) + lower for upper, lower in zip(uppers.tolist(), lowers.tolist(), strict=True)]
