"""The figures of the server's processes, in a small server: one that supervises, and two that it forks."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from timeseries_project.core.kernels import ROOT
from timeseries_project.ops.processes import ServerProcesses, processes

#: The first fork works for a while and ends; the second answers for all three.
SERVER = """
import json, os, sys
from timeseries_project.ops import processes

def figures():
    own_data = sys.argv[1] == "own"
    found = {m.name: m.samples[0].value for m in processes.ServerProcesses(own_data=own_data).collect()}
    alone = {m.name: m.samples[0].value for m in processes._collector(os.getpid()).collect()}
    supervisor = {m.name: m.samples[0].value for m in processes._collector(processes.SERVER).collect()}
    print(json.dumps([found, alone, supervisor, sorted(processes.processes()) == sorted({os.getpid(), os.getppid()})]))

if not os.fork():
    while sum(os.times()[:2]) < 0.5:
        pass
    os._exit(0)
os.wait()
while sum(os.times()[:2]) < 0.1:  # so that the second starts later, by the kernel's clock
    pass
if not os.fork():
    figures()
    sys.exit()
os.wait()
"""


def answer(data: str) -> list[dict[str, float]]:
    program = [sys.executable, "-c", SERVER, data]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)
    *figures, complete = json.loads(done.stdout)
    assert complete
    return figures


def test_they_are_those_of_all_processes_together() -> None:
    found, alone, supervisor = answer("shared")
    assert found.keys() == alone.keys()
    for name in ("process_resident_memory_bytes", "process_virtual_memory_bytes", "process_open_fds"):
        assert found[name] == pytest.approx(alone[name] + supervisor[name], rel=0.1)
    ended = found["process_cpu_seconds"] - supervisor["process_cpu_seconds"] - alone["process_cpu_seconds"]
    assert 0.4 < ended < 2


@pytest.mark.parametrize(("data", "whose"), [("own", 1), ("shared", 2)])
def test_the_start_is_that_of_the_data(data: str, whose: int) -> None:
    figures = answer(data)
    assert figures[1]["process_start_time_seconds"] > figures[2]["process_start_time_seconds"]
    assert figures[0]["process_start_time_seconds"] == figures[whose]["process_start_time_seconds"]


def test_a_single_process_answers_for_itself_and_not_for_what_it_started() -> None:
    """As this one does, which may have started servers."""
    assert len(processes()) == 1
    [time] = [m.samples[0].value for m in ServerProcesses(own_data=True).collect() if m.name == "process_cpu_seconds"]
    assert time > 0
