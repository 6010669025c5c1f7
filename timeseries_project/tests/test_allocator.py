"""Freed memory goes back to the operating system although small blocks above it are still in use."""

from __future__ import annotations

import subprocess
import sys

from timeseries_project.tests.processes import ROOT

#: A hundred answers with columns of 3 MB are held and released. Above each column lies a block that stays in use. The
#: large block that is freed first makes glibc take the columns from its heap, as in a process that has run for a while.
CODE = """
import re
from pathlib import Path
from timeseries_project.api.answers import Answers

def resident():
    return int(re.search(r"VmRSS:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1_000

large = bytearray(30_000_000)
del large
answers = Answers(budget=2**30)
before = resident()
columns, kept, held = [], [], []
for _ in range(100):
    columns.append(bytearray(b"x") * 3_000_000)
    kept.append(bytearray(b"x") * 10_000)
    held.append(answers.hold(3_000_000))
during = resident()
for number in held:
    columns.pop()
    answers.release(number)
print(during - before, resident() - before)
"""


def test_a_burst_of_answers_occupies_no_memory_after_it_has_passed() -> None:
    run = subprocess.run([sys.executable, "-c", CODE], cwd=ROOT, capture_output=True, text=True, check=True)
    during, after = map(int, run.stdout.split())
    assert during > 280_000_000
    assert after < 50_000_000
