"""Checks of a request before anything else: its transfer, its Host, its encoding."""

from __future__ import annotations

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest
from django.http.request import split_domain_port
from rest_framework.exceptions import NotFound

from timeseries_project.api.configuration import configuration
from timeseries_project.api.headers import FAULT
from timeseries_project.core.caches import bounded_cache
from timeseries_project.core.errors import InvalidInputError

#: Most characters of a Host header (a name, a colon and a port), and the highest port.
MAX_HOST, MAX_PORT = 255 + 6, 65_535


def fault_of(request: HttpRequest) -> Exception | None:
    """Return why a request cannot be answered, whatever it asks for; None if there is no reason."""
    meta = request.META
    if FAULT in meta:
        fault: Exception = meta[FAULT]
        return fault
    host = meta.get("HTTP_HOST", meta["SERVER_NAME"])
    if len(host) > MAX_HOST or not _is_served(host, configuration().hosts):
        return InvalidInputError("The Host header names a host not served here.")
    if not getattr(request, "is_utf8", True):
        return InvalidInputError("The path or the query is not UTF-8.")
    # Django would answer a path without its slash before trying any route.
    return None if request.path_info.startswith("/") else NotFound()


@bounded_cache(entries=256, longest=MAX_HOST)
def _is_served(host: str, allowed: tuple[str, ...]) -> bool:
    """Whether `allowed`, the value of ALLOWED_HOSTS, matches a Host header, and its port, if any, is valid."""
    request = HttpRequest()
    request.META["HTTP_HOST"] = host
    try:
        port = split_domain_port(request.get_host())[1]
    except DisallowedHost:
        return False
    return len(port) <= len(str(MAX_PORT)) and int(port or 0) <= MAX_PORT
