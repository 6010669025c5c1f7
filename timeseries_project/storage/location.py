"""Reads STORAGE_URL: where the storage is. Plain Python; knows no framework."""

from __future__ import annotations

from typing import Any, NamedTuple
from urllib.parse import urlsplit

from redis.connection import Connection, parse_url

DEFAULT_PORT = 6379
TLS_OPTIONS = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs", "ssl_check_hostname")


class Address(NamedTuple):
    """Host and port of a node."""

    host: str
    port: int


class Location(NamedTuple):
    """The contents of a STORAGE_URL: the first nodes, whether they form a cluster, and how to connect."""

    addresses: tuple[Address, ...]
    cluster: bool
    connection_class: type[Connection]
    options: dict[str, Any]


def parse_location(url: str) -> Location:
    """Read redis://host:port/db, rediss://..., redis+cluster://host:port,host:port,... or rediss+cluster://...

    Raises ValueError with a message that holds no part of the URL, which may contain a password.
    """
    scheme, separator, rest = url.partition("://")
    kind, _, cluster = scheme.partition("+")
    if kind not in ("redis", "rediss") or cluster not in ("", "cluster") or not separator:
        raise ValueError("must be memory://, redis://, rediss://, redis+cluster:// or rediss+cluster://")
    credentials, at, places = rest.rpartition("@")
    places, _, query = places.partition("?")
    places, _, path = places.partition("/")
    hosts = places.split(",") if cluster else [places]
    if any(option.partition("=")[0] not in TLS_OPTIONS for option in query.split("&") if query):
        raise ValueError(f"may have only these options: {', '.join(TLS_OPTIONS)}")
    path = path.rstrip("/")
    if cluster and path:
        raise ValueError("names a database, but a cluster has only one")
    try:
        addresses = tuple(_address(host) for host in hosts)
        options: dict[str, Any] = parse_url(f"{kind}://{credentials}{at}{hosts[0]}/{path}?{query}")  # type: ignore[no-untyped-call]
    except ValueError as error:
        raise ValueError("must name hosts and ports, as host:port") from error
    if path and not (path.isascii() and path.isdigit()):
        raise ValueError("must name the database by its number")
    connection_class = options.pop("connection_class", Connection)
    for name in ("host", "port"):
        options.pop(name, None)
    return Location(addresses, bool(cluster), connection_class, options)


def _address(place: str) -> Address:
    parts = urlsplit(f"//{place}")
    if not parts.hostname or parts.path or parts.query:
        raise ValueError("no host")
    return Address(parts.hostname, parts.port or DEFAULT_PORT)
