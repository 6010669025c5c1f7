"""Static files as `make serve` collects them: hashed names, kept for a year, compressed."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.served import Served, eventually
from timeseries_project.core import kernels
from timeseries_project.tests.processes import PATIENCE, ROOT, run
from timeseries_project.web import collecting

PAGES = ["/", "/charts/bandwidth", "/charts/datapoints", "/charts/transactions", "/sign-in", "/api/docs/", "/devices"]
YEAR = "max-age=31536000, public, immutable"
_STATIC = re.compile(r"[\"'](/static/[^\"']+)[\"']")
_HASHED = re.compile(r"\.[0-9a-f]{12}\.\w+$")
_IMPORTED = re.compile(r'from "([^"]+)"')
#: Tests that collect need no kernels of their own.
KERNELS = {} if kernels.DIRECTORY is None else {"NUMBA_CACHE_DIR": str(kernels.DIRECTORY.parent)}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty cache directory, in which the server collects."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def server(cache: Path) -> Iterator[Served]:
    with Served(XDG_CACHE_HOME=str(cache), API_TOKENS="a-long-enough-token", **KERNELS) as served:
        served.wait()
        yield served
        status, _, errors = served.stopped()
        assert status == 0
        assert "Collecting" in errors


def files_of(server: Served, path: str) -> list[str]:
    status, _, body = server.request("GET", path, Accept="text/html")
    assert status == 200
    return _STATIC.findall(body.decode())


@pytest.mark.parametrize("path", PAGES)
def test_a_page_names_files_that_browsers_may_keep_for_a_year(server: Served, path: str) -> None:
    names = files_of(server, path)
    assert names
    for name in names:
        assert _HASHED.search(name), name
        status, response, _ = server.request("GET", name)
        assert (status, response.headers["Cache-Control"]) == (200, YEAR)


def test_our_scripts_import_such_files(server: Served) -> None:
    found = [name for name in files_of(server, "/charts/bandwidth") if "/bandwidth/chart." in name]
    while found:
        name = found.pop()
        body = server.request("GET", name)[2].decode()
        imports = _IMPORTED.findall(body)
        assert imports or "/bandwidth/chart." not in name
        for imported in imports:
            address = os.path.normpath(os.path.join(os.path.dirname(name), imported))
            assert _HASHED.search(address)
            assert server.request("GET", address)[1].headers["Cache-Control"] == YEAR
            found.append(address)


def test_chart_js_goes_out_in_gzip(server: Served) -> None:
    [name] = [name for name in files_of(server, "/") if "Chart.bundle" in name]
    _, plain, whole = server.request("GET", name)
    _, packed, body = server.request("GET", name, Accept_Encoding="gzip")
    assert packed.headers["Content-Encoding"] == "gzip"
    assert plain.headers["Vary"] == packed.headers["Vary"] == "Accept-Encoding"
    assert len(body) < len(whole) / 5
    assert gzip.decompress(body) == whole
    assert server.request("GET", name, If_None_Match=packed.headers["ETag"])[0] == 304


def test_a_name_without_a_hash_is_served_for_a_minute(server: Served) -> None:
    assert server.request("GET", "/static/style.css")[1].headers["Cache-Control"] == "max-age=60, public"


def test_what_is_not_there_is_told_as_ever(server: Served) -> None:
    for path in ("/static/style.0123456789ab.css", "/static/../staticfiles.json", "/static/nope"):
        status, response, _ = server.request("GET", path)
        assert (status, response.headers["Content-Type"]) == (404, "application/problem+json")


def test_the_next_start_finds_them(server: Served, cache: Path) -> None:
    before = sorted(cache.rglob("*"))
    with Served(XDG_CACHE_HOME=str(cache), **KERNELS) as served:
        served.wait()
        status, _, errors = served.stopped()
    assert (status, errors) == (0, "")
    assert sorted(cache.rglob("*")) == before


def test_where_nothing_can_be_written_they_are_collected_for_the_time_of_the_process(tmp_path: Path) -> None:
    with Served(XDG_CACHE_HOME="/proc/nowhere", HOME="/proc/nowhere", TMPDIR=str(tmp_path), **KERNELS) as served:
        served.wait()
        assert all(_HASHED.search(name) for name in files_of(served, "/"))
        assert [*tmp_path.iterdir()]
        assert served.stop() == 0
    assert [*tmp_path.iterdir()] == []


def test_several_that_collect_at_once_agree(tmp_path: Path) -> None:
    code = (
        "from contextlib import ExitStack; from pathlib import Path; from timeseries_project.web import collecting\n"
        f"with ExitStack() as later: collecting.collect(Path({str(tmp_path / 'static')!r}), later)"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    for process in processes:
        _, errors = process.communicate(timeout=PATIENCE)
        assert (process.returncode, errors.count("\n")) == (0, 1), errors
    assert [path.name for path in tmp_path.iterdir()] == ["static"]
    assert collecting.is_complete(tmp_path / "static")


def test_static_root_names_files_that_were_collected_before(tmp_path: Path) -> None:
    status, _, errors = run("collectstatic", "--no-input", STATIC_ROOT=str(tmp_path))
    assert status == 0, errors
    with Served(STATIC_ROOT=str(tmp_path)) as served:
        served.wait()
        assert all(_HASHED.search(name) for name in files_of(served, "/"))


def test_static_root_without_such_files_stops_the_start_with_one_line(tmp_path: Path) -> None:
    with Served(STATIC_ROOT=str(tmp_path)) as served:
        status, _, errors = served.ended()
    assert status == 1
    [line] = errors.splitlines()
    assert line.startswith("STATIC_ROOT: ")
    assert "collectstatic" in line


def test_compile_collects_them(tmp_path: Path, cache: Path, server: Served) -> None:
    assert run("compile", XDG_CACHE_HOME=str(cache), **KERNELS)[2] == ""  # what is there is only found
    status, _, errors = run("compile", XDG_CACHE_HOME=str(tmp_path), **KERNELS)
    assert status == 0
    assert "Collecting" in errors
    [folder] = tmp_path.glob("timeseries-statistics/static-*")
    manifest = json.loads((folder / "staticfiles.json").read_text())
    assert "style.css" in manifest["paths"]


def test_a_signal_while_they_are_collected_leaves_nothing(tmp_path: Path) -> None:
    with Served(XDG_CACHE_HOME=str(tmp_path), **KERNELS) as served:
        eventually(lambda: bool([*tmp_path.glob("*/collecting-*/*")]))
        assert served.stop() == 0
    assert not [*tmp_path.glob("*/collecting-*")]
