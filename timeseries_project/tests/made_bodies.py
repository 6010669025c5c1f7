"""Bodies around the ordinary ones: batches of all apps in all forms, with a fault here and there.

`python -m timeseries_project.tests.made_bodies 200000` holds the fast way against item by item over so many.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from random import Random

from timeseries_project.tests.drawn import THOROUGH

#: How many bodies the suite reads.
BODIES = 40_000 if THOROUGH else 4_000

FIELDS = (
    {"timestamp": "time", "value": "number", "device": "key", "user": "key"},
    {"device_id": "key", "timestamp": "integer", "bytes_ts": "integer", "bytes_fs": "integer"},
    {"amount": "number", "timestamp": "integer"},
)
INTEGERS = ["0", "7", "2147483647", "9007199254740991", "9007199254740992", "999999999999999999", "1" * 19, "-1", "-0"]
NUMBERS = [
    *INTEGERS,
    "0.1",
    "-2.50",
    "1e150",
    "1e-400",
    "5e-324",
    "1e22",
    "1e23",
    "0.30000000000000004",
    "01",
    "1.",
    "-",
]
NUMBERS += [
    "9007199254740993",
    "90071992547409930e-1",
    "4503599627370497.5",
    "9007199254740993e1",
    "-0.0",
    "+1",
    "1E+2",
]
TIMES = ["1769860800", "8589934591.9999999", "8589934592", "0.0000009", "1969-12-31T23:59:59Z", "2024-02-29T00:00:00Z"]
TIMES += ["2023-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2026-01-31T24:00:00Z", "2026-01-31", "2026-13-01T00:00:00Z"]
TIMES += ["9999-12-31T23:59:59.999999999Z", "2026-01-31t12:00:00z", "20260131", "2026", "2026-01-31T12:00:00+01:00"]
KEYS = [
    "a",
    "b",
    "device-1",
    "é",
    "日本",
    "",
    " ",
    " a",
    "a,b",
    "\x7f",
    "\x85",
    "x" * 255,
    "x" * 256,
    "\\",
    "a\n",
    "\ud800",
]
BYTES = b'0123456789+-.eEtTZ:"\\{}[], \t\r\n\x00\x1f\x80\xc3\xffaun'


def made(random: Random) -> bytes:
    """Return a body whose first byte says of which app and in which form it is, as for `fuzz.targets.read_body`."""
    app, form = random.randrange(3), random.randrange(3)
    rows = [
        {name: _spelt(random, kind) for name, kind in FIELDS[app].items()}
        for _ in range(random.choice([0, 1, 2, 3, 9]))
    ]
    body = (_array, _lines, _table)[form](random, rows, FIELDS[app])
    if random.random() < 0.6:
        body = _damaged(random, body)
    return bytes([form * 3 + app]) + body


def _spelt(random: Random, kind: str) -> str:
    """Return a value as JSON spells it: ordinary ones more often than not."""
    odd = random.random() < 0.06
    if kind == "key":
        return json.dumps(random.choice(KEYS if odd else KEYS[:5]), ensure_ascii=random.random() < 0.5)
    if kind == "integer":
        return random.choice(INTEGERS) if odd else str(random.randrange(10 ** random.randint(1, 13)))
    if kind == "number":
        number = random.uniform(-1, 1) * 10.0 ** random.randint(-8, 17)
        return random.choice(NUMBERS) if odd else repr(random.choice([number, round(number, 2), int(number)]))
    if odd:
        text = random.choice(TIMES)
        return json.dumps(text) if "-" in text or random.random() < 0.1 else text
    if random.random() < 0.5:
        seconds = 1_769_860_800 + random.random() * random.choice([1, 1_000])
        return repr(random.choice([seconds, int(seconds), round(seconds, random.randint(1, 6))]))
    day = f"{random.randint(1970, 2030)}-{random.randint(1, 12):02}-{random.randint(1, 30):02}"
    time = f"{random.randint(0, 23):02}:{random.randint(0, 59):02}:{random.randint(0, 59):02}"
    fraction = "." + str(random.random())[2 : 2 + random.randint(1, 9)] if random.random() < 0.4 else ""
    return f'"{day}{random.choice("TTT ")}{time}{fraction}{random.choice(["Z", "Z", "+00:00", ""])}"'


def _blank(random: Random, blanks: list[str]) -> str:
    return random.choice(blanks) if random.random() < 0.1 else ""


def _item(random: Random, row: dict[str, str], blanks: list[str]) -> str:
    members = list(row.items())
    if random.random() < 0.2:
        random.shuffle(members)
    if random.random() < 0.02:
        members.append(random.choice([("extra", "1"), members[0]]))
    parts = (f'{_blank(random, blanks)}"{name}"{_blank(random, blanks)}:{value}' for name, value in members)
    return _blank(random, blanks) + "{" + ",".join(parts) + _blank(random, blanks) + "}" + _blank(random, blanks)


def _array(random: Random, rows: list[dict[str, str]], fields: dict[str, str]) -> bytes:
    text = ",".join(_item(random, row, [" ", "\n", "\r\n\t"]) for row in rows)
    return f"[{text}]{_blank(random, [' ', ' x', ']'])}".encode(errors="surrogatepass")


def _lines(random: Random, rows: list[dict[str, str]], fields: dict[str, str]) -> bytes:
    lines = [_item(random, row, [" ", "\t"]) + _blank(random, ["\r", "\n", "\n \r\n"]) for row in rows]
    return ("\n".join(lines) + random.choice(["", "\n"])).encode(errors="surrogatepass")


def _table(random: Random, rows: list[dict[str, str]], fields: dict[str, str]) -> bytes:
    names = [*fields, "extra"] if random.random() < 0.1 else [*fields]
    if random.random() < 0.2:
        random.shuffle(names)
    end = random.choice(["\n", "\n", "\r\n"])
    lines = [",".join(names)]
    for row in rows:
        cells = [json.loads(row[name]) if row.get(name, "x")[0] == '"' else row.get(name, "x") for name in names]
        lines.append(",".join(f'"{cell}"' if "," in cell or random.random() < 0.03 else cell for cell in cells))
    return (end.join(lines) + _blank(random, [end, end + end])).encode(errors="replace")


def _damaged(random: Random, body: bytes) -> bytes:
    """Return a body cut off, or with some bytes changed, taken away or repeated."""
    if random.random() < 0.2:
        return body[: random.randint(0, len(body))]
    for _ in range(random.choice([1, 1, 2])):
        begin = random.randint(0, len(body))
        end = min(len(body), begin + random.choice([0, 1, 1, 1, 5]))
        new = random.choice([b"", bytes([random.choice(BYTES)]), bytes([random.choice(BYTES)]), body[begin:end] * 2])
        body = body[:begin] + new + body[end:]
    return body


def bodies(seed: int, count: int) -> Iterator[bytes]:
    """Return so many bodies, the same for each seed."""
    random = Random(seed)
    return (made(random) for _ in range(count))


def _hold(read: Callable[[bytes], None], seed: int, count: int) -> None:
    from timeseries_project.api import portions, scanner

    random = Random(seed)
    for body in bodies(seed, count):
        portions.BLOCK = scanner.BLOCK = random.choice([7, 64, 300, 2**19])
        read(body)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "timeseries_project.settings")
    import django

    django.setup()
    from fuzz.targets import read_body

    _hold(read_body, int(sys.argv[2]) if len(sys.argv) > 2 else 1, int(sys.argv[1]))
