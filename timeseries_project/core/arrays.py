"""Columns of numbers: their order, and long answers as columns, worked out a slice at a time; knows no framework."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from timeseries_project.core.summation import Integers

Column = NDArray[Any]
Codes = NDArray[np.int32]
T = TypeVar("T")

#: Rows that are added to a growing column at once at most: what growing costs at a time.
GROWTH = 8192


class ColumnarRows(ABC):
    """A list of rows that is worked out column-wise, a slice at a time.

    A column of datetime64[s] is written as timestamps, one of floats with null for NaN.
    """

    #: The columns' names, in order.
    names: tuple[str, ...]
    #: Memory that they hold until the last is worked out.
    nbytes: int = 0

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of rows."""

    @abstractmethod
    def columns(self, start: int, stop: int) -> tuple[Column, ...]:
        """Work out the columns of the rows start to stop."""


class _Codes(dict[str, int]):
    """Numbers keys in the order in which they are first asked for."""

    def __missing__(self, key: str) -> int:
        code = self[key] = len(self)
        return code


class Keys:
    """A column of keys: the distinct ones, and the number of each row's. What is done to a key is done once."""

    __slots__ = ("codes", "names")

    def __init__(self, keys: Sequence[str]) -> None:
        codes = _Codes()
        self.codes: Codes = np.fromiter(map(codes.__getitem__, keys), dtype=np.int32, count=len(keys))
        self.names = list(codes)

    def __len__(self) -> int:
        return len(self.codes)

    @classmethod
    def numbered(cls, codes: Codes, names: list[str]) -> Keys:
        """Return the column of these codes of these keys."""
        keys = cls.__new__(cls)
        keys.codes, keys.names = codes, names
        return keys

    @classmethod
    def of(cls, keys: Sequence[str] | Keys) -> Keys:
        """Return keys as such a column, if they are not one already. O(rows)."""
        return keys if isinstance(keys, Keys) else cls(keys)


class KeyColumn:
    """A column of keys that grows by portions.

    >>> column = KeyColumn()
    >>> for portion in (["b", "a", "b"], Keys(["c", "a"])):
    ...     column.extend(portion)
    >>> column.keys().names, column.keys().codes.tolist()
    (['b', 'a', 'c'], [0, 1, 0, 2, 1])
    """

    def __init__(self) -> None:
        self._codes = _Codes()
        self._portions: list[Codes] = []

    def extend(self, keys: Sequence[str] | Keys) -> None:
        """Append keys. O(keys)."""
        portion = Keys.of(keys)
        codes = np.fromiter(map(self._codes.__getitem__, portion.names), dtype=np.int32, count=len(portion.names))
        self._portions.append(codes[portion.codes])

    def keys(self) -> Keys:
        """Return the column. O(keys)."""
        codes = np.concatenate(self._portions or [np.empty(0, dtype=np.int32)])
        return Keys.numbered(codes, list(self._codes))


def matching(keys: Sequence[str], search: str | None) -> list[str]:
    """Return the keys that contain a text, in upper or lower case. O(keys)."""
    if search is None:
        return list(keys)
    folded = search.casefold()
    return [key for key in keys if folded in key.casefold()]


def gathered(portions: Iterable[list[T]], limit: int | None) -> list[T]:
    """Return what comes in portions in one list, up to a limit; no more portions are taken than it needs."""
    found: list[T] = []
    for portion in portions:
        found += portion
        if limit is not None and len(found) >= limit:
            return found[:limit]
    return found


def stable_order(*keys: Integers) -> Integers:
    """Return what sorts rows by these columns, the last first as in `numpy.lexsort`, equal rows in their order.

    NumPy sorts 16-bit integers by radix, several times as fast as wider ones: so a column is sorted by 16 bits
    at a time, from the lowest on, and not at all where it is in order. O(n * bits in the span of the columns / 16).
    """
    order: Integers = np.arange(len(keys[0]))
    identity = True
    for key in keys:
        column = key if identity else key[order]
        if not len(column) or (column[1:] >= column[:-1]).all():
            continue
        rest = column - column.min()
        for shift in range(0, int(rest.max()).bit_length(), 16):
            digits = (rest >> shift).astype(np.uint16)
            step = np.argsort(digits, kind="stable")
            order = step if identity else order[step]
            identity = False
            rest = rest[step]
    return order


def run_starts(*columns: Integers) -> Integers:
    """Return where runs of rows begin that are equal in these columns. O(n)."""
    begins = np.ones(len(columns[0]), dtype=bool)
    np.not_equal(columns[0][1:], columns[0][:-1], out=begins[1:])
    for column in columns[1:]:
        begins[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(begins)


def run_lengths(starts: Integers, length: int) -> Integers:
    """Return how long the runs are that begin at `starts`, in a column of that length."""
    lengths = np.empty(len(starts), dtype=np.int64)
    np.subtract(starts[1:], starts[:-1], out=lengths[:-1])
    lengths[-1:] = length - starts[-1:]
    return lengths


def grow(column: Column, length: int) -> None:
    """Lengthen a column in place, if it is shorter, by an eighth at least, so that adding one by one stays cheap.

    The allocator moves large columns by their page tables: nothing is copied, and nothing held twice. What is new
    is zeros. No view of the column may outlive this.
    """
    if length > len(column):
        spare = min(max(len(column) // 8, 64), GROWTH)
        column.resize((length + spare, *column.shape[1:]), refcheck=False)
