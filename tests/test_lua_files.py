"""Every Lua file is readable, says what it does, and names everything it needs."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from bandwidth.redis.library import LIBRARY as BANDWIDTH
from datapoints.redis.library import LIBRARY as DATAPOINTS
from timeseries_project.storage.agreement import LIBRARY as SETTINGS
from timeseries_project.storage.lua import SHARED, Line, assemble
from timeseries_project.tests.lua import interpreter
from transactions.redis.library import LIBRARY as TRANSACTIONS

ROOT = Path(__file__).resolve().parent.parent
LIBRARIES = {"bandwidth": BANDWIDTH, "datapoints": DATAPOINTS, "transactions": TRANSACTIONS, "settings": SETTINGS}
COMMANDS = {path: app for app, library in LIBRARIES.items() for path in sorted(library.folder.glob("*.lua"))}
INCLUDES = {path: app for app, library in LIBRARIES.items() for path in sorted(library.folder.glob("includes/*.lua"))}
FILES = [*COMMANDS, *INCLUDES, *sorted(SHARED.glob("*.lua"))]

#: What Redis gives to functions, as they run. `fetch_builtins` sets shorter names for the rest.
GLOBALS = {"error", "ipairs", "math", "pairs", "redis", "select", "string", "struct", "table", "tonumber", "unpack"}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def assembled(path: Path) -> list[Line]:
    """Return the lines of a file and of everything it includes, without constants."""
    app = COMMANDS.get(path) or INCLUDES.get(path)
    return assemble([path], [LIBRARIES[app].folder / "includes"] if app else [], {})


def test_no_other_files_are_there() -> None:
    found = {path for folder in ("timeseries_project", *LIBRARIES) for path in (ROOT / folder).rglob("*.lua")}
    assert found == set(FILES)


def test_every_part_is_included_by_a_command() -> None:
    assert {line.file for path in COMMANDS for line in assembled(path)} == set(FILES)


@pytest.mark.parametrize("path", FILES, ids=name)
def test_a_file_can_be_read(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert len(lines) <= 250
    assert max(map(len, lines)) <= 120
    assert re.fullmatch(r"--- [A-Z].*[.:]?", lines[0])
    assert "@include" not in lines[0]
    for found in re.finditer(r"^(?:local function (\w+)|command\().*?^end", path.read_text(), re.MULTILINE | re.DOTALL):
        assert found[0].count("\n") < 40, found[1]


@pytest.mark.parametrize("path", COMMANDS, ids=name)
def test_a_command_says_what_it_does(path: Path) -> None:
    text = path.read_text()
    header = text.partition("--- @include")[0]
    parts = re.findall(r"^-- (\S+) +\S", header, re.MULTILINE)
    takes_arguments = bool(re.search(r"\bfunction\(keys, args\)", text))
    assert parts == ["KEYS", *["ARGV"] * takes_arguments, "Answer", "Cost"]
    # All but these two check the stripe's layout.
    flags = {"layout": "TELLS", "upgrade": "UPGRADES"}.get(path.stem, "READS|WRITES|REMOVES")
    registered = re.findall(rf"^command\('(\w+)', (?:{flags}), function\(keys", text, re.MULTILINE)
    assert "register_function" not in text
    assert registered == [f"{COMMANDS[path]}_{path.stem}"]
    assert LIBRARIES[COMMANDS[path]].function(registered[0])


@pytest.mark.parametrize("path", FILES, ids=name)
def test_a_file_includes_what_it_uses(path: Path) -> None:
    interpreter()  # skips or fails if it is missing
    compiler = shutil.which("luac5.1")
    assert compiler
    text = "\n".join(line.text for line in assembled(path))
    listing = subprocess.run([compiler, "-l", "-p", "-"], input=text, text=True, capture_output=True)
    assert listing.returncode == 0, listing.stderr
    assert "SETGLOBAL" not in listing.stdout
    names = set(re.findall(r"GETGLOBAL.*; (\w+)", listing.stdout))
    constants = {name for name in names if name.isupper()}
    assert names - constants <= GLOBALS
    library = LIBRARIES.get(COMMANDS.get(path) or INCLUDES.get(path) or "")
    assert constants <= {"VERSION", "LAYOUT", *(library.constants if library else ())}
