"""What make installs and checks, and that pre-commit runs the same checks."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]


def test_the_hooks_are_the_commands_of_make_lint() -> None:
    recipe = re.search(r"^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert recipe
    linted = [line.strip().replace("$(BIN)", ".venv/bin") for line in recipe[1].splitlines()]
    repositories = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert [repository["repo"] for repository in repositories] == ["local"]  # so nothing is downloaded
    hooks = repositories[0]["hooks"]
    assert [hook["entry"] for hook in hooks] == linted
    assert all(hook["language"] == "system" and hook["pass_filenames"] is False for hook in hooks)


@pytest.mark.skipif(shutil.which("make") is None, reason="NO make ON THIS MACHINE: what it installs was not tried.")
@pytest.mark.parametrize("target", ["run", "serve", "demo", "load", "simulate"])
def test_serving_installs_what_serving_needs(target: str, tmp_path: Path) -> None:
    command = ["make", "--dry-run", target, f"VENV={tmp_path / 'venv'}", "FILE=points.csv"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert re.findall(r"--requirement (\S+)", done.stdout) == ["requirements-run.txt"]
    assert "Setting up" in done.stdout


@pytest.mark.skipif(shutil.which("make") is None, reason="NO make ON THIS MACHINE: what it prints was not tried.")
@pytest.mark.parametrize(
    ("host", "bound", "opened"),
    [
        ("127.0.0.1", "127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "0.0.0.0", "127.0.0.1"),
        ("::1", "[::1]", "[::1]"),
        ("[::1]", "[::1]", "[::1]"),
        ("::", "[::]", "[::1]"),
    ],
)
def test_an_address_is_printed_as_one_can_open_it(host: str, bound: str, opened: str) -> None:
    command = ["make", "--dry-run", "run", f"HOST={host}", "PORT=8001"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert f'"Open http://{opened}:8001/ ' in done.stdout
    assert f'runserver "{bound}:8001"' in done.stdout
