"""The prefix under which a proxy shows the service, such as `/ts`: ROOT_PATH, or what trusted proxies say.

A request under a prefix has it as SCRIPT_NAME, and the rest of its path as PATH_INFO (PEP 3333), whether the proxy took
the prefix off or left it on. `reverse`, `static` and `address` put it before what they return while that request is
being answered, and only then: the parts of a streamed answer, which are computed later, must not call them.
"""

from __future__ import annotations

import re
from typing import Any

from django.conf import settings
from django.urls import get_script_prefix

from timeseries_project.api.headers import FAULT
from timeseries_project.core.errors import InvalidInputError

HEADER = "HTTP_X_FORWARDED_PREFIX"
#: Most characters of a prefix.
MAX_PREFIX = 200
#: The first parts of our own paths. A prefix that begins with one of them could be left on or a part of the path.
OWN = frozenset(
    {"api", "charts", "datapoints", "devices", "healthz", "metrics", "ping", "query", "readyz"}
    | {"sign-in", "sign-out", "static", "statistics", "users", "write"}
)

#: Parts of characters that need no escaping in a URL, in HTML or in a cookie.
_PREFIX = re.compile(r"(?:/[A-Za-z0-9._~-]+)+", re.ASCII)
#: The scheme and host of a request target in absolute form (RFC 9112 section 3.2.2).
_ORIGIN = re.compile(r"https?://[^/?]*", re.IGNORECASE)


def parse_prefix(text: str) -> str:
    """Return a prefix without a slash at its end, empty for the root. Raises ValueError with the reason.

    >>> parse_prefix("/ts/"), parse_prefix("/a/b-1"), parse_prefix("/"), parse_prefix("")
    ('/ts', '/a/b-1', '', '')
    >>> parse_prefix("//example.org")
    Traceback (most recent call last):
    ValueError: must be a path such as /ts: letters, digits and -._~ between single slashes, and no /../
    """
    if len(text) > MAX_PREFIX:
        raise ValueError(f"must be a path of at most {MAX_PREFIX} characters")
    prefix = _well_formed(text)
    if prefix and (first := prefix.split("/")[1]) in OWN:
        raise ValueError(f"must not begin with /{first}, as paths of the service itself do")
    return prefix


def _well_formed(text: str) -> str:
    prefix = text.removesuffix("/")
    if prefix and (not _PREFIX.fullmatch(prefix) or not {".", ".."}.isdisjoint(prefix.split("/"))):
        raise ValueError("must be a path such as /ts: letters, digits and -._~ between single slashes, and no /../")
    return prefix


def forwarded(value: str, hops: int) -> str:
    """Return the prefix that the last `hops` entries of X-Forwarded-Prefix make up. Raises ValueError with the reason.

    Each proxy appends the prefix that it takes off, so entries before those of the trusted ones are not theirs.

    >>> forwarded("/invented, /a, /b", 2)
    '/a/b'
    """
    entries = value.rsplit(",", hops)
    return parse_prefix("".join(_well_formed(entry.strip(" \t")) for entry in entries[-hops:]))


def is_possible() -> bool:
    """Whether a request of this process can have a prefix."""
    return bool(settings.ROOT_PATH or settings.TRUSTED_PROXIES)


def place(environ: dict[str, Any]) -> None:
    """Move the prefix of a request, if it has one, to SCRIPT_NAME.

    ROOT_PATH counts more than the header, which counts only if there are TRUSTED_PROXIES; an invalid one is stored in
    the environment as the fault that answers the request.
    """
    prefix: str = settings.ROOT_PATH
    if not prefix and settings.TRUSTED_PROXIES and HEADER in environ:
        try:
            prefix = forwarded(environ[HEADER], settings.TRUSTED_PROXIES)
        except ValueError as error:
            environ.setdefault(FAULT, InvalidInputError(f"The header X-Forwarded-Prefix {error}."))
    if not prefix:
        return
    environ["SCRIPT_NAME"] = prefix
    path = path_of(environ)
    if path == prefix or path.startswith(f"{prefix}/"):
        path = path[len(prefix) :] or "/"
    environ["PATH_INFO"] = path


def path_of(environ: dict[str, Any]) -> str:
    """Return the path of a request, also if its target is in absolute form (RFC 9112 section 3.2.2)."""
    path: str = environ.get("PATH_INFO", "")
    return path if path.startswith("/") else _ORIGIN.sub("", path, count=1)


def address(path: str) -> str:
    """Return the address of a path of ours, such as `/devices`, for the request that is being answered."""
    return get_script_prefix() + path.removeprefix("/")
