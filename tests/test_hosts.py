"""Which hosts are served, by the servers as they are started: probes by any, all else by those of the setting."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.served import Developed, Served
from timeseries_project.tests.problems import members

NOTICE = (
    "Hosts served: 127.0.0.1, localhost, [::1]; others are refused. "
    "To add one: DJANGO_ALLOWED_HOSTS='127.0.0.1,localhost,[::1],{}'"
)
#: Request lines and headers without a host that is served.
UNSERVED = [
    b"HTTP/1.1\r\nHost: 10.1.2.3:8000\r\nConnection: close\r\n",
    b"HTTP/1.1\r\nHost:\r\nConnection: close\r\n",
    b"HTTP/1.1\r\nHost: \xff<b>\xfe :x\r\nConnection: close\r\n",
    b"HTTP/1.1\r\nHost: " + b"x" * 20_000 + b"\r\nConnection: close\r\n",
    b"HTTP/1.1\r\nHost: 10.1.2.3\r\nHost: evil.example\r\nConnection: close\r\n",
    b"HTTP/1.0\r\nHost: evil.example\r\n",
]
WITHOUT_HOST = [b"HTTP/1.1\r\nConnection: close\r\n", b"HTTP/1.0\r\n"]


class ServedV6(Served):
    """The production server at the loopback address of IPv6."""

    address = "::1"


class DevelopedForAll(Developed):
    """The development server at all addresses of this machine."""

    command = ("manage.py", "runserver", "--noreload", "0.0.0.0:{port}")


@pytest.fixture(scope="module", params=[Served, DevelopedForAll])
def server(request: pytest.FixtureRequest) -> Iterator[Served]:
    """A server at all addresses of this machine, which says at its start which hosts it serves."""
    with request.param(HOST="0.0.0.0") as served:
        served.wait()
        yield served
        _, out, _ = served.stopped()
        assert out.splitlines().count(NOTICE.format("stats.example.org")) == 1
        if request.param is Served:
            assert out.splitlines()[0] == f"Serving at http://127.0.0.1:{served.port}/"


def ask(served: Served, path: bytes, rest: bytes) -> tuple[int, bytes]:
    """Send a request; return status and body."""
    head, _, body = served.raw(b"GET " + path + b" " + rest + b"\r\n").partition(b"\r\n\r\n")
    return int(head.split()[1]), body


@pytest.mark.parametrize("path", [b"/healthz", b"/readyz", b"/readyz/"])
@pytest.mark.parametrize("rest", [*UNSERVED, *WITHOUT_HOST], ids=lambda rest: str(rest[:30]))
def test_a_probe_is_answered_by_any_host_or_none(server: Served, path: bytes, rest: bytes) -> None:
    assert ask(server, path, rest) == (200, b'{"status":"ok"}')


@pytest.mark.parametrize("rest", UNSERVED, ids=lambda rest: str(rest[:30]))
def test_elsewhere_a_host_that_is_not_served_is_refused(server: Served, rest: bytes) -> None:
    status, body = ask(server, b"/devices", rest)
    assert "DJANGO_ALLOWED_HOSTS" in members(json.loads(body), 400)["detail"]
    assert (status, len(body) < 400) == (400, True)


def test_the_production_server_refuses_a_request_without_a_host() -> None:
    with ServedV6(HOST="::1") as served:
        served.wait()
        for rest in WITHOUT_HOST:
            status, body = ask(served, b"/devices", rest)
            detail = members(json.loads(body), 400)["detail"]
            assert (status, detail.partition(";")[0]) == (400, "The request names no host")
        assert json.loads(served.request("GET", "/api/bandwidth/devices")[2]) == []  # no sample in production
        assert served.stopped() == (0, f"Serving at http://[::1]:{served.port}/\n", "")


@pytest.mark.parametrize("host", ["127.0.0.2", "[::]"])
def test_the_notice_is_for_those_who_have_not_set_their_hosts(host: str) -> None:
    """127.0.0.2 is of this machine, but not one of the hosts that are served unless the setting says more."""
    kind = ServedV6 if ":" in host else type("", (Served,), {"address": host})
    served_at = "[::1]" if ":" in host else host
    for environment in ({}, {"DJANGO_ALLOWED_HOSTS": f"{served_at},localhost"}):
        with kind(HOST=host, **environment) as served:
            served.wait()
            assert served.request("GET", "/devices")[0] == (200 if environment or ":" in host else 400)
            _, out, _ = served.stopped()
        added = "stats.example.org" if ":" in host else host
        notice = "" if environment else NOTICE.format(added) + "\n"
        assert out == f"Serving at http://{served_at}:{served.port}/\n{notice}"
