"""A small store and the part of a snapshot that holds it, for tests: a column of numbers in the order they came."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import Lock

import pyarrow as pa

from timeseries_project.snapshots.parts import RestoreError

SCHEMA = pa.schema(
    [pa.field("number", pa.int64(), nullable=False), pa.field("key", pa.dictionary(pa.int32(), pa.string()))]
)


class Numbers:
    """The store: numbers, each with a key."""

    def __init__(self, name: str = "numbers", *, most: int = 1 << 60, rows: int = 100) -> None:
        self.name, self.schema = name, SCHEMA
        self.lock = Lock()
        self.stored: list[int] = []
        self._most, self._rows = most, rows

    def add(self, number: int) -> None:
        with self.lock:
            self.stored.append(number)

    def settled(self) -> AbstractContextManager[None]:
        return nullcontext()

    @contextmanager
    def held(self) -> Iterator[None]:
        with self.lock:
            yield

    def batches(self) -> Iterator[pa.RecordBatch]:
        for begin in range(0, len(self.stored), self._rows):
            numbers = self.stored[begin : begin + self._rows]
            keys = pa.array([f"k{number % 7}" for number in numbers]).dictionary_encode()
            yield pa.record_batch([pa.array(numbers, pa.int64()), keys], schema=self.schema)

    def restore(self, batches: Iterable[pa.RecordBatch], *, now: int) -> None:
        assert not self.stored
        for batch in batches:
            self.stored += batch.column("number").to_pylist()
            assert batch.column("key").to_pylist() == [
                f"k{number % 7}" for number in batch.column("number").to_pylist()
            ]
            if len(self.stored) > self._most:
                raise RestoreError(f"holds more than {self._most} numbers")
