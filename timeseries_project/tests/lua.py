"""A plain Lua interpreter for tests of Lua functions that need no server."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pytest

from timeseries_project.storage.lua import SHARED, Constant, assemble, declarations

#: Prints the results of a call on one line, with numbers that can be read back exactly.
_SHOW = """
local function show(...)
  local words = {}
  for i = 1, select('#', ...) do
    local value = select(i, ...)
    words[i] = type(value) == 'number' and string.format('%.17g', value) or tostring(value)
  end
  print(table.concat(words, ' '))
end
redis, struct = {}, {}
"""


def interpreter() -> str:
    """Return the path of lua5.1; without it the test is skipped, or fails in CI."""
    path = shutil.which("lua5.1")
    if path is None:
        reason = "NO lua5.1 ON THIS MACHINE: what the Lua files work out was not tested by itself; install it."
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return path


class Lua:
    """Lua files under a plain interpreter of the same version as the servers'."""

    def __init__(
        self, names: Sequence[str], folder: Path | None = None, constants: Mapping[str, Constant] | None = None
    ) -> None:
        folders = [folder / "includes"] if folder else []
        files = [path for name in names for at in (*folders, SHARED) if (path := at / f"{name}.lua").is_file()]
        assert len(files) == len(names)
        constants = constants or {}
        lines = [line.text for line in assemble(files, folders, constants)]
        fetch = ["fetch_builtins()"] if any("local function fetch_builtins" in line for line in lines) else []
        self._code = [_SHOW, *declarations(constants), *lines, *fetch]
        self._interpreter = interpreter()

    def results(self, calls: Iterable[str]) -> list[list[str]]:
        """Return the results of each of these expressions, all from one run."""
        # Each in a separate function, because the number of constants in a function is limited.
        code = "\n".join([*self._code, *(f"do local function run() show({call}) end run() end" for call in calls)])
        run = subprocess.run([self._interpreter, "-"], input=code, text=True, capture_output=True)
        assert run.returncode == 0, run.stderr
        return [line.split(" ") for line in run.stdout.splitlines()]

    def numbers(self, calls: Iterable[str]) -> list[list[float]]:
        """Return the results of each of these expressions as numbers."""
        return [[float(word) for word in words] for words in self.results(calls)]
