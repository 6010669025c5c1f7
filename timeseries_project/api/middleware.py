"""What is checked before, and added after, any view."""

from __future__ import annotations

from collections.abc import Callable

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from timeseries_project.api.views import FaultView
from timeseries_project.faults import InvalidInputError

GetResponse = Callable[[HttpRequest], HttpResponseBase]


class ContentSecurityPolicyMiddleware:
    """Sets the one strict policy on every answer: all from here, nothing inline."""

    POLICY = "default-src 'self'; img-src 'self' data:"

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer with the header added."""
        response = self.get_response(request)
        response.headers["Content-Security-Policy"] = self.POLICY
        return response


class RequestGuardMiddleware:
    """Refuses a foreign Host and a path that is not UTF-8, and answers a page's failure, as problem details."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self._fault_view = FaultView.as_view()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer, or refuse."""
        try:
            request.get_host()
        except DisallowedHost:
            return self._answer(request, InvalidInputError("The Host header names a host not served here."))
        if not getattr(request, "path_is_utf8", True):
            return self._answer(request, InvalidInputError("The path is not UTF-8."))
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponseBase:
        """Answer what a page raised; endpoints answer for themselves."""
        response = self._answer(request, exception)
        if response.status_code == 405:
            response.headers["Allow"] = "GET, HEAD"
        return response

    def _answer(self, request: HttpRequest, fault: Exception) -> HttpResponseBase:
        response = self._fault_view(request, fault=fault)
        return response.render() if hasattr(response, "render") else response
