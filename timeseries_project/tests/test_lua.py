"""Libraries assembled from Lua files, as text and loaded into a server."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from timeseries_project.storage.client import Call, Storage
from timeseries_project.storage.errors import StorageUnavailableError
from timeseries_project.storage.lua import Constant, Library, assemble, declarations, literal
from timeseries_project.tests.lua import interpreter

Write = Callable[[dict[str, str]], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a library's files, given by name, and return its folder."""

    def write(files: dict[str, str]) -> Path:
        for name, text in files.items():
            path = tmp_path / f"{name}.lua"
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        return tmp_path

    return write


def texts(folder: Path, *names: str, constants: dict[str, Constant] | None = None) -> list[str]:
    files = [folder / f"{name}.lua" for name in names]
    return [line.text for line in assemble(files, [folder / "includes"], constants or {})]


class TestIncludes:
    def test_come_once_and_before_who_needs_them(self, write: Write) -> None:
        folder = write(
            {
                "one": "--- @include upper\n--- @include base\nONE",
                "two": "--- @include base\nTWO",
                "includes/upper": "UPPER\n--- @include base",
                "includes/base": "BASE",
            }
        )
        lines = texts(folder, "one", "two")
        assert [line for line in lines if not line.startswith("---")] == ["BASE", "UPPER", "ONE", "TWO"]

    def test_may_be_shared_by_all_libraries(self, write: Write) -> None:
        lines = texts(write({"one": "--- @include add_to_pair\nONE"}), "one")
        assert "local function add_to_pair(high, low, x)" in lines
        assert lines[-1] == "ONE"

    @pytest.mark.parametrize(
        ("files", "message"),
        [
            (
                {"one": "--- @include a", "includes/a": "--- @include b", "includes/b": "--- @include a"},
                "files include one another in a circle: a.lua -> b.lua -> a.lua",
            ),
            ({"one": "--- @include a", "includes/a": "--- @include a"}, "a.lua -> a.lua"),
            ({"one": "ONE\n--- @include a"}, "one.lua, line 2: there is no file a.lua to include"),
            ({"one": "-- @include a", "includes/a": ""}, "one.lua, line 1: an include is a line of its own"),
            ({"one": "--- @include ../a", "a": ""}, "one.lua, line 1: an include is a line of its own"),
            ({"one": "--- @include rows", "includes/rows": ""}, "one.lua, line 1: rows may be "),
        ],
    )
    def test_are_refused_where_they_lead_nowhere(self, write: Write, files: dict[str, str], message: str) -> None:
        with pytest.raises(ValueError) as refused:  # noqa: PT011
            texts(write(files), "one")
        assert message in str(refused.value)


class TestNames:
    @pytest.mark.parametrize(
        ("first", "second"),
        [
            ("local function place() end", "local place = 1"),
            ("local a, place = 1, 2", "local function place() end"),
        ],
    )
    def test_are_defined_in_one_file(self, write: Write, first: str, second: str) -> None:
        folder = write({"one": f"--- @include a\n{second}", "includes/a": first})
        with pytest.raises(ValueError, match=r"place is defined in a.lua and in one.lua"):
            texts(folder, "one")

    def test_inside_of_functions_are_their_own(self, write: Write) -> None:
        folder = write(
            {"one": "--- @include a\nlocal place = 1", "includes/a": "local function b()\n  local place\nend"}
        )
        assert texts(folder, "one")

    @pytest.mark.parametrize(
        ("name", "constants", "places"),
        [
            ("LIMIT", {"LIMIT": 1}, "the constants and in one.lua"),
            ("VERSION", {}, "the head and in one.lua"),
            ("LAYOUT", {}, "the head and in one.lua"),
            ("VERSION", {"VERSION": 1}, "the head and in the constants"),
        ],
    )
    def test_before_all_files_are_not_defined_anew(
        self, write: Write, name: str, constants: dict[str, Constant], places: str
    ) -> None:
        with pytest.raises(ValueError, match=f"{name} is defined in {places}"):
            texts(write({"one": f"local {name} = 1"}), "one", constants=constants)


class TestConstants:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (0, "0"),
            (-7, "-7"),
            (2**53, "9007199254740992"),
            (0.1, "0.1"),
            (1e300, "1e+300"),
            (True, "true"),
            (False, "false"),
            ("", '""'),
            ("a b", '"a b"'),
            ('"]]\\\n\0é1', '"\\034]]\\092\\010\\000\\195\\1691"'),
        ],
    )
    def test_are_written_by_their_type(self, value: Constant, text: str) -> None:
        assert literal(value) == text

    @pytest.mark.parametrize("value", [2**53 + 1, -(2**53) - 1, float("inf"), float("nan")])
    def test_that_lua_cannot_hold_are_refused(self, value: Constant) -> None:
        with pytest.raises(ValueError, match=r"exact|written"):
            literal(value)

    @pytest.mark.parametrize("value", [None, b"a", [1], {"a": 1}])
    def test_of_other_types_are_refused(self, value: Constant) -> None:
        with pytest.raises(TypeError, match="a constant of Lua cannot be a"):
            literal(value)

    @pytest.mark.parametrize("name", ["", "lower", "A-B", "1A", "A\nos.exit()"])
    def test_have_names_in_capitals(self, name: str) -> None:
        with pytest.raises(ValueError, match="no name of a constant"):
            declarations({name: 1})

    def test_that_nothing_uses_are_refused(self, write: Write) -> None:
        folder = write({"one": "-- Not LIMIT but\nlocal most = LIMITS"})
        with pytest.raises(ValueError, match="no file uses the constant LIMIT"):
            texts(folder, "one", constants={"LIMITS": 2, "LIMIT": 1})


ECHO = """--- @include command
command('test_echo', READS, function() return {WORD, tostring(NUMBER), tostring(FLAG)} end)
"""
CONSTANTS: dict[str, Constant] = {"WORD": 'é "\\\n\0', "NUMBER": 0.1, "FLAG": True}


class TestLibrary:
    def test_has_the_functions_of_its_files(self, write: Write) -> None:
        library = Library("test", write({"echo": ECHO, "includes/other": ""}), CONSTANTS)
        assert library.function("test_echo").name.startswith("test_echo_")
        for name in ("echo", "test_other", "test_"):
            with pytest.raises(KeyError):
                library.function(name)

    def test_of_other_text_or_constants_is_another_version(self, write: Write) -> None:
        folder = write({"echo": ECHO})
        names = {Library("test", folder, CONSTANTS | {"NUMBER": n}).function("test_echo").name for n in (1, 1, 2)}
        (folder / "echo.lua").write_text(f"{ECHO}\n")
        names.add(Library("test", folder, CONSTANTS | {"NUMBER": 1}).function("test_echo").name)
        assert len(names) == 3

    def test_gives_constants_to_the_server(self, write: Write, redis_storage: Storage) -> None:
        library = Library("test", write({"echo": ECHO}), CONSTANTS)
        call = Call(library.function("test_echo"), [b"k"], read_only=True)
        assert redis_storage.call(call) == ['é "\\\n\0'.encode(), b"0.1", b"true"]

    def test_is_replaced_with_other_constants(self, write: Write, redis_storage: Storage) -> None:
        library = Library("test", write({"echo": ECHO}), CONSTANTS)
        call = Call(library.function("test_echo"), [b"k"], read_only=True)
        for code, answer in (
            (library.replacement(FLAG=False, WORD="b"), [b"b", b"0.1", b"false"]),
            (library.code, ['é "\\\n\0'.encode(), b"0.1", b"true"]),
        ):
            redis_storage.each_node("FUNCTION", "LOAD", "REPLACE", code)
            assert redis_storage.call(call) == answer
        with pytest.raises(KeyError, match="FLAGS"):
            library.replacement(FLAGS=1)

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            ("error('broken')", "echo.lua:4: broken"),
            ("return fail()", "fails.lua:2: broken inside"),
            ("return {1", "echo.lua:5: "),
        ],
    )
    def test_tells_faults_by_file_and_line(
        self, write: Write, redis_storage: Storage, caplog: pytest.LogCaptureFixture, body: str, message: str
    ) -> None:
        text = f"--- @include fails\n--- @include command\ncommand('test_echo', READS, function()\n{body}\nend)\n"
        fails = "local function fail()\n  error('broken inside')\nend"
        library = Library("test", write({"echo": text, "includes/fails": fails}))
        with pytest.raises(StorageUnavailableError):
            redis_storage.call(Call(library.function("test_echo"), [b"k"]))
        assert message in caplog.text

    def test_leaves_other_messages_as_they_are(self, write: Write) -> None:
        library = Library("test", write({"echo": ECHO}), CONSTANTS)
        for message in ("ERR no", "user_function:0: a", "user_function:3: a", "user_function:99999: a"):
            assert library.explained(message) == message


def test_interpreter_is_of_the_servers_version(redis_storage: Storage, write: Write) -> None:
    text = "--- @include command\ncommand('test_version', READS, function() return _VERSION end)"
    version = Library("test", write({"version": text})).function("test_version")
    plain = subprocess.run([interpreter(), "-e", "print(_VERSION)"], capture_output=True, check=True)
    assert redis_storage.call(Call(version, [b"k"])) == plain.stdout.strip()
