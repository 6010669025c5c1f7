"""The package as a user installs it: built from the clone, installed elsewhere, and run from another folder."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen
from zipfile import ZipFile

import pytest

from tests.image import ROOT, Image, pins
from timeseries_project import __version__

PACKAGES = ("timeseries_project", "datapoints", "bandwidth", "transactions")
SECONDS = 240


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """What the Dockerfile makes: the wheel, and an environment that it is installed in, without test tools."""
    image = Image(tmp_path_factory.mktemp("image"))
    image.build()
    return image


@pytest.fixture(scope="module")
def wheel(image: Image) -> Path:
    """The wheel, built with the installed tools; nothing is downloaded."""
    [path] = (image.folder / "wheels").iterdir()
    return path


def environment(image: Image, port: int) -> dict[str, str]:
    """Return environment variables that do not lead to the clone, with the port to listen on."""
    return image.environment | {"HOST": "127.0.0.1", "PORT": str(port)}


@contextmanager
def served(image: Image, word: str, folder: Path) -> Iterator[int]:
    """Run `serve` or `run` from a folder outside the clone; yield the port at which it answers."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    process = subprocess.Popen(
        [image.program, word],
        cwd=folder,
        env=environment(image, port),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + SECONDS
        while not answers(port):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.02)
        yield port
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.communicate(timeout=SECONDS)


def answers(port: int) -> bool:
    try:
        return json.loads(get(port, "/healthz")) == {"status": "ok"}
    except URLError:
        return False


def get(port: int, path: str, accept: str = "*/*") -> str:
    """Return the body of the server's answer; fail unless it is a success."""
    with urlopen(Request(f"http://127.0.0.1:{port}{path}", headers={"Accept": accept}), timeout=SECONDS) as answer:
        text: str = answer.read().decode()
        return text


def run(image: Image, *arguments: str, folder: Path, port: int) -> str:
    done = subprocess.run(
        [image.program, *arguments],
        cwd=folder,
        env=environment(image, port),
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_all_that_the_service_reads_is_in_the_wheel_and_no_test(wheel: Path) -> None:
    names = {name for name in ZipFile(wheel).namelist() if ".dist-info/" not in name}
    files = [path.relative_to(ROOT) for package in PACKAGES for path in (ROOT / package).rglob("*") if path.is_file()]
    kept = {str(path) for path in files if not {"tests", "__pycache__"} & set(path.parts)}
    mapped = [path for place in ("templates", "static") for path in (ROOT / place).rglob("*") if path.is_file()]
    assert names == kept - {"bandwidth/sample/make_sample.py"} | {
        f"timeseries_project/files/{path.relative_to(ROOT)}" for path in mapped
    }
    assert any(name.endswith(".lua") for name in names)


def test_its_dependencies_are_what_serving_needs(wheel: Path) -> None:
    metadata = next(name for name in ZipFile(wheel).namelist() if name.endswith(".dist-info/METADATA"))
    text = ZipFile(wheel).read(metadata).decode().partition("\n\n")[0]
    assert set(re.findall(r"^Requires-Dist: (\S+)$", text, re.MULTILINE)) == pins("requirements-run.txt")
    assert f"\nVersion: {__version__}\n" in text


def test_it_serves_and_is_fed(image: Image, tmp_path: Path) -> None:
    (tmp_path / "points.csv").write_text("timestamp,value,device,user\n2026-01-31T12:00:00Z,20.5,thermometer,ada\n")
    with served(image, "serve", tmp_path) as port:
        assert "Transactions" in get(port, "/", "text/html")
        assert "<canvas" in get(port, "/charts/transactions", "text/html")
        assert "function" in get(port, "/static/live.js")
        assert "Chart" in get(port, "/static/chartkick/Chart.bundle.js")
        assert f"version: {__version__}" in get(port, "/api/schema/")
        assert "1 created" in run(image, "load", "points.csv", folder=tmp_path, port=port)
        assert json.loads(get(port, "/devices"))[0]["device"] == "thermometer"
        more = run(image, "simulate", "--duration", "0.1", "--no-history", folder=tmp_path, port=port)
        assert "in all: " in more


def test_it_runs_for_development_with_the_sample_listing(image: Image, tmp_path: Path) -> None:
    with served(image, "run", tmp_path) as port:
        assert "<canvas" in get(port, "/charts/bandwidth?device_uuid=atrium-wifi&end_time=1767227400", "text/html")
        assert "function" in get(port, "/static/charts.js")


def test_it_says_what_it_is(image: Image, tmp_path: Path) -> None:
    assert run(image, "--version", folder=tmp_path, port=1) == f"timeseries-statistics {__version__}\n"
    help_text = run(image, "--help", folder=tmp_path, port=1)
    for word in ("serve", "run", "health", "compile", "load", "simulate"):
        assert word in help_text
    assert "--rate" in run(image, "simulate", "--help", folder=tmp_path, port=1)
