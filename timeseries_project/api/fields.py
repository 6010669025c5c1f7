"""The fields of requests and answers: what each accepts in JSON, CSV and query strings.

A field reads a JSON value in `to_internal_value`, a query parameter in `from_text` and a CSV cell in `from_cell`;
each raises ValidationError with one sentence. The text methods exist because CSV and query strings spell numbers as
text, and because Python's `int()` and `float()` accept spellings that are not numbers here (`1_0`, `nan`, digits of
other scripts).
"""

from __future__ import annotations

import base64
import binascii
import math
import re
import unicodedata
from collections.abc import Collection
from enum import StrEnum
from typing import Any, Generic, NoReturn, TypeVar

import msgspec
from rest_framework.exceptions import ValidationError
from rest_framework.serializers import Field

from timeseries_project.core import spans, timestamps, zones
from timeseries_project.core.spans import Span

#: Integers that every JSON client reads exactly (RFC 8259 section 6).
MAX_SAFE_INTEGER = 2**53 - 1
#: Largest magnitude of a measured value, so that no sum, mean or deviation overflows a double.
MAX_MAGNITUDE = 1e150
MAX_KEY_LENGTH = 255

#: White space that may stand around a number in CSV.
BLANKS = " \t"

NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_INTEGER = re.compile(r"[+-]?[0-9]+")
_DIGITS = re.compile(r"[0-9]+")
#: What was hardly meant as a second of 1970: a year, or a date without separators.
BARE_DATE = re.compile(r"[0-9]{4}|[0-9]{8}")
#: Most digits of an integer that Python and the JSON decoder convert.
_MAX_DIGITS = 4_300

Choice = TypeVar("Choice", bound=StrEnum)


def refuse(message: str) -> NoReturn:
    """Raise ValidationError with a message about one field."""
    raise ValidationError(message)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _require_number(data: object, noun: str) -> None:
    """Refuse a JSON value that is no number; text that spells one is told so."""
    if not _is_number(data):
        quoted = isinstance(data, str) and number_from_text(data) not in (None, math.inf, -math.inf)
        refuse(f"must be {noun}, without quotes." if quoted else f"must be {noun}.")


def number_from_text(text: str) -> int | float | None:
    """Read a decimal number in ASCII, which may be too large for a double (infinite); None for any other text.

    >>> number_from_text("12"), number_from_text("-.5e1"), number_from_text("1_0"), number_from_text("nan")
    (12, -5.0, None, None)
    """
    if _INTEGER.fullmatch(text) and len(text) <= _MAX_DIGITS:
        return int(text)
    return float(text) if NUMBER.fullmatch(text) else None


class WireField(Field[Any, Any, Any, Any]):
    """A field that reads JSON values, query parameters (`from_text`) and CSV cells (`from_cell`)."""

    #: Whether white space around a CSV cell belongs to its value.
    keeps_blanks = False

    def from_text(self, text: str) -> Any:
        """Read a query parameter; raises ValidationError if it is invalid."""
        return self.to_internal_value(text)

    def from_cell(self, text: str) -> Any:
        """Read a CSV cell; by default like a query parameter."""
        return self.from_text(text)

    def to_internal_value(self, data: Any) -> Any:
        """Read a JSON value; by default any value is accepted."""
        return data

    def to_representation(self, value: Any) -> Any:
        """Return the value unchanged."""
        return value


class TimestampField(WireField):
    """An instant in microseconds since 1970, read from ISO 8601 or epoch seconds and written in UTC with `Z`.

    A time in the future is valid here; the service, which knows the time, decides about it. As a query parameter it
    must not lie beyond the year 9999: nothing could be found there, and a number has most likely the wrong unit.
    """

    def to_internal_value(self, data: Any) -> int:
        """Read a JSON string or number."""
        if isinstance(data, str):
            if number_from_text(data) is not None:
                _refuse_bare_date(data)
                refuse("must be a number without quotes if it is epoch seconds, else an ISO 8601 date and time.")
            try:
                return self._since_1970(timestamps.parse(data))
            except ValueError as error:
                refuse(str(error))
        if not _is_number(data):
            refuse("must be an ISO 8601 string or a number of epoch seconds.")
        if isinstance(data, float) and not math.isfinite(data):
            refuse("must be a number that a double can hold.")
        return self._since_1970(timestamps.from_seconds(data))

    def from_cell(self, text: str) -> int:
        """Read text: numbers as epoch seconds, anything else as an ISO 8601 date."""
        if len(text) in (4, 8):
            _refuse_bare_date(text)
        number = number_from_text(text)
        return self.to_internal_value(text if number is None else number)

    def from_text(self, text: str) -> int:
        """Read a query parameter, like a cell."""
        if timestamps.UNESCAPED_OFFSET.fullmatch(text):
            refuse("is not a timestamp; a + in a query string must be written %2B.")
        timestamp = self.from_cell(text)
        _refuse_beyond_9999(timestamp // timestamps.MICROSECONDS, "seconds", always=number_from_text(text) is not None)
        return timestamp

    def to_representation(self, value: int) -> str:
        """Write microseconds since 1970 as ISO 8601."""
        return timestamps.render(value)

    @staticmethod
    def _since_1970(timestamp: int) -> int:
        if timestamp < 0:
            refuse("lies before 1970.")
        return timestamp


def _refuse_bare_date(text: str) -> None:
    """Refuse a year or a date without separators, which would be read as seconds of 1970."""
    if not BARE_DATE.fullmatch(text):
        return
    if len(text) == 4:
        refuse(f"could be a year: write {text}-01-01, or {text}.0 for epoch seconds.")
    date = f"{text[:4]}-{text[4:6]}-{text[6:]}"
    try:
        timestamps.parse(date)
    except ValueError:
        date = "dates like 2026-01-31"
    refuse(f"could be a date: write {date}, or {text}.0 for epoch seconds.")


def _refuse_beyond_9999(number: int, unit: str, *, always: bool = True) -> None:
    """Refuse an epoch time beyond the year 9999, which seems to have another unit.

    With `always` the message says which unit is expected, whatever the number looks like.
    """
    if number < timestamps.END_OF_YEARS * timestamps.UNITS[unit]:
        return
    if mistaken := timestamps.mistaken_unit(number, unit):
        refuse(f"lies beyond the year 9999; the number looks like {mistaken}, but epoch {unit} are expected.")
    refuse(f"lies beyond the year 9999; epoch {unit} are expected." if always else "lies beyond the year 9999.")


class NumberField(WireField):
    """A finite double of magnitude 1e150 at most. There is one zero: -0.0 is read as 0."""

    def to_internal_value(self, data: Any) -> float:
        """Read a JSON number."""
        _require_number(data, "a number")
        try:
            number = float(data)
        except OverflowError:  # an integer too large for a double
            number = math.inf
        if not -MAX_MAGNITUDE <= number <= MAX_MAGNITUDE:
            refuse("must be a finite number of magnitude 1e150 at most.")
        return number + 0.0

    def from_text(self, text: str) -> float:
        """Read a decimal number."""
        number = number_from_text(text)
        if number is None:
            refuse("must be a number in decimal digits, such as -12.5.")
        return self.to_internal_value(number)


class FractionField(WireField):
    """A number from 0 to 1, in a query string."""

    def to_internal_value(self, data: Any) -> float:
        """Read a decimal number."""
        number = number_from_text(data)
        if number is None or not 0 <= number <= 1:
            refuse("must be a number from 0 to 1, such as 0.95 for the 95th percentile.")
        return float(number) + 0.0


class IntegerField(WireField):
    """A whole number from `least` to `most`; a number without a fraction counts as one (`1.0` is 1).

    `most=None` leaves large numbers to the service to check. Query strings must spell it in digits only; CSV may use
    any spelling of a whole number.
    """

    #: What it is, for messages.
    noun = "a whole number"

    def __init__(
        self,
        *,
        least: int = 0,
        most: int | None = MAX_SAFE_INTEGER,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.least = least
        self.most = most

    def to_internal_value(self, data: Any) -> int:
        """Read a JSON number without a fraction."""
        _require_number(data, self.noun)
        if isinstance(data, float) and math.isfinite(data) and not data.is_integer():
            refuse(f"must be {self.noun}.")
        if data < self.least or data > (math.inf if self.most is None else self.most):
            refuse(f"must be {self.range()}.")
        if data == math.inf:
            refuse("must be a number that a double can hold.")
        return int(data)

    def from_text(self, text: str) -> int:
        """Read digits."""
        if not _DIGITS.fullmatch(text):
            refuse(f"must be {self.noun} in digits, {self.range()}.")
        return self.to_internal_value(int(text) if len(text) <= _MAX_DIGITS else math.inf)

    def from_cell(self, text: str) -> int:
        """Read any decimal spelling of a whole number, such as `1.0` or `-0`."""
        number = number_from_text(text)
        if number is None:
            refuse(f"must be {self.noun} in decimal digits.")
        return self.to_internal_value(number)

    def range(self) -> str:
        """Return the range in words."""
        return f"at least {self.least}" if self.most is None else f"from {self.least} to {self.most}"


class EpochField(IntegerField):
    """A time in whole seconds or milliseconds since 1970, always a number.

    In a body, the service decides about times in the future. A query parameter must not lie beyond the year 9999.
    """

    def __init__(self, *, unit: str = "seconds", **kwargs: Any) -> None:
        super().__init__(most=None, **kwargs)
        self.unit = unit
        self.noun = f"a whole number of epoch {unit}"
        #: The largest that a query parameter may be.
        self.latest = timestamps.END_OF_YEARS * timestamps.UNITS[unit] - 1

    def to_internal_value(self, data: Any) -> int:
        """Read a JSON number without a fraction."""
        if _is_number(data) and data < 0:
            refuse("lies before 1970.")
        return super().to_internal_value(data)

    def from_text(self, text: str) -> int:
        """Read digits."""
        number = self.latest + 1 if len(text) > _MAX_DIGITS else super().from_text(text)
        _refuse_beyond_9999(number, self.unit)
        return number


class KeyField(WireField):
    """The name of a device or user, kept unchanged: 1 to 255 code points, not blank, no control characters.

    An integer is taken as its decimal string.
    """

    keeps_blanks = True

    def to_internal_value(self, data: Any) -> str:
        """Read a JSON string or integer."""
        if isinstance(data, int) and not isinstance(data, bool):
            data = str(data) if abs(data) < 10**MAX_KEY_LENGTH else "9" * (MAX_KEY_LENGTH + 1)
        if not isinstance(data, str):
            refuse("must be a string or an integer.")
        if len(data) > MAX_KEY_LENGTH:
            refuse(f"must have at most {MAX_KEY_LENGTH} characters.")
        if not data.strip():
            refuse("must not be blank.")
        # isprintable is fast, and false for every control character and surrogate, so most keys need no closer look.
        if not data.isprintable() and any(unicodedata.category(c) in {"Cc", "Cs"} for c in data):
            refuse("must hold no control characters and no surrogates.")
        return data

    def check_all(self, keys: Collection[str]) -> None:
        """Raise ValidationError unless `to_internal_value` accepts every one of these strings. O(characters)."""
        if (
            "".join(keys).isprintable()
            and all(map(str.strip, keys))
            and max(map(len, keys), default=0) <= MAX_KEY_LENGTH
        ):
            return
        for key in keys:
            self.to_internal_value(key)


class ChoiceField(WireField, Generic[Choice]):
    """One of the words of an enumeration."""

    def __init__(self, choices: type[Choice], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.words = choices

    def to_internal_value(self, data: Any) -> Choice:
        """Read one of the words."""
        try:
            return self.words(data)
        except ValueError:
            refuse(f"must be one of {', '.join(self.words)}.")


class BucketField(WireField):
    """The span of a bucket: an integer and `s`, `m`, `h` or `d`, from 1s to 366d; or `w`, `mo` or `y`, to 100 years."""

    def to_internal_value(self, data: Any) -> Span:
        """Read a span such as `15m` or `1mo`."""
        span = spans.parse(data)
        if span is None or not 1 <= span.number <= spans.most(span.unit):
            refuse(
                "must be a whole number and s, m, h, d, w, mo or y, such as 15m or 1mo: from 1s to 366d, or up to"
                f" {', '.join(f'{spans.most(unit)}{unit}' for unit in spans.CALENDAR)}."
            )
        return span

    def to_representation(self, value: Span) -> str:
        """Write a span in the largest unit of which it is a whole number."""
        return str(value)


class OffsetField(WireField):
    """By how much buckets are shifted, in seconds: an integer and `s`, `m`, `h` or `d`, from 0s."""

    def to_internal_value(self, data: Any) -> int:
        """Read a duration such as `4d`."""
        span = spans.parse(data)
        if span is None or span.seconds is None:
            refuse("must be a whole number and s, m, h or d, such as 4d: from 0s to less than the bucket.")
        return span.seconds

    def to_representation(self, value: int) -> str:
        """Write a duration in the largest unit of which it is a whole number."""
        return str(Span(value, "s"))


class ZoneField(WireField):
    """The name of a time zone in the IANA database, spelt exactly so."""

    def to_internal_value(self, data: Any) -> str:
        """Read a name such as `Europe/Berlin`."""
        try:
            zones.find(data)
        except ValueError as error:
            refuse(str(error))
        return str(data)


class CursorField(WireField):
    """A cursor: the last item of one part of a listing, after which the next part begins. Opaque to clients."""

    def __init__(self, shape: Any, **kwargs: Any) -> None:
        """Take the type of the value that a cursor encodes."""
        super().__init__(**kwargs)
        self.shape = shape

    def to_internal_value(self, data: Any) -> Any:
        """Decode a cursor that `to_representation` made."""
        try:
            text = base64.urlsafe_b64decode(data.encode("ascii") + b"==")
            return msgspec.json.decode(text, type=self.shape)
        except (binascii.Error, UnicodeError, msgspec.MsgspecError):
            refuse("must be the `next` of an earlier answer.")

    def to_representation(self, value: Any) -> str:
        """Encode the item after which the next part begins."""
        return base64.urlsafe_b64encode(msgspec.json.encode(value)).rstrip(b"=").decode()
