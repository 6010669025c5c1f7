"""Parsing of untrusted header values, in linear time; values that are too long are not parsed."""

from __future__ import annotations

import re
from collections.abc import Mapping

from timeseries_project.core.caches import bounded_cache
from timeseries_project.core.errors import shown

#: Most bytes of all headers of a request, names and values; a request with more is refused (431) before any is read.
MAX_BLOCK = 32 * 1024
#: Most characters of a value that is parsed. A longer media type counts as unknown; a longer Accept accepts anything.
MAX_VALUE = 4_096
#: Most parts of one value that are read; browsers send ten.
MAX_PARTS = 64

#: Environment key for the exception that answers a request found faulty before it was complete.
FAULT = "timeseries.fault"

_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def split_list(text: str, separator: str) -> list[str]:
    r"""Split a header at the separators outside of quoted strings and return the first MAX_PARTS parts; never raises.

    A string that does not end extends to the end of the header. O(n), and the number of steps is bounded for any text.

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

    The value and the names are returned in lower case. Parts that are not parameters are ignored; of repeated
    parameters the last counts.

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

    Of a header longer than MAX_VALUE only the beginning is returned, which equals no media type.
    """
    return parse_parameters(value) if len(value) <= MAX_VALUE else (shown(value), {})
