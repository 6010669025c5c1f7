"""Makes every step of a write fail in turn: calls inside the engines raise MemoryError, with no code replaced.

Functions named `commit...`, and calls to them, never fail, because these functions only assign and call kernels;
`uncommitted_calls` checks that.
"""

from __future__ import annotations

import ast
import gc
import math
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

import pytest

from timeseries_project.tests.drawn import THOROUGH
from timeseries_project.tests.engines import ENGINES
from timeseries_project.tests.processes import ROOT

T = TypeVar("T")

#: At how many steps of one write the short form makes it fail; most writes have fewer.
STEPS_AT_MOST = 25

#: Neither do these, which only let other threads go on.
WAKING = frozenset({"give_way", "notify_all"})

FILES = frozenset(str(ROOT / engine) for engine in ENGINES)


def _commits(name: str) -> bool:
    return name.lstrip("_").startswith("commit")


class Steps:
    """The number of calls that an engine has made."""

    passed = 0


@contextmanager
def failing_at(step: float) -> Iterator[Steps]:
    """Make call number `step` of the engine, counted from 0, raise MemoryError instead."""
    steps = Steps()

    def hook(frame: FrameType, event: str, argument: Any) -> None:
        caller = frame if event == "c_call" else frame.f_back
        if event not in ("call", "c_call") or caller is None or caller.f_code.co_filename not in FILES:
            return
        name = argument.__name__ if event == "c_call" else frame.f_code.co_name
        # Releasing a lock cannot fail, and must not be prevented.
        within = caller.f_code.co_name
        if name == "__exit__" or _commits(name) or _commits(within) or within in WAKING:
            return
        if steps.passed >= step:
            sys.setprofile(None)
            raise MemoryError
        steps.passed += 1

    # Objects finalised by the garbage collector in the middle of a call are not steps of it.
    gc.disable()
    sys.setprofile(hook)
    try:
        yield steps
    finally:
        sys.setprofile(None)
        gc.enable()


def fail_each_step(
    make: Callable[[], T], write: Callable[[T], object], answers: Callable[[T], object], check: Callable[[T], object]
) -> int:
    """Make a write fail at each of its steps, each time on a new store, and check the store; return how many steps.

    After a failure the answers must be those from before the write, the structure sound, and a repeated write must
    succeed. The short form of the suite draws the steps at which a long write fails.
    """
    store = make()
    before = answers(store)
    write(store)
    after = answers(store)
    store = make()  # not asked yet: what an answer would prepare must be a step of the write
    with failing_at(math.inf) as all_steps:
        write(store)
    assert answers(store) == after
    for step in some_of(all_steps.passed):
        store = make()
        with pytest.raises(MemoryError), failing_at(step):
            write(store)
        check(store)
        assert answers(store) == before, step
        write(store)
        check(store)
        assert answers(store) == after, step
    return all_steps.passed


def some_of(steps: int) -> Sequence[int]:
    """Return the numbers of the steps at which to fail."""
    if THOROUGH or steps <= STEPS_AT_MOST:
        return range(steps)
    return sorted(random.sample(range(steps), STEPS_AT_MOST))


def uncommitted_calls(path: Path) -> list[str]:
    """Return the calls in a module's functions named `commit...`, except calls to one another and to kernels."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef) and _commits(node.name):
            calls = [ast.unparse(call.func) for call in ast.walk(node) if isinstance(call, ast.Call)]
            names = [call.rpartition(".")[2] for call in calls if "kernels." not in call]
            found += [
                f"{path.name}: {node.name} calls {name}" for name in names if not _commits(name) and name not in WAKING
            ]
    return found
