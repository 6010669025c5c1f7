"""Lines mean what the grammar says, read by the kernel or in plain Python."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datapoints.influx import reading
from datapoints.influx.grammar import Precision
from datapoints.influx.reading import LineBench, read_points
from datapoints.tests.made_lines import BODIES, bodies, line
from fuzz.targets import read_influx, rows_of_lines
from timeseries_project.api import workbench
from timeseries_project.core.errors import InvalidInputError
from timeseries_project.tests.drawn import drawn
from timeseries_project.tests.processes import run_uncompiled

NS = Precision.NANOSECONDS
NOW = 1_700_000_000_123_456
TIME = 1_600_000_000_000_000


@pytest.fixture(autouse=True)
def new_benches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbench, "_idle", {})


def rows(body: bytes | str, precision: Precision = NS) -> list[tuple[int, float, str, str]]:
    """Read a body both ways, which must agree; return its datapoints."""
    content = body.encode() if isinstance(body, str) else body
    fast, slow = (rows_of_lines(read_points(content, precision, NOW, ordinary=way)) for way in (True, False))
    assert fast == slow
    return [row[:4] for row in fast]


def faults(body: bytes | str) -> list[tuple[int | None, str]]:
    """Return the lines and messages of a body that is refused both ways."""
    content = body.encode() if isinstance(body, str) else body
    found = []
    for way in (True, False):
        with pytest.raises(InvalidInputError) as refused:
            read_points(content, NS, NOW, ordinary=way)
        found.append([(error.line, error.message) for error in refused.value.errors])
    assert found[0] == found[1]
    return found[0]


def test_each_numeric_field_is_a_datapoint() -> None:
    body = "cpu,cpu=cpu0,host=a usage_user=1.5,usage_system=-2,idle=3i 1600000000000000000"
    assert rows(body) == [
        (TIME, 1.5, "a", "cpu_usage_user,cpu=cpu0"),
        (TIME, -2.0, "a", "cpu_usage_system,cpu=cpu0"),
        (TIME, 3.0, "a", "cpu_idle,cpu=cpu0"),
    ]


@pytest.mark.parametrize(
    ("head", "field", "device", "user"),
    [
        ("m,host=h", "f", "h", "m_f"),
        ("m,host=h", "value", "h", "m"),
        ("m,device=d,host=h", "f", "d", "m_f,host=h"),
        ("m,device=d,user=ada,x=y", "f", "d", "ada"),
        ("m,host=h,z=1,a=2", "f", "h", "m_f,a=2,z=1"),
        (r"m\ n\,o,host=a\ b\=c\,d", r"f\ g\=h\,i", "a b=c,d", "m n,o_f g=h,i"),
        (r"m\=n,host=h\\,t\\=x\y", "f", r"h\,t\=x\y", r"m\=n_f"),
        ("mäß,host=日本,ort=köln", "größe", "日本", "mäß_größe,ort=köln"),
        (r"m=n,host=a\\b", "f", r"a\\b", "m=n_f"),
        ('"m",host="h"', '"f"', '"h"', '"m"_"f"'),
    ],
)
def test_device_and_user_hold_the_text_without_its_escapes(head: str, field: str, device: str, user: str) -> None:
    body = f"{head} {field}=1"
    assert [row[2:] for row in rows(f"{body}\n{body}")] == [(device, user)] * 2


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0.0), ("-0", 0.0), ("-0.0", 0.0), ("1.", 1.0), (".5", 0.5), ("+1", 1.0), ("1e3", 1000.0),
        ("1E-3", 0.001), ("-1.5e+2", -150.0), ("01", 1.0), ("0.1", 0.1), ("0.30000000000000004", 0.1 + 0.2),
        ("123456789012345678901234567890", 123456789012345678901234567890.0), ("1e150", 1e150),
        ("1e-400", 0.0), ("-1e-400", 0.0), ("9007199254740993.0", 9007199254740992.0),
        ("0i", 0.0), ("-12i", -12.0), ("9223372036854775807i", 2.0**63), ("-9223372036854775808i", -(2.0**63)),
        ("0u", 0.0), ("18446744073709551615u", 2.0**64), ("9223372036854775809u", 2.0**63), ("-0i", 0.0),
        *((word, 1.0) for word in ("t", "T", "true", "True", "TRUE")),
        *((word, 0.0) for word in ("f", "F", "false", "False", "FALSE")),
    ],
)  # fmt: skip
def test_values(text: str, value: float) -> None:
    [(_, read, _, _)] = rows(f"m,host=h f={text}")
    assert repr(read) == repr(value)


@pytest.mark.parametrize(
    "text",
    ["", "1ii", "1.5i", "1e3i", "-1u", "9223372036854775808i", "18446744073709551616u", "-9223372036854775809i",
     "NaN", "nan", "inf", "-Inf", "1e151", "-1e999", "0x10", "1_0", "tRUE", "yes", "tr", "truee", "--1", "1e", "e5",
     "'1'", '1"', "1" * 5_000 + "i", "i", "u", "-", ".", "1f"],
)  # fmt: skip
def test_what_is_no_value_is_refused(text: str) -> None:
    assert [number for number, _ in faults(f"m,host=h f=1\nm,host=h f={text}\n")] == [2]


@pytest.mark.parametrize(
    ("precision", "text", "time"),
    [
        ("ns", "1600000000000000999", TIME), ("n", "1999", 1), ("us", "7", 7), ("u", "7", 7), ("µ", "7", 7),
        ("ms", "7", 7_000), ("s", "7", 7_000_000), ("m", "7", 420_000_000), ("h", "7", 25_200_000_000),
        ("s", "-0", 0), ("s", "0000000000000000000000007", 7_000_000), ("ns", "9223372036854775807", 2**63 // 1000),
        ("s", "9223372036854775807", 2**62), ("us", "9223372036854775807", 2**62),
        ("ns", "", NOW), ("ms", "", 1_700_000_000_123_000), ("s", "", 1_700_000_000_000_000),
        ("m", "", 1_699_999_980_000_000), ("h", "", 1_699_999_200_000_000),
    ],
)  # fmt: skip
def test_times(precision: str, text: str, time: int) -> None:
    assert rows(f"m,host=h f=1 {text}", Precision(precision)) == [(time, 1.0, "h", "m_f")]


@pytest.mark.parametrize("text", ["-1", "9223372036854775808", "-9223372036854775809", "1.5", "1e9", "x", "1 2", "+1"])
def test_other_times_are_refused(text: str) -> None:
    assert [number for number, _ in faults(f"m,host=h f=1 {text}\nm,host=h f=1")] == [1]


def test_strings_are_passed_over_whatever_is_in_them() -> None:
    body = 'm,host=h s="a, b=c \\" \\\\",f=1,t="x\ny\n" 1000\nm,host=h only="s" 1000\n\nm,host=h f=2 2000'
    assert rows(body) == [(1, 1.0, "h", "m_f"), (2, 2.0, "h", "m_f")]
    assert rows(b'm,host=h s="\xff\0",\xff="x"') == []


def test_comments_blank_lines_and_line_ends_are_none() -> None:
    body = '\ufeff# a comment, host=x "\r\n\r\n \t\nm,host=h f=1 1000\r\n  m,host=h  f=2   2000  \r\n#end\n \t'
    assert rows(body) == [(1, 1.0, "h", "m_f"), (2, 2.0, "h", "m_f")]
    assert rows("") == rows("\n") == rows("# only this") == []


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("m f=1", "neither a tag `device` nor a tag `host`"),
        ("m,host=h", "no field"), ("m,host=h ", "field"), ("m,host=h f", "field=value"), ("m,host=h =1", "field=value"),
        (",host=h f=1", "no measurement"), ("m,host f=1", "tag=value"), ("m,host= f=1", "tag=value"),
        ("m,=h f=1", "tag=value"), ("m,host=h,a=b=c f=1", "tag=value"), ("m,host=h, f=1", "tag=value"),
        ("m,host=h,host=h f=1", "twice"), ('m,host=h f="a', "without an end"), ('m,host=h f="a"b', "behind a string"),
        ("m,host=h f=1,", "field=value"), ("m,host=h f=1,,g=2", "field=value"), ("m,host=h f=1 ,g=2", "time"),
        (r"m,host=\  f=1", "blank"), ("m,host=" + "h" * 256 + " f=1", "at most 255"), ("m,host=a\tb f=1", "control"),
        ("m,host=h,t=" + "x" * 255 + " f=1", "at most 255"), ("m,host=h f\tg=1", "control"),
        ("m,host=h t=" + "1" + "x" * 2**20, "where a number"),
    ],
)  # fmt: skip
def test_faults_name_the_line(text: str, part: str) -> None:
    [(number, message)] = faults(f'# first\nm,host=h s="\n" 1\n{text}')
    assert number == 4
    assert part in message


def test_a_line_may_be_longer_than_what_is_read_at_once_but_not_endless() -> None:
    text = "x" * (reading.WINDOW + 10)
    assert rows(f'm,host=h f=1,s="{text}" 1000\nm,host=h f=2 2000') == [(1, 1.0, "h", "m_f"), (2, 2.0, "h", "m_f")]
    [(number, message)] = faults('m,host=h f=1\nm,host=h s="' + "x" * 2**20 + '"')
    assert (number, "longer than 1,048,576 bytes" in message) == (2, True)


def test_what_is_not_utf8_is_refused() -> None:
    assert faults(b"m,host=\xff f=1") == faults(b"m,host=h f\xff=1") == [(1, "is not UTF-8.")]


def test_the_hundredth_fault_ends_reading() -> None:
    assert len(faults("m,host=h f=1\n" * 3 + "m\n" * 1_000)) == 100


def test_more_series_than_are_remembered_are_read() -> None:
    for part in range(3):
        body = "".join(f"m{i},host=h{i} f=1,g=2 1000\n" for i in range(part, 40_000))
        assert len(rows_of_lines(read_points(body.encode(), NS, NOW))) == 2 * (40_000 - part)


def test_what_was_read_before_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LineBench, "remembered", 20)
    monkeypatch.setattr(reading, "WINDOW", 200)
    random = Random(1)
    for _ in range(200):
        rows(
            "\n".join(f"m{random.randrange(9)},host=h{random.randrange(9)} f{random.randrange(9)}=1" for _ in range(9))
        )


@given(st.lists(line(), max_size=12), st.sampled_from([*Precision]))
@drawn(300)
def test_drawn_lines_mean_the_same_both_ways(lines: list[bytes], precision: Precision) -> None:
    read_influx(bytes([[*Precision].index(precision)]) + b"\n".join(lines))


@pytest.mark.parametrize("window", [16, 64, 300, 2**18])
def test_made_bodies_mean_the_same_both_ways(monkeypatch: pytest.MonkeyPatch, window: int) -> None:
    monkeypatch.setattr(reading, "WINDOW", window)
    for body in bodies(window, BODIES):
        read_influx(body)


def test_as_plain_python_they_read_the_same() -> None:
    status, out = run_uncompiled("-m", "datapoints.tests.made_lines", str(BODIES // 5), "5")
    assert status == 0, out
