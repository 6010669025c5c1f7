"""Batches of amounts, made small before they meet a window. Plain NumPy; knows no framework."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from timeseries_project.core.summation import MANTISSA_BITS, Floats, Integers, limbs, sum_parts

INT64 = np.iinfo(np.int64)


class CellRows(NamedTuple):
    """What a batch adds to the cells of one width, by column; each cell it touches is one row, in order of time.

    `cells` are the cells' numbers: the cell n covers the times from n * width to just before (n + 1) * width.
    """

    cells: Integers
    high: Floats
    low: Floats
    counts: Integers
    least: Floats
    most: Floats


def columns(timestamps: Sequence[int] | Integers, amounts: Sequence[float] | Floats) -> tuple[Integers, Floats]:
    """Return a batch as arrays side by side in memory, the same ones if they are so; no number is taken for another.

    A timestamp beyond 64 bits, too far from any clock to matter how far, becomes the nearest within. Raises
    ValueError if an amount is not finite or the lengths differ, TypeError if a timestamp is no integer or an
    amount no number.
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

    High is the exact sum, rounded, and low the rounded rest. O(n log n), O(n) if in order of time.
    """
    order = np.argsort(times, kind="stable")  # in linear time if they are in order already
    times, least = times[order], values[order]
    most, counts = least, np.ones(len(least), dtype=np.int64)
    # As integers, so small that no sum of them is rounded, and wider cells follow from narrower ones.
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
    """Return the values as an array of this type, no number taken for another; the same array if it is one."""
    if isinstance(values, np.ndarray):
        return np.ascontiguousarray(values.astype(typecode, casting="safe", copy=False))
    return np.asarray(array(typecode, values))
