"""The version number is the same everywhere."""

from __future__ import annotations

import re
from pathlib import Path

from rest_framework.test import APIClient

from timeseries_project import __version__

ROOT = Path(__file__).resolve().parents[1]


def test_the_schema_and_the_metrics_tell_the_version_of_the_package(api: APIClient) -> None:
    assert api.get("/api/schema/?format=json").json()["info"]["version"] == __version__
    assert f'version="{__version__}"' in next(
        line for line in api.get("/metrics").content.decode().splitlines() if line.startswith("timeseries_build_info{")
    )


def test_the_version_stands_in_one_file_only() -> None:
    """The changelog lists versions; no other file repeats the number."""
    number = re.compile(rf"(?<![0-9.]){re.escape(__version__)}(?![0-9.])")
    files = [ROOT / "pyproject.toml", ROOT / "README.md", *(ROOT / "timeseries_project").glob("**/*.py")]
    assert [path.name for path in files if number.search(path.read_text())] == ["__init__.py"]


def test_the_changelog_begins_with_this_version() -> None:
    versions = re.findall(r"^## \[?([0-9.]+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert versions[0] == __version__
    assert versions == sorted(versions, key=lambda text: [*map(int, text.split("."))], reverse=True)
