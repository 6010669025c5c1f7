"""Who may do what: bearer tokens (RFC 6750) in the header, or in the cookie that the sign-in page sets.

A token is known by its digest, and a digest is held against all of those that are configured, so that the time
it takes tells neither which one matched nor how far. The cookie carries the digest, not the token.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest, parse_cookie
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException, AuthenticationFailed, NotAuthenticated
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

COOKIE = "timeseries_token"
REALM = "timeseries"
MISSING = "A token is needed here: Authorization: Bearer, and one of those that this service was given."
WRONG = "The token is not one of those that this service was given."

Meta = Mapping[str, Any]


def digest(token: str) -> bytes:
    """Return what a token is known by."""
    return hashlib.sha256(token.encode("latin-1", "replace")).digest()


@lru_cache(maxsize=8)
def _digests(tokens: tuple[str, ...]) -> tuple[bytes, ...]:
    return tuple(map(digest, tokens))


def is_known(given: bytes) -> bool:
    """Whether a digest is that of a configured token; the same work whichever it is, or none."""
    known = False
    for configured in _digests(tuple(settings.API_TOKENS)):
        known |= hmac.compare_digest(configured, given)
    return known


def bearer(meta: Meta) -> str | None:
    """Return the token of the Authorization header; None if there is none of this scheme."""
    scheme, _, token = meta.get("HTTP_AUTHORIZATION", "").partition(" ")
    return token.strip(" ") or None if scheme.lower() == "bearer" else None


def cookie(meta: Meta) -> bytes | None:
    """Return the digest that the sign-in page left with the browser; None if there is none."""
    text = parse_cookie(meta["HTTP_COOKIE"]).get(COOKIE) if "HTTP_COOKIE" in meta else None
    try:
        return bytes.fromhex(text) if text else None
    except ValueError:
        return b""


def credentials(meta: Meta) -> bytes | None:
    """Return the digest of the token that a request carries; None if it carries none. The header counts first."""
    token = bearer(meta)
    if token is not None:
        return digest(token)
    # Only a page of ours may write with the cookie; SameSite alone would let those of other ports and subdomains.
    return None if meta["REQUEST_METHOD"] not in SAFE_METHODS and is_foreign(meta) else cookie(meta)


def is_needed(method: str | None) -> bool:
    """Whether a request with this method needs a token, unless what it asks for is open to all."""
    return bool(settings.API_TOKENS) and (settings.API_TOKENS_FOR_READS or method not in SAFE_METHODS)


def is_refused(method: str | None, meta: Meta) -> bool:
    """Whether a request needs a token and has not a good one."""
    if not is_needed(method):
        return False
    given = credentials(meta)
    return given is None or not is_known(given)


def is_signed_in(meta: Meta) -> bool:
    """Whether the browser has a good cookie."""
    given = cookie(meta)
    return given is not None and is_known(given)


def is_foreign(meta: Meta) -> bool:
    """Whether the page of another site, or of another port, made the browser send this.

    Browsers say so themselves; what says nothing of where it comes from is no browser, and has no cookie to abuse.
    """
    site = meta.get("HTTP_SEC_FETCH_SITE")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = meta.get("HTTP_ORIGIN")
    return origin is not None and origin.partition("://")[2] != meta.get("HTTP_HOST")


def challenge(*, wrong: bool) -> str:
    """Return the header that asks for a token (RFC 6750 section 3)."""
    return f'Bearer realm="{REALM}"' + (', error="invalid_token"' if wrong else "")


class BearerAuthentication(BaseAuthentication):
    """Tells by a token of API_TOKENS that a client is one of ours; nobody has a name.

    A wrong token is no fault of its own: where none is needed, say with an outdated cookie, all may read.
    """

    def authenticate(self, request: Request) -> tuple[None, bool] | None:
        """Return that the token is good; None without a good one."""
        given = credentials(request.META)
        return (None, True) if given is not None and is_known(given) else None

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge of a 401: that a token was wrong, if one was sent."""
        return challenge(wrong=credentials(request.META) is not None)


class HasToken(BasePermission):
    """Lets those who have a token do what needs one; what needs none is not looked at."""

    def has_permission(self, request: Request, view: object) -> bool:
        """Return True. NotAuthenticated where a token is needed and missing, AuthenticationFailed for a wrong one."""
        if is_needed(request.method) and request.auth is None:
            raise _refusal(request.META)
        return True


def require(request: HttpRequest) -> None:
    """Raise the same for a request of a page."""
    if is_refused(request.method, request.META):
        raise _refusal(request.META)


def _refusal(meta: Meta) -> APIException:
    return NotAuthenticated(MISSING) if credentials(meta) is None else AuthenticationFailed(WRONG)
