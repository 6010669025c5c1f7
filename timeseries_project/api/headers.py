"""Header values that may say anything."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from django.utils.http import parse_header_parameters


@lru_cache(maxsize=1024)
def header_parameters(value: str) -> tuple[str, Mapping[str, str]]:
    """Split a header such as Content-Type into its value, in lower case, and its parameters; never raises.

    Django's own reading fails where an extended parameter (RFC 8187) names an unknown charset: then there are
    no parameters, and the value is the header as it is, which no media type equals.
    """
    try:
        name, parameters = parse_header_parameters(value)
    except (LookupError, ValueError):
        return value, {}
    return name, parameters
