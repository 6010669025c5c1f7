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

NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_INTEGER = re.compile(r"[+-]?[0-9]+")
_DIGITS = re.compile(r"[0-9]+")
#: Most digits of an integer that Python and the JSON decoder convert.
_MAX_DIGITS = 4_300

Choice = TypeVar("Choice", bound=StrEnum)


def refuse(message: str) -> NoReturn:
    """Raise ValidationError with a message about one field."""
    raise ValidationError(message)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


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

    A time in the future is valid here; the service, which knows the time, decides about it.
    """

    def to_internal_value(self, data: Any) -> int:
        """Read a JSON string or number."""
        if isinstance(data, str):
            try:
                return self._since_1970(timestamps.parse(data))
            except ValueError as error:
                refuse(str(error))
        if not _is_number(data):
            refuse("must be an ISO 8601 string or a number of epoch seconds.")
        if isinstance(data, float) and not math.isfinite(data):
            refuse("must be finite.")
        return self._since_1970(timestamps.from_seconds(data))

    def from_text(self, text: str) -> int:
        """Read text: numbers as epoch seconds, anything else as an ISO 8601 date."""
        number = number_from_text(text)
        return self.to_internal_value(text if number is None else number)

    def to_representation(self, value: int) -> str:
        """Write microseconds since 1970 as ISO 8601."""
        return timestamps.render(value)

    @staticmethod
    def _since_1970(timestamp: int) -> int:
        if timestamp < 0:
            refuse("lies before 1970.")
        return timestamp


class NumberField(WireField):
    """A finite double of magnitude 1e150 at most."""

    def to_internal_value(self, data: Any) -> float:
        """Read a JSON number."""
        if not _is_number(data):
            refuse("must be a number.")
        try:
            number = float(data)
        except OverflowError:  # an integer too large for a double
            number = math.inf
        if not -MAX_MAGNITUDE <= number <= MAX_MAGNITUDE:
            refuse("must be a finite number of magnitude 1e150 at most.")
        return number

    def from_text(self, text: str) -> float:
        """Read a decimal number."""
        return self.to_internal_value(number_from_text(text))


class IntegerField(WireField):
    """A whole number from `least` to `most`; a number without a fraction counts as one (`1.0` is 1).

    `most=None` leaves large numbers to the service to check. Query strings must spell it in digits only; CSV may use
    any spelling of a whole number.
    """

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
        if not _is_number(data) or (isinstance(data, float) and not data.is_integer()):
            refuse("must be a whole number.")
        number = int(data)
        if number < self.least or (self.most is not None and number > self.most):
            refuse(f"must be {self._range()}.")
        return number

    def from_text(self, text: str) -> int:
        """Read digits."""
        if not _DIGITS.fullmatch(text):
            refuse(f"must be a whole number in digits, {self._range()}.")
        return self.to_internal_value(int(text) if len(text) <= _MAX_DIGITS else math.inf)

    def from_cell(self, text: str) -> int:
        """Read any decimal spelling of a whole number, such as `1.0` or `-0`."""
        return self.to_internal_value(number_from_text(text))

    def _range(self) -> str:
        return f"at least {self.least}" if self.most is None else f"from {self.least} to {self.most}"


class KeyField(WireField):
    """The name of a device or user, kept unchanged: 1 to 255 code points, not blank, no control characters.

    An integer is taken as its decimal string.
    """

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
