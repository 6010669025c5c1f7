"""Batches of amounts as columns. Plain NumPy; knows no framework."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from timeseries_project.core.summation import Floats, Integers

INT64 = np.iinfo(np.int64)


def columns(timestamps: Sequence[int] | Integers, amounts: Sequence[float] | Floats) -> tuple[Integers, Floats]:
    """Return a batch as arrays side by side in memory, the same ones if they are so; no number is taken for another.

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


def _column(typecode: str, values: Sequence[float] | Integers | Floats) -> NDArray[Any]:
    """Return the values as an array of this type, without changing any; the same array if it has the type."""
    if isinstance(values, np.ndarray):
        return np.ascontiguousarray(values.astype(typecode, casting="safe", copy=False))
    return np.asarray(array(typecode, values))
