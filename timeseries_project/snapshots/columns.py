"""Columns of the streams of a snapshot: how stores hand them out as Arrow, and what they must be to be taken back.

The file's checksum says that a stream is as it was written. All else is checked here, so that a stream that was written
by others, or by another version, is refused and not half understood.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from rest_framework.exceptions import ValidationError

from timeseries_project.api.fields import KeyField
from timeseries_project.core.arrays import Keys
from timeseries_project.core.errors import CapacityReachedError, FaultError
from timeseries_project.core.summation import Floats, Integers
from timeseries_project.snapshots.parts import RestoreError

#: Rows of a record batch: as many as a store takes in one go.
ROWS = 16_384

#: A key is written once in each record batch, so memory is bounded however many there are.
KEY = pa.dictionary(pa.int32(), pa.string())

_key_field = KeyField()


def checked(name: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield the batches of a stream; raise RestoreError at the first that is not what its schema says."""
    for batch in batches:
        if not batch.schema.equals(schema):
            raise RestoreError(f"has other columns of {name!r} than this version")
        try:
            batch.validate(full=True)
        except pa.ArrowInvalid as error:
            raise RestoreError(f"has rows of {name!r} that are no valid Arrow: {str(error).splitlines()[0]}") from None
        if any(column.null_count for column in batch.columns):
            raise RestoreError(f"has nulls in {name!r}")
        yield batch


@contextmanager
def told_of(name: str) -> Iterator[None]:
    """Turn the faults of a use case that takes rows back into RestoreError."""
    try:
        yield
    except CapacityReachedError as error:
        raise RestoreError(f"holds more than {error.bound}") from None
    except FaultError as error:
        raise RestoreError(f"has rows of {name!r} that cannot be stored: {error.detail.rstrip('.')}") from None


def time_column(times: Integers, unit: str) -> pa.Array:
    """Return times in a unit since the Unix epoch as a column, without copying.

    >>> time_column(np.array([1_500]), "ms").cast(pa.string()).to_pylist()
    ['1970-01-01 00:00:01.500Z']
    """
    return pa.array(times).view(pa.timestamp(unit, tz="UTC"))


def key_column(keys: Keys) -> pa.DictionaryArray:
    """Return keys as a column, without copying their codes.

    >>> key_column(Keys(["b", "a", "b"])).to_pylist()
    ['b', 'a', 'b']
    """
    return pa.DictionaryArray.from_arrays(pa.array(keys.codes), pa.array(keys.names, type=pa.string()))


def keys_of(name: str, batch: pa.RecordBatch, column: str) -> Keys:
    """Return a column of keys of a checked batch. Raises RestoreError if one is no key that could be stored."""
    keys = batch.column(column)
    names: list[str] = keys.dictionary.to_pylist()
    try:
        if None in names or len(set(names)) < len(names):
            raise RestoreError(f"has a {column} of {name!r} twice, or without a name, in one dictionary")
        _key_field.check_all(names)
    except ValidationError as error:
        raise RestoreError(f"has a {column} of {name!r} that {_first(error)}") from None
    return Keys.numbered(_values(keys.indices), names)


def _first(error: ValidationError) -> str:
    return str(error.detail[0]).rstrip(".")  # type: ignore[index]  # a field's faults are a list


def integers_of(name: str, batch: pa.RecordBatch, column: str, most: int) -> Integers:
    """Return a column of integers or times of a checked batch. Raises RestoreError if one is not in 0..most."""
    numbers: Integers = _values(batch.column(column).view(pa.int64()))
    if len(numbers) and not 0 <= numbers.min() <= numbers.max() <= most:
        raise RestoreError(f"has a {column} of {name!r} that is out of range")
    return numbers


def floats_of(name: str, batch: pa.RecordBatch, column: str, most: float) -> Floats:
    """Return a column of doubles of a checked batch. Raises RestoreError if one's magnitude is beyond `most`."""
    numbers: Floats = _values(batch.column(column))
    if len(numbers) and not np.abs(numbers).max() <= most:
        raise RestoreError(f"has a {column} of {name!r} that is out of range")
    return numbers


def _values(column: pa.Array) -> NDArray[Any]:
    """Return a column without nulls as an array that kernels take."""
    return np.require(column.to_numpy(), requirements=["C", "A", "W"])  # what a file maps is read-only
