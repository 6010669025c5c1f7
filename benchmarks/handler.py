"""Measures small requests without a network: whole requests in the handler.

    python benchmarks/handler.py

Prints medians of process time as Markdown. Uses one core and no load generator.
"""

from __future__ import annotations

import io
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from timeseries_project.api.framework import Utf8Request
from timeseries_project.asgi import _environ, application


def median(work: Callable[[], object], rounds: int) -> float:
    """Return the median process time of a call in seconds; the first few calls do not count."""
    times = []
    for i in range(rounds + rounds // 10 + 1):
        start = time.process_time_ns()
        work()
        if i > rounds // 10:
            times.append((time.process_time_ns() - start) / 1e9)
    return statistics.median(times)


def request(method: str, path: str, body: bytes = b"") -> None:
    """Answer a request as the server does, without reading it from a socket or sending the answer."""
    headers = [(b"host", b"127.0.0.1:8000"), (b"accept", b"*/*")]
    if body:
        headers += [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    scope: dict[str, Any] = {"method": method, "raw_path": path.encode(), "query_string": b"", "headers": headers}
    environ = _environ(scope) | {"wsgi.input": io.BytesIO(body)}
    response = application.get_response(Utf8Request(environ))
    assert response.status_code in (200, 201), response.status_code


def small_requests() -> Iterator[tuple[str, float]]:
    """Measure the three small requests, in seconds."""
    count = iter(range(10**9))

    def transaction() -> bytes:
        return b'{"amount":1.5,"timestamp":%d}' % (time.time_ns() // 10**6)

    def datapoint() -> bytes:
        i = next(count)
        return b'{"timestamp":%d,"value":1.5,"device":"d%d","user":"u"}' % (10**9 + i, i % 100)

    yield "`GET /api/statistics`", median(lambda: request("GET", "/api/statistics"), 4_000)
    yield "`POST /api/transactions`", median(lambda: request("POST", "/api/transactions", transaction()), 4_000)
    yield "`POST /datapoints`", median(lambda: request("POST", "/datapoints", datapoint()), 4_000)


def main() -> None:
    """Print the table."""
    print("| request, in the handler | µs |\n| --- | --- |")
    for name, seconds in small_requests():
        print(f"| {name} | {seconds * 1e6:.0f} |", flush=True)


if __name__ == "__main__":
    main()
