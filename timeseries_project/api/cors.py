"""Requests by pages of other origins, which CORS_ORIGINS allows (https://fetch.spec.whatwg.org/#http-cors-protocol).

Such pages may read, and write with a token in the Authorization header. Cookies do not count: a browser sends none with
their requests unless the answer allowed it, which ours never do. Without API_TOKENS anybody could write, so that such
pages can only read then. A dependency would be another layer around every request; this takes one look at a header.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse

from timeseries_project.api.configuration import Configuration, configuration

#: Methods and headers that scripts may use: to read, and to write too. Browsers let them POST in any case, but not with
#: a Content-Type that is taken here.
METHODS = ("GET, HEAD", "GET, HEAD, POST, DELETE")
SENT = ("If-None-Match, X-Request-ID", "Authorization, Content-Encoding, Content-Type, If-None-Match, X-Request-ID")
#: Headers that scripts can read beside the few that they always can.
EXPOSED = "Allow, ETag, Link, Retry-After, WWW-Authenticate, X-Request-ID"
#: Seconds for which a browser remembers the answer to a preflight; Chromium takes no more.
REMEMBERED = 7_200


#: The one entry of CORS_ORIGINS that stands for all.
ALL = "*"


def common_headers(settings: Configuration) -> dict[str, str]:
    """Return the headers that let all pages read, for every answer; none if only some origins, or none, are allowed."""
    return _readable(ALL) if ALL in settings.cors_origins else {}


def headers_for(meta: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers that let a page read the answer to its request; none unless its origin is named."""
    origin = meta.get("HTTP_ORIGIN")
    return _readable(origin) if origin is not None and origin in configuration().cors_origins else {}


def _readable(origin: str) -> dict[str, str]:
    return {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": EXPOSED}


def preflight(request: HttpRequest) -> HttpResponse | None:
    """Answer a browser that asks what a page may send, with no regard to tokens; None for any other request."""
    meta, settings = request.META, configuration()
    if "HTTP_ORIGIN" not in meta or "HTTP_ACCESS_CONTROL_REQUEST_METHOD" not in meta:
        return None
    if settings.cors_origins != (ALL,) and meta["HTTP_ORIGIN"] not in settings.cors_origins:
        return None
    response = HttpResponse(status=204)
    del response.headers["Content-Type"]
    may_write = bool(settings.tokens)
    response.headers["Access-Control-Allow-Methods"] = METHODS[may_write]
    response.headers["Access-Control-Allow-Headers"] = SENT[may_write]
    response.headers["Access-Control-Max-Age"] = str(REMEMBERED)
    return response
