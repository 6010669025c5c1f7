"""Hostile framing: requests with doubtful bounds, and what is not HTTP; for the production server only."""

from __future__ import annotations

from tests.hostile.requests import GOOD, Request, get, post

_SIZE = b"%x\r\n" % len(GOOD)
_CHUNK, _LAST = _SIZE + GOOD + b"\r\n", b"0\r\n\r\n"
_DELETE = b"DELETE /devices/d/datapoints HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
_KEPT = get("/healthz").replace(b"close", b"keep-alive")


def chunked(*chunks: bytes, header: str = "Transfer-Encoding: chunked") -> bytes:
    """Return a request that would store a datapoint, with exactly these chunks."""
    return post(header, body=b"".join(chunks), length=False)


#: Requests that the handler answers.
FRAMED = [
    Request("chunks", chunked(_CHUNK, _LAST), (201,)),
    Request("a chunk's extension", chunked(_SIZE[:-2] + b';x=1;y="2"\r\n' + GOOD + b"\r\n", _LAST), (201,)),
    Request("trailers", chunked(_CHUNK, b"0\r\nAuthorization: Bearer x\r\nX: y\r\n\r\n"), (201,)),
    *(
        Request(name, chunked(first + GOOD + b"\r\n", _LAST), (400,))
        for name, first in (
            ("a chunk's size that is none", b"zz\r\n"),
            ("a negative chunk", b"-1\r\n"),
            ("a chunk of more than 2**64", b"10000000000000031\r\n"),
            ("a chunk in 0x", b"0x31\r\n"),
            ("a chunk of another size", b"5\r\n"),
        )
    ),
    Request("chunks without line ends", chunked(_SIZE + GOOD, _LAST), (400,)),
    Request("a good chunk, then a bad one", chunked(_CHUNK, b"zz\r\n"), (400,)),
    Request("a bad chunk after a DELETE", _DELETE[:-2] + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", (400,)),
    Request("a coding below the chunks", chunked(_CHUNK, _LAST, header="Transfer-Encoding: gzip, chunked"), (400,)),
    Request("chunks of chunks", chunked(_CHUNK, _LAST, header="Transfer-Encoding: chunked,chunked"), (400,)),
    Request("a coding spelt with an underscore", post("Transfer_Encoding: chunked"), (201,)),
    Request("a length spelt with an underscore", post("Content_Length: 3"), (201,)),
    Request("a type spelt with an underscore", post("Content_Type: text/csv"), (201,)),
    Request("an encoding spelt with an underscore", post("Content_Encoding: gzip"), (201,)),
    Request("no length: no body", post(length=False), (400,)),
    Request("a length beyond the limit", post("Content-Length: 99999999999", length=False), (413,)),
    Request("a request inside a body", post(body=GOOD + b" " * 3 + _DELETE), (400,)),
    Request("a body after a GET", get("/devices", f"Content-Length: {len(_DELETE)}") + _DELETE, (200,)),
    Request("chunks after a GET", get("/devices", "Transfer-Encoding: chunked") + b"5\r\nhello\r\n0\r\n\r\n", (200,)),
    Request("pipelined", _KEPT * 3 + get("/devices"), (200, 200, 200, 200)),
    Request("HTTP/1.0", b"GET /devices HTTP/1.0\r\nHost: localhost\r\n\r\n", (200,)),
    Request("blank lines first", b"\r\n\r\n" + get("/devices"), (200,)),
    Request("raw bytes in the target", get(b"/devices/\xc3\xbc"), (404,)),
    Request("no host", b"GET /devices HTTP/1.1\r\nConnection: close\r\n\r\n", (400,)),
    Request("a probe without a host", b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n", (200,)),
    Request("a probe by HTTP/1.0 without a host", b"GET /readyz HTTP/1.0\r\n\r\n", (200,)),
    Request("the absolute form of another scheme", get("ftp://localhost/devices"), (200,)),
    Request("the authority form", get("localhost:80", method="CONNECT"), (405,)),
    Request("another protocol", _KEPT.replace(b"keep-alive", b"Upgrade\r\nUpgrade: h2c") + get("/devices"), (200, 200)),
    Request("another protocol, with a body", post("Connection: Upgrade\r\nUPGRADE: h2c"), (201,)),
    Request("pipelined after a tunnel", get("localhost:80", method="CONNECT") + get("/devices"), (405,)),
    Request("100-continue", post("Expect: 100-continue"), (100, 201)),
    Request("an unknown expectation", post("Expect: coffee"), (201,)),
]
_LENGTHS = ("-1", "+49", "4_9", "0x31", "49, 49", "49,3", "49.0", "", " ", "9" * 30, "1e2", "49 49", "\xb2")
_CODINGS = (" xchunked", " identity", " chunked, identity", "\x0bchunked")
_HEADERS = ("X: a\r\n folded", "X : x", "X", ": x", "X: \0", "X\0: x", "X: a\rY: b", "X: a\nY: b", "X: \x1b[2J")
#: Requests that the server refuses before the handler sees them: no HTTP, doubtful, or too large to be read.
NO_HTTP = [
    *(Request(f"length {t[:10]!r}", post(f"Content-Length: {t}", length=False), (400,)) for t in _LENGTHS),
    Request("two lengths", post("Content-Length: 3"), (400,)),
    Request("two equal lengths", post(f"Content-Length: {len(GOOD)}"), (400,)),
    Request(
        "a length and chunks", chunked(_CHUNK, _LAST, header="Content-Length: 3\r\nTransfer-Encoding: chunked"), (400,)
    ),
    Request(
        "chunks and a length", chunked(_CHUNK, _LAST, header="Transfer-Encoding: chunked\r\nContent-Length: 3"), (400,)
    ),
    Request("a length among the trailers", chunked(_CHUNK, b"0\r\nContent-Length: 3\r\n\r\n"), (400,)),
    Request(
        "a huge extension", chunked(_SIZE[:-2] + b";" + b"x" * 1_000_000 + b"\r\n" + GOOD + b"\r\n", _LAST), (400,)
    ),
    Request("a huge trailer", chunked(_CHUNK, b"0\r\nX: " + b"x" * 1_000_000 + b"\r\n\r\n"), (400,)),
    *(Request(f"coding {c!r}", chunked(_CHUNK, _LAST, header=f"Transfer-Encoding:{c}"), (400,)) for c in _CODINGS),
    *(Request(f"header {header!r}", get("/devices", header), (400,)) for header in _HEADERS),
    Request("1,000 headers", get("/devices", "\r\n".join(f"X-{i}: x" for i in range(1_000))), (431,)),
    Request("a header of a megabyte", get("/devices", "X: " + "x" * 1_000_000), (431,)),
    Request("a header's name of 70,000", get("/devices", "X" * 70_000 + ": x"), (431,)),
    Request("a target of a megabyte", get("/" + "x" * 1_000_000), (431,)),
    Request("pipelined, a bad one between", _KEPT + b"X\r\n\r\n" + get("/devices"), (200, 400)),
    Request("HTTP/0.9", b"GET /devices\r\n\r\n", (400,)),
    Request("HTTP/9.9", b"GET /devices HTTP/9.9\r\nHost: localhost\r\n\r\n", (400,)),
    Request("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (400,)),
    Request("HTTP/2.0 in a request line", get("/devices").replace(b"HTTP/1.1", b"HTTP/2.0"), (400,)),
    Request("line ends of one character", get("/devices").replace(b"\r\n", b"\n"), (400,)),
    Request("a method in lower case", get("/devices", method="get"), (405,)),
    Request("an unknown method, pipelined", _KEPT + get("/devices", method="BREW"), (200, 400)),
    Request("a method of HTTP/2", get("/devices", method="PRI"), (400,)),
    Request("TLS", bytes.fromhex("16030100c8010000c40303") + bytes(200), (400,)),
    Request("a method that is none", b"G\0T / HTTP/1.1\r\nHost: localhost\r\n\r\n", (400,)),
    Request("an unescaped blank in the target", get("/devices x"), (400,)),
    Request("a NUL in the target", get(b"/devices\0"), (400,)),
    Request("noise", bytes(range(256)) * 10, (400,)),
]
