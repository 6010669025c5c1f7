"""What a request says about the answer that its client has: If-None-Match."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeseries_project.api.conditional import is_any, names, tag_of_content, tag_of_version
from timeseries_project.tests.drawn import drawn
from timeseries_project.tests.processes import PATIENCE, ROOT

TAG = tag_of_content(b"[]")  # the same in every process, as names of tests must be
STRONG = TAG.removeprefix("W/")


@pytest.mark.parametrize(
    "header",
    [
        TAG,
        STRONG,
        f" {TAG}\t",
        f'"other",{TAG}',
        f'W/"a,b" , {STRONG}',
        f"garbage, {TAG}",
        f",,{TAG},",
        f'"", {STRONG}',
    ],
)
def test_a_tag_is_named_weak_or_strong_alone_or_among_others(header: str) -> None:
    assert names(header, TAG)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "*",
        '"other"',
        STRONG.strip('"'),
        f"w/{STRONG}",
        STRONG[:-1],
        f"'{STRONG}'",
        f"W/W/{STRONG}",
        TAG.upper(),
        '"' * 4_000,
        "," * 4_000,
        f'"{"x" * 5_000}", {TAG}',  # too long to be read
    ],
)
def test_no_tag_is_named(header: str) -> None:
    assert not names(header, TAG)


@pytest.mark.parametrize(("header", "anything"), [("*", True), (" *\t", True), ('"*"', False), ("**", False)])
def test_a_star_stands_for_any_answer(header: str, anything: bool) -> None:
    assert is_any(header) is anything


@drawn(500)
@given(st.text(st.characters(max_codepoint=255)))
def test_no_header_names_a_tag_that_is_not_in_it(header: str) -> None:
    assert not names(header, TAG)
    is_any(header)


PARTS = st.lists(st.one_of(st.text(), st.integers()), max_size=4)


@drawn(200)
@given(PARTS, PARTS)
def test_a_tag_tells_its_parts_apart(some: list[str | int], others: list[str | int]) -> None:
    assert (tag_of_version(*some) == tag_of_version(*others)) == (some == others)


def test_a_tag_of_content_is_that_of_its_headers_too() -> None:
    assert tag_of_content(b"[]") == tag_of_content(b"[]")
    assert len({tag_of_content(b"[]"), tag_of_content(b"[1]"), tag_of_content(b"[]", "</next>"), "other"}) == 4


def test_another_process_has_other_tags_of_versions() -> None:
    """A worker that is started again, by a fork of the same parent, counts from the same numbers."""
    code = (
        "import os\n"
        "from timeseries_project.api.conditional import tag_of_content, tag_of_version\n"
        "os.fork()\n"
        "os.write(1, f\"{tag_of_version('1.2', 3)} {tag_of_content(b'1')}\\n\".encode())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    [parents, childs] = map(str.split, done.stdout.splitlines())
    assert parents[0] != childs[0]
    assert parents[1] == childs[1]
