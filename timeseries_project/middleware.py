"""The one middleware: all that happens around a view, in four named steps.

    identify   an id for the request, and the time of its arrival
    guard      broken transfers, unknown hosts and paths that are not UTF-8 are refused
    answer     a static file, or what the view answers; a long answer is compressed for who accepts that, and needs
               room in the budget of answers
    observe    the headers of every answer; counted, and logged if LOG_REQUESTS asks for it

One class in place of five: each layer of Django's chain costs as much as some of these steps.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from io import BytesIO
from urllib.parse import clear_cache  # type: ignore[attr-defined]  # the stubs lack it

from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.middleware.security import SecurityMiddleware
from whitenoise.middleware import WhiteNoiseMiddleware

from timeseries_project.api import answers, caching, compression, cors, guard
from timeseries_project.api.configuration import Configuration, configuration
from timeseries_project.api.errors import TooManyAnswers
from timeseries_project.api.framework import BARE, Stored, Utf8Request, add_headers, closers, set_header, stored
from timeseries_project.api.views import FaultView
from timeseries_project.ops import request_log

#: Longest URL that may stay in the cache of the standard library, which keeps the last 128 split URLs of any length.
MAX_REMEMBERED_URL = 2_000
#: Only answers to these methods are refused for their size: requests with other methods have taken effect already.
SAFE_METHODS = frozenset({"GET", "OPTIONS"})

POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


class Files(WhiteNoiseMiddleware):  # type: ignore[misc]  # without type hints
    """WhiteNoise, whose forever is ten years."""

    FOREVER = 365 * 24 * 60 * 60


class Middleware:
    """Identifies, guards, answers and observes each request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._view = get_response
        self._files = Files(get_response)
        self._static: str = self._files.static_prefix
        self._fault_view = FaultView.as_view()
        self._settings: Configuration | None = None

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer a request."""
        seen = request_log.identify(request)
        fault = guard.fault_of(request)
        response = self._refuse(request, fault) if fault else self._answer(request)
        self._complete(request, response)
        request_log.observe(request, response, seen)
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponseBase:
        """Answer an exception of a page; endpoints answer their own."""
        return self._refuse(request, exception)

    def _answer(self, request: HttpRequest) -> HttpResponseBase:
        path = request.path_info
        if request.method == "OPTIONS" and (preflight := cors.preflight(request)):
            return preflight
        response = self._files(request) if path.startswith(self._static) else self._view(request)
        if len(path) + len(request.META.get("QUERY_STRING", "")) > MAX_REMEMBERED_URL:
            clear_cache()
        size = _held_bytes(response)
        if size > compression.SHORT:
            response = compression.compress_long(request, response)
            size = _held_bytes(response)
        if size <= answers.FREE or request.method not in SAFE_METHODS:
            return response
        try:
            held = answers.under_way.hold(size)
        except answers.TooManyAnswersError:
            response.close()
            return self._refuse(request, TooManyAnswers())
        closers(response).append(partial(answers.under_way.release, held))
        return response

    def _refuse(self, request: HttpRequest, fault: Exception) -> HttpResponseBase:
        return self._fault_view(request, fault=fault)

    def _complete(self, request: HttpRequest, response: HttpResponseBase) -> None:
        """Add the headers of every answer; those that the view has set stay, but for Vary, which names all there is."""
        settings = configuration()
        if settings is not self._settings:
            self._learn(settings)
        secure = bool(settings.hsts_seconds) and request.is_secure()
        if isinstance(response, FileResponse):
            add_headers(response, self._headers_of_files[secure])
        else:
            add_headers(response, self._headers[secure])
            set_header(response, "Vary", self._vary)
            if settings.cors_origins and "HTTP_ORIGIN" in request.META:
                for name, value in cors.headers_for(request.META).items():
                    set_header(response, name, value)
        # With a length, the connection can be reused, and the client can see that an answer was cut off.
        if response.status_code in BARE or "Content-Length" in response.headers:
            return
        if isinstance(response, HttpResponse):
            set_header(response, "Content-Length", str(len(response.content)))

    def _learn(self, settings: Configuration) -> None:
        """Build the headers that depend on settings, with the first request and where tests change some."""
        of_data = {**caching.headers(settings), **cors.common_headers(settings)}
        self._headers_of_files = {secure: _common_headers(secure=secure) for secure in (False, True)}
        self._headers = {secure: {**found, **stored(of_data)} for secure, found in self._headers_of_files.items()}
        self._vary = of_data["Vary"]
        self._settings = settings


def _common_headers(*, secure: bool) -> Stored:
    """Return the headers of every answer: ours, and those that Django's SecurityMiddleware sets by the settings."""
    response = HttpResponse()
    del response.headers["Content-Type"]
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/",
        "wsgi.input": BytesIO(),
        "wsgi.url_scheme": "http" + "s" * secure,
    }
    SecurityMiddleware(lambda _: response)(Utf8Request(environ))
    return stored({**response.headers, "Content-Security-Policy": POLICY, "X-Frame-Options": "DENY"})


def _held_bytes(response: HttpResponseBase) -> int:
    """Return the bytes that an answer holds in memory: `nbytes` of a streamed one, none of a file."""
    if isinstance(response, HttpResponse):
        return len(response.content)
    if isinstance(response, FileResponse) or not isinstance(response, StreamingHttpResponse):
        return 0
    size: int = getattr(response, "nbytes", 0)
    return max(size, answers.FREE + 1)
