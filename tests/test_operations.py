"""The production server from the operators' view: its log, its metrics, its readiness."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.served import LINE, Served, eventually, post
from timeseries_project.tests.exposition import Samples

LABELS = {"method": "GET", "route": "/healthz", "status": 200}


def stopped(served: Served) -> tuple[str, list[dict[str, Any]]]:
    """Stop a server; return its output and the lines of its log."""
    status, out, err = served.stopped()
    assert status == 0
    return out, [json.loads(line) for line in err.splitlines()]


def test_writes_one_json_line_per_request_where_the_setting_says_so() -> None:
    with Served(LOG_REQUESTS="all") as served:
        served.wait()
        taken = served.request("GET", "/devices?search=x", X_Request_ID="mine-1")[1].headers["X-Request-ID"]
        assert taken == "mine-1"
        made = served.request("POST", "/datapoints", LINE % (1, "d"), Content_Type="application/json")[1]
        served.request("GET", "/devices/%0Aa")
        _, lines = stopped(served)
        found = [(line["method"], line["path"], line["status"]) for line in lines if line["route"] != "/healthz"]
        assert found == [("GET", "/devices", 200), ("POST", "/datapoints", 201), ("GET", "/devices/\na", 404)]
        assert [line["request_id"] for line in lines][-3:-1] == ["mine-1", made.headers["X-Request-ID"]]
        assert {line["client"] for line in lines} == {"127.0.0.1"}


def test_is_quiet_by_default() -> None:
    with Served() as served:
        served.wait()
        served.request("GET", "/nope")
        served.request("GET", "/devices?limit=x")
        out, lines = stopped(served)
        assert (out.count("\n"), lines) == (1, [])


def test_counts_what_it_answers_long_answers_too() -> None:
    with Served() as served:
        served.wait()
        before = Samples.parse(served.request("GET", "/metrics")[2].decode())
        served.request("GET", "/healthz")
        served.request("POST", "/datapoints", LINE % (1, "long"), Content_Type="application/json")
        served.request("HEAD", "/statistics/devices/long/avg")
        served.request("GET", "/statistics/devices/long/avg?end=1971-01-01")
        name, route = "http_request_duration_seconds_count", "/statistics/devices/{device}/{aggregate}"

        def scraped() -> Samples:
            return Samples.parse(served.request("GET", "/metrics")[2].decode())

        # A long answer is counted when it was closed, which may be after the client has read its end.
        eventually(lambda: all(scraped().value(name, method=m, route=route, status=200) == 1 for m in ("HEAD", "GET")))
        after = scraped()
        assert after.value(name, **LABELS) - before.value(name, **LABELS) == 1
        assert after.value("timeseries_accepted_total", app="datapoints") == 1
        assert after.value("process_resident_memory_bytes") > 10**7
        stopped(served)


def test_no_one_connects_before_the_listing_is_loaded(tmp_path: Path) -> None:
    """To a load balancer, a refused connection and an unready server look alike."""
    listing = tmp_path / "listing.json"
    os.mkfifo(listing)
    with Served(BANDWIDTHS_FILE=str(listing)) as served:
        with listing.open("w") as writer:  # returns when the server has begun to read
            with pytest.raises(ConnectionRefusedError):
                served.connect()
            json.dump([{"device_id": "slow", "timestamp": 1, "bytes_ts": 1, "bytes_fs": 2}], writer)
        served.wait()
        assert served.request("GET", "/readyz")[0] == 200
        assert served.request("GET", "/api/bandwidth/devices/slow")[0] == 200
        stopped(served)


def is_away(served: Served) -> bool:
    """Whether no one can connect; who can is told that the server is ready."""
    try:
        assert served.request("GET", "/readyz")[0] == 200
    except OSError:
        return True
    return False


def test_no_one_connects_any_more_while_it_stops() -> None:
    """Accepted requests are answered, and the load balancer cannot send any more."""
    with Served() as served:
        served.wait()
        body = (LINE % (1, "last")).encode()
        with served.connect() as stream:
            stream.sendall(post("application/json", len(body)) + body[:5])
            served.request("GET", "/healthz")  # by now the server has read what was sent before
            served.process.send_signal(signal.SIGTERM)
            eventually(lambda: is_away(served))  # it has seen the signal
            stream.sendall(body[5:])
            assert stream.recv(65_536).startswith(b"HTTP/1.1 201 ")
        assert served.ended()[0] == 0
