"""The commands in README and docs run and answer what the text says, and the files named there exist.

Commands are those of the ```sh blocks. They run in a folder that looks like a fresh clone with its environment set up,
so that none of them installs anything or leaves anything behind. Commands that serve are started all at once. Commands
that need a server run one after the other; each document has a server of its own.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import NamedTuple

import pytest

from timeseries_project.env import SAMPLE_LISTING
from timeseries_project.tests.processes import free_port
from timeseries_project.tests.redis_servers import RedisServer

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
SECONDS = 120

#: Commands that are not run, and why.
NOT_RUN = {
    r"python3 -m venv|pip install|apt-get": "installs packages, or would replace the environment that the tests run in",
    r"make (test|lint)|manage\.py test": "is what runs this test, or runs before it",
    r"timeseries-statistics|pip wheel": "tests/test_wheel.py runs them, from a wheel that it builds",
    r"docker |systemctl|journalctl|^install -m": "needs a daemon; test_deployment.py and test_wheel.py do it without",
    r"redis-cli|^cp ": "tests/test_backup.py does it, with servers of its own",
    r"schemathesis run": "tests/test_schemathesis.py runs it",
    r"make fuzz": "its fuzzer is not installed with the tests; tests/test_fuzz_corpus.py runs the targets without it",
    r"make bench( ARGS=\"--quick\")?$": "takes minutes; the next line runs a part of it",
    r"pre-commit install|git tag": "changes the clone",
    r"openapi-python-client generate": "tests/test_clients.py runs it",
    r"benchmarks/faults\.py": "takes minutes; tests/test_faults.py runs its short form",
    r"benchmarks/dearest\.py": "takes minutes, and fails where a busy machine makes others wait",
}
#: Replacements that make a long command short.
SHORT = {
    "bin/pytest": "bin/pytest --collect-only -q",
    "--users 5": "--users 5 --duration 0.2",
    "--rate 500": "--rate 500 --duration 0.2 --no-history",
    "--seconds 300": "--seconds 1",
    "--only": "--quick --only",
    "benchmarks/shared.py": "benchmarks/shared.py --workers 1",
    "PORT=8080": "PORT={port}",
    "localhost:8000": "localhost:{port}",
    "redis://127.0.0.1:6379/0": "{redis}",
}
#: Commands that still take long, and are stopped as soon as they have printed this.
ENOUGH = {
    r"make bench|benchmarks/(engines|shared_datapoints|shared_calls|handler|stages)\.py": r"^\| .* \|.*[0-9]",
    r"benchmarks/shared_bandwidth\.py": r"bytes each$",
    r"benchmarks/shared\.py": r"^\| requests per second",
    r"benchmarks/soak\.py": r"^\| minute",
}
#: Commands that start a server, which runs until it is stopped.
SERVES = r"make (run|demo|serve)(?! ARGS)|runserver"
#: Commands that need a running server.
ASKS = r"\bcurl\b|make (load|simulate)|manage\.py (dump|load|simulate|snapshot)|stress\.py"
#: Programs that not every machine has, by the part of a command that needs them.
NEEDS = {
    r"\bmake ": "make",
    r"\bcurl ": "curl",
    r"\bjq ": "jq",
    r"^promtool ": "promtool",
    r"benchmarks/shared": "redis-server",
}
#: A part of the command that the server is meant to refuse.
REFUSED = '"yesterday"'


class Command(NamedTuple):
    """A command of a document, with its answer, which is the comment below it."""

    document: Path
    line: int
    text: str
    answer: str

    @property
    def bare(self) -> str:
        """The command without the comment at its end."""
        return self.text.partition("  #")[0].rstrip()

    def short(self, port: int, redis: str = "") -> str:
        """Return the command to run in its place, with the server's port and the address of a Redis."""
        text = self.text
        for long, short in SHORT.items():
            text = text.replace(long, short.replace("{port}", str(port)).replace("{redis}", redis))
        return text

    def __str__(self) -> str:
        return f"{self.document.name}:{self.line}"


def commands(document: Path) -> Iterator[Command]:
    """Yield the commands of a document's blocks; a command continues until its quotes are closed."""
    lines = document.read_text().splitlines()
    inside, begun, text, answer = False, 0, "", ""
    for number, line in enumerate([*lines, "```"], 1):
        if not inside:
            inside = line == "```sh"
        elif text and complete(text) and line.startswith("#"):
            answer += line.removeprefix("#")
        elif text and not complete(text):
            text += f"\n{line}"
        else:
            if text:
                yield Command(document, begun, text, answer)
            inside = line != "```"
            begun, text, answer = number, line if inside and not line.startswith("#") else "", ""


def complete(text: str) -> bool:
    try:
        shlex.split(text, comments=True)
    except ValueError:
        return False
    return not text.endswith("\\")


ALL = [command for document in DOCUMENTS for command in commands(document)]


def kind(command: Command) -> str:
    """Return how to treat a command."""
    for name, pattern in (("not run", "|".join(NOT_RUN)), ("serves", SERVES), ("asks", ASKS)):
        if re.search(pattern, command.bare):
            return name
    return "runs"


class Clone:
    """A folder that looks like the repository with its environment set up, in which commands are run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "clone"
        self.folder.mkdir()
        for path in ROOT.iterdir():
            if path.name not in (".venv", ".git", "build"):
                (self.folder / path.name).symlink_to(path)
        (self.folder / ".venv").mkdir()
        for path in Path(sys.prefix).iterdir():
            (self.folder / ".venv" / path.name).symlink_to(path)
        for stamp in ("runs", "develops", "benches", "fuzzes"):
            (self.folder / ".venv" / stamp).unlink(missing_ok=True)
            (self.folder / ".venv" / stamp).touch()
        (self.folder / ".curlrc").write_text("fail-with-body\nsilent\nshow-error\n")

    @contextmanager
    def started(self, text: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
        """Start a command; at the end interrupt it and all its children."""
        process = subprocess.Popen(
            ["bash", "-o", "pipefail", "-c", text],
            cwd=self.folder,
            env={name: value for name, value in os.environ.items() if name not in ("HOST", "MAKEFLAGS", "MFLAGS")}
            | {"CURL_HOME": str(self.folder)}
            | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGINT)
            process.communicate(timeout=SECONDS)

    def run(self, text: str, **environment: str) -> tuple[int, str]:
        """Run a command to its end; return its status and output."""
        with self.started(text, **environment) as process:
            output = process.communicate(timeout=SECONDS)[0]
            return process.returncode, output


def need(*commands: Command) -> None:
    """Skip the test if a program that the commands need is missing; in CI, fail."""
    for pattern, program in NEEDS.items():
        if shutil.which(program) is None and any(re.search(pattern, command.bare) for command in commands):
            reason = f"NO {program} ON THIS MACHINE: commands of the docs were not tried; install it and run again."
            if os.environ.get("CI") == "true":
                pytest.fail(reason)
            pytest.skip(reason)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return Clone(tmp_path_factory.mktemp("docs"))


@pytest.fixture(scope="module")
def redis() -> Iterator[str]:
    server = RedisServer()
    yield server.url
    server.stop()


def wait_until_healthy(process: subprocess.Popen[str], port: int) -> None:
    deadline = time.monotonic() + SECONDS
    while True:
        connection = HTTPConnection("127.0.0.1", port, timeout=SECONDS)
        try:
            connection.request("GET", "/healthz")
            assert connection.getresponse().status == 200
            return
        except (OSError, HTTPException):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline, "nobody answers"
            time.sleep(0.02)
        finally:
            connection.close()


def test_there_are_commands_and_no_exception_is_left_over() -> None:
    kinds = {kind(command) for command in ALL}
    assert kinds == {"not run", "serves", "asks", "runs"}
    for pattern in (*NOT_RUN, *ENOUGH, *map(re.escape, SHORT)):
        assert any(re.search(pattern, command.bare) for command in ALL), pattern


def test_what_serves_serves(clone: Clone, redis: str) -> None:
    serving = {command.bare: command for command in ALL if kind(command) == "serves"}.values()  # each once
    need(*serving)
    with ExitStack() as stack:
        servers = []
        for command in serving:
            port = free_port()
            text = command.short(port, redis).replace("runserver", f"runserver {port}")  # which ignores PORT
            servers.append((stack.enter_context(clone.started(text, PORT=str(port))), port))
        for process, port in servers:
            wait_until_healthy(process, port)


@pytest.mark.parametrize("document", sorted({c.document for c in ALL if kind(c) == "asks"}), ids=lambda path: path.name)
def test_a_tour_is_answered_as_told(clone: Clone, document: Path, tmp_path: Path) -> None:
    tour = [command for command in ALL if command.document == document and kind(command) == "asks"]
    need(*tour)
    port = free_port()
    environment = {"BANDWIDTHS_FILE": SAMPLE_LISTING} if document.name == "README.md" else {}
    environment["SNAPSHOT"] = str(tmp_path / "snapshot")
    with clone.started(".venv/bin/python -m timeseries_project.serve", PORT=str(port), **environment) as server:
        wait_until_healthy(server, port)
        for command in tour:
            status, output = clone.run(command.short(port), PORT=str(port))
            assert (status == 0) != (REFUSED in command.text), (str(command), output)
            if command.answer and "…" not in command.answer:
                assert json.loads(output) == json.loads(command.answer), str(command)


@pytest.mark.parametrize("command", [command for command in ALL if kind(command) == "runs"], ids=str)
def test_a_command_runs(clone: Clone, command: Command) -> None:
    need(command)
    port = free_port()
    text = command.short(port)
    for pattern, sign in ENOUGH.items():
        if re.search(pattern, command.text):
            with clone.started(text, PORT=str(port)) as process:
                assert process.stdout
                written = []
                for line in process.stdout:
                    written.append(line)
                    if re.search(sign, line):
                        return
            pytest.fail("".join(written))
    status, output = clone.run(text, PORT=str(port))
    assert status == 0, output


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_files_that_a_document_names_exist(document: Path) -> None:
    text = document.read_text()
    links = [link for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text) if "://" not in link]
    assert not [link for link in links if not (document.parent / link).exists()]
    named = re.findall(r"`([\w.-]+(?:/[\w.-]+)+\.(?:py|lua|js|html|yml|json|txt|md))`", text)
    bases = (ROOT, ROOT / "timeseries_project")  # api/views.py is short for timeseries_project/api/views.py
    assert not [path for path in named if not any((base / path).exists() for base in bases)]


def test_the_table_of_settings_is_complete() -> None:
    """Every variable that is read has a row, and every row is a variable that is read."""
    table = (ROOT / "README.md").read_text().partition("\n## Settings\n")[2].partition("\n## ")[0]
    rows = {name for row in re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    sources = [path for path in (ROOT / "timeseries_project").glob("**/*.py") if "tests" not in path.parts]
    read = re.compile(
        r"\b(?:env\.)?(?:text|boolean|integer|choice|duration|prefix|hosts|origins|tokens|rate|snapshot|storage)\(\s*\"([A-Z_]+)\""
    )
    assert rows == {name for path in sources for name in read.findall(path.read_text())}
