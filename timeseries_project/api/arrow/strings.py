"""Strings of an Arrow column as texts with offsets, part by part, whichever way the column holds them.

What the network says is checked before it is used: each string lies within its buffer. Strings that are longer than
any key are left out of texts, so a text is no longer than there is room for. Knows nothing of fields.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from timeseries_project.api.string_kernels import INLINE, LONGEST, gather_inline, gather_outside
from timeseries_project.api.value_kernels import Bytes
from timeseries_project.api.workbench import ROOMY
from timeseries_project.core.arrays import run_starts
from timeseries_project.core.summation import Integers

#: Rows of a part at most.
ROWS_AT_ONCE = 16_384

_NEGATIVE = "a view of a string has a negative length"
_OUTSIDE = "a view of a string lies outside of its buffer"

#: What is masked as valid, or everything.
Valid = NDArray[np.bool_] | None


class DamagedError(Exception):
    """Buffers that contradict one another."""


class Part(NamedTuple):
    """Strings of consecutive rows: each lies between two offsets in a text."""

    begin: int
    text: Bytes
    offsets: Integers


def memory_of(buffer: Any) -> Bytes:
    """Return the bytes of a buffer of Arrow, without copying them; a buffer that is left out has none."""
    return np.frombuffer(buffer, dtype=np.uint8) if buffer is not None and buffer.size else np.empty(0, dtype=np.uint8)


def items_of(buffer: Any, kind: Any, count: int) -> NDArray[Any]:
    """Return the first items of a buffer. DamagedError if it has fewer."""
    memory, size = memory_of(buffer), np.dtype(kind).itemsize * count
    if size > len(memory):
        raise DamagedError(f"a buffer of {size:,} bytes is due and has {len(memory):,}")
    return memory[:size].view(kind)


class Strings(ABC):
    """The strings of a column."""

    @abstractmethod
    def parts(self, begin: int, end: int, valid: Valid) -> Iterator[Part]:
        """Yield the strings of these rows in parts. Those of invalid rows, and overlong ones, may be left empty."""

    @abstractmethod
    def one(self, row: int) -> bytes | None:
        """Return the string of a row; None if it is longer than any key."""


class PlainStrings(Strings):
    """Strings one after the other, with 32 or 64 bits for the offset of each."""

    def __init__(self, buffers: list[Any], rows: int, *, large: bool) -> None:
        self._offsets = items_of(buffers[1], np.int64 if large else np.int32, rows + 1)
        self._data = memory_of(buffers[2])
        first, last = int(self._offsets[0]), int(self._offsets[-1])
        if first < 0 or last > len(self._data) or (self._offsets[1:] < self._offsets[:-1]).any():
            raise DamagedError("the offsets of strings do not ascend within their buffer")

    def parts(self, begin: int, end: int, valid: Valid) -> Iterator[Part]:
        """Yield the strings as they stand in the buffer."""
        while begin < end:
            offsets = self._offsets[begin : min(begin + ROWS_AT_ONCE, end) + 1].astype(np.int64)
            rows = _fitting(offsets)
            first = offsets[0]
            if offsets[rows] - first > ROOMY:
                yield Part(begin, np.empty(0, dtype=np.uint8), np.zeros(2, dtype=np.int64))
            else:
                yield Part(begin, self._data[first : offsets[rows]], offsets[: rows + 1] - first)
            begin += rows

    def one(self, row: int) -> bytes | None:
        """Return the bytes between two offsets."""
        start, end = self._offsets[row : row + 2].tolist()
        return None if end - start > LONGEST else self._data[start:end].tobytes()


class ViewedStrings(Strings):
    """Strings that stand in views of 16 bytes themselves, or elsewhere if they are longer than twelve."""

    def __init__(self, buffers: list[Any], rows: int) -> None:
        self._views = items_of(buffers[1], np.int32, 4 * rows).reshape(rows, 4)
        self._data = [memory_of(buffer) for buffer in buffers[2:]]

    def parts(self, begin: int, end: int, valid: Valid) -> Iterator[Part]:
        """Yield the strings gathered."""
        first = begin
        while begin < end:
            views = self._views[begin : min(begin + ROWS_AT_ONCE, end)].copy()
            lengths = views[:, 0].astype(np.int64)
            if valid is not None:
                lengths[~valid[begin - first :][: len(views)]] = 0
            if (lengths < 0).any():
                raise DamagedError(_NEGATIVE)
            lengths[lengths > LONGEST] = 0
            offsets = np.concatenate([[0], np.cumsum(lengths)])
            rows = _fitting(offsets)
            offsets = offsets[: rows + 1]
            yield Part(begin, self._gathered(views[:rows], lengths[:rows], offsets), offsets)
            begin += rows

    def _gathered(self, views: NDArray[np.int32], lengths: Integers, offsets: Integers) -> Bytes:
        text = np.empty(offsets[-1], dtype=np.uint8)
        inside = np.flatnonzero((lengths > 0) & (lengths <= INLINE))
        gather_inline(views.view(np.uint8), inside, offsets, text)
        outside = np.flatnonzero(lengths > INLINE)
        if len(outside):
            numbers = views[outside, 2]
            order = np.argsort(numbers, kind="stable")
            starts = run_starts(numbers[order].astype(np.int64))
            for rows in np.split(outside[order], starts[1:]):
                data = self._buffer(int(views[rows[0], 2]))
                begins = views[rows, 3].astype(np.int64)
                if (begins < 0).any() or (begins + lengths[rows] > len(data)).any():
                    raise DamagedError(_OUTSIDE)
                gather_outside(views, data, rows, offsets, text)
        return text

    def _buffer(self, number: int) -> Bytes:
        if not 0 <= number < len(self._data):
            raise DamagedError("a view of a string names a buffer that there is not")
        return self._data[number]

    def one(self, row: int) -> bytes | None:
        """Return the bytes to which a view refers."""
        length, _, number, begin = self._views[row].tolist()
        if length < 0:
            raise DamagedError(_NEGATIVE)
        if length > LONGEST:
            return None
        if length <= INLINE:
            return self._views[row : row + 1].tobytes()[4 : 4 + length]
        data = self._buffer(number)
        if not 0 <= begin <= len(data) - length:
            raise DamagedError(_OUTSIDE)
        return data[begin : begin + length].tobytes()


def _fitting(offsets: Integers) -> int:
    """Return how many strings there is room for, one at least."""
    return max(int(np.searchsorted(offsets, offsets[0] + ROOMY, side="right")) - 1, 1)
