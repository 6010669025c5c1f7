"""The parameter by which a list is sorted: the name of a column, with a minus before it for the other way round."""

from __future__ import annotations

from typing import Any, NamedTuple

from timeseries_project.api.fields import WireField, refuse


class Order(NamedTuple):
    """An order of rows: by a column, and whether the largest comes first."""

    column: str
    descending: bool

    def __str__(self) -> str:
        """Write the order as the parameter has it.

        >>> str(Order("last", True)), str(Order("name", False))
        ('-last', 'name')
        """
        return f"{'-' if self.descending else ''}{self.column}"


#: The value by which a row is sorted and its name; a cursor is that of the last row before those wanted.
ListPlace = tuple[int, str]
#: The order in which stores keep their keys.
BY_NAME = Order("name", False)


class SortField(WireField):
    """One of some columns, such as `last`; `-last` is the other way round."""

    def __init__(self, columns: tuple[str, ...], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.columns = columns

    def to_internal_value(self, data: Any) -> Order:
        """Read an order."""
        column = data.removeprefix("-")
        if column not in self.columns:
            refuse(f"must be one of {', '.join(self.columns)}, with - before it for the other way round.")
        return Order(column, data != column)
