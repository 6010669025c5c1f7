"""Windows of devices, read from a shared storage. Plain Python; knows no framework."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from bandwidth.entries import LONGEST_WINDOW, MAX_WHOLE, MOST_WINDOWS, whole
from bandwidth.interface import Window
from bandwidth.redis.layout import numbers, sums_in
from bandwidth.redis.library import LIBRARY
from timeseries_project.storage.client import Call, Storage

_windows = LIBRARY.function("bandwidth_windows")


def read_windows(
    storage: Storage, keys: Sequence[bytes], end: int, length: int, count: int, oldest: int
) -> list[list[Window]]:
    """Return the windows of each device, given by its key; an empty list for one that has no entries.

    One call each, which are sent together.
    """
    end = whole("end", end, 0, MAX_WHOLE)
    length = whole("length", length, 1, LONGEST_WINDOW)
    count = whole("count", count, 1, MOST_WINDOWS)
    asked = [Call(_windows, (key,), (end, length, count, oldest), read_only=True) for key in keys]
    borders = range(end - length * (count - 1), end + 1, length)

    def windows(answer: bytes) -> list[Window]:
        sums = [later - before for before, later in pairwise(sums_in(answer, count + 1))]
        return [Window(border, *numbers(entries)) for border, entries in zip(borders, sums, strict=True)]

    return [[] if answer is None else windows(answer) for answer in storage.calls(asked)]
