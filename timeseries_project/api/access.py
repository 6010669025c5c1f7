"""Who may do what: bearer tokens (RFC 6750) in the header, or in the cookie that the sign-in page sets.

A token is known by its digest, and a digest is held against all of those that are configured, so that the time
it takes tells neither which one matched nor how far. What the cookie carries is told in `sessions`.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException, AuthenticationFailed, NotAuthenticated
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from timeseries_project.api import sessions

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


def known() -> tuple[bytes, ...]:
    """Return the digests of the configured tokens."""
    return _digests(tuple(settings.API_TOKENS))


def is_known(given: bytes) -> bool:
    """Whether a digest is that of a configured token; the same work whichever it is, or none."""
    found = False
    for configured in known():
        found |= hmac.compare_digest(configured, given)
    return found


def bearer(meta: Meta) -> str | None:
    """Return the token of the Authorization header; None if there is none of this scheme."""
    scheme, _, token = meta.get("HTTP_AUTHORIZATION", "").partition(" ")
    return token.strip(" ") or None if scheme.lower() == "bearer" else None


def credentials(meta: Meta) -> bool | None:
    """Whether the token or cookie that a request carries is good; None if it carries none. The header counts first."""
    token = bearer(meta)
    if token is not None:
        return is_known(digest(token))
    # Only a page of ours may write with the cookie; SameSite alone would let those of other ports and subdomains.
    if meta["REQUEST_METHOD"] not in SAFE_METHODS and is_foreign(meta):
        return None
    text = sessions.cookie(meta)
    return None if text is None else sessions.read(text, known()) is not None


def is_needed(method: str | None) -> bool:
    """Whether a request with this method needs a token, unless what it asks for is open to all."""
    return bool(settings.API_TOKENS) and (settings.API_TOKENS_FOR_READS or method not in SAFE_METHODS)


def is_refused(method: str | None, meta: Meta) -> bool:
    """Whether a request needs a token and has not a good one."""
    return is_needed(method) and not credentials(meta)


def is_signed_in(meta: Meta) -> bool:
    """Whether the browser has a good cookie."""
    text = sessions.cookie(meta)
    return text is not None and sessions.read(text, known()) is not None


def is_foreign(meta: Meta) -> bool:
    """Whether the page of another site, or of another port, made the browser send this.

    Browsers say so themselves; what says nothing of where it comes from is no browser, and has no cookie to abuse.
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
    """Return an origin as others can be compared with it: in lower case, without the port that goes without saying."""
    scheme, host = scheme.lower(), host.lower().removesuffix(":")
    return scheme, host.removesuffix({"http": ":80", "https": ":443"}.get(scheme, ""))


def challenge(*, wrong: bool) -> str:
    """Return the header that asks for a token (RFC 6750 section 3)."""
    return f'Bearer realm="{REALM}"' + (', error="invalid_token"' if wrong else "")


class BearerAuthentication(BaseAuthentication):
    """Tells by a token of API_TOKENS that a client is one of ours; nobody has a name.

    A wrong token is no fault of its own: where none is needed, say with an outdated cookie, all may read.
    """

    def authenticate(self, request: Request) -> tuple[None, bool] | None:
        """Return that the token is good; None without a good one."""
        return (None, True) if credentials(request.META) else None

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
