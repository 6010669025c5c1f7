"""`manage.py test` runs what `pytest` runs, and passes its options on."""

from __future__ import annotations

import pytest

from timeseries_project.management.pytest_runner import arguments
from timeseries_project.tests.processes import run


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([], []),
        (["datapoints", "datapoints.tests"], ["datapoints", "datapoints/tests"]),
        (["datapoints.tests.test_store"], ["datapoints/tests/test_store.py"]),
        (["tests/test_start.py"], ["tests/test_start.py"]),
        (["tests/test_start.py::test_name[a.b]"], ["tests/test_start.py::test_name[a.b]"]),
        (["bandwidth", "--deselect=a.b", "-k", "a.b"], ["bandwidth", "--deselect=a.b", "-k", "a.b"]),
    ],
)
def test_labels_may_be_those_of_pytest_or_of_django(labels: list[str], expected: list[str]) -> None:
    assert arguments(labels) == expected


def test_runs_what_it_is_told_to_in_so_many_processes() -> None:
    label = "timeseries_project.tests.test_readiness"  # as Django spells it
    status, out, _ = run("test", label, "-k", "names_every_reason", "--parallel", 2)
    assert status == 0, out
    assert "2 workers" in out
    assert "1 passed" in out
