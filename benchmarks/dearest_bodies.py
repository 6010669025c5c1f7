"""Expensive bodies for `dearest.py`: as large as the limit allows, plain and in gzip as small as is accepted."""

from __future__ import annotations

import gzip
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from functools import partial

from client import request
from dearest_cases import NOW, Case, Scale, Setting

CSV, NDJSON, JSON = "text/csv", "application/x-ndjson", "application/json"
HEADER = b"timestamp,value,device,user\n"
#: A little less than the ratio at which gzip is refused.
RATIO = 98

Body = Callable[[int], bytes]  # of at most so many bytes


def filled(before: bytes, item: bytes, after: bytes = b"") -> Body:
    """Repeat an item."""
    return lambda size: before + item * ((size - len(before) - len(after)) // len(item)) + after


def counted(before: bytes, item: str, after: bytes = b"", *, most: int = 1 << 30) -> Body:
    """Repeat an item that contains its number, as `{n}`, `{n:06}` or the like; `{now}` is the time."""

    def build(size: int) -> bytes:
        now = int(time.time() * 1_000)
        longest = len(item.format(n=size // 10, now=now))
        times = min((size - len(before) - len(after)) // longest, most)
        return before + "".join(item.format(n=n, now=now) for n in range(times)).encode() + after

    return build


def array(item: str, *, most: int = 1 << 30) -> Body:
    """Repeat an item in a JSON array."""
    items = counted(b"[", item + ",", most=most)
    return lambda size: items(size)[:-1] + b"]"


def point(timestamp: str = "1", value: str = "1", device: str = '"d"', more: str = "") -> str:
    """Return a datapoint in JSON as a template for `format`."""
    return f'{{{{"timestamp":{timestamp},"value":{value},"device":{device},"user":"u"{more}}}}}'


MORE = ",".join(f'"x{n}":1' for n in range(100))
FUTURE = NOW + 10**6

DATAPOINTS: dict[str, tuple[str, Body]] = {
    'CSV, rows `"1",1,d,u`': (CSV, filled(HEADER, b'"1",1,d,u\n')),
    "CSV, rows `1,1,d,u`, all duplicates": (CSV, filled(HEADER, b"1,1,d,u\n")),
    "CSV, rows with distinct times": (CSV, counted(HEADER, "{n},1,d,u\n")),
    "CSV, rows with distinct times as text": (CSV, counted(HEADER, "2020-01-01 00:00:00.{n:06},1,d,u\n", most=10**6)),
    "CSV, quoted rows with distinct times": (CSV, counted(HEADER, '"{n}",1,d,u\n')),
    "CSV, rows of 900,000 devices": (CSV, counted(HEADER, "1,1,d{n},u\n", most=900_000)),
    "CSV, rows of too many devices": (CSV, counted(HEADER, "1,1,d{n},u\n")),
    "CSV, a header of 4 million names": (CSV, filled(HEADER[:-1], b",unknown")),
    "CSV, a header of 4 million different names": (CSV, counted(HEADER[:-1], ",{n:07}")),
    "CSV, a header of 16 million empty names": (CSV, filled(HEADER[:-1], b",")),
    "CSV, 100 more columns": (CSV, filled(HEADER[:-1] + b",x" * 100 + b"\n", b"1,1,d,u" + b"," * 100 + b"\n")),
    "CSV, rows all faulty": (CSV, filled(HEADER, b"x,,,\n")),
    "CSV, rows all too short": (CSV, filled(HEADER, b"1\n")),
    "CSV, rows all in the future": (CSV, filled(HEADER, b"%d,1,d,u\n" % FUTURE)),
    "CSV, blank lines": (CSV, filled(HEADER, b"\n")),
    "CSV, a quote that does not end": (CSV, filled(HEADER + b'"', b"\n")),
    "CSV, commas": (CSV, filled(HEADER, b",")),
    "NDJSON, times with a blank and an offset": (
        NDJSON,
        counted(b"", point('"2020-01-01 00:00:00.{n:06}+01:00"') + "\n", most=10**6),
    ),
    "NDJSON, numbers with an exponent": (NDJSON, counted(b"", point("{n}.5e0", "1e0") + "\n")),
    "NDJSON, times `1.0`": (NDJSON, counted(b"", point("{n}.0", "1.0") + "\n")),
    "NDJSON, keys with escapes": (NDJSON, counted(b"", point("{n}", device='"\\u0064"') + "\n")),
    "NDJSON, all faulty": (NDJSON, filled(b"", b"{}\n")),
    "NDJSON, empty lists": (NDJSON, filled(b"", b"[]\n")),
    "NDJSON, blank lines": (NDJSON, filled(b"", b"\n")),
    "JSON, valid datapoints": (JSON, array(point("{n}"))),
    "JSON, valid datapoints, times as text": (JSON, array(point('"2020-01-01T00:00:00.{n:06}Z"'), most=10**6)),
    "JSON, valid datapoints, times with an offset": (
        JSON,
        array(point('"2020-01-01 00:00:00.{n:06}+01:00"'), most=10**6),
    ),
    "JSON, datapoints all duplicates": (JSON, array(point())),
    "JSON, datapoints all in the future": (JSON, array(point(str(FUTURE)))),
    "JSON, datapoints all faulty": (JSON, array(point('"x"'))),
    "JSON, datapoints with 100 more members": (JSON, array(point("{n}", more="," + MORE))),
    "JSON, empty lists": (JSON, array("[]")),
    "JSON, empty objects": (JSON, array("{{}}")),
    "JSON, numbers": (JSON, array("1")),
    "JSON, strings": (JSON, array('""')),
    "JSON, one datapoint with a string of 32 MB": (JSON, filled(b'{"more":"', b"a", b'"}')),
    "JSON, one datapoint with 5 million escapes": (JSON, filled(b'{"more":"', b"\\u00e9", b'"}')),
    "JSON, one datapoint with 2 million members": (JSON, counted(b'{"a":1', ',"x{n:07}":1', b"}")),
    "JSON, one datapoint with a list of empty lists": (JSON, filled(b'{"more":[[]', b",[]", b"]}")),
    "JSON, nested lists": (JSON, filled(b"", b"[")),
    "JSON, lists nested 500 deep": (JSON, filled(b"[0", b"," + b"[" * 500 + b"]" * 500, b"]")),
    "JSON, a string of 32 MB": (JSON, filled(b'"', b"a", b'"')),
    "JSON, a number of 32 million digits": (JSON, filled(b"", b"1")),
    "JSON, a time of 32 million digits": (JSON, filled(b'{"value":1,"device":"d","user":"u","timestamp":', b"1", b"}")),
    "JSON, a device of 32 MB": (JSON, filled(b'{"timestamp":1,"value":1,"user":"u","device":"', b"a", b'"}')),
    "JSON, blanks": (JSON, filled(b"", b" ")),
    "no UTF-8": (JSON, filled(b'["', b"\xff", b'"]')),
}

ENTRY = '{{{{"device_id":{},"timestamp":{},"bytes_ts":1,"bytes_fs":1}}}}'
BANDWIDTH: dict[str, tuple[str, Body]] = {
    "JSON, valid entries of one device": (JSON, array(ENTRY.format('"d"', "{n}"))),
    "JSON, valid entries of 900,000 devices": (JSON, array(ENTRY.format('"d{n}"', 1), most=900_000)),
    "JSON, entries with times `1.0`": (JSON, array(ENTRY.format('"d"', "{n}.0"))),
    "JSON, entries all faulty": (JSON, array(ENTRY.format('"d"', '"x"'))),
    "JSON, empty lists": (JSON, array("[]")),
    "JSON, empty objects": (JSON, array("{{}}")),
    "NDJSON, entries with times `1.0`": (NDJSON, counted(b"", ENTRY.format('"d"', "{n}.0") + "\n")),
    'CSV, rows `"d",1,1,1`': (CSV, filled(b"device_id,timestamp,bytes_ts,bytes_fs\n", b'"d",1,1,1\n')),
}
AMOUNT = '{{{{"amount":{},"timestamp":{}}}}}'
TRANSACTIONS: dict[str, tuple[str, Body]] = {
    "JSON, valid ones": (JSON, array(AMOUNT.format("{n}", "{now}"))),
    "JSON, amounts with an exponent": (JSON, array(AMOUNT.format("{n}e0", "{now}.0"))),
    "JSON, all too old": (JSON, array(AMOUNT.format("1", "1"))),
    "JSON, all faulty": (JSON, array(AMOUNT.format('"x"', "1"))),
    "JSON, empty lists": (JSON, array("[]")),
    "JSON, empty objects": (JSON, array("{{}}")),
    "NDJSON, amounts with an exponent": (NDJSON, counted(b"", AMOUNT.format("{n}e0", "{now}.0") + "\n")),
    'CSV, rows `"1",1`': (CSV, filled(b"amount,timestamp\n", b'"1",1\n')),
}
BODIES = {"/datapoints": DATAPOINTS, "/api/bandwidth": BANDWIDTH, "/api/transactions": TRANSACTIONS}

QUICK = {
    'CSV, rows `"1",1,d,u`',
    "CSV, a header of 4 million names",
    "NDJSON, times with a blank and an offset",
    "NDJSON, blank lines",
    "JSON, valid datapoints",
    "JSON, empty lists",
    "JSON, numbers",
}


def packed(body: bytes) -> bytes:
    """Return a body in gzip, as small as is accepted: a comment in its header fills it up to one in RATIO."""
    deflate = zlib.compressobj(6, zlib.DEFLATED, -15)
    data = deflate.compress(body) + deflate.flush()
    comment = b"." * max(len(body) // RATIO - len(data), 0)
    head = b"\x1f\x8b\x08\x10" + bytes(6) + comment + b"\0"  # the magic, deflate, "has a comment", no time
    return head + data + struct.pack("<II", zlib.crc32(body), len(body) & 0xFFFFFFFF)


def encoded(path: str, body: bytes, media_type: str = JSON) -> bytes:
    """Return a request whose body is in gzip."""
    message = request("POST", path, body, media_type)
    return message.replace(b"\r\n", b"\r\nContent-Encoding: gzip\r\n", 1)


def in_pieces(path: str, body: bytes, piece: int) -> bytes:
    """Return a request whose body is chunked, in pieces of so many bytes."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {JSON}\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = (body[start : start + piece] for start in range(0, len(body), piece))
    return head.encode() + b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


def bodies() -> Iterator[Case]:
    """Yield the cases that are expensive by their body."""
    for path, kinds in BODIES.items():
        for name, (media_type, body) in kinds.items():
            title = f"`POST {path}`: {name}"
            quick = name in QUICK and path == "/datapoints"
            yield _case(f"{title}, in gzip", partial(_packed, path, media_type, body), quick=quick)
            yield _case(title, partial(_plain, path, media_type, body))
    yield _case("10,000 gzip members", lambda size: encoded("/datapoints", gzip.compress(b" " * 30) * 10_000))
    yield _case("blanks in gzip, 1,000 : 1", lambda size: encoded("/datapoints", gzip.compress(b" " * size)))
    bomb = partial(gzip.compress, b" " * 2**28)
    yield _case("256 MB of blanks in gzip", lambda size: encoded("/datapoints", bomb()), quick=True)
    small, point_in_pieces = 900_000 // 7 * 2, filled(point("1", more=',"m":"').format()[:-1].encode(), b"a", b'"}')
    for size in (small, small * 16):
        title = f"one datapoint of {size:,} bytes, chunked in pieces of two bytes"
        message = partial(_pieces, point_in_pieces, size)
        yield _case(title, message, quick=size == small)


def _case(name: str, message: Callable[[int], bytes], *, quick: bool = False) -> Case:
    def build(scale: Scale) -> list[bytes]:
        return [message(scale.body)]

    return Case("body", name, Setting.EMPTY, build, writes=True, quick=quick)


def _packed(path: str, media_type: str, body: Body, size: int) -> bytes:
    return encoded(path, packed(body(size)), media_type)


def _plain(path: str, media_type: str, body: Body, size: int) -> bytes:
    return request("POST", path, body(size), media_type)


def _pieces(body: Body, size: int, most: int) -> bytes:
    return in_pieces("/datapoints", body(min(size, most)), 2)
