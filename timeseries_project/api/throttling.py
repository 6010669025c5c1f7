"""RATE_LIMIT, the limit of requests per client, for pages and endpoints."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Any

from django.http import HttpRequest
from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from timeseries_project.api.configuration import configuration
from timeseries_project.api.rate_limiter import RateLimiter
from timeseries_project.core import clock
from timeseries_project.core.caches import bounded_cache
from timeseries_project.env import Rate

#: Environment key of a request that was counted, so that one repeated in a thread counts once.
COUNTED = "timeseries.counted"
#: Most characters of a client's address that are used; an IPv6 address with its port has 53.
MAX_ADDRESS = 64


@lru_cache(maxsize=1)
def _limiter(rate: Rate) -> RateLimiter:
    return RateLimiter(count=rate.requests, seconds=rate.seconds)


def client_address(meta: Mapping[str, Any]) -> str:
    """Return the address of the client: the peer's, or the one that the outermost of TRUSTED_PROXIES saw.

    Each proxy appends the address of its peer to X-Forwarded-For, so only as many entries from the right as there are
    proxies can be trusted; the client can invent those before.
    """
    hops = configuration().trusted_proxies
    peer: str = meta.get("REMOTE_ADDR", "")
    if not hops or "HTTP_X_FORWARDED_FOR" not in meta:
        return _network(peer[:MAX_ADDRESS])
    chain = meta["HTTP_X_FORWARDED_FOR"].rsplit(",", hops)
    return _network(chain[-min(hops, len(chain))].strip()[:MAX_ADDRESS])


@bounded_cache(entries=4096, longest=MAX_ADDRESS)
def _network(address: str) -> str:
    """Return an IPv4 address, or the /64 network of an IPv6 address, because one client has all of it."""
    bare = address
    if address.startswith("["):
        bare = address[1:].partition("]")[0]
    elif address.count(":") == 1:  # some proxies write the port
        bare = address.partition(":")[0]
    try:
        found = ip_address(bare)
    except ValueError:
        return address
    if not isinstance(found, IPv6Address):
        return str(found)
    return str(found.ipv4_mapped or IPv6Address(int(found) >> 64 << 64))


class RateThrottle(BaseThrottle):
    """Refuses requests of a client that exceed RATE_LIMIT."""

    def allow_request(self, request: Request | HttpRequest, view: object) -> bool:
        """Whether a request is within the limit; if so, it is counted."""
        rate = configuration().rate_limit
        if rate is None or COUNTED in request.META:
            return True
        self._early = _limiter(rate).ask(client_address(request.META), now=clock.elapsed())
        if not self._early:
            request.META[COUNTED] = True
        return not self._early

    def wait(self) -> float:
        """Return the seconds that the client has to wait."""
        return self._early


def require(request: HttpRequest) -> None:
    """Raise Throttled if the request of a page exceeds RATE_LIMIT."""
    throttle = RateThrottle()
    if not throttle.allow_request(request, None):
        raise Throttled(throttle.wait())
