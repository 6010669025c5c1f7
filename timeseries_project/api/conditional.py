"""Entity tags, and requests that are answered only if the client does not have the answer yet (RFC 9110 section 13).

A tag is a hash of what an answer depends on: the version of the stored data, which a store tells in no time, the part
of the time that counts, the request and the format. So a client that has the answer is told so (304) without working
it out again. Where no version is known the tag is a hash of the answer itself.

Tags are weak: the same answer may be compressed or not, and weak ones are compared alike for both.
"""

from __future__ import annotations

import os
import secrets
from hashlib import blake2b

from timeseries_project.api.headers import MAX_VALUE

#: Versions begin anew in each process; so do tags.
_process = secrets.token_bytes(16)


def _begin_process() -> None:
    global _process
    _process = secrets.token_bytes(16)


os.register_at_fork(after_in_child=_begin_process)


class NotModifiedError(Exception):
    """The client has the answer of this tag already; no error, but the end of working on a request."""

    def __init__(self, tag: str) -> None:
        super().__init__(tag)
        self.tag = tag


def tag_of_version(*parts: object) -> str:
    """Return the tag of an answer that depends on these parts, numbers and texts, and on nothing else.

    >>> tag_of_version("3.7", 90) == tag_of_version("3.7", 90), tag_of_version("3.7", 90) == tag_of_version("3.7", 91)
    (True, False)
    """
    return f'W/"{blake2b(repr(parts).encode(), digest_size=15, key=_process).hexdigest()}"'


def tag_of_content(content: bytes, link: str = "") -> str:
    """Return the tag of an answer by its content and its Link header, the same in every process. O(n).

    >>> tag_of_content(b"[]") == tag_of_content(b"[]"), tag_of_content(b"[]") == tag_of_content(b"[]", "</next>")
    (True, False)
    """
    text = content + b"\0" + link.encode() if link else content
    return f'W/"{blake2b(text, digest_size=15).hexdigest()}"'


def is_any(if_none_match: str) -> bool:
    """Whether an If-None-Match header is `*`, which stands for whatever answer there is.

    >>> is_any(" * "), is_any('*, W/"a"')
    (True, False)
    """
    return if_none_match.strip(" \t") == "*"


def names(if_none_match: str, tag: str) -> bool:
    """Whether an If-None-Match header names a tag, weak or not.

    What is no tag is passed over; of a header longer than MAX_VALUE, everything. O(n).

    >>> names('"a", W/"b"', 'W/"b"'), names('"b"', 'W/"b"'), names('"a"', 'W/"b"'), names("b", 'W/"b"')
    (True, True, False, False)
    """
    # A tag of others may hold commas, and is cut there; none of its pieces is one of ours.
    parts = if_none_match.split(",") if len(if_none_match) <= MAX_VALUE else []
    return tag[2:] in (part.strip(" \t").removeprefix("W/") for part in parts)
