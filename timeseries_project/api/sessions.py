"""Sign-in sessions: a signed cookie that expires, and that signing out ends earlier.

The cookie is `expiry.id.signature`: epoch seconds, 12 random bytes, and an HMAC under the secret key over both and the
digest of the token. So it reveals nothing about the token, and is valid only while the token is configured and the key
is the same. The process remembers the ids of signed-out sessions until they would have expired.
"""

from __future__ import annotations

import base64
import hmac
import re
import secrets
from collections.abc import Iterable, Mapping
from heapq import heappop, heappush
from threading import Lock
from typing import Any, NamedTuple

from django.conf import settings
from django.utils.crypto import salted_hmac

from timeseries_project.core import clock

#: The cookie's name over HTTP, and over HTTPS, where `__Host-` makes browsers accept it from this host only. They do so
#: only for the whole host; under the prefix of a proxy, `__Secure-` at least makes them accept it over HTTPS only.
PLAIN, SECURE, SECURE_PART = "timeseries_token", "__Host-timeseries_token", "__Secure-timeseries_token"
#: Most signed-out ids that are remembered; beyond them, the one that would expire first is forgotten.
MAX_SIGNED_OUT = 10_000

_TEXT = re.compile(r"([0-9]{1,12})\.([A-Za-z0-9_-]{16})\.([A-Za-z0-9_-]{43})", re.ASCII)
_COOKIES = {name: re.compile(rf"(?:^|;)[ \t]*{name}=([^;]*)") for name in (PLAIN, SECURE, SECURE_PART)}

Meta = Mapping[str, Any]


class Session(NamedTuple):
    """The content of a cookie with a valid signature."""

    expiry: int
    id: bytes


class SignedOut:
    """The ids of sessions that were signed out before they expired, in bounded memory. Thread-safe.

    >>> ids = SignedOut(most=2)
    >>> for expiry, id in ((30, b"a"), (10, b"b"), (20, b"c")):
    ...     ids.add(Session(expiry, id), now=5)
    >>> b"a" in ids, b"b" in ids, b"c" in ids
    (True, False, True)
    >>> ids.add(Session(40, b"d"), now=20)
    >>> b"c" in ids, len(ids)
    (False, 2)
    """

    def __init__(self, *, most: int = MAX_SIGNED_OUT) -> None:
        self._most = most
        self._by_expiry: list[Session] = []
        self._ids: set[bytes] = set()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, id: bytes) -> bool:
        return id in self._ids

    def add(self, session: Session, *, now: int) -> None:
        """Add the id of a session; forget those that have expired or exceed the limit. O(log n)."""
        with self._lock:
            if session.id not in self._ids:
                self._ids.add(session.id)
                heappush(self._by_expiry, session)
            while self._by_expiry and (self._by_expiry[0].expiry <= now or len(self._ids) > self._most):
                self._ids.discard(heappop(self._by_expiry).id)


_signed_out = SignedOut()


def scheme(meta: Meta) -> str:
    """Return the scheme of a request, `http` or `https`, as Django determines it."""
    if setting := settings.SECURE_PROXY_SSL_HEADER:
        name, secure = setting
        if (said := meta.get(name)) is not None:
            return "https" if said.split(",", 1)[0].strip() == secure else "http"
    return str(meta.get("wsgi.url_scheme", "http"))


def cookie_name(meta: Meta) -> str:
    """Return the name of the cookie that a request is read from and its answer sets."""
    if scheme(meta) != "https":
        return PLAIN
    return SECURE_PART if meta.get("SCRIPT_NAME") else SECURE


def cookie_path(meta: Meta) -> str:
    """Return the path for which a browser sends the cookie: that of this service, not of others beside it."""
    return meta.get("SCRIPT_NAME") or "/"


def cookie(meta: Meta) -> str | None:
    """Return the text of the cookie, None without one. O(n), where Django's own parsing of the header is quadratic."""
    if "HTTP_COOKIE" not in meta:
        return None
    found = _COOKIES[cookie_name(meta)].search(meta["HTTP_COOKIE"])
    return found[1].strip(' \t"') or None if found else None


def lifetime() -> int:
    """Return the seconds for which a cookie is valid."""
    return int(settings.SIGN_IN_HOURS) * 3_600


def issue(token: bytes) -> str:
    """Return the text of a new cookie for the digest of a token."""
    expiry, id = clock.now_s() + lifetime(), secrets.token_urlsafe(12)
    return f"{expiry}.{id}.{_signature(token, expiry, id)}"


def read(text: str, tokens: Iterable[bytes]) -> Session | None:
    """Return the session of a cookie; None if the text is invalid, has expired or was signed out.

    The signature is compared for the digests of all tokens, so that the time taken does not reveal which one matched.
    """
    match = _TEXT.fullmatch(text)
    if not match:
        return None
    expiry, id, signature = int(match[1]), match[2], match[3]
    known = False
    for token in tokens:
        known |= hmac.compare_digest(_signature(token, expiry, id), signature)
    session = Session(expiry, base64.urlsafe_b64decode(id))
    return session if known and expiry > clock.now_s() and session.id not in _signed_out else None


def sign_out(text: str, tokens: Iterable[bytes]) -> None:
    """End the session of a cookie; an invalid text is ignored, so that strangers cannot fill the memory."""
    if session := read(text, tokens):
        _signed_out.add(session, now=clock.now_s())


def _signature(token: bytes, expiry: int, id: str) -> str:
    signed = salted_hmac("timeseries_project.sign-in", f"{token.hex()}.{expiry}.{id}", algorithm="sha256").digest()
    return base64.urlsafe_b64encode(signed).rstrip(b"=").decode()
