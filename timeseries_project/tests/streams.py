"""Streams of snapshots in memory, for tests of what apps write to them and take back."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import count
from threading import Event, Thread
from typing import Any, NoReturn

import pyarrow as pa
import pytest
from rest_framework.test import APIClient

from timeseries_project.snapshots import files
from timeseries_project.snapshots.parts import Part, RestoreError

#: How often a process is forked while others write.
CUTS = 12


def written(part: Part, batches: Iterable[pa.RecordBatch] | None = None) -> pa.Buffer:
    """Return a stream of all that a part holds, or of other batches."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, part.schema) as stream:
        for batch in part.batches() if batches is None else batches:
            stream.write_batch(batch)
    return sink.getvalue()


def restore(part: Part, stream: pa.Buffer, now: int) -> None:
    """Have a part take a stream back."""
    part.restore(pa.ipc.open_stream(stream), now=now)


def answers_to(api: APIClient, paths: Iterable[str]) -> dict[str, bytes]:
    """Return what is answered to questions that are valid, though there may be nothing under a key."""
    answers = {path: api.get(path) for path in paths}
    assert {answer.status_code for answer in answers.values()} <= {200, 404}
    assert any(answer.status_code == 200 for answer in answers.values())
    return {path: answer.content for path, answer in answers.items()}


def with_first(value: object) -> Callable[[pa.Array], pa.Array]:
    """Return a change of the first row of a column."""
    return lambda column: pa.array([value, *column.to_pylist()[1:]], type=column.type)


def changed(batch: pa.RecordBatch, column: str, change: Callable[[Any], Any]) -> pa.RecordBatch:
    """Return a batch with another column of a name: what a function makes of the one that it has."""
    names: list[str] = batch.schema.names
    columns = [change(batch.column(name)) if name == column else batch.column(name) for name in names]
    return pa.RecordBatch.from_arrays(columns, names=names)


def assert_refused(part: Part, batches: list[pa.RecordBatch], reason: str) -> None:
    """Assert that a part refuses batches with one line, which tells the reason."""
    with pytest.raises(RestoreError, match=reason) as error:
        part.restore(batches, now=2**50)
    assert "\n" not in str(error.value)


def counted_in_a_fork(part: Part, column: str) -> dict[str, int]:
    """Return how many rows have each number of a column, as a process sees it that is forked while the part is held."""
    reader, writer = os.pipe()
    with part.settled(), part.held():
        child = os.fork()
        if child == 0:
            _count_and_end(part, column, writer)
    os.close(writer)
    with open(reader) as report:
        counts: dict[str, int] = json.load(report)
    os.waitpid(child, 0)
    return counts


def _count_and_end(part: Part, column: str, writer: int) -> NoReturn:
    try:
        pa.set_memory_pool(pa.system_memory_pool())
        counts = Counter[str]()
        for batch in part.batches():
            numbers = batch.column(column).to_numpy().astype(int).tolist()
            counts.update(map(str, numbers))
        os.write(writer, json.dumps(counts).encode())
    finally:
        os._exit(0)


def see_only_whole_writes(part: Part, write: Callable[[int], None], column: str, whole: int) -> None:
    """Fork again and again while a thread writes, and assert that there are all rows of each write or none."""
    stopped = Event()

    def go_on() -> None:
        for number in count(1):
            if stopped.is_set():
                break
            write(number)

    files.prepare()
    writer = Thread(target=go_on)
    writer.start()
    try:
        seen: list[dict[str, int]] = []
        while len(seen) < CUTS or not any(seen):  # nothing is stored before the first write, or between two
            seen.append(counted_in_a_fork(part, column))
    finally:
        stopped.set()
        writer.join()
    assert [counts for counts in seen if set(counts.values()) - {whole}] == []
