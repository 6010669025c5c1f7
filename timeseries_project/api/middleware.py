"""What is checked before, and added after, any view."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.exceptions import NotFound

from timeseries_project.api.views import FaultView
from timeseries_project.faults import InvalidInputError

#: Where a server leaves in the environment what it found wrong before a request was complete: an exception.
FAULT = "timeseries.fault"

GetResponse = Callable[[HttpRequest], HttpResponseBase]


class HeadersMiddleware:
    """Sets what every answer has: the one strict policy, all from here and nothing inline; no frames; its length.

    Django's SecurityMiddleware, which stands outside of this one, adds what is not ours to decide.
    """

    POLICY = "default-src 'self'; img-src 'self' data:"

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer with the headers added."""
        response = self.get_response(request)
        response.headers["Content-Security-Policy"] = self.POLICY
        response.headers["X-Frame-Options"] = "DENY"
        # A length lets a connection be kept, and a client see that an answer was cut.
        if isinstance(response, HttpResponse) and response.status_code != 204:
            response.headers.setdefault("Content-Length", str(len(response.content)))
        return response


class RequestGuardMiddleware:
    """Refuses a foreign Host, a path that is not UTF-8 and half a body, and answers a failing page: as problems."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self._fault_view = FaultView.as_view()
        #: Hosts that were found to be allowed, and by which setting.
        self._served: set[str] = set()
        self._allowed: list[str] = []

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer, or refuse."""
        if FAULT in request.META:
            return self._answer(request, request.META[FAULT])
        allowed = settings.ALLOWED_HOSTS
        host = request.META.get("HTTP_HOST")
        if host not in self._served or allowed is not self._allowed:
            try:
                request.get_host()
            except DisallowedHost:
                return self._answer(request, InvalidInputError("The Host header names a host not served here."))
            if host is not None:
                self._remember(host, allowed)
        if not getattr(request, "is_utf8", True):
            return self._answer(request, InvalidInputError("The path or the query is not UTF-8."))
        if not request.path_info.startswith("/"):
            # Django would answer this one before it asks any route.
            return self._answer(request, NotFound())
        return self.get_response(request)

    def _remember(self, host: str, allowed: list[str]) -> None:
        if allowed is not self._allowed or len(self._served) >= 1_000:
            self._allowed, self._served = allowed, set()
        self._served.add(host)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponseBase:
        """Answer what a page raised; endpoints answer for themselves."""
        return self._answer(request, exception)

    def _answer(self, request: HttpRequest, fault: Exception) -> HttpResponseBase:
        response = self._fault_view(request, fault=fault)
        return response.render() if hasattr(response, "render") else response
