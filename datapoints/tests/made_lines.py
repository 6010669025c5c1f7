"""Lines made at random, most of them valid and many nearly so; as a program it holds both readers to each other."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from random import Random

from hypothesis import strategies as st

BODIES = 400

_WORDS = [
    b"m",
    b"host",
    b"device",
    b"user",
    b"a",
    b"cpu0",
    b"\\ ",
    b"\\,",
    b"\\=",
    b"\\",
    b"\xc3\xa9",
    b"value",
    b"\xff",
]
_VALUES = [
    b"1", b"-2.5", b"0.1", b"3i", b"-4i", b"5u", b"t", b"FALSE", b'"s"', b'"a\\"b, c=d\n"', b"1e5", b"-0", b"1e-30",
    b"0.30000000000000004", b"12345678901234567890", b"9223372036854775807i", b".5", b"nan", b"", b'"', b"1x",
]  # fmt: skip
_TIMES = [b" 1600000000000000000", b" 1600000000", b" 7", b"", b" ", b" 0", b" -1", b" 9223372036854775807", b" x"]
_ENDS = [b"", b"\r", b" ", b"\t", b"\0"]


@st.composite
def line(draw: st.DrawFn) -> bytes:
    """Draw a line."""
    return _line(Random(draw(st.integers(0, 2**32))), draw(st.floats(0, 0.3)))


def _line(random: Random, oddness: float) -> bytes:
    """Make a line; the odder, the more likely something in it is out of the ordinary."""

    def word() -> bytes:
        odd = random.random() < oddness
        return b"".join(random.choices(_WORDS, k=random.randint(1, 3))) if odd else random.choice(_WORDS[:6])

    if random.random() < oddness:
        return random.choice([b"", b"# x", b" ", b"#", b"m", b"\r", b"\xef\xbb\xbf", b"m,host=h"])
    tags = [b",%s=%s" % (word(), word()) for _ in range(random.randrange(3))]
    host = b",host=h%d" % random.randrange(4) if random.random() >= oddness else b""
    few = len(_VALUES) if random.random() < oddness else 13
    fields = b",".join(b"%s=%s" % (word(), random.choice(_VALUES[:few])) for _ in range(random.randint(1, 4)))
    time = random.choice(_TIMES if random.random() < oddness else _TIMES[:4])
    end = random.choice(_ENDS) if random.random() < oddness else b""
    made = word() + host + b"".join(tags) + b" " + fields + time + end
    if random.random() < oddness / 4:
        place = random.randrange(len(made))
        made = made[:place] + bytes([random.randrange(256)]) + made[place + 1 :]
    return made


def bodies(seed: int, count: int) -> Iterator[bytes]:
    """Make bodies as the fuzz target takes them."""
    random = Random(seed)
    for _ in range(count):
        oddness = random.choice([0, 0, 0.02, 0.3])
        lines = [_line(random, oddness) for _ in range(random.randrange(30))]
        yield bytes([random.randrange(9)]) + random.choice([b"\n", b"\n", b"\r\n"]).join(lines)


if __name__ == "__main__":
    import os

    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "timeseries_project.settings")
    django.setup()
    from fuzz.targets import read_influx

    for _body in bodies(int(sys.argv[2]), int(sys.argv[1])):
        read_influx(_body)
