"""Access control: bearer tokens (RFC 6750) in the header, or the cookie that the sign-in page sets.

Tokens are compared by their digests, and always with all configured ones, so that the time taken reveals neither
which token matched nor how far. `sessions` describes the cookie.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, cast
from urllib.parse import parse_qs

from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException, AuthenticationFailed, NotAuthenticated
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from timeseries_project.api import sessions
from timeseries_project.api.configuration import configuration
from timeseries_project.api.prefix import path_of

REALM = "timeseries"
MISSING = "This needs a token: send Authorization: Bearer with one of the tokens of this service."
WRONG = "The token is not one of the tokens of this service."

Meta = Mapping[str, Any]


def digest(token: str) -> bytes:
    """Return the digest by which a token is compared."""
    return hashlib.sha256(token.encode("latin-1", "replace")).digest()


@lru_cache(maxsize=8)
def _digests(tokens: tuple[str, ...]) -> tuple[bytes, ...]:
    return tuple(map(digest, tokens))


def known() -> tuple[bytes, ...]:
    """Return the digests of the configured tokens."""
    return _digests(configuration().tokens)


def is_known(given: bytes) -> bool:
    """Whether a digest belongs to a configured token; takes the same time for every digest."""
    found = False
    for configured in known():
        found |= hmac.compare_digest(configured, given)
    return found


def bearer(meta: Meta) -> str | None:
    """Return the token of the Authorization header; None without the header or with another scheme."""
    scheme, _, token = meta.get("HTTP_AUTHORIZATION", "").partition(" ")
    return token.strip(" ") or None if scheme.lower() == "bearer" else None


#: Paths whose clients have other ways to send a token.
_password_paths: set[str] = set()
#: Most parameters of a query string in which a token is looked for.
_MOST_PARAMETERS = 100


def accept_passwords(path: str) -> None:
    """Let clients of a path send a token as `Token`, as the password of Basic authentication, or as `p` in the query.

    Only on paths that no browser visits with a password: it would send that again by itself, for foreign pages too.
    """
    _password_paths.add(path)


def _password(meta: Meta) -> str | None:
    """Return the token of a request in those other ways, None where they are not accepted."""
    if path_of(cast(dict[str, Any], meta)).rstrip("/") not in _password_paths:
        return None
    scheme, _, token = meta.get("HTTP_AUTHORIZATION", "").partition(" ")
    token = token.strip(" ")
    if scheme.lower() == "token":
        return token or None
    try:
        if scheme.lower() == "basic":
            return base64.b64decode(token.encode("latin-1")).decode("latin-1").partition(":")[2] or None
        query = parse_qs(meta.get("QUERY_STRING", ""), encoding="latin-1", max_num_fields=_MOST_PARAMETERS)
    except (binascii.Error, ValueError):
        return None
    return query["p"][-1] if "p" in query else None


def credentials(meta: Meta) -> bool | None:
    """Whether the token or, without one, the cookie of a request is valid; None if it carries neither."""
    token = bearer(meta) or _password(meta)
    if token is not None:
        return is_known(digest(token))
    # Only our own pages may write with the cookie; SameSite alone would allow those of other ports and subdomains.
    if meta["REQUEST_METHOD"] not in SAFE_METHODS and is_foreign(meta):
        return None
    text = sessions.cookie(meta)
    return None if text is None else sessions.read(text, known()) is not None


def is_needed(method: str | None) -> bool:
    """Whether a request with this method needs a token on paths that are not open to all."""
    now = configuration()
    return bool(now.tokens) and (now.tokens_for_reads or method not in SAFE_METHODS)


def is_refused(method: str | None, meta: Meta) -> bool:
    """Whether a request needs a token and carries no valid one."""
    return is_needed(method) and not credentials(meta)


def is_signed_in(meta: Meta) -> bool:
    """Whether the browser has a valid cookie."""
    text = sessions.cookie(meta)
    return text is not None and sessions.read(text, known()) is not None


def is_foreign(meta: Meta) -> bool:
    """Whether a page of another site or port made the browser send this request.

    Browsers name the origin in headers; a client without these headers is not a browser and has no cookie to abuse.
    """
    site = meta.get("HTTP_SEC_FETCH_SITE")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = meta.get("HTTP_ORIGIN")
    if origin is None:
        return False
    kind, _, host = origin.partition("://")
    return _origin(kind, host) != _origin(sessions.scheme(meta), meta.get("HTTP_HOST", ""))


def _origin(scheme: str, host: str) -> tuple[str, str]:
    """Return an origin in a form for comparison: in lower case, without the default port."""
    scheme, host = scheme.lower(), host.lower().removesuffix(":")
    return scheme, host.removesuffix({"http": ":80", "https": ":443"}.get(scheme, ""))


def challenge(*, wrong: bool) -> str:
    """Return the value of the `WWW-Authenticate` header (RFC 6750 section 3)."""
    return f'Bearer realm="{REALM}"' + (', error="invalid_token"' if wrong else "")


class BearerAuthentication(BaseAuthentication):
    """Authentication by one of API_TOKENS; clients have no names.

    An invalid token is ignored where none is required, so that a browser with an outdated cookie can still read.
    """

    def authenticate(self, request: Request) -> tuple[None, bool] | None:
        """Return (None, True) for a valid token, else None."""
        return (None, True) if credentials(request.META) else None

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge of a 401 answer; it says so if the token sent was wrong."""
        return challenge(wrong=credentials(request.META) is not None)


class HasToken(BasePermission):
    """Permission for requests that need no token, and for those with a valid one."""

    def has_permission(self, request: Request, view: object) -> bool:
        """Return True. Raises NotAuthenticated if a required token is missing, AuthenticationFailed if it is wrong."""
        if is_needed(request.method) and request.auth is None:
            raise _refusal(request.META)
        return True


def require(request: HttpRequest) -> None:
    """Raise what `HasToken` raises, for the request of a page."""
    if is_refused(request.method, request.META):
        raise _refusal(request.META)


def _refusal(meta: Meta) -> APIException:
    return NotAuthenticated(MISSING) if credentials(meta) is None else AuthenticationFailed(WRONG)
