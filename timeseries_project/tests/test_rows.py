"""Rows of an answer that are written column by column, as JSON and as CSV."""

from __future__ import annotations

import json
import math

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from timeseries_project.api.renderers import CSVRenderer, JSONRenderer
from timeseries_project.core.arrays import Column, ColumnarRows
from timeseries_project.core.timestamps import render
from timeseries_project.tests.drawn import drawn

#: Seconds from 1970 to 9999, in any order, and runs of neighbours on both sides of midnight.
times = st.one_of(
    st.lists(st.integers(0, 253_402_300_799), min_size=1, max_size=30),
    st.builds(
        lambda day, step: [day * 86_400 + i * step for i in range(-5, 6)],
        st.integers(1, 100_000),
        st.integers(1, 9_000),
    ),
)
numbers = st.one_of(
    st.floats(allow_infinity=False), st.sampled_from([0.0, 5e-324, -1.2345678901234568e-300, 1.7976931348623157e308])
)


class Rows(ColumnarRows):
    """Rows that are there."""

    names = ("timestamp", "value", "count", "least")

    def __init__(self, seconds: list[int], values: list[float], counts: list[int]) -> None:
        self._columns = (
            np.array(seconds, dtype="datetime64[s]"),
            np.array(values),
            np.array(counts),
            -np.array(values),
        )

    def __len__(self) -> int:
        return len(self._columns[0])

    def columns(self, start: int, stop: int) -> tuple[Column, ...]:
        return tuple(column[start:stop] for column in self._columns)


@given(times, st.data())
@drawn(500)
@example([0, 253_402_300_799, 951_782_399, 951_782_400, 68_169_600, 4_107_542_399, 4_107_542_400], None)
def test_say_what_rows_written_one_by_one_say(seconds: list[int], data: st.DataObject | None) -> None:
    count = len(seconds)
    values = data.draw(st.lists(numbers, min_size=count, max_size=count)) if data else [0.5] * count
    counts = data.draw(st.lists(st.integers(0, 2**63 - 1), min_size=count, max_size=count)) if data else [1] * count
    rows = Rows(seconds, values, counts)
    cells = [
        (render(second * 1_000_000), None if math.isnan(value) else value, count, None if math.isnan(value) else -value)
        for second, value, count in zip(seconds, values, counts, strict=True)
    ]
    text = JSONRenderer().render(rows)
    assert b" " not in text
    assert json.loads(text) == [dict(zip(Rows.names, row, strict=True)) for row in cells]
    lines = CSVRenderer().render(rows).split(b"\r\n")
    assert lines[0] == b"timestamp,value,count,least"
    assert lines[-1] == b""
    for line, (time, value, number, least) in zip(lines[1:-1], cells, strict=True):
        written = [cell or "null" for cell in line.decode().split(",")]
        assert written[0] == time
        assert [json.loads(cell) for cell in written[1:]] == [value, number, least]


def test_no_rows_are_an_empty_list_or_a_header() -> None:
    assert JSONRenderer().render(Rows([], [], [])) == b"[]"
    assert CSVRenderer().render(Rows([], [], [])) == b"timestamp,value,count,least\r\n"
