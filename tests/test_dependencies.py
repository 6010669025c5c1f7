"""The table of dependencies in docs/architecture.md agrees with the requirements and the packages' metadata."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = (
    "requirements-run.txt",
    "requirements.txt",
    "requirements-dev.txt",
    "requirements-bench.txt",
    "requirements-fuzz.txt",
)


def required(file: str) -> dict[str, str]:
    """Return the pins of a file; fail unless each has an exact version and a reason."""
    lines = (ROOT / file).read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith(("#", "-r "))]
    found = [re.fullmatch(r"([A-Za-z0-9_.-]+)==([0-9a-z.]+) +# \S.*", pin) for pin in pins]
    assert all(found), [pin for pin, match in zip(pins, found, strict=True) if not match]
    return {match[1]: match[2] for match in found if match}


def documented(file: str) -> dict[str, tuple[str, str]]:
    """Return the version and licence of each package in a document's table."""
    text = (ROOT / "docs" / "architecture.md").read_text().partition("\n## Dependencies\n")[2]
    table = text.partition(f"(`{file}`):\n\n")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| (\S+) \| ([0-9a-z.]+) \| [^|]{4,} \| ([^|]+) \|$", table, re.MULTILINE)
    assert len(rows) == len(table.splitlines()) - 2
    return {name: (version, licence) for name, version, licence in rows}


@pytest.mark.parametrize("file", FILES)
def test_the_tables_name_every_requirement_and_no_other(file: str) -> None:
    pins = required(file)
    assert pins
    assert {name: version for name, (version, _) in documented(file).items()} == pins


def test_each_file_includes_what_it_builds_on() -> None:
    included = {file: re.findall(r"^-r (\S+)$", (ROOT / file).read_text(), re.MULTILINE) for file in FILES}
    assert included.pop("requirements-run.txt") == []
    assert included.pop("requirements.txt") == ["requirements-run.txt"]
    assert all(files == ["requirements.txt"] for files in included.values())


@pytest.mark.parametrize("file", FILES)
def test_licences_are_those_of_the_metadata(file: str) -> None:
    for name, (_, licence) in documented(file).items():
        try:
            found = metadata(name)
        except PackageNotFoundError:
            assert file in ("requirements-bench.txt", "requirements-fuzz.txt"), f"{name} is not installed"
            continue
        classifiers = [text.rpartition(":: ")[2] for text in found.get_all("Classifier", []) if text[:7] == "License"]
        named = found["License-Expression"] or found["License"] or ""
        assert licence in {named, *classifiers} or not (named or classifiers), name
