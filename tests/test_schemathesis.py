"""Schemathesis against the production server: requests drawn from the service's own schema.

It draws valid and invalid requests, follows the schema's links, and checks every answer against the schema.
A longer run is described in docs/reliability.md.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.served import Served
from timeseries_project.tests.drawn import THOROUGH
from timeseries_project.tests.processes import ROOT

#: The number of requests drawn for each operation, and of walks along the links.
EXAMPLES = 12 if THOROUGH else 3
#: The same requests each time; `--seed` and `--max-time` on the command line draw others.
ARGUMENTS = ("--checks=all", "--seed=1", f"--max-examples={EXAMPLES}", "--generation-database=none", "--no-color")


def test_no_request_finds_the_service_other_than_its_schema_says(tmp_path: Path) -> None:
    with Served(SNAPSHOT=str(tmp_path / "snapshot.arrows")) as served:
        served.wait()
        schemathesis = Path(sys.executable).with_name("schemathesis")
        url = f"http://127.0.0.1:{served.port}/api/schema/?format=json"
        run = subprocess.run(
            [schemathesis, "run", url, *ARGUMENTS], cwd=ROOT, capture_output=True, text=True, timeout=600
        )
        status, _, err = served.stopped()
        assert run.returncode == 0, run.stdout + run.stderr
        assert "No issues found" in run.stdout
        assert err == "", "the server logged failures"
        assert status == 0
