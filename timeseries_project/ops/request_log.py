"""The log and the metrics of requests: id, status, size and duration of each.

The first and the last step of the middleware: they also see static files and refused requests.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from typing import NamedTuple, cast

from django.conf import settings
from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from rest_framework.schemas.generators import EndpointEnumerator

from timeseries_project.api.configuration import configuration
from timeseries_project.api.framework import set_header
from timeseries_project.api.throttling import client_address
from timeseries_project.core import clock
from timeseries_project.ops import logs, metrics

#: The label of requests that no route answers.
UNKNOWN = "unknown"
#: Longer parts of a request are cut in the log; a key has at most 255 characters.
MAX_LOGGED = 500

_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_lines = logging.getLogger("timeseries_project.requests")
_failures = logging.getLogger(__name__)


class Seen(NamedTuple):
    """A request that is being answered."""

    id: str
    start: float


def identify(request: HttpRequest) -> Seen:
    """Give a request an id, the client's own if its form is valid, and note the time."""
    start = clock.elapsed()
    given = request.META.get("HTTP_X_REQUEST_ID")
    request_id = given if given and _ID.fullmatch(given) else os.urandom(16).hex()
    logs.request_id.set(request_id)
    return Seen(request_id, start)


def observe(request: HttpRequest, response: HttpResponseBase, seen: Seen) -> None:
    """Add X-Request-ID; count and log the answer once its last byte was handed over."""
    set_header(response, "X-Request-ID", seen.id)
    if isinstance(response, StreamingHttpResponse) and not isinstance(response, FileResponse):
        parts = cast(Iterator[bytes], response.streaming_content)
        response.streaming_content = _Parts(parts, seen.id, partial(_ended, request, response, seen.start))
    else:
        _ended(request, response, seen.start)


class _Parts:
    """A streamed answer: counts its bytes and reports its end, also where the client has disconnected."""

    def __init__(self, parts: Iterable[bytes], request_id: str, ended: Callable[[int], None]) -> None:
        self._parts = iter(parts)
        self._request_id = request_id
        self._ended: Callable[[int], None] | None = ended
        self._sent = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        logs.request_id.set(self._request_id)
        try:
            part = next(self._parts)
        except StopIteration:
            raise
        except Exception:
            _failures.exception("An answer broke off")
            raise
        self._sent += len(part)
        return part

    def close(self) -> None:
        """Report once that the answer has ended; servers close every answer."""
        ended, self._ended = self._ended, None
        if ended:
            logs.request_id.set(self._request_id)
            ended(self._sent)


def _ended(request: HttpRequest, response: HttpResponseBase, start: float, sent: int | None = None) -> None:
    """Count an answer, and log it if LOG_REQUESTS asks for that."""
    seconds = clock.elapsed() - start
    status = response.status_code
    match = request.resolver_match
    method = request.method or ""
    metrics.count_request(method, route_label(match.route) if match else _unrouted(request), status, seconds)
    # A full store (507) or an absent storage (503) is a refusal and not a failure of ours, though its status is 5xx.
    if (400 if status in (503, 507) else status) >= logs.LOGGED_FROM[configuration().log_requests]:
        _log(request, response, seconds, _length(request, response) if sent is None else sent)


@cache
def route_label(route: str) -> str:
    """Return the template of a route as the OpenAPI schema writes it. Cached: one entry for each route."""
    return EndpointEnumerator().get_path_from_regex(route).rstrip("/") or "/" if route else UNKNOWN


def _unrouted(request: HttpRequest) -> str:
    """Return the label of a request that middleware answered before its route was resolved."""
    static = str(settings.STATIC_URL)
    return f"{static}{{path}}" if request.path_info.startswith(static) else UNKNOWN


def _length(request: HttpRequest, response: HttpResponseBase) -> int:
    if request.method == "HEAD":
        return 0
    if isinstance(response, HttpResponse):
        return len(response.content)
    return int(response.headers.get("Content-Length", 0))


def _log(request: HttpRequest, response: HttpResponseBase, seconds: float, sent: int) -> None:
    match = request.resolver_match
    fields = {
        "method": (request.method or "")[:MAX_LOGGED],
        "path": request.path_info[:MAX_LOGGED],
        "route": route_label(match.route) if match else _unrouted(request),
        "status": response.status_code,
        "duration_ms": round(seconds * 1_000, 3),
        "bytes": sent,
        "client": client_address(request.META),
    }
    level = logging.ERROR if response.status_code >= 500 else logging.INFO
    _lines.log(level, "A request was answered", extra={"fields": fields})
