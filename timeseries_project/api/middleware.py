"""What is checked before, and added after, any view."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import clear_cache  # type: ignore[attr-defined]  # the stubs lack it

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse
from django.http.request import split_domain_port
from django.http.response import HttpResponseBase
from rest_framework.exceptions import NotFound

from timeseries_project.api.headers import FAULT
from timeseries_project.api.views import FaultView
from timeseries_project.caches import bounded_cache
from timeseries_project.faults import InvalidInputError

#: Characters of a Host header: a name, a colon and a port.
MAX_HOST, MAX_PORT = 255 + 6, 65_535
#: The standard library remembers the last 128 URLs that it split, of any length: those beyond this one it shall not.
MAX_REMEMBERED_URL = 2_000

GetResponse = Callable[[HttpRequest], HttpResponseBase]


class HeadersMiddleware:
    """Sets what every answer has: the one strict policy, all from here and nothing inline; no frames; its length.

    Django's SecurityMiddleware, which stands outside of this one, adds what is not ours to decide.
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
        # A length lets a connection be kept, and a client see that an answer was cut.
        if isinstance(response, HttpResponse) and response.status_code != 204:
            response.headers.setdefault("Content-Length", str(len(response.content)))
        return response


@bounded_cache(entries=256, longest=MAX_HOST)
def _is_served(host: str, allowed: tuple[str, ...]) -> bool:
    """Whether the setting `allowed` names a host, and its port, if it has one, is a port."""
    request = HttpRequest()
    request.META["HTTP_HOST"] = host
    try:
        port = split_domain_port(request.get_host())[1]
    except DisallowedHost:
        return False
    return len(port) <= len(str(MAX_PORT)) and int(port or 0) <= MAX_PORT


class RequestGuardMiddleware:
    """Refuses a foreign Host, a path that is not UTF-8 and half a body, and answers a failing page: as problems."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self._fault_view = FaultView.as_view()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer, or refuse."""
        if FAULT in request.META:
            return self._answer(request, request.META[FAULT])
        host = request.META.get("HTTP_HOST", request.META["SERVER_NAME"])
        if len(host) > MAX_HOST or not _is_served(host, tuple(settings.ALLOWED_HOSTS)):
            return self._answer(request, InvalidInputError("The Host header names a host not served here."))
        if not getattr(request, "is_utf8", True):
            return self._answer(request, InvalidInputError("The path or the query is not UTF-8."))
        if not request.path_info.startswith("/"):
            # Django would answer this one before it asks any route.
            return self._answer(request, NotFound())
        response = self.get_response(request)
        if len(request.path_info) + len(request.META.get("QUERY_STRING", "")) > MAX_REMEMBERED_URL:
            clear_cache()
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponseBase:
        """Answer what a page raised; endpoints answer for themselves."""
        return self._answer(request, exception)

    def _answer(self, request: HttpRequest, fault: Exception) -> HttpResponseBase:
        response = self._fault_view(request, fault=fault)
        return response.render() if hasattr(response, "render") else response
