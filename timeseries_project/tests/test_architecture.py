"""Imports point one way. The lists of modules are derived from the folders."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from timeseries_project.app_list import APPS

ROOT = Path(__file__).resolve().parents[2]
PROJECT = "timeseries_project"
FRAMEWORKS = {"django", "rest_framework", "drf_spectacular"}
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for name in (*APPS, PROJECT)
    for path in sorted((ROOT / name).glob("**/*.py"))
    if not {"tests", "sample"} & set(path.parts)
}
#: Packages that could be used in another program.
PLAIN_ROOMS = (f"{PROJECT}.core.", *(f"{app}.{room}" for app in APPS for room in ("memory.", "redis.", "interface")))
PLAIN = [module for module in MODULES if module.startswith(PLAIN_ROOMS)]


@cache
def imports(module: str) -> frozenset[str]:
    """Return all imports of a module, with the names imported from each."""
    return frozenset(_imports(MODULES[module]))


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def reached(module: str) -> set[str]:
    """Return a module and all modules of the project that it imports, directly or indirectly."""
    found, ahead = {module}, [module]
    while ahead:
        new = {name for name in imports(ahead.pop()) if name in MODULES} - found
        found |= new
        ahead += new
    return found


def top_level(names: frozenset[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def test_the_rooms_are_there() -> None:
    assert {module.split(".")[0] for module in PLAIN} == {PROJECT, *APPS}
    for app in APPS:
        rooms = ("urls", "views", "serializers", "openapi", "services", "charts", "interface", "memory", "redis")
        assert {f"{app}.{room}" for room in rooms} <= MODULES.keys()


@pytest.mark.parametrize("module", PLAIN)
def test_the_ground_and_the_stores_know_no_framework_and_nothing_that_does(module: str) -> None:
    assert [name for name in reached(module) if top_level(imports(name)) & FRAMEWORKS] == []


@pytest.mark.parametrize("module", [name for name in MODULES if name.startswith(f"{PROJECT}.core.")])
def test_the_ground_stands_on_nothing_of_ours(module: str) -> None:
    ours = {name for name in imports(module) if name in MODULES}
    assert all(name.startswith(f"{PROJECT}.core") for name in ours)


def test_nothing_imports_a_test_module() -> None:
    """Shared code is in modules without tests, so that moving a test breaks no other one."""
    for path in (*ROOT.glob("*/tests/**/*.py"), *ROOT.glob("tests/**/*.py")):
        assert not [module for module in _imports(path) if module.rpartition(".")[2].startswith("test_")], path


@pytest.mark.parametrize("app", APPS)
def test_apps_never_import_one_another(app: str) -> None:
    others = set(APPS) - {app}
    assert [name for name in MODULES if name.startswith(f"{app}.") and top_level(imports(name)) & others] == []
    for path in (ROOT / app / "tests").glob("**/*.py"):
        assert not top_level(frozenset(_imports(path))) & others, path


def test_what_all_apps_share_knows_no_app() -> None:
    shared = [name for name in MODULES if name.startswith(PROJECT)]
    assert [name for name in shared if top_level(imports(name)) & set(APPS)] == [f"{PROJECT}.urls"]


@pytest.mark.parametrize("app", APPS)
def test_arrows_point_one_way(app: str) -> None:
    """urls → views → serializers, services → interface ← memory, redis."""
    services, serializers = f"{app}.services", f"{app}.serializers"
    assert services not in reached(serializers)
    assert serializers not in reached(services)
    assert not {name for name in imports(services) if name.startswith(("rest_framework", f"{PROJECT}.api"))}
    engines = tuple(f"{app}.{room}." for room in ("memory", "redis"))
    for outside in ("views", "serializers", "openapi", "charts", "urls"):
        assert not [name for name in imports(f"{app}.{outside}") if name.startswith(engines)], outside
    for engine in (name for name in MODULES if name.startswith(engines)):
        assert not imports(engine) & {services, serializers, f"{app}.views"}, engine


@pytest.mark.parametrize("module", MODULES)
def test_only_the_clock_reads_the_clock(module: str) -> None:
    assert module == f"{PROJECT}.core.clock" or not imports(module) & {"time", "datetime.now"}


@pytest.mark.parametrize("module", MODULES)
def test_one_can_see_across_a_room(module: str) -> None:
    assert len(MODULES[module].read_text().splitlines()) <= 420
