"""What the production server sends: gzip, 304 and preflights, over sockets."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection

import pytest

from tests.served import Served
from timeseries_project.tests.processes import PATIENCE

PAGE = "https://page.example"
LONG = "/statistics/devices/d/avg"


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with Served(LOG_REQUESTS="all", CORS_ORIGINS=PAGE) as served:
        served.wait()
        for time in (86_400, 86_400 * 365):
            point = json.dumps({"timestamp": time, "value": 1.5, "device": "d", "user": "u"})
            assert served.request("POST", "/datapoints", point, Content_Type="application/json")[0] == 201
        yield served
        status, _, log = served.stopped()
        assert status == 0
        sent = [line for line in map(json.loads, log.splitlines()) if line["path"] == LONG and line["method"] == "GET"]
        assert {line["bytes"] for line in sent if line["status"] == 304} == {0}
        # What is logged is what was sent.
        assert sorted({line["bytes"] for line in sent if line["status"] == 200}) == sorted(SENT)


#: The lengths of the answers to LONG that were sent.
SENT: set[int] = set()


def test_a_streamed_answer_is_the_same_in_gzip(server: Served) -> None:
    _, plain, whole = server.request("GET", LONG)
    _, packed, body = server.request("GET", LONG, Accept_Encoding="gzip, br")
    SENT.update((len(whole), len(body)))
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.headers["Transfer-Encoding"] == "chunked"
    assert gzip.decompress(body) == whole
    assert len(body) < len(whole) / 8
    assert plain.headers["Vary"] == packed.headers["Vary"]


def test_a_connection_goes_on_after_answers_without_a_body(server: Served) -> None:
    with closing(HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)) as connection:
        connection.request("HEAD", LONG, headers={"Accept-Encoding": "gzip"})
        head = connection.getresponse()
        assert (head.status, head.read(), head.headers["Content-Encoding"]) == (200, b"", "gzip")
        tag, socket = head.headers["ETag"], connection.sock
        for headers, status in (
            ({"If-None-Match": tag}, 304),
            ({"If-None-Match": "*", "Accept-Encoding": "gzip"}, 304),
        ):
            connection.request("GET", LONG, headers=headers)
            response = connection.getresponse()
            assert (response.status, response.read(), response.headers["ETag"]) == (status, b"", tag)
            assert response.headers["Content-Length"] is response.headers["Transfer-Encoding"] is None
        connection.request("OPTIONS", LONG, headers={"Origin": PAGE, "Access-Control-Request-Method": "GET"})
        response = connection.getresponse()
        assert (response.status, response.read(), response.headers["Access-Control-Allow-Origin"]) == (204, b"", PAGE)
        connection.request("GET", "/healthz")
        assert connection.getresponse().read() == b'{"status":"ok"}'
        assert connection.sock is socket
