"""Long answers as columns, worked out a slice at a time; knows no framework."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from numpy.typing import NDArray

Column = NDArray[Any]


class ColumnarRows(ABC):
    """A list of rows that is worked out column-wise, a slice at a time.

    A column of datetime64[s] is written as timestamps, one of floats with null for NaN.
    """

    #: The columns' names, in order.
    names: tuple[str, ...]

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of rows."""

    @abstractmethod
    def columns(self, start: int, stop: int) -> tuple[Column, ...]:
        """Work out the columns of the rows start to stop."""
