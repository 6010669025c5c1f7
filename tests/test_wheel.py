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
import yaml

from tests.image import ROOT, Image, pins
from timeseries_project import __version__
from timeseries_project.tests.processes import answering
from timeseries_project.tests.redis_servers import RedisServer

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
    for word in ("serve", "run", "health", "compile", "dump", "load", "simulate"):
        assert word in help_text
    assert "--rate" in run(image, "simulate", "--help", folder=tmp_path, port=1)


class Container:
    """The image's command as a container runs it: with its environment, and without a right to write to its files."""

    def __init__(self, image: Image, **settings: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port: int = probe.getsockname()[1]
        # Root may write everywhere, unless it has not this capability.
        mortal = ("setpriv", "--bounding-set=-dac_override") if os.geteuid() == 0 else ()
        self.image = image
        self.environment = image.environment | settings | {"PORT": str(self.port)}
        self.process = subprocess.Popen(
            [*mortal, *image.command],
            cwd="/",
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def health(self) -> tuple[int, str]:
        """Run the image's health check; return its status and what it says."""
        done = subprocess.run(
            self.image.health, env=self.environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        return done.returncode, done.stderr

    def wait_until_healthy(self) -> None:
        deadline = time.monotonic() + SECONDS
        while self.health()[0]:
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < deadline, "the server does not get healthy"

    def stop(self) -> tuple[int, str]:
        """Stop it as Docker does; return its exit status and its log."""
        self.process.send_signal(signal.Signals[self.image.said["STOPSIGNAL"]])
        log = self.process.communicate(timeout=SECONDS)[1]
        return self.process.returncode, log


@contextmanager
def contained(image: Image, **settings: str) -> Iterator[Container]:
    container = Container(image, **settings)
    try:
        yield container
    finally:
        if container.process.poll() is None:
            os.killpg(container.process.pid, signal.SIGKILL)
            container.process.communicate(timeout=SECONDS)


@pytest.fixture(scope="module")
def read_only(image: Image) -> Iterator[Image]:
    """The image with a read-only file system."""
    paths = [image.venv, *image.venv.rglob("*")]
    for path in paths:
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & ~0o222)
    yield image
    for path in paths:
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | 0o200)


def test_the_image_is_not_run_by_root_and_everybody_may_read_it(image: Image) -> None:
    assert image.user == "65534:65534"
    assert image.environment["PORT"] == image.said["EXPOSE"] == "8000"
    for path in image.venv.rglob("*"):
        assert path.stat().st_mode & 0o004, path


def test_a_container_is_healthy_while_it_serves(read_only: Image) -> None:
    """Nothing is compiled at its start, and nothing is written."""
    with contained(read_only) as container:
        container.wait_until_healthy()
        assert "Transactions" in get(container.port, "/", "text/html")
        assert container.stop() == (0, "")
        status, said = container.health()
        assert status == 1
        assert "does not answer" in said


def test_what_answers_wrongly_is_not_healthy(image: Image, tmp_path: Path) -> None:
    with answering(lambda request: (503, {}, b"")) as url:
        port = url.rpartition(":")[2]
        health = subprocess.run(
            image.health, env=image.environment | {"PORT": port}, capture_output=True, text=True, check=False
        )
    assert (health.returncode, health.stderr) == (1, f"http://127.0.0.1:{port}/healthz answers 503.\n")


def test_the_services_of_the_compose_file_work_together(read_only: Image) -> None:
    """A Redis with its options, and the image with its settings; only the address of the Redis is another one."""
    services = yaml.safe_load((ROOT / "ops" / "compose.yml").read_text())["services"]
    settings = {k: re.sub(r"\$\{\w+:-(.*?)\}", r"\1", v) for k, v in services["service"]["environment"].items()}
    program, *options = services["redis"]["command"]
    assert program == "redis-server"
    redis = RedisServer("redis", *options)
    try:
        assert redis.client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        with contained(read_only, **settings | {"STORAGE_URL": redis.url}) as container:
            container.wait_until_healthy()
            assert json.loads(get(container.port, "/readyz")) == {"status": "ok"}
            assert "timeseries_datapoints 0.0" in get(container.port, "/metrics")
            status, said = container.stop()
        assert status == 0
        [line] = map(json.loads, said.splitlines())  # what this Redis promises, and no fault
        assert line["level"] == "info"
        assert "restarts has lost none" in line["message"]
    finally:
        redis.stop()
