"""The window's kernels give the same results whether they are compiled, plain Python, or look at every index."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from timeseries_project.core import kernels
from transactions.memory import sliding_window
from transactions.memory.sliding_window import SlidingWindow

LENGTH, AHEAD, NOW = 60_000, 5_000, 1_478_192_204_000
STEPS = [0, 1, 40, 1_000, 59_999, 700_000, -4_000, -100_000, 10**9]


def state() -> str:
    """Return what a window holds and answers after singles and batches of either kind, while the clock is set."""
    draw, window, now, answers = random.Random(1), SlidingWindow(length_ms=LENGTH, ahead_ms=AHEAD), NOW, []
    for i in range(60):
        now += draw.choice(STEPS)
        times = [now - draw.randint(-AHEAD, 70_000) for _ in range(draw.choice((0, 1, 50)))]
        sliding_window.LARGE = 20 * (i % 3)
        window.add_batch(times, [draw.choice((draw.gauss(0, 1e3), 1e16, -1e150, 5e-324)) for _ in times], now=now)
        window.add(now - draw.randint(0, LENGTH), draw.gauss(0, 1), now=now)
        lengths = [LENGTH, draw.randint(1, LENGTH)]
        answers.append(([window.summary(now=now, length_ms=length) for length in lengths], window.history(now=now)))
        window._check()
    rings = hashlib.sha256(window._stamps.tobytes() + window._cells.tobytes()).hexdigest()
    return f"{kernels.COMPILED} {rings} {answers}"


def state_in_a_process(**variables: str) -> str:
    program = "from transactions.tests.test_window_kernels import state; print(state())"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=kernels.ROOT, env=os.environ | variables, capture_output=True, check=True)
    return done.stdout.decode().rstrip()


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(sliding_window, "LARGE", sliding_window.LARGE)  # to be put back
    return state()


def test_plain_python_gives_the_same(compiled: str) -> None:
    plain = state_in_a_process(NUMBA_DISABLE_JIT="1")
    assert plain.startswith("False ")
    assert compiled.startswith("True ")
    assert plain.split()[1:] == compiled.split()[1:]


def test_every_index_lies_within(compiled: str, tmp_path: Path) -> None:
    """Machine code that looks at them is kept apart from the other."""
    assert state_in_a_process(NUMBA_BOUNDSCHECK="1", NUMBA_CACHE_DIR=str(tmp_path)) == compiled
