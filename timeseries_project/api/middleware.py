"""The middleware around every view: checks of the request before it, headers of the answer after it."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import clear_cache  # type: ignore[attr-defined]  # the stubs lack it

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.exceptions import NotFound

from timeseries_project.api import hosts
from timeseries_project.api.headers import FAULT
from timeseries_project.api.views import FaultView
from timeseries_project.core.errors import InvalidInputError

#: Longest URL that may stay in the cache of the standard library, which keeps the last 128 split URLs of any length.
MAX_REMEMBERED_URL = 2_000

GetResponse = Callable[[HttpRequest], HttpResponseBase]


class HeadersMiddleware:
    """Sets the headers of every answer: the content security policy, a ban on frames, and the length.

    Django's SecurityMiddleware, outside of this one, adds the other security headers.
    """

    POLICY = (
        "default-src 'self'; img-src 'self' data:; object-src 'none'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer with the headers added."""
        response = self.get_response(request)
        response.headers["Content-Security-Policy"] = self.POLICY
        response.headers["X-Frame-Options"] = "DENY"
        # With a length, the connection can be reused, and the client can see that an answer was cut off.
        if isinstance(response, HttpResponse) and response.status_code != 204:
            response.headers.setdefault("Content-Length", str(len(response.content)))
        return response


class RequestGuardMiddleware:
    """Answers problem details for an unknown Host, invalid UTF-8, a broken body, and exceptions of pages."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self._fault_view = FaultView.as_view()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer, or refuse."""
        if FAULT in request.META:
            return self._answer(request, request.META[FAULT])
        if unserved := hosts.fault(request):
            return self._answer(request, unserved)
        if not getattr(request, "is_utf8", True):
            return self._answer(request, InvalidInputError("The path or the query is not UTF-8."))
        if not request.path_info.startswith("/"):
            # Django would answer this before trying any route.
            return self._answer(request, NotFound())
        response = self.get_response(request)
        if len(request.path_info) + len(request.META.get("QUERY_STRING", "")) > MAX_REMEMBERED_URL:
            clear_cache()
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponseBase:
        """Answer an exception of a page; endpoints answer their own."""
        return self._answer(request, exception)

    def _answer(self, request: HttpRequest, fault: Exception) -> HttpResponseBase:
        response = self._fault_view(request, fault=fault)
        return response.render() if hasattr(response, "render") else response
