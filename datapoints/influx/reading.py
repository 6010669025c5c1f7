"""A body of line protocol as columns of datapoints: the kernel reads what is ordinary, plain Python the rest."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from datapoints.influx.grammar import Head, LineError, Point, Precision, field_name, read_head, read_line
from datapoints.influx.line_kernels import HEADS, LINES, NAMES, PUT_OFF, ROWS, SERIES, PointArrays, read_lines
from timeseries_project.api.fields import MAX_MAGNITUDE
from timeseries_project.api.key_kernels import KNOWN, PRESENT, TABLES
from timeseries_project.api.portions import BOM
from timeseries_project.api.workbench import Bench, Text, borrowed
from timeseries_project.core.arrays import KeyColumn, Keys
from timeseries_project.core.errors import MAX_ERRORS, FieldError, InvalidInputError
from timeseries_project.core.offload import leave_loop
from timeseries_project.core.summation import Floats, Integers

#: Bytes that the kernel reads at once: some milliseconds of work.
WINDOW = 2**19
#: Bytes of a field with a comma at least: `a=1,`; and of one that no other is like, where there are many.
SHORTEST, SHORTEST_OF_MANY = 4, 8
#: Most bytes that plain Python reads in the event loop; more are read in a thread.
INLINE = 2**14

_DEVICES, _USERS = range(2)


class Portion(NamedTuple):
    """Some datapoints, and the line of each in the body, from 1."""

    times: Integers
    values: Floats
    devices: Keys
    users: Keys
    lines: Integers


class Points:
    """The datapoints of a body, as columns."""

    def __init__(self) -> None:
        self._parts: list[Portion] = []

    def add(self, portion: Portion) -> None:
        """Append a portion."""
        if len(portion.times):
            self._parts.append(portion)

    def columns(self) -> dict[str, Any]:
        """Return the columns as the service takes them; none without datapoints. O(datapoints)."""
        if not self._parts:
            return {}
        devices, users = KeyColumn(), KeyColumn()
        for part in self._parts:
            devices.extend(part.devices)
            users.extend(part.users)
        times, values = (np.concatenate([part[column] for part in self._parts]) for column in (0, 1))
        return {"timestamp": times, "value": values, "device": devices.keys(), "user": users.keys()}

    def line_of(self, place: int) -> int:
        """Return the line of a datapoint. O(portions)."""
        for part in self._parts:
            if place < len(part.lines):
                return int(part.lines[place])
            place -= len(part.lines)
        raise IndexError(place)


class _Read(NamedTuple):
    portion: Portion
    #: Where in the text the next line begins, and how many there are before it.
    end: int
    lines: int


class LineBench(Bench):
    """Room for a text of lines, and the series that were read before, each with its device and its user."""

    most_keys, remembered, remembered_bytes = 2**17, 2**15, 2**20

    def __init__(self, *, size: int) -> None:
        super().__init__(size=size, tables=3, shortest=SHORTEST_OF_MANY)
        rows = size // SHORTEST + 2
        self._times, self._series, self._lines = np.empty((3, rows), dtype=np.int64)
        self._values = np.empty(rows)
        self._put_off = np.empty((rows, 3), dtype=np.int64)
        self._state = np.zeros(4, dtype=np.int64)
        arrays = (self._times, self._values, self._series, self._lines, self._put_off, self._state)
        self._point_arrays: PointArrays = arrays
        #: meanings[axis, series]: the place of its device or user in `_names[axis]`, -1 while nobody asked.
        self._meanings = np.full((2, self.most_keys), -1, dtype=np.int32)
        self._heads: list[Head] = []
        self._names: tuple[list[str], list[str]] = ([], [])
        self._places: tuple[dict[str, int], dict[str, int]] = ({}, {})

    def forget(self) -> None:
        """Forget the series that were read before."""
        super().forget()
        self._meanings[:] = -1
        self._heads = []
        self._names, self._places = ([], []), ({}, {})

    def read(self, text: Text, first: int, precision: Precision, now: int) -> _Read | None:
        """Read lines, the first of which has this number, until one is not ordinary; None if a series means nothing."""
        laid, state = self.lay(text), self._state
        state[[ROWS, LINES, PUT_OFF]] = 0
        clock = np.array([*precision.clock, precision.cut(now)], dtype=np.int64)
        end = read_lines(laid, self.words, clock, self._point_arrays, self.key_arrays)
        rows = int(state[ROWS])
        try:
            self._learn_heads()
            devices, users = self._keys_of(rows)
            self._put_in(text)
        except LineError:
            self.forget()
            return None
        times, lines = self._times[:rows].copy(), self._lines[:rows] + first
        portion = Portion(times, self._values[:rows].copy(), devices, users, lines)
        # Behind a text that ends with a line end, the line end that the bench puts there counts as a blank line.
        return _Read(portion, min(end, len(text)), int(state[LINES]) - (end > len(text)))

    def _learn_heads(self) -> None:
        """Take apart the heads that are new. Raises LineError if one is not valid."""
        for code in range(len(self._heads), int(self._keys.counts[TABLES + 2 * HEADS + KNOWN])):
            self._heads.append(read_head(self._spelt(HEADS, code)))

    def _spelt(self, table: int, code: int) -> bytes:
        begin, length = self._keys.spans[table, code]
        return self._keys.spellings[begin : begin + length].tobytes()

    def _keys_of(self, rows: int) -> tuple[Keys, Keys]:
        """Return the devices and users of the rows that were read. Raises LineError if one is no key."""
        present = self._keys.present[SERIES, : self._keys.counts[TABLES + 2 * SERIES + PRESENT]]
        for series in present[self._meanings[_DEVICES, present] < 0].tolist():
            head, name = self._keys.spans[SERIES, series].tolist()
            user = self._heads[head].user_of(field_name(self._spelt(NAMES, name)))
            self._meanings[_DEVICES, series] = self._place(_DEVICES, self._heads[head].device)
            self._meanings[_USERS, series] = self._place(_USERS, user)
        numbers = self._series[:rows]
        devices, users = (self._column(axis, present, numbers) for axis in (_DEVICES, _USERS))
        return devices, users

    def _column(self, axis: int, present: Any, numbers: Integers) -> Keys:
        places, codes = np.unique(self._meanings[axis, present], return_inverse=True)
        names = self._names[axis]
        return Keys.numbered(codes.astype(np.int32)[numbers], [names[place] for place in places.tolist()])

    def _place(self, axis: int, name: str) -> int:
        places = self._places[axis]
        if name not in places:
            places[name] = len(places)
            self._names[axis].append(name)
        return places[name]

    def _put_in(self, text: Text) -> None:
        """Read the numbers that the kernel put off. Raises LineError if one is beyond what a value may be."""
        for row, begin, end in self._put_off[: self._state[PUT_OFF]].tolist():
            value = float(bytes(text[begin:end]))
            if not -MAX_MAGNITUDE <= value <= MAX_MAGNITUDE:
                raise LineError("has a value beyond the limit.")
            self._values[row] = value + 0.0


def read_points(body: bytes, precision: Precision, now: int, *, ordinary: bool = True) -> Points:
    """Read a body; with `ordinary` false all of it in plain Python. O(bytes).

    Raises InvalidInputError, which lists the first MAX_ERRORS faults by line; reading stops after these.
    """
    points, errors = Points(), list[FieldError]()
    at, line = len(BOM) if body.startswith(BOM) else 0, 1
    while at < len(body) and len(errors) < MAX_ERRORS:
        begin, stop = at, at + WINDOW
        stop = len(body) if stop >= len(body) else body.rfind(b"\n", at, stop) + 1
        if ordinary and stop > at:
            text = memoryview(body)[at:stop]
            with borrowed(LineBench, LineBench, text) as bench:
                read = bench.read(text, line, precision, now)
            if read is not None:
                points.add(read.portion)
                at, line = at + read.end, line + read.lines
        if at < stop or at == begin:
            if stop - at > INLINE:
                leave_loop()
            plainly = _Plainly(errors)
            at, line = plainly.read(body, at, stop, line, precision, now)
            points.add(plainly.portion())
    if errors:
        raise InvalidInputError(summary(errors), errors)
    return points


class _Plainly:
    """Lines that plain Python reads; faults are added to a list."""

    def __init__(self, errors: list[FieldError]) -> None:
        self._errors = errors
        self._points: list[Point] = []
        self._lines: list[int] = []

    def read(self, body: bytes, at: int, stop: int, line: int, precision: Precision, now: int) -> tuple[int, int]:
        """Read a line, and more up to a place; return where what follows begins, and its line."""
        while True:
            read = read_line(body, at, precision, now)
            if read.fault:
                self._errors.append(FieldError(read.fault.field, read.fault.message, line=line))
            self._points += read.points
            self._lines += [line] * len(read.points)
            at, line = read.end, line + read.lines
            if at >= stop or len(self._errors) >= MAX_ERRORS:
                return at, line

    def portion(self) -> Portion:
        """Return the datapoints."""
        times, values, devices, users = zip(*self._points, strict=True) if self._points else ((), (), (), ())
        columns = np.array(times, dtype=np.int64), np.array(values, dtype=np.float64), Keys(devices), Keys(users)
        return Portion(*columns, np.array(self._lines, dtype=np.int64))


def summary(errors: list[FieldError]) -> str:
    """Return the first fault with its line, and the number of others.

    >>> summary([FieldError("", "has no field.", line=3), FieldError("", "is not UTF-8.", line=7)])
    'line 3 has no field. (1 more)'
    """
    more = f" ({len(errors) - 1} more)" if len(errors) > 1 else ""
    return f"line {errors[0].line} {errors[0].message}{more}"
