"""The image of the Dockerfile without a container: its steps are carried out below a folder, where its paths then lie.

Nothing is downloaded: the dependencies are those of the environment in which the tests run, without the test tools, and
pip fails unless they are what it is told to install.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from string import Template

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 400
VENV = "/opt/timeseries-statistics"
#: The folders of the image that its steps write to.
PLACES = re.compile(rf"(?<![\w./-])({VENV}|/src|/wheels)\b")


def pins(file: str) -> set[str]:
    """Return a requirements file's packages with their versions, spelt as in a wheel's metadata."""
    found = re.findall(r"^([A-Za-z0-9_.-]+)==(\S+)", (ROOT / file).read_text(), re.MULTILINE)
    return {f"{re.sub(r'[-_.]+', '-', name).lower()}=={version}" for name, version in found}


#: Makes modules missing. None in sys.modules would do for Python, but not for what Cython has compiled.
HIDDEN = """import sys

class Hidden:
    @staticmethod
    def find_spec(name, *_):
        if name.partition(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Hidden)
"""


def only_for_tests() -> list[str]:
    """Return the modules that only the tests need. PyYAML is not one of them: drf-spectacular needs it for serving."""
    tools = {pin.partition("==")[0] for pin in pins("requirements.txt")} - {"pyyaml"}
    known = packages_distributions().items()
    return [module for module, owners in known if {re.sub(r"[-_.]+", "-", o).lower() for o in owners} <= tools]


def steps() -> Iterator[tuple[str, str]]:
    """Yield the instructions of the Dockerfile with their arguments."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        if line.strip():
            word, _, rest = line.partition(" ")
            yield word, rest.strip()


def context() -> list[str]:
    """Return what .dockerignore lets into the build: it names all files that it does, and folders that it does not."""
    first, *lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] != "#"]
    assert first == "*"
    assert all(re.fullmatch(r"![\w.-]+|\*\*/\w+", line) for line in lines)
    return [line[1:] for line in lines if line[0] == "!"]


class Image:
    """What the Dockerfile says: made by `build`, started by `command`, asked by `health` whether it lives."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {name: os.environ[name] for name in ("HOME", "TMPDIR", "LANG") if name in os.environ}
        self.said: dict[str, str] = {}
        self.stages: list[str] = []

    def build(self) -> None:
        """Carry out all steps."""
        work = self.folder
        for word, rest in steps():
            if word == "FROM":
                self.stages.append(rest)
                self.environment["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
            elif word == "WORKDIR":
                work = Path(self._placed(rest))
                work.mkdir(parents=True)
            elif word == "ARG":
                name, _, value = rest.partition("=")
                self.environment.setdefault(name, value)
            elif word == "ENV":
                for name, value in re.findall(r"(\w+)=(\S+)", rest):
                    self.environment[name] = Template(self._placed(value.strip('"'))).substitute(self.environment)
            elif word == "COPY":
                self._copy(rest.split(), work)
            elif word == "RUN":
                self._run(rest, work)
            else:
                self.said[word] = rest

    @property
    def user(self) -> str:
        return self.said["USER"]

    @property
    def command(self) -> list[str]:
        command: list[str] = json.loads(self.said["CMD"])
        return [self._found(command[0]), *command[1:]]

    @property
    def health(self) -> list[str]:
        command: list[str] = json.loads(self.said["HEALTHCHECK"].partition("CMD ")[2])
        return [self._found(command[0]), *command[1:]]

    @property
    def venv(self) -> Path:
        return Path(self._placed(VENV))

    @property
    def program(self) -> Path:
        """The command of the installed wheel."""
        return self.venv / "bin" / "timeseries-statistics"

    def _found(self, program: str) -> str:
        found = shutil.which(program, path=self.environment["PATH"])
        assert found, program
        return found

    def _placed(self, text: str) -> str:
        return PLACES.sub(rf"{self.folder}\1", text)

    def _copy(self, words: list[str], work: Path) -> None:
        *sources, _ = words
        if sources[0].startswith("--from="):
            assert sources[1] == words[-1] == VENV  # the stages share the folder, so it is there
            return
        for source in context() if sources == ["."] else sources:
            assert source in context(), f"{source} is not let into the build"
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, work / source, ignore=shutil.ignore_patterns("__pycache__", "tests"))
            else:
                shutil.copy(ROOT / source, work / source)

    def _run(self, command: str, work: Path) -> None:
        offline = {"PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        done = subprocess.run(
            ["sh", "-euc", self._placed(command)],
            cwd=work,
            env=self.environment | offline,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        for packages in self.venv.glob("lib/python*/site-packages"):
            (packages / "hidden.py").write_text(HIDDEN.format(names=set(only_for_tests())))
            lines = (sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), "import hidden")
            (packages / "ours.pth").write_text("".join(f"{line}\n" for line in lines))
