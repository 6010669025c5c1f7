"""`manage.py test` runs what `pytest` runs, and passes on what it is told."""

from __future__ import annotations

import pytest

from timeseries_project.testing import as_path
from timeseries_project.tests.processes import run


@pytest.mark.parametrize(
    ("label", "path"),
    [
        ("datapoints", "datapoints"),
        ("datapoints.tests", "datapoints/tests"),
        ("datapoints.tests.test_store", "datapoints/tests/test_store.py"),
        ("tests/test_start.py", "tests/test_start.py"),
        ("tests/test_start.py::test_name[a.b]", "tests/test_start.py::test_name[a.b]"),
        ("--lf", "--lf"),
        ("--deselect=a.b", "--deselect=a.b"),
    ],
)
def test_labels_may_be_those_of_pytest_or_of_django(label: str, path: str) -> None:
    assert as_path(label) == path


def test_runs_what_it_is_told_to_in_so_many_processes() -> None:
    label = "timeseries_project.tests.test_readiness"
    status, out, _ = run("test", label, "-k", "names_every_reason", "--parallel", 2, "--", "--durations-min=0")
    assert status == 0, out
    assert "2 workers" in out
    assert "slowest 20 durations" in out
    assert "1 passed" in out


def test_a_failure_is_told_by_the_status() -> None:
    status, _, err = run("test", "tests/no_such_test.py", "--parallel", 0)
    assert (status, "no_such_test" in err) == (1, True)
