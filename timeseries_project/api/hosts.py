"""The hosts under which the service may be addressed: the check of a request's Host header, and a notice at start."""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest
from django.http.request import split_domain_port

from timeseries_project import env
from timeseries_project.api.configuration import configuration
from timeseries_project.core.caches import bounded_cache
from timeseries_project.core.errors import InvalidInputError, shown

#: Paths that are answered whatever the Host header says: probes come by address, and some without the header.
PROBES = frozenset({"/healthz", "/healthz/", "/readyz", "/readyz/"})
#: Most characters of a Host header (a name, a colon and a port), and the highest port.
MAX_HOST, MAX_PORT = 255 + 6, 65_535


def fault(request: HttpRequest) -> InvalidInputError | None:
    """Return why a request is refused for its Host header; None if it may be answered."""
    host: str = request.META.get("HTTP_HOST", request.META["SERVER_NAME"])
    if (len(host) <= MAX_HOST and _is_served(host, configuration().hosts)) or request.path_info in PROBES:
        return None
    # The production server passes on an empty header where there was none.
    named = f"The Host header names {shown(host)!r}" if request.META.get("HTTP_HOST") else "The request names no host"
    return InvalidInputError(f"{named}; those that are served are in DJANGO_ALLOWED_HOSTS.")


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


def notice(address: str) -> str | None:
    """Return a line for the start of a server that listens at an address by which it would not be served.

    None if it would be, or if DJANGO_ALLOWED_HOSTS is set: then somebody has thought of it.
    """
    host, served = env.bracketed(address), settings.ALLOWED_HOSTS
    if env.text("DJANGO_ALLOWED_HOSTS", "") or _is_served(host, tuple(served)):
        return None
    added = "stats.example.org" if address in env.WILDCARDS else host
    return (
        f"Hosts served: {', '.join(served)}; others are refused. "
        f"To add one: DJANGO_ALLOWED_HOSTS='{','.join([*served, added])}'"
    )
