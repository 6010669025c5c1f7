"""Header values that may say anything: what is too long is not read, and reading the rest takes linear time."""

from __future__ import annotations

import re
from collections.abc import Mapping

from timeseries_project.caches import bounded_cache
from timeseries_project.faults import shown

#: Bytes of all of a request's headers together, names and values; more are refused (431) before any is looked at.
MAX_BLOCK = 32 * 1024
#: Characters of one value. A longer one is not parsed: as a media type it is unknown, as Accept it takes anything.
MAX_VALUE = 4_096
#: Parts of one value that are looked at; browsers send ten.
MAX_PARTS = 64

#: Where a server leaves in the environment what it found wrong before a request was complete: an exception.
FAULT = "timeseries.fault"

_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def split_list(text: str, separator: str) -> list[str]:
    r"""Split a header at the separators outside of its quoted strings, into its first MAX_PARTS parts; never raises.

    O(n), in a number of steps that is bounded whatever the text is. A string that does not end takes the rest.

    >>> split_list('text/csv;a="b,c\\",d", */*', ",")
    ['text/csv;a="b,c\\",d"', ' */*']
    >>> split_list('a,"b,c', ",")
    ['a', '"b,c']
    """
    if '"' not in text:
        return text.split(separator, MAX_PARTS)[:MAX_PARTS]
    parts: list[list[str]] = [[]]
    quoted = False
    for place, piece in enumerate(text.split('"', 2 * MAX_PARTS)[: 2 * MAX_PARTS]):
        first, *others = [piece] if quoted else piece.split(separator, MAX_PARTS)
        parts[-1] += ('"', first) if place else (first,)
        parts += ([other] for other in others)
        if len(parts) > MAX_PARTS:
            break
        escapes = quoted and (len(piece) - len(piece.rstrip("\\"))) % 2
        quoted = not quoted or bool(escapes)  # an escaped quote does not end its string
    return ["".join(part) for part in parts[:MAX_PARTS]]


def parse_parameters(value: str) -> tuple[str, Mapping[str, str]]:
    r"""Split `type/subtype; a=b; c="d"` (RFC 9110 section 5.6.6) into value and parameters; never raises. O(n).

    The value and the names are in lower case. What is no parameter is passed over; of repeated ones the last counts.

    >>> parse_parameters('Text/CSV; Charset="utf-\\8" ; header = present;;x')
    ('text/csv', {'charset': 'utf-8', 'header': 'present'})
    """
    name, *rest = split_list(value, ";")
    parameters: dict[str, str] = {}
    for part in rest:
        key, equals, text = part.partition("=")
        if equals:
            parameters[key.strip(" \t").lower()] = _unquoted(text.strip(" \t"))
    return name.strip(" \t").lower(), parameters


def _unquoted(text: str) -> str:
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    return _ESCAPED.sub(r"\1", text[1:-1])


@bounded_cache(entries=256, longest=256)
def header_parameters(value: str) -> tuple[str, Mapping[str, str]]:
    """Split a header such as Content-Type into its value and its parameters; never raises.

    Of one beyond MAX_VALUE only the beginning is returned, which no media type equals.
    """
    return parse_parameters(value) if len(value) <= MAX_VALUE else (shown(value), {})
