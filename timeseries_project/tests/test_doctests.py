"""The examples in docstrings, run. The list of modules comes from the folders."""

from __future__ import annotations

import ast
import doctest
from importlib import import_module
from pathlib import Path

import pytest

from timeseries_project.app_list import APPS

ROOT = Path(__file__).resolve().parents[2]
PROJECT = "timeseries_project"
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for name in (*APPS, PROJECT)
    for path in sorted((ROOT / name).glob("**/*.py"))
    if not {"tests", "sample"} & set(path.parts)
}
WITH_EXAMPLES = [module for module, path in MODULES.items() if ">>> " in path.read_text()]
#: Where no function has the same answer each time.
CLOCK = f"{PROJECT}.core.clock"
#: Where functions change the arrays of a pool of blocks: `core/blocks.py` has the examples.
POOL = [
    f"{PROJECT}.core.{name}"
    for name in (
        "block_kernels",
        "block_add_kernels",
        "block_copy_kernels",
        "block_merge_kernels",
        "block_range_kernels",
    )
]


def examples(module: str) -> list[doctest.DocTest]:
    """Return the doctests of a module that have examples."""
    return [test for test in doctest.DocTestFinder(exclude_empty=True).find(import_module(module)) if test.examples]


def public_functions(module: str) -> list[str]:
    """Return the names of the functions that a module defines at its top level for others."""
    nodes = ast.parse(MODULES[module].read_text()).body
    return [node.name for node in nodes if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")]


@pytest.mark.parametrize("module", WITH_EXAMPLES)
def test_examples_do_what_they_say(module: str) -> None:
    output: list[str] = []
    runner = doctest.DocTestRunner(verbose=False)
    for test in examples(module):
        runner.run(test, out=output.append)
    assert runner.tries > 0, f"{module} has >>> where doctest does not find it"
    assert not runner.failures, "".join(output)


@pytest.mark.parametrize(
    "module", [name for name in MODULES if name.startswith(f"{PROJECT}.core.") and name not in (CLOCK, *POOL)]
)
def test_pure_functions_have_examples(module: str) -> None:
    documented = {test.name.removeprefix(f"{module}.") for test in examples(module)}
    assert set(public_functions(module)) <= documented
