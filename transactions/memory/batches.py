"""Batches of amounts, condensed before they are added to a window. Plain NumPy; knows no framework."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from timeseries_project.core.summation import MANTISSA_BITS, Floats, Integers, limbs, sum_parts

INT64 = np.iinfo(np.int64)


class CellRows(NamedTuple):
    """The additions of a batch to the cells of one width, as columns: one row per cell, in order of time.

    `cells` are the cells' numbers: cell n covers the times from n * width to just before (n + 1) * width.
    """

    cells: Integers
    high: Floats
    low: Floats
    counts: Integers
    least: Floats
    most: Floats


def columns(timestamps: Sequence[int] | Integers, amounts: Sequence[float] | Floats) -> tuple[Integers, Floats]:
    """Return a batch as 64-bit arrays, without copying if it has that form already. O(n).

    No value changes, except that a timestamp beyond 64 bits becomes the nearest 64-bit one: both are out of reach
    of any clock. Raises ValueError if an amount is not finite or the lengths differ, TypeError if a timestamp is
    not an integer or an amount not a number.

    >>> [column.tolist() for column in columns([5, 2**70], [1, 2.5])]
    [[5, 9223372036854775807], [1.0, 2.5]]
    """
    try:
        times = _column("q", timestamps)
    except OverflowError:
        times = _column("q", [min(max(int(INT64.min), time), int(INT64.max)) for time in timestamps])
    values = _column("d", amounts)
    if len(times) != len(values) or not np.isfinite(values).all():
        raise ValueError("there must be one finite amount for each timestamp")
    return times, values


def condense(times: Integers, values: Floats, widths: Sequence[int]) -> list[CellRows]:
    """Return what the values, at least one, add to the cells of each width; each width divides the one before it.

    `high` is the rounded exact sum, and `low` the rounded remainder. O(n log n), O(n) if in order of time.

    >>> [seconds] = condense(np.array([1500, 200, 1900]), np.array([2.0, 8.0, 4.0]), [1000])
    >>> seconds.cells.tolist(), seconds.high.tolist(), seconds.counts.tolist()
    ([0, 1], [8.0, 6.0], [1, 2])
    """
    order = np.argsort(times, kind="stable")  # in linear time if they are in order already
    times, least = times[order], values[order]
    most, counts = least, np.ones(len(least), dtype=np.int64)
    # Values as integers so small that no sum of them is rounded; wider cells are summed from narrower ones.
    parts = list(limbs(least, MANTISSA_BITS - len(least).bit_length()))
    batch = []
    for width in reversed(widths):
        cells = times // width
        starts = np.flatnonzero(np.diff(cells, prepend=cells[0] - 1))
        times, cells = times[starts], cells[starts]
        parts = [(exponent, np.add.reduceat(limb, starts)) for exponent, limb in parts]
        counts = np.add.reduceat(counts, starts)
        least, most = np.minimum.reduceat(least, starts), np.maximum.reduceat(most, starts)
        sums = [np.ldexp(limb.astype(np.float64), exponent) for exponent, limb in parts]
        batch.append(CellRows(cells, *sum_parts(sums, len(starts)), counts, least, most))
    return batch[::-1]


def _column(typecode: str, values: Sequence[float] | Integers | Floats) -> NDArray[Any]:
    """Return the values as an array of this type, without changing any; the same array if it has the type."""
    if isinstance(values, np.ndarray):
        return values.astype(typecode, casting="safe", copy=False)
    return np.asarray(array(typecode, values))
