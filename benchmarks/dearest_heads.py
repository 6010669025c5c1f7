"""Expensive request lines and headers, from clients without a token, for `dearest.py`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import count

from client import request
from dearest_cases import Build, Case, Scale, Setting

Headers = dict[str, bytes]

#: The most bytes that a header block may have, by the server's own limit.
LARGEST = 396_000
#: Paths whose headers are read: an open endpoint, a file, one that needs a token, no route, a form.
PATHS = ("/healthz", "/static/style.css", "/datapoints", "/nowhere", "/sign-in")
FORM = "application/x-www-form-urlencoded"

#: Headers that were the most expensive, in two sizes; the smaller ones go to each of PATHS, also after a 429.
DEAREST: dict[str, Headers] = {
    "Content-Type: a;\" and 200,000 `;`": {"Content-Type": b'a;"' + b";" * 200_000},
    "Content-Type: a;\" and 30,000 `;`": {"Content-Type": b'a;"' + b";" * 30_000},
    "Accept: a/b;\" and 200,000 `;`": {"Accept": b'a/b;"' + b";" * 200_000},
    "Accept: a/b;\" and 30,000 `;`": {"Accept": b'a/b;"' + b";" * 30_000},
}  # fmt: skip

#: All other headers that are read somewhere, as large as allowed; sent to the first three of PATHS.
LARGE: dict[str, Headers] = {
    "Accept of 33,000 types": {"Accept": b"a/b;q=0.1, " * 33_000},
    "Accept with 390,000 quotes": {"Accept": b'a/b;c="' + b'\\"' * 195_000},
    "Accept of 198,000 commas": {"Accept": b", " * 198_000},
    "Accept-Encoding of 33,000 codings": {"Accept-Encoding": b"gzip;q=0.1," * 33_000},
    "Cookie of 98,000 pairs": {"Cookie": b"a=b;" * 98_000},
    "Cookie quoted, 98,000 octal escapes": {"Cookie": b'timeseries_token="#' + b"\\101" * 98_000 + b'"'},
    "Cookie of 198,000 hexadecimal digits": {"Cookie": b"timeseries_token=" + b"ab" * 190_000},
    "Authorization of 390 kB": {"Authorization": b"Bearer " + b"a" * 390_000},
    "Host with 390,000 digits": {"Host": b"127.0.0.1:" + b"1" * 390_000},
    "Host of 190,000 labels": {"Host": b"a." * 190_000},
    "X-Forwarded-For of 98,000 addresses": {"X-Forwarded-For": b"1::," * 98_000},
    "X-Forwarded-For: one of 390 kB": {"X-Forwarded-For": b"1:" * 195_000},
    "X-Forwarded-Prefix of 390 kB": {"X-Forwarded-Prefix": b"/" * 390_000},
    "If-None-Match of 98,000 tags": {"If-None-Match": b'"a",' * 98_000},
    "If-Modified-Since of 390,000 digits": {"If-Modified-Since": b"9" * 390_000},
    "Range of 98,000 parts": {"Range": b"bytes=" + b"0-0," * 98_000},
    "Origin of 390 kB": {"Origin": b"http://" + b"a" * 390_000},
    "Content-Length of 390,000 digits": {"Content-Length": b"1" * 390_000},
    "98 headers of 4 kB": {f"X-{n}": b"a" * 4_000 for n in range(98)},
    "98 times Accept, 4 kB each": {f"Accept|{n}": b"a/b," * 1_000 for n in range(98)},
}

#: Request lines as long as the server accepts.
PARAMETERS, PATH = 60_000, 60_000
TARGETS: dict[str, str] = {
    "/healthz and 30,000 parameters": "/healthz?" + "a&" * (PARAMETERS // 2),
    "/healthz and 15,000 parameters of one name": "/healthz?" + "a=1&" * (PARAMETERS // 4),
    "/healthz and 20,000 percent-encodings": "/healthz?a=" + "%ff" * (PARAMETERS // 3),
    "/healthz and `format` 6,000 times": "/healthz?" + "format=a&" * 6_000,
    "a path of 60 kB": "/" + "a" * PATH,
    "a path of 60,000 slashes": "/" * PATH,
    "a path of 20,000 percent-encodings": "/" + "%2F" * (PATH // 3),
    "a key of 60 kB": "/statistics/devices/" + "a/" * (PATH // 2) + "avg",
    "a key of 20,000 percent-encodings": "/devices/" + "%c3%a9" * (PATH // 6),
    "a file of 60 kB": "/static/" + "../a" * (PATH // 4),
    "/sign-in and a `next` of 60 kB": "/sign-in?next=/" + "%22" * (PATH // 3),
    "/static/style.css": "/static/style.css",
    "/sign-in": "/sign-in",
    "/readyz": "/readyz",
    "/, which asks for a token": "/",
    "/charts/datapoints and 60 kB, which ask for a token": "/charts/datapoints?" + "a=%22&" * (PARAMETERS // 6),
}

#: Bodies without a token: the largest form that the sign-in page accepts, and others that are refused.
SENT: dict[str, bytes] = {
    "`POST /sign-in`, 2,000 fields": request("POST", "/sign-in", b"a=1&" * 2_000, FORM),
    "`POST /sign-in`, a `next` of 2,700 encodings": request("POST", "/sign-in", b"next=/" + b"%22" * 2_700, FORM),
    "`POST /sign-in`, a token of 8 kB": request("POST", "/sign-in", b"token=" + b"a" * 8_000, FORM),
    "`POST /datapoints` of 900 kB": request("POST", "/datapoints", b"[" * 900_000),
}

_serial = count(10**6)

QUICK = {*DEAREST, "Host with 390,000 digits", "Cookie of 98,000 pairs", "a path of 60 kB"}


def headed(path: str, headers: Headers) -> bytes:
    """Return a GET request with headers. A name followed by `|` and anything may occur several times."""
    host = {} if "Host" in headers else {"Host": b"127.0.0.1"}
    lines = (b"%s: %s\r\n" % (name.partition("|")[0].encode(), value) for name, value in (host | headers).items())
    return f"GET {path} HTTP/1.1\r\n".encode() + b"".join(lines) + b"\r\n"


def _once(path: str, headers: Headers) -> Build:
    """Return a function that builds a request with headers that never repeat: cached ones would cost little.

    A number replaces `#` in a value, or is added at its end.
    """

    def build(scale: Scale) -> list[bytes]:
        number = b"%d" % next(_serial)
        marked = {name: value if b"#" in value else value + b"#" for name, value in headers.items()}
        return [headed(path, {name: value.replace(b"#", number) for name, value in marked.items()})]

    return build


def _differing(name: str, value: str, size: int, *, path: str = "/healthz", times: int = 256) -> Build:
    """Return a function that builds requests, each with a different value of a header, padded to a size."""

    def build(scale: Scale) -> list[bytes]:
        numbers = (next(_serial) for _ in range(times))
        return [headed(path, {name: value.format(n).ljust(size, "1").encode()}) for n in numbers]

    return build


def heads() -> Iterator[Case]:
    """Yield the cases that are expensive by request line and headers; all without a token."""

    def case(name: str, build: Build, setting: Setting = Setting.GUARDED, *, quick: bool = False) -> Case:
        return Case("head", name, setting, build, stranger=True, quick=quick)

    for name, headers in DEAREST.items():
        shown = f"`{name.replace('`;`', ';')}`"
        small = sum(map(len, headers.values())) < 100_000
        for path in PATHS if small else PATHS[:1]:
            yield case(f"`{path}`, {shown}", _once(path, headers), quick=path == "/healthz")
        if small:
            yield case(f"429, {shown}", _once("/datapoints", headers), Setting.LIMITED)
    for name, headers in LARGE.items():
        for path in PATHS[:3]:
            yield case(f"`{path}`, {name}", _once(path, headers), quick=name in QUICK and path == "/healthz")
        if name.startswith("X-Forwarded-For"):
            yield case(f"a proxy's {name}", _once("/datapoints", headers), Setting.LIMITED)
    for name, target in TARGETS.items():
        yield case(name, _once(target, {}), quick=name in QUICK)
    accept = "text/{};a="
    yield case("256 different `Accept` of 30 kB", _differing("Accept", accept, 30_000), quick=True)
    for name, value in (
        ("Accept", accept),
        ("Content-Type", accept),
        ("Host", "127.0.0.1:{}"),
        ("Accept-Encoding", "gzip;q={}"),
        ("Cookie", "timeseries_token={}"),
    ):
        yield case(f"256 different `{name}` of 396 kB", _differing(name, value, LARGEST))
    name, value, path = "X-Forwarded-For", "{:x}:", "/datapoints"
    yield case(f"256 different `{name}` of 396 kB", _differing(name, value, LARGEST, path=path), Setting.LIMITED)
    many = _differing(name, value, 0, path=path, times=5_000)
    yield case(f"5,000 different `{name}`", many, Setting.LIMITED)
    for name, message in SENT.items():
        yield case(name, partial(_same, message))


def _same(message: bytes, scale: Scale) -> list[bytes]:
    return [message]
