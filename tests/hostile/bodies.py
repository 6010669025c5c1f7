"""Hostile bodies: content, media type, and the status with which each must be answered."""

from __future__ import annotations

import json
from typing import NamedTuple

from fuzz.arrow_streams import samples

JSON, NDJSON, CSV = "application/json", "application/x-ndjson", "text/csv"
ARROW = "application/vnd.apache.arrow.stream"
#: More digits than Python converts to an integer.
MANY = 5_000
LONG_FIELD = 131_073  # one character more than the csv module accepts


class Body(NamedTuple):
    """One body, sent to /datapoints."""

    name: str
    media_type: str
    content: bytes
    status: int


def point(**members: str) -> bytes:
    """Return a datapoint as JSON; `members` are JSON texts that replace valid ones."""
    spelt = {"timestamp": "1", "value": "1", "device": '"d"', "user": '"u"'} | members
    return ("{" + ",".join(f'"{name}":{text}' for name, text in spelt.items()) + "}").encode("utf-8", "surrogatepass")


def rows(*lines: str, header: str = "timestamp,value,device,user", end: str = "\n") -> bytes:
    """Return a CSV document."""
    return end.join([header, *lines, ""]).encode()


GOOD = point()
STREAM = samples()[0][1]
_END = STREAM[-8:]


#: (name, a JSON value, the statuses for it as a datapoint's value, timestamp and device)
_VALUES = [
    ("10**400", "1" + "0" * 400, 400, 422, 400),
    ("10**5000", "1" + "0" * MANY, 400, 400, 400),
    ("-10**400", "-1" + "0" * 400, 400, 400, 400),
    ("2**63", str(2**63), 201, 422, 201),
    ("2**64", str(2**64), 201, 422, 201),
    ("1e999", "1e999", 400, 400, 400),
    ("-1e999", "-1e999", 400, 400, 400),
    ("1e308", "1e308", 400, 422, 400),
    ("1e-999", "1e-999", 201, 201, 400),
    ("-0.0", "-0.0", 201, 201, 400),
    ("NaN", "NaN", 400, 400, 400),
    ("Infinity", "Infinity", 400, 400, 400),
    ("-Infinity", "-Infinity", 400, 400, 400),
    ("a number as text", '"1"', 400, 400, 201),
    ("true", "true", 400, 400, 400),
    ("null", "null", 400, 400, 400),
    ("an array", "[1]", 400, 400, 400),
    ("an object", "{}", 400, 400, 400),
    ("a leading zero", "01", 400, 400, 400),
    ("a leading plus", "+1", 400, 400, 400),
    ("hex", "0x10", 400, 400, 400),
    ("an underscore", "1_0", 400, 400, 400),
    ("a point alone", "1.", 400, 400, 400),
    ("an escaped surrogate", r'"\ud800"', 400, 400, 400),
    ("half a pair", r'"\ud83d\u0041"', 400, 400, 400),
    ("a pair the wrong way round", r'"\ude00\ud83d"', 400, 400, 400),
    ("a whole pair", r'"\ud83d\ude00"', 400, 400, 201),
    ("a raw surrogate", '"\ud800"', 400, 400, 400),
    ("an escaped NUL", r'"\u0000"', 400, 400, 400),
    ("a raw NUL", '"\x00"', 400, 400, 400),
    ("a raw line end", '"a\nb"', 400, 400, 400),
    ("line ends escaped", r'"a\r\nSet-Cookie: x=1"', 400, 400, 400),
    ("blank", r'"\u2003 "', 400, 400, 400),
    ("a right-to-left mark", r'"\u202e"', 400, 400, 201),
    ("a bad escape", r'"\x41"', 400, 400, 400),
    ("256 characters", '"' + "x" * 256 + '"', 400, 400, 400),
    ("a million characters", '"' + "x" * 1_000_000 + '"', 400, 400, 400),
    ("a formula", "\"=cmd|' /C calc'!A0\"", 400, 400, 201),
    ("markup", '"<script>alert(1)</script>"', 400, 400, 201),
]
_ENCODINGS = ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be")
_MANY_NAMES = ",".join(f'"k{i}":{i}' for i in range(20_000)).encode()

BODIES = [
    *(Body(f"value: {n}", JSON, point(value=text), status) for n, text, status, _, _ in _VALUES),
    *(Body(f"timestamp: {n}", JSON, point(timestamp=text), status) for n, text, _, status, _ in _VALUES),
    *(Body(f"device: {n}", JSON, point(device=text), status) for n, text, _, _, status in _VALUES),
    *(Body(f"in a batch: value {n}", JSON, b"[" + point(value=t) + b"]", s) for n, t, s, _, _ in _VALUES),
    *(Body(f"in a line: device {n}", NDJSON, point(device=t) + b"\n", s) for n, t, _, _, s in _VALUES if "\n" not in t),
    *(Body(f"beside the point: {n}", JSON, point(more=text), 400) for n, text, *_ in _VALUES if n in ("NaN", "1e999")),
    # Whole documents
    *(Body(f"empty: {kind}", kind, b"", status) for kind, status in ((JSON, 400), (NDJSON, 201), (CSV, 400))),
    *(
        Body(f"white space: {kind}", kind, b" \t\r\n ", status)
        for kind, status in ((JSON, 400), (NDJSON, 201), (CSV, 400))
    ),
    *(Body(f"a BOM alone: {kind}", kind, b"\xef\xbb\xbf", s) for kind, s in ((JSON, 400), (NDJSON, 201), (CSV, 400))),
    *(Body(f"NULs: {kind}", kind, b"\0" * 1_000, 400) for kind in (JSON, NDJSON, CSV)),
    *(Body(f"not UTF-8: {kind}", kind, b"\xff\xfe\x80", 400) for kind in (JSON, NDJSON, CSV)),
    *(Body(f"{name} JSON", JSON, GOOD.decode().encode(name), 400) for name in _ENCODINGS),
    *(Body(f"{name} CSV", CSV, rows("1,2,d,u").decode().encode(name), 400) for name in _ENCODINGS),
    Body("a BOM before JSON", JSON, b"\xef\xbb\xbf" + GOOD, 201),
    Body("a BOM before CSV", CSV, b"\xef\xbb\xbf" + rows("1,2,d,u"), 201),
    Body("two BOMs before CSV", CSV, b"\xef\xbb\xbf\xef\xbb\xbf" + rows("1,2,d,u"), 400),
    Body("an overlong slash", JSON, point(device='"?"').replace(b"?", b"\xc0\xaf"), 400),
    Body("an overlong NUL", JSON, point(device='"?"').replace(b"?", b"\xc0\x80"), 400),
    Body("beyond Unicode", JSON, point(device='"?"').replace(b"?", b"\xf4\x90\x80\x80"), 400),
    Body("a cut character", JSON, point(device='"?"').replace(b"?", b"\xe2\x82"), 400),
    *(Body(f"{opening * 2} 100,000 deep", JSON, opening.encode() * 100_000, 400) for opening in ("[", '{"a":')),
    Body("closed arrays 100,000 deep", JSON, b"[" * 100_000 + b"]" * 100_000, 400),
    Body("a field 100,000 deep", JSON, point(more="[" * 100_000 + "]" * 100_000), 400),
    Body("a line 100,000 deep", NDJSON, b"[" * 100_000 + b"]" * 100_000, 400),
    Body("arrays of arrays", JSON, b"[[" + GOOD + b"]]", 400),
    Body("an array of nothing", JSON, b"[[],[],{}]", 400),
    Body("a hundred thousand items that are none", JSON, json.dumps([1] * 100_000).encode(), 400),
    Body("an empty array", JSON, b"[]", 201),
    *(Body(f"{text} alone", JSON, text.encode(), 400) for text in ("null", "true", "1", '"x"', "{}", "NaN", "-")),
    Body("two documents", JSON, GOOD + GOOD, 400),
    Body("two documents on two lines", JSON, GOOD + b"\n" + GOOD, 400),
    Body("two arrays", JSON, b"[" + GOOD + b"][" + GOOD + b"]", 400),
    Body("a comma at the end", JSON, b"[" + GOOD + b",]", 400),
    Body("comments", JSON, b"[/* */" + GOOD + b"]", 400),
    Body("single quotes", JSON, GOOD.replace(b'"', b"'"), 400),
    Body("cut off", JSON, b"[" + GOOD, 400),
    Body("a repeated name: the last counts", JSON, b'{"value":"x",' + GOOD[1:], 201),
    Body("a name repeated a thousand times", JSON, b"{" + b'"value":"x",' * 1_000 + GOOD[1:], 201),
    Body("a repeated name, the last wrong", JSON, GOOD[:-1] + b',"value":"x"}', 400),
    Body("a name of a megabyte", JSON, b'{"' + b"k" * 1_000_000 + b'":1,' + GOOD[1:], 201),
    Body("20,000 names", JSON, b"{" + _MANY_NAMES + b"," + GOOD[1:], 201),
    Body("the framework's names", JSON, point(__class__='"x"', __proto__='{"a":1}', constructor="1"), 201),
    Body("an empty name", JSON, b'{"":1,' + GOOD[1:], 201),
    # NDJSON
    Body("blank lines", NDJSON, b"\n\r\n  \n" + GOOD + b"\r\n\t\n", 201),
    Body("CR alone between lines", NDJSON, GOOD + b"\r" + point(user='"v"'), 400),
    Body("a good line, then a bad one", NDJSON, GOOD + b"\n{\n", 400),
    Body("a line that is an array", NDJSON, b"[" + GOOD + b"]\n", 400),
    Body("two documents in a line", NDJSON, GOOD + GOOD, 400),
    Body("a line that goes on", NDJSON, GOOD.replace(b",", b",\n"), 400),
    Body("a BOM in the middle", NDJSON, GOOD + b"\n\xef\xbb\xbf" + point(user='"v"'), 400),
    Body("NULs between lines", NDJSON, GOOD + b"\n\0\n" + point(user='"v"'), 400),
    Body("a separator of Unicode", NDJSON, GOOD + b"\xe2\x80\xa8" + point(user='"v"'), 400),
    # CSV
    Body("a header alone", CSV, rows(), 201),
    Body("a header without line end", CSV, b"timestamp,value,device,user", 201),
    Body("no header", CSV, b"1,2,d,u\n", 400),
    Body("a header in capitals", CSV, rows("1,2,d,u", header="Timestamp,Value,Device,User"), 400),
    Body("a header with blanks", CSV, rows("1,2,d,u", header="timestamp, value, device, user"), 201),
    Body("a column twice", CSV, rows("1,2,3,d,u", header="timestamp,value,value,device,user"), 400),
    Body("an unknown column twice", CSV, rows("1,2,d,u,1,2", header="timestamp,value,device,user,x,x"), 201),
    Body(
        "10,000 columns",
        CSV,
        rows("1,2,d,u" + ",x" * 10_000, header="timestamp,value,device,user" + ",x" * 10_000),
        400,
    ),
    Body("a short row", CSV, rows("1,2,d,u", "2,2,d"), 400),
    Body("a long row", CSV, rows("1,2,d,u", "2,2,d,u,u"), 400),
    Body("a short and a long row", CSV, rows("1,2,d", "2,2,d,u,u"), 400),
    Body("formulas are text", CSV, rows("1,2,=1+1,@SUM(A1)", "2,2,+cmd|' /C calc'!A0,-2+3"), 201),
    Body("a formula for a value", CSV, rows("1,=1+1,d,u"), 400),
    Body("a quote that never ends", CSV, rows('1,2,"d,u'), 400),
    Body("text after a quote", CSV, rows('1,2,"d"x,u'), 400),
    Body("a quote in the middle", CSV, rows('1,2,d"d,u'), 201),
    Body("a line end in a key", CSV, rows('1,2,"d\r\nd",u'), 400),
    Body("a NUL in a key", CSV, rows("1,2,d\x00,u"), 400),
    Body("a field beyond 128 KiB", CSV, rows("1,2," + "d" * LONG_FIELD + ",u"), 400),
    Body("a quoted field beyond 128 KiB", CSV, rows('1,2,"' + "d" * LONG_FIELD + '",u'), 400),
    Body(
        "a name beyond 128 KiB", CSV, rows("1,2,d,u,1", header="timestamp,value,device,user," + "x" * LONG_FIELD), 400
    ),
    Body("a number of 128 KiB", CSV, rows("1," + "1" * 131_000 + ",d,u"), 400),
    Body("a timestamp of 128 KiB", CSV, rows("1" * 131_000 + ",1,d,u"), 400),
    Body("all line ends", CSV, b"timestamp,value,device,user\r\n1,2,d,u\n2,2,d,u\r3,2,d,u\r\n", 201),
    Body("semicolons", CSV, rows("1;2;d;u", header="timestamp;value;device;user"), 400),
    *(
        Body(f"a CSV value {text!r}", CSV, rows(f"1,{text},d,u"), 400)
        for text in ("nan", "inf", "1_0", "٣", "0x1", "1 1", "", "1e999")
    ),
    Body("commas only", CSV, b"," * 100_000, 400),
    Body("quotes only", CSV, b'"' * 100_001, 400),
    Body("JSON as CSV", CSV, GOOD, 400),
    Body("CSV as JSON", JSON, rows("1,2,d,u"), 400),
    Body("CSV as NDJSON", NDJSON, rows("1,2,d,u"), 400),
    # Arrow
    Body("JSON as Arrow", ARROW, b"[" + GOOD + b"]", 400),
    Body("no Arrow at all", ARROW, b"", 400),
    Body("the end of an Arrow stream", ARROW, _END, 400),
    Body("a good Arrow stream", ARROW, STREAM, 201),
    Body("two Arrow streams", ARROW, STREAM + STREAM, 400),
    Body("an Arrow stream without its end", ARROW, STREAM[:-8], 400),
    Body("an Arrow stream in JSON's place", JSON, STREAM, 400),
    Body("a length of 2 GiB", ARROW, b"\xff\xff\xff\xff\xf8\xff\xff\x7f" + STREAM[8:], 400),
    Body("a negative length", ARROW, b"\xff\xff\xff\xff\xf8\xff\xff\xff" + STREAM[8:], 400),
    Body("metadata of zeros", ARROW, b"\xff\xff\xff\xff\x40\0\0\0" + bytes(64) + _END, 400),
    Body("metadata of ones", ARROW, b"\xff\xff\xff\xff\x40\0\0\0" + b"\xff" * 64 + _END, 400),
    Body("ten thousand ends", ARROW, _END * 10_000, 400),
    *(Body(f"an Arrow stream cut off at byte {at}", ARROW, STREAM[:at], 400) for at in range(8, len(STREAM), 200)),
]


def _line(name: str, content: bytes, status: int = 400) -> Body:
    return Body(name, "text/plain", content, status)


#: Bodies of line protocol, sent to /write.
LINES = [
    _line("nothing", b"", 204),
    _line("a line", b"m,host=h f=1 1", 204),
    _line("NUL alone", b"\0"),
    _line("NULs", b"\0" * 100_000),
    _line("NUL in a tag", b"m,host=h\0 f=1"),
    _line("NUL in a string", b'm,host=h s="\0",f=1 1', 204),
    _line("a blank and a backslash", b"m,host=h\\ f=1"),
    _line("backslashes", b"\\" * 500_000),
    _line("commas", b"," * 500_000),
    _line("equals signs", b"m," + b"=" * 500_000 + b" f=1"),
    _line("blanks", b" " * 500_000, 204),
    _line("line ends", b"\n" * 1_500_000, 204),
    _line("comments without an end", b"#" * 1_500_000, 204),
    _line("a string without an end", b'm,host=h s="' + b"x\n" * 500_000),
    _line("quotes", b'"' * 500_000),
    _line("strings that open again and again", b'm,host=h s="\n' * 50_001),
    _line("escaped quotes", b'm,host=h s="' + b'\\"' * 400_000),
    _line("a line beyond the limit", b"m,host=h " + b",".join([b"f=1"] * 300_000)),
    _line("many fields", b"m,host=h " + b",".join(b"f%d=1" % i for i in range(50_000)) + b" 1", 204),
    _line("many tags", b"m" + b"".join(b",t%d=1" % i for i in range(50_000)) + b" f=1"),
    _line("a tag many times", b"m" + b",host=h" * 100_000 + b" f=1"),
    _line("a long tag", b"m,host=" + b"h" * 900_000 + b" f=1"),
    _line("a long integer", b"m,host=h f=" + b"9" * 900_000 + b"i"),
    _line("a long float", b"m,host=h f=0." + b"9" * 900_000 + b" 1", 204),
    _line("a long exponent", b"m,host=h f=1e" + b"9" * 900_000),
    _line("a long time", b"m,host=h f=1 " + b"9" * 900_000),
    _line("a negative time", b"m,host=h f=1 -1"),
    _line("the latest time", b"m,host=h f=1 9223372036854775807", 422),
    _line("not UTF-8", b"m,host=\xff f=1"),
    _line("a surrogate", b"m,host=\xed\xa0\x80 f=1"),
    _line("UTF-16", "m,host=h f=1".encode("utf-16")),
    _line("two byte order marks", b"\xef\xbb\xbf\xef\xbb\xbfm f=1"),
    _line("JSON", GOOD),
    _line("a header of HTTP", b"m,host=h\r\nSet-Cookie:x f=1"),
    _line("a line end in a message", b"m,host=h f=\r\nSet-Cookie: x"),
    _line("lines of every fault", b"x\n" * 100_000),
]
