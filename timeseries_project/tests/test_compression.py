"""Which clients accept gzip, and what is compressed for them."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeseries_project.api.compression import accepts_gzip, compressed, compressed_parts
from timeseries_project.tests.drawn import drawn


@pytest.mark.parametrize(
    "header",
    [
        "gzip",
        "GZIP",
        "x-gzip",
        "gzip, deflate, br, zstd",
        "br;q=1.0, gzip;q=0.8, *;q=0.1",
        "*",
        "deflate, *;q=0.5",
        "gzip;q=0.001",
        " gzip ; q=0.5 ",
        "gzip;q=1.0,identity;q=0.5",
        "identity;q=0, gzip",
        "identity;q=0, *",
        "gzip,gzip;q=0,x-gzip",
        "garbage;;q, ,gzip",
        "gzip;q=x, x-gzip",
        'gzip;level="a,b;q=0"',
    ],
)
def test_gzip_is_accepted(header: str) -> None:
    assert accepts_gzip(header)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "identity",
        "br",
        "deflate, br",
        "gzip;q=0",
        "gzip;q=0.000",
        "gzip;q=0, *",
        "gzip;q=0;q=1, gzip;q=0",
        "*;q=0",
        "identity;q=0",
        "identity, gzip;q=0.5",
        "gzip;q=-1",
        "gzip;q=2",
        "gzip;q=nan",
        "gzip;q=inf",
        "gzip;q=x",
        "gzipped",
        "g zip",
        '"gzip"',
        "gzip" + " " * 5_000,
        "x," * 5_000 + "gzip",
        "x," * 100 + "gzip",  # beyond the parts that are read
    ],
)
def test_gzip_is_not_accepted(header: str) -> None:
    assert not accepts_gzip(header)


@drawn(500)
@given(st.text(st.sampled_from('gzip*identity;q=01.,- \t"\\x')))
def test_any_header_is_read(header: str) -> None:
    assert accepts_gzip(header) in (True, False)


@drawn(100)
@given(st.lists(st.binary(max_size=200), max_size=20))
def test_parts_are_compressed_as_the_whole_is(parts: list[bytes]) -> None:
    whole = b"".join(parts)
    assert gzip.decompress(b"".join(compressed_parts(parts))) == whole == gzip.decompress(compressed(whole))


def test_a_part_is_compressed_when_it_is_taken() -> None:
    taken = 0

    def parts():  # type: ignore[no-untyped-def]
        nonlocal taken
        while True:
            taken += 1
            yield (b"%d," % taken) * 100_000

    compressing = compressed_parts(parts())
    assert next(compressing)
    assert taken <= 2
