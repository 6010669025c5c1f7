"""Bodies in gzip: read like plain ones, and never decoded beyond the limit."""

from __future__ import annotations

import gzip
import json
import tracemalloc
import zlib
from typing import Any

import pytest
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.exceptions import ParseError
from rest_framework.test import APIClient

from datapoints import services as datapoints
from timeseries_project.api import encodings
from timeseries_project.api.encodings import gunzip
from timeseries_project.api.errors import BodyTooLarge
from timeseries_project.tests.problems import problem

POINTS = [{"timestamp": i, "value": i / 2, "device": f"d{i % 7}", "user": "u"} for i in range(1_000)]
BODIES = {
    "application/json": json.dumps(POINTS),
    "application/x-ndjson": "\n".join(map(json.dumps, POINTS)),
    "text/csv": "timestamp,value,device,user\n"
    + "\n".join(",".join(map(str, point.values())) for point in POINTS),
}  # fmt: skip


def post(api: APIClient, body: bytes, media_type: str = "application/json", encoding: str = "gzip") -> Any:
    return api.generic("POST", "/datapoints", body, content_type=media_type, HTTP_CONTENT_ENCODING=encoding)


@pytest.mark.parametrize("media_type", BODIES)
@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZip", " gzip "])
def test_a_gzip_body_says_what_a_plain_one_says(api: APIClient, media_type: str, encoding: str) -> None:
    body = BODIES[media_type].encode()
    response = post(api, gzip.compress(body), media_type, encoding)
    assert (response.status_code, response.json()) == (201, {"created": 1_000})
    assert post(api, body, media_type, "Identity").status_code == 409


def test_several_members_are_one_body(api: APIClient) -> None:
    body = BODIES["application/json"].encode()
    members = [body[i : i + 5_000] for i in range(0, len(body), 5_000)]
    members[3:3] = [b""] * 50
    assert post(api, b"".join(map(gzip.compress, members))).json() == {"created": 1_000}


def test_a_member_may_have_a_name_and_a_comment(api: APIClient) -> None:
    plain = gzip.compress(b"[]")
    named = plain[:3] + bytes([8 | 16]) + plain[4:10] + b"name\0comment\0" + plain[10:]
    assert post(api, named).json() == {"created": 0}


@pytest.mark.parametrize("media_type", BODIES)
def test_a_bomb_is_stopped_at_the_limit(api: APIClient, media_type: str) -> None:
    bomb = gzip.compress(bytes(200 * 2**20), 9)
    with override_settings(MAX_BODY_BYTES=2**20):
        tracemalloc.start()
        response = post(api, bomb, media_type)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert str(2**20) in problem(response, 413)["detail"]
    assert peak < 16 * 2**20


def test_the_limit_holds_for_what_is_decoded_to_the_byte(api: APIClient) -> None:
    body = BODIES["application/json"].encode()
    for packed in (gzip.compress(body), gzip.compress(body[:9]) + gzip.compress(body[9:])):
        with override_settings(MAX_BODY_BYTES=len(body) - 1):
            problem(post(api, packed), 413)
        with override_settings(MAX_BODY_BYTES=len(body)):
            assert post(api, packed).status_code == 201
        datapoints.store.clear()


# Without a timestamp, because a parameter must have the same name in every test process.
GOOD = gzip.compress(b'[{"timestamp": 1, "value": 1, "device": "d", "user": "u"}]', mtime=0)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", GOOD[:1], GOOD[:9], GOOD[:-1], GOOD[:-9], GOOD + b"x", GOOD + b"\0", GOOD + GOOD[:-1],
        GOOD + b"\x1f\x8b", GOOD[:-8] + bytes(8), GOOD[:20] + bytes([GOOD[20] ^ 0xFF]) + GOOD[21:],
        b"\x1f\x8b\x09" + GOOD[3:], zlib.compress(b"[]"), gzip.compress(GOOD, mtime=0),
    ],
)  # fmt: skip
@pytest.mark.parametrize("media_type", BODIES)
def test_what_is_cut_off_damaged_or_followed_by_anything_stores_nothing(
    api: APIClient, body: bytes, media_type: str
) -> None:
    problem(post(api, body, media_type), 400)
    assert datapoints.keys_list(axis="device") == []


def test_members_are_so_many_at_most() -> None:
    empty = gzip.compress(b"")
    assert gunzip(empty * encodings.MAX_MEMBERS, 10) == b""
    with pytest.raises(ParseError, match="more than 10,000 members"):
        gunzip(empty * (encodings.MAX_MEMBERS + 1), 10)


@given(st.lists(st.tuples(st.binary(max_size=200), st.integers(1, 200)), min_size=1, max_size=6), st.integers(1, 9_999))
def test_whatever_is_packed_comes_out_again(members: list[tuple[bytes, int]], limit: int) -> None:
    plain = b"".join(piece * times for piece, times in members)
    packed = b"".join(gzip.compress(piece * times) for piece, times in members)
    if len(plain) <= limit:
        assert gunzip(packed, limit) == plain
    else:
        with pytest.raises(BodyTooLarge):
            gunzip(packed, limit)
    for spoilt in (packed[:-1], packed + b"\0"):
        with pytest.raises((ParseError, BodyTooLarge)):
            gunzip(spoilt, limit)
