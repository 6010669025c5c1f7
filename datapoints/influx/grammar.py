"""InfluxDB's line protocol as plain Python reads it: what is valid, what it means, and what is wrong with the rest.

    measurement[,tag=value …] field=value[,field=value …] [time]

A backslash directly before a comma, a blank or an equals sign takes its meaning away, and stands for itself anywhere
else; in a string, it does so before a quote or a backslash. The kernel (`line_kernels.py`) is a shorter way for lines
that are valid beyond doubt.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from rest_framework.exceptions import ValidationError

from datapoints.influx.line_kernels import LATEST_TIME
from timeseries_project.api.fields import MAX_MAGNITUDE, NUMBER, KeyField
from timeseries_project.core.errors import shown

#: Bytes of one line at most.
MAX_LINE = 2**20

_NOTHING = re.compile(rb"[ \t\r]*+(?:#[^\n]*+)?(?:\n|\Z)")
_HEAD = re.compile(rb"[ \t\r]*+((?:\\ |[^ \n])++)")
_BLANKS = re.compile(rb" *+")
_NAME = re.compile(rb"((?:\\[ ,=]|[^ ,=\n])++)=")
_STRING = re.compile(rb'"(?:\\.|[^"\\])*+"', re.DOTALL)
_VALUE = re.compile(rb"[^ ,\t\r\n]*+")
_TIME = re.compile(rb"(?: ++(-?[0-9]++))?[ \t\r]*+(?:\n|\Z)")

_COMMA, _EQUALS = re.compile(r"(?<!\\),"), re.compile(r"(?<!\\)=")
_ESCAPED_IN_MEASUREMENT, _ESCAPED = re.compile(r"\\([, ])"), re.compile(r"\\([, =])")

_INTEGER, _UNSIGNED = re.compile(r"([+-]?)0*([0-9]+)i"), re.compile(r"(\+?)0*([0-9]+)u")
_BOOLEANS = {word: float(word[0] in "tT") for word in ("t", "T", "true", "True", "TRUE", "f", "F", "false", "False")}
_BOOLEANS["FALSE"] = 0.0
#: Digits of an integer of 64 bits at most.
_MOST_DIGITS = 20

_key = KeyField()


class Precision(StrEnum):
    """The unit of the times in a body, as clients of InfluxDB 1 and 2 call it."""

    NANOSECONDS = "ns"
    NANOSECONDS_1 = "n"
    MICROSECONDS = "us"
    MICROSECONDS_1 = "u"
    MICROSECONDS_GREEK = "µ"
    MILLISECONDS = "ms"
    SECONDS = "s"
    MINUTES = "m"
    HOURS = "h"

    @property
    def clock(self) -> tuple[int, int]:
        """How many microseconds the unit is, and how many of it one microsecond is; one of both is 1."""
        factors = {"ms": 10**3, "s": 10**6, "m": 60 * 10**6, "h": 3_600 * 10**6}
        return (1, 1_000) if self[0] == "n" else (factors.get(self, 1), 1)

    def cut(self, time: int) -> int:
        """Return a time in microseconds, cut to whole units."""
        return time // self.clock[0] * self.clock[0]


class LineError(ValueError):
    """What is wrong with a line: the field of a datapoint that it concerns, and a sentence without subject."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class Head(NamedTuple):
    """Measurement and tags of a line: the device, and what makes the user."""

    device: str
    #: The user if a tag names it, else None.
    user: str | None
    measurement: str
    #: The tags that are part of the user, each with a comma before it.
    tags: str

    def user_of(self, field: str) -> str:
        """Return the user of a field. Raises LineError if it is no key.

        >>> read_head(b"cpu,host=a,cpu=cpu0").user_of("usage_idle")
        'cpu_usage_idle,cpu=cpu0'
        """
        if self.user is not None:
            return self.user
        name = self.measurement if field == "value" else f"{self.measurement}_{field}"
        return _checked(name + self.tags, "user")


class Point(NamedTuple):
    """A datapoint."""

    time: int
    value: float
    device: str
    user: str


class Line(NamedTuple):
    """A line as it was read: its datapoints or its fault, where the next one begins, and how many lines it takes."""

    points: list[Point]
    fault: LineError | None
    end: int
    lines: int


def read_head(text: bytes) -> Head:
    """Read measurement and tags. Raises LineError.

    >>> read_head(b"weather,host=a\\\\ b,user=ada")
    Head(device='a b', user='ada', measurement='weather', tags='')
    """
    measurement, *pairs = _COMMA.split(_decoded(text))
    if not measurement:
        raise LineError("has no measurement.")
    tags: dict[str, str] = {}
    for pair in pairs:
        parts = [_ESCAPED.sub(r"\1", part) for part in _EQUALS.split(pair)]
        if len(parts) != 2 or not all(parts):
            raise LineError(f"has {shown(pair)!r} where a tag=value is due.")
        if parts[0] in tags:
            raise LineError(f"has the tag {shown(parts[0])!r} twice.")
        tags[parts[0]] = parts[1]
    device = tags.pop("device", None) or tags.pop("host", None)
    if device is None:
        raise LineError("has neither a tag `device` nor a tag `host`, which would name the device.", "device")
    user = tags.pop("user", None)
    return Head(
        _checked(device, "device"),
        user if user is None else _checked(user, "user"),
        _ESCAPED_IN_MEASUREMENT.sub(r"\1", measurement),
        "".join(f",{tag}={value}" for tag, value in sorted(tags.items())),
    )


def field_name(text: bytes) -> str:
    """Return the name of a field without its escapes. Raises LineError if it is not UTF-8.

    >>> field_name(rb"usage\\ user")
    'usage user'
    """
    return _ESCAPED.sub(r"\1", _decoded(text))


def read_line(body: bytes, at: int, precision: Precision, now: int) -> Line:
    """Read the line that begins at a place of a body. `now` is the time of those without one, in microseconds."""
    if nothing := _NOTHING.match(body, at):
        return Line([], None, nothing.end(), 1)
    reader = _Reader(body, at)
    try:
        points = [*reader.points(precision, now)]
        if reader.at - at > MAX_LINE:
            raise LineError(f"is longer than {MAX_LINE:,} bytes.")
        fault = None
    except LineError as error:
        points, fault = [], error
        reader.at = body.find(b"\n", reader.at) + 1 or len(body)
    return Line(points, fault, reader.at, body.count(b"\n", at, reader.at))


class _Reader:
    """A place in a body that moves on as a line is read, and at a fault stays near it."""

    def __init__(self, body: bytes, at: int) -> None:
        self._body = body
        self.at = at

    def points(self, precision: Precision, now: int) -> Iterator[Point]:
        found = self._take(_HEAD)
        if found is None:
            raise LineError("has no measurement.")
        head = read_head(found[1])
        values = []
        blanks = self._take(_BLANKS)
        if not blanks or not blanks[0]:
            raise LineError("has no field.")
        while True:
            values += self._field(head)
            if self._body[self.at : self.at + 1] != b",":
                break
            self.at += 1
        end = _TIME.match(self._body, self.at)
        if end is None:
            raise LineError("has something other than a whole number as its time.", "timestamp")
        time = min(_time(end[1], precision), LATEST_TIME) if end[1] else precision.cut(now)
        self.at = end.end()
        return (Point(time, value, head.device, user) for value, user in values)

    def _take(self, pattern: re.Pattern[bytes]) -> re.Match[bytes] | None:
        found = pattern.match(self._body, self.at)
        if found:
            self.at = found.end()
        return found

    def _field(self, head: Head) -> list[tuple[float, str]]:
        """Read a field: its value and its user; nothing if it is a string."""
        name = self._take(_NAME)
        if name is None:
            raise LineError("has something other than field=value where a field is due.")
        if self._body[self.at : self.at + 1] == b'"':
            if not self._take(_STRING):
                self.at = len(self._body)
                raise LineError("has a string without an end.")
            follows = self._body[self.at : self.at + 1]
            if follows and follows not in b", \t\r\n":
                raise LineError("has something directly behind a string.")
            return []
        token = self._take(_VALUE)
        return [(read_value(token[0] if token else b""), head.user_of(field_name(name[1])))]


def read_value(token: bytes) -> float:
    """Read a number or a boolean. Raises LineError.

    >>> read_value(b"12i"), read_value(b"1e3"), read_value(b"True"), read_value(b"-0")
    (12.0, 1000.0, 1.0, 0.0)
    """
    text = token.decode("latin-1")
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if whole := _INTEGER.fullmatch(text) or _UNSIGNED.fullmatch(text):
        signed = text[-1] == "i"
        number = int(whole[1] + whole[2]) if len(whole[2]) <= _MOST_DIGITS else 2**64
        if not (-(2**63) <= number < 2**63 if signed else number < 2**64):
            raise LineError(f"has {shown(text)!r}, which does not fit in 64 bits.", "value")
        return float(number)
    if not NUMBER.fullmatch(text):
        raise LineError(f"has {shown(text)!r} where a number, a boolean or a quoted string is due.", "value")
    value = float(text)
    if not -MAX_MAGNITUDE <= value <= MAX_MAGNITUDE:
        raise LineError(f"has {shown(text)!r}: a value must be of magnitude 1e150 at most.", "value")
    return value + 0.0


def _time(text: bytes, precision: Precision) -> int:
    digits = text.lstrip(b"-").lstrip(b"0")
    if len(digits) > _MOST_DIGITS or int(digits or b"0") >= 2**63:
        raise LineError("has a time that does not fit in 64 bits.", "timestamp")
    if digits and text[:1] == b"-":
        raise LineError("has a time before 1970.", "timestamp")
    factor, divisor = precision.clock
    return int(digits or b"0") // divisor * factor


def _decoded(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise LineError("is not UTF-8.") from None


def _checked(key: str, name: str) -> str:
    try:
        return str(_key.to_internal_value(key))
    except ValidationError as error:
        raise LineError(f"has the {name} {shown(key)!r}, which {error.args[0]}", name) from None
