"""Columns of numbers and of keys: sorting, runs, growth, and long answers computed by slices. Knows no framework."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum, auto
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from timeseries_project.core.summation import Integers

Column = NDArray[Any]
Codes = NDArray[np.int32]
T = TypeVar("T")

#: Most spare rows that a growing column gets at once; this bounds what a single growth costs.
GROWTH = 8192


class ColumnarRows(ABC):
    """A list of rows that is computed column by column, one slice at a time.

    The first column is one of times, datetime64[s]; the others are numbers. NaN is written as null.
    """

    #: The columns' names, in order.
    names: tuple[str, ...]
    #: Bytes of memory that the rows hold until the last slice is computed.
    nbytes: int = 0

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of rows."""

    @abstractmethod
    def columns(self, start: int, stop: int) -> tuple[Column, ...]:
        """Compute the columns of the rows from `start` to before `stop`."""


class Kind(Enum):
    """What the cells of a column of an answer are, whatever form it is written in."""

    #: A time: datetime64.
    TIME = auto()
    #: A time in whole epoch seconds, which text has as a number.
    SECONDS = auto()
    KEY = auto()
    #: A double; NaN or None where there is none.
    DOUBLE = auto()
    INTEGER = auto()


#: The columns of rows by name, in order.
Fields = Mapping[str, Kind]


class _Codes(dict[str, int]):
    """A mapping that numbers keys in the order in which they are first looked up."""

    def __missing__(self, key: str) -> int:
        code = self[key] = len(self)
        return code


class Keys:
    """A column of keys, stored as the distinct keys (`names`) and the index of each row's key in them (`codes`).

    Work on a key is so done once per distinct key rather than once per row.

    >>> keys = Keys(["b", "a", "b"])
    >>> keys.names, keys.codes.tolist()
    (['b', 'a'], [0, 1, 0])
    """

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
        """Return the keys as a column; one that is a column already is returned unchanged. O(rows).

        >>> column = Keys.of(["b", "a"])
        >>> Keys.of(column) is column
        True
        """
        return keys if isinstance(keys, Keys) else cls(keys)

    def part(self, start: int, stop: int) -> Keys:
        """Return the rows from `start` to before `stop`. O(1).

        >>> Keys(["b", "a", "b"]).part(1, 3).tolist()
        ['a', 'b']
        """
        return Keys.numbered(self.codes[start:stop], self.names)

    def tolist(self) -> list[str]:
        """Return the key of each row. O(rows)."""
        return list(map(self.names.__getitem__, self.codes.tolist()))

    def mapped(self, function: Callable[[str], str]) -> list[str]:
        """Return what a function makes of the key of each row; it is called once for each distinct key. O(rows).

        >>> Keys(["b", "a", "b"]).mapped(str.upper)
        ['B', 'A', 'B']
        """
        results = list(map(function, self.names))
        return list(map(results.__getitem__, self.codes.tolist()))


#: A column of an answer: times or numbers as an array, keys, or numbers and None one by one.
Cells = Column | Keys | list[Any]


class Table:
    """Rows of an answer that are there, column by column; `columns` has them by name, in order.

    >>> table = Table({"device": Keys(["a", "b"]), "count": np.array([3, 4])})
    >>> len(table), table.first(1).columns["device"].tolist()
    (2, ['a'])
    """

    __slots__ = ("columns",)

    def __init__(self, columns: Mapping[str, Cells]) -> None:
        self.columns = columns

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(next(iter(self.columns.values())))

    def first(self, count: int) -> Table:
        """Return the first rows. O(columns)."""
        return Table({name: _first(column, count) for name, column in self.columns.items()})


def _first(column: Cells, count: int) -> Cells:
    return column.part(0, count) if isinstance(column, Keys) else column[:count]


class KeyColumn:
    """A column of keys that is built portion by portion.

    >>> column = KeyColumn()
    >>> for portion in (["b", "a", "b"], Keys(["c", "a"])):
    ...     column.extend(portion)
    >>> column.keys().names, column.keys().codes.tolist()
    (['b', 'a', 'c'], [0, 1, 0, 2, 1])
    """

    def __init__(self) -> None:
        self._codes = _Codes()
        self._portions: list[Codes] = []
        self._first: Keys | None = None  # the only portion so far: most batches have no other

    def extend(self, keys: Sequence[str] | Keys) -> None:
        """Append keys. O(keys)."""
        if self._first is None and not self._portions:
            self._first = Keys.of(keys)
            return
        self._number_first()
        self._number(Keys.of(keys))

    def _number_first(self) -> None:
        if self._first is not None:
            first, self._first = self._first, None
            self._number(first)

    def _number(self, portion: Keys) -> None:
        codes = np.fromiter(map(self._codes.__getitem__, portion.names), dtype=np.int32, count=len(portion.names))
        self._portions.append(codes[portion.codes])

    def keys(self) -> Keys:
        """Return the column. O(keys)."""
        if self._first is not None and len({*self._first.names}) == len(self._first.names):
            return self._first
        self._number_first()  # two names of it are the same: JSON may spell one key in several ways
        codes = np.concatenate(self._portions or [np.empty(0, dtype=np.int32)])
        return Keys.numbered(codes, list(self._codes))


def count_from(times: Sequence[int] | Integers, oldest: int) -> int:
    """Return how many times are not before `oldest`. O(1) for 0, since no time is before it, else O(n).

    >>> count_from([3, 7, 5], 5)
    2
    """
    return int(np.count_nonzero(np.asarray(times) >= oldest)) if oldest else len(times)


def matching(keys: Sequence[str], search: str | None) -> list[str]:
    """Return the keys that contain a text, whatever its case; all of them for None. O(keys).

    >>> matching(["Router-1", "sensor"], "ROUT"), matching(["Router-1", "sensor"], None)
    (['Router-1'], ['Router-1', 'sensor'])
    """
    if search is None:
        return list(keys)
    folded = search.casefold()
    return [key for key in keys if folded in key.casefold()]


def gathered(portions: Iterable[list[T]], limit: int | None) -> list[T]:
    """Join portions into one list of at most `limit` items; no portion beyond the limit is taken.

    >>> portions = iter([[1, 2], [3, 4], [5]])
    >>> gathered(portions, 3), next(portions)
    ([1, 2, 3], [5])
    """
    found: list[T] = []
    for portion in portions:
        found += portion
        if limit is not None and len(found) >= limit:
            return found[:limit]
    return found


def stable_order(*keys: Integers) -> Integers:
    """Return the indices that sort rows by these columns; equal rows keep their order.

    The last column is the primary key, as in `numpy.lexsort`. NumPy sorts 16-bit integers by radix, several times
    as fast as wider ones. So a column is sorted by 16 bits at a time, from the lowest up, and a column that is in
    order already is not sorted. O(n * bits in the span of the columns / 16).

    >>> stable_order(np.array([1, 0, 0]), np.array([5, 7, 5])).tolist()
    [2, 0, 1]
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
    """Return where each run of rows with equal values in all these columns begins. O(n).

    >>> run_starts(np.array([3, 3, 3, 8]), np.array([1, 1, 2, 2])).tolist()
    [0, 2, 3]
    """
    begins = np.ones(len(columns[0]), dtype=bool)
    np.not_equal(columns[0][1:], columns[0][:-1], out=begins[1:])
    for column in columns[1:]:
        begins[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(begins)


def run_lengths(starts: Integers, length: int) -> Integers:
    """Return the lengths of the runs that begin at `starts` in a column of `length` rows.

    >>> run_lengths(np.array([0, 2, 3]), 4).tolist()
    [2, 1, 1]
    """
    lengths = np.empty(len(starts), dtype=np.int64)
    np.subtract(starts[1:], starts[:-1], out=lengths[:-1])
    lengths[-1:] = length - starts[-1:]
    return lengths


def grow(column: Column, length: int) -> None:
    """Lengthen a column in place to at least `length` rows, with spare rows so that adding one by one stays cheap.

    The spare rows are an eighth of the column, from 64 to GROWTH of them. The allocator moves large columns by their
    page tables, so nothing is copied or held twice. New rows are zero. No view of the column may outlive the call.

    >>> column = np.array([1, 2])
    >>> grow(column, 3)
    >>> len(column), column[:4].tolist()
    (67, [1, 2, 0, 0])
    """
    if length > len(column):
        spare = min(max(len(column) // 8, 64), GROWTH)
        column.resize((length + spare, *column.shape[1:]), refcheck=False)
