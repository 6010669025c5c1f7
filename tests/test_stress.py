"""Many threads against the production server: nothing is lost or counted twice, and no partial batch is visible."""

from __future__ import annotations

from benchmarks.stress import stress
from tests.served import Served
from timeseries_project.tests.drawn import THOROUGH

SECONDS = 8 if THOROUGH else 3


def test_all_is_there_once_and_never_by_halves() -> None:
    with Served() as served:
        served.wait()
        ledger = stress(served.port, SECONDS)
        status, _, log = served.stopped()
        assert ledger.faults == []
        assert len(ledger.done) == 13, "something was never done"
        assert (status, log) == (0, "")
