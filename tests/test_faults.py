"""Faults of a cluster and of the workers while they are written to: nothing acknowledged is lost or there twice."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.faults_ledger import ACKNOWLEDGED, REFUSED, UNKNOWN, Bandwidth, Datapoints, Stored
from timeseries_project.tests.drawn import THOROUGH
from timeseries_project.tests.processes import ROOT
from timeseries_project.tests.redis_servers import binary

#: Two faults in less than a minute; or one, and as much load as shows an obvious fault.
FORM = ["--short"] if THOROUGH else ["--only", "takeover", "--seconds", "4", "--rate", "5"]


def test_what_was_acknowledged_is_there_once_after_faults() -> None:
    binary("redis")
    done = subprocess.run(
        [sys.executable, "benchmarks/faults.py", *FORM], cwd=ROOT, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith("| ") and "`)" in line]
    assert len(rows) == (2 if THOROUGH else 1)
    for row in rows:
        acknowledged, _, lost, twice = row.strip("| ").split(" | ")[-4:]
        assert int(acknowledged.replace(",", "")) > 100, row
        assert (lost, twice) == ("0", "0")


def test_what_is_lost_or_twice_or_in_part_or_never_sent_is_found() -> None:
    writer = Bandwidth(1)
    writer.states = {0: ACKNOWLEDGED, 1: ACKNOWLEDGED, 2: UNKNOWN, 3: UNKNOWN, 4: REFUSED}
    stored = Stored()
    stored.there.update({0: 10, 1: 10, 2: 10})
    assert writer.compare(stored) == (0, 0, [], [])
    stored.there[1] = 0
    stored.twice[0] = 3
    stored.differing.append("counts")
    assert writer.compare(stored) == (10, 3, ["counts"], [])
    assert writer.compare(stored) == (0, 0, [], []), "only what is new is told"
    stored.there.update({3: 4, 4: 10, 5: 10})
    assert len(writer.compare(stored).faults) == 3


def test_a_batch_of_several_calls_may_be_stored_in_part_if_it_was_not_acknowledged() -> None:
    writer = Datapoints(1)
    writer.states = {0: UNKNOWN, 1: ACKNOWLEDGED}
    stored = Stored()
    stored.there.update({0: 7, 1: 19})
    assert writer.compare(stored) == (1, 0, [], [])
