"""Requests by pages of other origins, which CORS_ORIGINS allows (https://fetch.spec.whatwg.org/#http-cors-protocol).

Such pages may read, and write with a token in the Authorization header. Cookies do not count: a browser sends none with
their requests unless the answer allowed it, which ours never do. Without API_TOKENS anybody could write, so that such
pages can only read then. A dependency would be another layer around every request; this takes one look at a header.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

#: Methods and headers that scripts may use: to read, and to write too. Browsers let them POST in any case, but not with
#: a Content-Type that is taken here.
METHODS = ("GET, HEAD", "GET, HEAD, POST, DELETE")
SENT = ("If-None-Match, X-Request-ID", "Authorization, Content-Encoding, Content-Type, If-None-Match, X-Request-ID")
#: Headers that scripts can read beside the few that they always can.
EXPOSED = "Allow, ETag, Link, Retry-After, WWW-Authenticate, X-Request-ID"
#: Seconds for which a browser remembers the answer to a preflight; Chromium takes no more.
REMEMBERED = 7_200


def headers_for(meta: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers that let a page read the answer to its request; none if its origin is not allowed."""
    allowed, origin = settings.CORS_ORIGINS, meta.get("HTTP_ORIGIN")
    if origin is None or not (allowed == ("*",) or origin in allowed):
        return {}
    return {
        "Access-Control-Allow-Origin": "*" if allowed == ("*",) else origin,
        "Access-Control-Expose-Headers": EXPOSED,
    }


def preflight(request: HttpRequest) -> HttpResponse | None:
    """Answer a browser that asks what a page may send; None for any other request. It needs no token.

    `headers_for` says whether the page may; the rest is the same for all.
    """
    meta = request.META
    if request.method != "OPTIONS" or "HTTP_ACCESS_CONTROL_REQUEST_METHOD" not in meta or not headers_for(meta):
        return None
    response = HttpResponse(status=204)
    del response.headers["Content-Type"]
    may_write = bool(settings.API_TOKENS)
    response.headers["Access-Control-Allow-Methods"] = METHODS[may_write]
    response.headers["Access-Control-Allow-Headers"] = SENT[may_write]
    response.headers["Access-Control-Max-Age"] = str(REMEMBERED)
    return response
