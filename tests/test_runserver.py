"""The development server as `manage.py runserver` starts it: it answers at once, on kept connections too."""

from __future__ import annotations

import json
import socket
import struct

import pytest

from tests.served import Developed
from timeseries_project.env import SAMPLE_LISTING

#: Where `struct tcp_info` of linux/tcp.h has tcpi_data_segs_in, the number of segments with data that were received.
DATA_SEGMENTS = 152
REQUESTS = 20


class DevelopedV6(Developed):
    """The same at the loopback address of IPv6."""

    command = ("manage.py", "runserver", "[::1]:{port}")
    address = "::1"


class DevelopedAlone(DevelopedV6):
    """The same in one process and one thread, which keeps no connection."""

    command = ("manage.py", "runserver", "--noreload", "--nothreading", "[::1]:{port}")


def segments(stream: socket.socket) -> int:
    """Return the number of segments with data that a connection has received."""
    info = stream.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, DATA_SEGMENTS + 4)
    return int(struct.unpack_from("I", info, DATA_SEGMENTS)[0])


@pytest.mark.parametrize("kind", [Developed, DevelopedV6])
def test_no_answer_waits_for_an_acknowledgement(kind: type[Developed]) -> None:
    """An answer is written in several pieces; where they wait, all but the first come together in a second segment."""
    with kind() as served:
        served.wait()
        counts = []
        with served.connect() as stream:
            for _ in range(REQUESTS):
                before = segments(stream)
                stream.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                answer = b""
                while not answer.endswith(b'{"status":"ok"}'):
                    part = stream.recv(65_536)
                    assert part, answer
                    answer += part
                counts.append(segments(stream) - before)
        assert min(counts) > 2, counts


def test_in_one_thread_every_connection_is_answered_and_closed() -> None:
    with DevelopedAlone() as served:
        served.wait()
        for _ in range(REQUESTS):
            status, response, _ = served.request("GET", "/healthz")
            assert (status, response.headers["Connection"]) == (200, "close")
        status, out, _ = served.stopped()
        assert f"at http://[::1]:{served.port}/" in out
        assert "Hosts served" not in out


@pytest.mark.parametrize(
    ("environment", "devices"),
    [({}, True), ({"BANDWIDTHS_FILE": SAMPLE_LISTING}, True), ({"BANDWIDTHS_FILE": ""}, False)],
)
def test_the_sample_is_loaded_unless_no_listing_is_asked_for(environment: dict[str, str], devices: bool) -> None:
    with DevelopedAlone(**environment) as served:
        served.wait()
        assert bool(json.loads(served.request("GET", "/api/bandwidth/devices")[2])) == devices
