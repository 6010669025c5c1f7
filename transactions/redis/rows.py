"""Rows of a batch: what the server adds to each millisecond. Plain NumPy."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from timeseries_project.core.summation import Floats, Integers, grouped_sums


class Rows(NamedTuple):
    """What a batch adds to each millisecond that it touches, by column, in order of time."""

    times: Integers
    high: Floats
    low: Floats
    counts: Integers
    least: Floats
    most: Floats


def condense(times: Integers, values: Floats) -> Rows:
    """Return the rows of values, of which there is at least one.

    High is the exact sum, rounded, and low the rounded rest. O(n log n), O(n) if in order of time.
    """
    order = np.argsort(times, kind="stable")  # in linear time if they are in order already
    times, values = times[order], values[order]
    starts = np.flatnonzero(np.diff(times, prepend=times[0] - 1))
    return Rows(
        times[starts],
        *grouped_sums(values, starts),
        np.diff(starts, append=len(times)),
        np.minimum.reduceat(values, starts),
        np.maximum.reduceat(values, starts),
    )
