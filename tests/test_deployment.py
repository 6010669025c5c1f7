"""The unit for systemd, the Dockerfile and the compose file: checkers accept them, and they agree with the service.

tests/test_wheel.py carries out the Dockerfile and starts what it makes.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deployed import COMPOSE, OPS, compose, run, tool
from tests.image import ROOT, VENV, context, steps
from timeseries_project.core import kernels
from timeseries_project.serving.process import STOP_SECONDS

UNIT = OPS / "timeseries-statistics.service"


@pytest.fixture(scope="module")
def systemd_analyze() -> str:
    """The program; without it the tests are skipped, or fail in CI."""
    found = shutil.which("systemd-analyze")
    if found is None:
        reason = "NO SYSTEMD-ANALYZE ON THIS MACHINE: the unit was not checked; install it (Debian: systemd)."
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def unit() -> dict[str, str]:
    """Return the settings of the unit; of a repeated one the last."""
    return dict(re.findall(r"^(\w+)=(.*)$", UNIT.read_text(), re.MULTILINE))


def installed(folder: Path) -> Path:
    """Return a copy of the unit whose program exists on this machine."""
    copy = folder / UNIT.name
    copy.write_text(UNIT.read_text().replace(f"{VENV}/bin/timeseries-statistics", sys.executable))
    return copy


class TestUnit:
    def test_systemd_accepts_it(self, systemd_analyze: str, tmp_path: Path) -> None:
        assert run(systemd_analyze, "verify", installed(tmp_path)) == (0, "")

    def test_systemd_would_refuse_a_mistake(self, systemd_analyze: str, tmp_path: Path) -> None:
        copy = installed(tmp_path)
        copy.write_text(copy.read_text().replace("\nProtectSystem=strict", "\nProtectSystem=stric"))
        assert "Failed to parse" in run(systemd_analyze, "verify", copy)[1]

    def test_it_may_do_little(self, systemd_analyze: str, tmp_path: Path) -> None:
        """The score is 0 to 100, in tenths of what systemd prints; a unit without any protection has 96."""
        done, text = run(systemd_analyze, "security", "--offline=yes", "--threshold=20", installed(tmp_path))
        assert done == 0, text
        for name in ("DynamicUser", "NoNewPrivileges"):
            assert unit()[name] == "yes"
        assert unit()["ProtectSystem"] == "strict"

    def test_a_stop_waits_for_what_the_server_waits_for(self) -> None:
        assert int(unit()["TimeoutStopSec"].removesuffix("s")) > STOP_SECONDS + 5
        assert unit()["KillMode"] == "mixed"  # only the server knows which of its processes ends when

    def test_kernels_are_kept_where_it_may_write(self, tmp_path: Path) -> None:
        """%C is /var/cache, in which CacheDirectory is made."""
        assert unit()["Environment"] == "XDG_CACHE_HOME=%C"
        program = "from timeseries_project.core import kernels; print(kernels.DIRECTORY)"
        environment = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env=environment | {"XDG_CACHE_HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert Path(done.stdout.strip()).parent == tmp_path / unit()["CacheDirectory"]
        assert ("MemoryDenyWriteExecute" not in unit()) >= kernels.COMPILED


class TestDockerfile:
    def test_hadolint_finds_nothing(self) -> None:
        assert run(tool("hadolint"), ROOT / "Dockerfile") == (0, "")

    def test_hadolint_would_find_something(self, tmp_path: Path) -> None:
        bad = tmp_path / "Dockerfile"
        bad.write_text((ROOT / "Dockerfile").read_text().replace(":3.11.14-slim-bookworm\n", "\n"))
        assert "DL3006" in run(tool("hadolint"), bad)[1]

    def test_all_stages_have_one_pinned_python_which_the_package_takes(self) -> None:
        images = [rest.split()[0] for word, rest in steps() if word == "FROM"]
        assert len(images) == 2
        [image] = set(images)
        version = re.fullmatch(r"python:(\d+)\.(\d+)\.\d+-slim-bookworm", image)
        assert version
        least = re.search(r'requires-python = ">=(\d+)\.(\d+)"', (ROOT / "pyproject.toml").read_text())
        assert least
        assert (int(version[1]), int(version[2])) >= (int(least[1]), int(least[2]))

    def test_the_build_sees_what_goes_into_the_wheel_and_nothing_else(self) -> None:
        project = (ROOT / "pyproject.toml").read_text()
        wheel = project.partition("[tool.hatch.build.targets.wheel]")[2].partition("[tool.ruff]")[0]
        packages = json.loads(re.findall(r"^packages = (\[.*\])$", wheel, re.MULTILINE)[0])
        beside = re.findall(r'^(\w+) = "timeseries_project/files/', wheel, re.MULTILINE)
        named = {"pyproject.toml", "requirements-run.txt", "README.md", "LICENSE"}
        assert set(context()) == {*packages, *beside, *named}


class TestCompose:
    def test_it_is_valid(self, tmp_path: Path) -> None:
        check = [tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec"]
        assert run(*check, COMPOSE)[0] == 0
        bad = tmp_path / "compose.yml"
        bad.write_text(COMPOSE.read_text().replace("stop_grace_period", "stop_grace"))
        assert "stop_grace" in run(*check, bad)[1]

    def test_every_image_has_a_version_and_data_a_volume(self) -> None:
        services = compose()["services"]
        assert (COMPOSE.parent / services["service"]["build"]).resolve() == ROOT
        assert re.fullmatch(r"redis:\d+\.\d+\.\d+-bookworm", services["redis"]["image"])
        assert services["redis"]["volumes"] == ["data:/data"]
        assert "data" in compose()["volumes"]

    def test_its_settings_are_settings(self) -> None:
        rows = set(re.findall(r"`([A-Z_]+)`", (ROOT / "README.md").read_text()))
        assert compose()["services"]["service"]["environment"].keys() <= rows

    def test_a_stop_waits_for_what_the_server_waits_for(self) -> None:
        assert int(compose()["services"]["service"]["stop_grace_period"].removesuffix("s")) > STOP_SECONDS + 5

    def test_it_is_reached_at_the_port_that_the_image_has(self) -> None:
        [port] = [rest for word, rest in steps() if word == "EXPOSE"]
        [published] = compose()["services"]["service"]["ports"]
        assert published == f"127.0.0.1:8000:{port}"  # not from elsewhere, as long as nobody has said so
