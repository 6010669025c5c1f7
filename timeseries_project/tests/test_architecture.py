"""The house's one-way arrows, as far as imports show them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from timeseries_project.tests.engines import ENGINES, SHARED
from timeseries_project.tests.processes import ROOT

APPS = ("datapoints", "bandwidth", "transactions")
MODULES = sorted(p for name in (*APPS, "timeseries_project") for p in (ROOT / name).glob("**/*.py"))


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_knows_no_framework(engine: str) -> None:
    names = set(imports(ROOT / engine))
    assert not {name.split(".")[0] for name in names} & {"django", "rest_framework", "drf_spectacular"}
    shared = {name for name in names if name.startswith("timeseries_project.")}
    known = tuple(path.removesuffix(".py").replace("/", ".") for path in SHARED)
    assert all(name.startswith(known) for name in shared)


@pytest.mark.parametrize("path", sorted(ROOT.glob("*/test*/**/*.py")) + sorted(ROOT.glob("tests/**/*.py")), ids=name)
def test_nothing_imports_a_test_module(path: Path) -> None:
    """What tests share is in modules that are no tests: whoever moves a test then breaks no other one."""
    assert not [module for module in imports(path) if module.rpartition(".")[2].startswith("test_")]


@pytest.mark.parametrize("app", APPS)
def test_apps_never_import_one_another(app: str) -> None:
    for path in (ROOT / app).glob("**/*.py"):
        assert not {name.split(".")[0] for name in imports(path)} & (set(APPS) - {app}), path


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_only_the_clock_reads_the_clock(path: Path) -> None:
    if path.name != "clock.py" and "tests" not in path.parts:
        assert not set(imports(path)) & {"time", "datetime.now"}, path


@pytest.mark.parametrize("app", APPS)
def test_views_know_no_engine_and_services_no_http(app: str) -> None:
    engines = {e.removesuffix(".py").replace("/", ".") for e in ENGINES}
    for path in (ROOT / app).glob("services.py"):
        assert not {n for n in imports(path) if n.startswith(("rest_framework", "timeseries_project.api"))}
    for path in (ROOT / app).glob("views.py"):
        assert not engines & set(imports(path)) - {"datapoints.statistics", "datapoints.protocol"}
