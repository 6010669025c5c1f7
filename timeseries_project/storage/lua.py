"""Libraries of server functions, assembled from Lua files.

A library is a folder of commands. Each command is a file that registers itself:

    redis/lua/add.lua               what the client calls as APP_add
    redis/lua/includes/series.lua   parts that several commands share
    storage/lua/rows.lua            parts that several apps share

A file includes another with the line `--- @include NAME`. Each file stands in the library once, after those that it
includes. A library is one chunk of Lua, so later files see the top-level locals of earlier ones, and no two files may
define the same name. Plain Python; knows no framework.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

#: Files that any library may include.
SHARED = Path(__file__).with_name("lua")

#: Numbers of Lua are doubles: larger integers are not exact.
LARGEST_INTEGER = 2**53

Constant = int | float | str | bool

_INCLUDE = re.compile(r"--- @include ([a-z_]+)")
_DEFINITION = re.compile(r"local (?:function )?(\w+(?:, \w+)*)")
_CONSTANT_NAME = re.compile(r"[A-Z][A-Z0-9_]*")
_PLACE = re.compile(r"user_function:(\d+)")


def literal(value: Constant) -> str:
    r"""Return a value as it is written in Lua.

    >>> literal(1008), literal(0.5), literal(True)
    ('1008', '0.5', 'true')
    >>> literal('a "b"\n')
    '"a \\034b\\034\\010"'
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        if abs(value) > LARGEST_INTEGER:
            raise ValueError(f"{value} is not exact as a number of Lua")
        return str(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} cannot be written in Lua")
        return repr(value)
    if isinstance(value, str):
        quoted = (chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\{byte:03}" for byte in value.encode())
        return f'"{"".join(quoted)}"'
    raise TypeError(f"a constant of Lua cannot be a {type(value).__name__}")


def declarations(constants: Mapping[str, Constant]) -> list[str]:
    """Return the lines that define constants.

    >>> declarations({"LATE_RUNS": 1000, "UNIT": "ms"})
    ['local LATE_RUNS = 1000', 'local UNIT = "ms"']
    """
    for name in constants:
        if not _CONSTANT_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a constant: capitals, digits and underscores")
    return [f"local {name} = {literal(value)}" for name, value in constants.items()]


class Line(NamedTuple):
    """A line of an assembled library, and where it comes from."""

    text: str
    file: Path
    number: int


class _Assembler:
    """Collects files, each once and after those that it includes."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self.lines: list[Line] = []
        self._folders = folders
        self._done: set[Path] = set()
        self._open: list[Path] = []
        self._definitions: dict[str, Path] = {}

    def add(self, file: Path) -> None:
        if file in self._done:
            return
        if file in self._open:
            circle = [*self._open[self._open.index(file) :], file]
            raise ValueError(f"files include one another in a circle: {' -> '.join(path.name for path in circle)}")
        self._open.append(file)
        lines = [Line(text, file, number) for number, text in enumerate(file.read_text().splitlines(), 1)]
        for line in lines:
            if "@include" in line.text:
                self.add(self._included(line))
            elif found := _DEFINITION.match(line.text):
                self.define(found[1].split(", "), file)
        self.lines += lines
        self._open.pop()
        self._done.add(file)

    def define(self, names: Iterable[str], file: Path) -> None:
        """Record top-level names. A second definition would hide the first one from later files only."""
        for name in names:
            other = self._definitions.setdefault(name, file)
            if other != file:
                raise ValueError(f"{name} is defined in {other.name} and in {file.name}")

    def _included(self, line: Line) -> Path:
        place = f"{line.file.name}, line {line.number}"
        found = _INCLUDE.fullmatch(line.text)
        if not found:
            raise ValueError(f"{place}: an include is a line of its own, `--- @include name`")
        paths = [path for folder in self._folders if (path := folder / f"{found[1]}.lua").is_file()]
        if not paths:
            raise ValueError(f"{place}: there is no file {found[1]}.lua to include")
        if len(paths) > 1:
            raise ValueError(f"{place}: {found[1]} may be {' or '.join(map(str, paths))}")
        return paths[0]


def assemble(files: Iterable[Path], folders: Sequence[Path], constants: Mapping[str, Constant]) -> list[Line]:
    """Return the lines of files and of everything that they include from these folders.

    Raises ValueError if an include leads nowhere or in a circle, a name is defined twice, or a constant is not used.
    """
    assembler = _Assembler([*folders, SHARED])
    assembler.define(["VERSION", "LAYOUT"], Path("the head"))
    assembler.define(constants, Path("the constants"))
    for file in files:
        assembler.add(file)
    words = {word for line in assembler.lines for word in re.findall(r"\w+", line.text.partition("--")[0])}
    if unused := constants.keys() - words:
        raise ValueError(f"no file uses the constant {min(unused)}")
    return assembler.lines


class Library:
    """Server functions whose names contain their version, so that several versions can run side by side.

    `folder` holds a file for each command. Each constant is a local of the same name, defined before the first file.
    `layout` is the version of the keys' layout with which the functions work: they refuse any other (see layouts.py).
    """

    def __init__(
        self, name: str, folder: Path, constants: Mapping[str, Constant] | None = None, *, layout: int = 1
    ) -> None:
        self.name, self.folder, self.layout, self.constants = name, folder, layout, dict(constants or {})
        commands = sorted(folder.glob("*.lua"))
        self._lines = assemble(commands, [folder / "includes"], self.constants)
        self._names = {f"{name}_{path.stem}" for path in commands}
        digest = hashlib.sha256("\n".join(self._content(self.constants)).encode())
        self._version = f"_{digest.hexdigest()[:12]}"
        self._library = f"timeseries_{name}{self._version}"
        self.code = self._code(self.constants)

    def function(self, name: str) -> Function:
        """Return a function by its name, such as APP_add, which add.lua registers. KeyError if there is none."""
        if name not in self._names:
            raise KeyError(name)
        return Function(name + self._version, self)

    def replacement(self, **constants: Constant) -> str:
        """Return the code with other values of these constants. Tests load it in place of `code`."""
        if unknown := constants.keys() - self.constants.keys():
            raise KeyError(min(unknown))
        return self._code(self.constants | constants)

    def explained(self, message: str) -> str:
        """Return an error message of the server, with lines of the library translated to files and their lines."""
        before = len(self._head(self.constants))

        def place(found: re.Match[str]) -> str:
            at = int(found[1]) - before - 1
            if not 0 <= at < len(self._lines):
                return found[0]
            line = self._lines[at]
            return f"{line.file.name}:{line.number}"

        return _PLACE.sub(place, message)

    def _content(self, constants: Mapping[str, Constant]) -> list[str]:
        return [self._layout(), *declarations(constants), *(line.text for line in self._lines)]

    def _layout(self) -> str:
        return f"local LAYOUT = {literal(str(self.layout))}"

    def _head(self, constants: Mapping[str, Constant]) -> list[str]:
        """Return the lines before those of the first file."""
        version = f"local VERSION = {literal(self._version)}"
        return [f"#!lua name={self._library}", version, self._layout(), *declarations(constants)]

    def _code(self, constants: Mapping[str, Constant]) -> str:
        return "\n".join([*self._head(constants), *(line.text for line in self._lines), ""])


class Function(NamedTuple):
    """A function on the server, and its library."""

    name: str
    library: Library
