"""Kernels are compiled once for each version of all of them, and give the same results uncompiled."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from timeseries_project.core import kernels

PROGRAM = """
import numpy as np
from timeseries_project.core import kernels
print(kernels.COMPILED, kernels.DIRECTORY)
"""


def run(program: str, *through: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*through, sys.executable, "-c", program],
        cwd=kernels.ROOT,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=True,
    )


def test_the_machine_code_is_kept_under_a_hash_of_all_kernels(tmp_path: Path) -> None:
    first, again = (run(PROGRAM, NUMBA_CACHE_DIR=str(tmp_path)) for _ in range(2))
    place = tmp_path / f"kernels-{kernels.fingerprint()}"
    assert first.stdout == again.stdout == f"True {place}\n"
    assert first.stderr.startswith("Compiling, once")
    assert again.stderr == ""


def test_a_change_of_any_module_of_kernels_changes_the_hash(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = kernels.fingerprint()
    other = tmp_path / "other_kernels.py"
    other.write_text("x = 1\n")
    monkeypatch.setattr(kernels, "sources", lambda: [other])
    changed = kernels.fingerprint()
    other.write_text("x = 2\n")
    assert len({before, changed, kernels.fingerprint()}) == 3


def test_where_nothing_can_be_written_one_line_says_so(tmp_path: Path) -> None:
    """A file stands where the directories would be: root may write everywhere else."""
    file = tmp_path / "file"
    file.touch()
    done = run(PROGRAM, NUMBA_CACHE_DIR=str(file), XDG_CACHE_HOME=str(file), HOME=str(file))
    assert done.stdout == "True None\n"
    assert len(done.stderr.splitlines()) == 1
    assert "compiled at each start" in done.stderr


def sizes(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_size for path in folder.rglob("*")}


def test_a_directory_that_is_only_read_serves_as_well(tmp_path: Path) -> None:
    """As in an image. On another processor than where it was filled, kernels are compiled again; one line says so."""
    program = """
from timeseries_project.core import rounding_kernels
compiled = [kernel.stats for kernel in vars(rounding_kernels).values() if getattr(kernel, "signatures", None)]
print(len(compiled) > 0, sum(len(stats.cache_misses) for stats in compiled))
"""
    run(program, NUMBA_CACHE_DIR=str(tmp_path))
    kept = sizes(tmp_path)
    for path in (tmp_path, *tmp_path.rglob("*")):
        path.chmod(path.stat().st_mode & ~0o222)
    mortal = ("setpriv", "--bounding-set=-dac_override") if os.geteuid() == 0 else ()  # root could write all the same
    done = run(program, *mortal, NUMBA_CACHE_DIR=str(tmp_path))
    assert (done.stdout, done.stderr) == ("True 0\n", "")
    done = run(program, *mortal, NUMBA_CACHE_DIR=str(tmp_path), NUMBA_CPU_NAME="generic")
    assert done.stdout.startswith("True ")
    assert len(done.stderr.splitlines()) == 1
    assert "compiled at each start" in done.stderr
    assert sizes(tmp_path) == kept


def test_without_compilation_a_kernel_is_the_function_itself() -> None:
    done = run(PROGRAM, NUMBA_DISABLE_JIT="1")
    assert done.stdout == "False None\n"


def test_an_installation_behind_a_symbolic_link_uses_the_same_machine_code(tmp_path: Path) -> None:
    """As a release has that a link named `current` leads to: it must not compile at each start."""
    link = tmp_path / "current"
    link.symlink_to(kernels.ROOT)
    program = """
from transactions.memory import window_kernels
compiled = [kernel.stats for kernel in vars(window_kernels).values() if hasattr(kernel, "stats") and kernel.signatures]
print(window_kernels.__file__, len(compiled) > 0, sum(len(stats.cache_misses) for stats in compiled))
"""
    run(program)  # it is kept by now
    found = run(program, PYTHONSAFEPATH="1", PYTHONPATH=str(link)).stdout
    assert found == f"{link}/transactions/memory/window_kernels.py True 0\n"
