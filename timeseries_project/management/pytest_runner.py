"""The test runner of `manage.py test`: runs the same suite as `pytest`, on all processors."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

#: How many of the slowest tests are named at the end.
SLOWEST = 20


class PytestRunner:
    """Runs pytest as Django's test runner, as pytest-django documents it.

    Labels are paths as for pytest, such as `datapoints` or `tests/test_start.py::test_name`, or dotted names as for
    Django. Everything after `--` goes to pytest: `manage.py test -- datapoints --lf`.
    """

    def __init__(
        self,
        verbosity: int = 1,
        failfast: bool = False,
        processes: str = "auto",
        keyword: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.verbosity = verbosity
        self.failfast = failfast
        self.processes = processes
        self.keyword = keyword

    @classmethod
    def add_arguments(cls, parser: ArgumentParser) -> None:
        """Add options of Django's own runner, with the same names and meanings."""
        parser.add_argument(
            "--parallel",
            dest="processes",
            default="auto",
            metavar="N",
            help="Run the tests in N processes; 0 runs them in this one, where a debugger works. Default: auto.",
        )
        parser.add_argument("-k", dest="keyword", metavar="EXPRESSION", help="Run the tests whose names match.")

    def run_tests(self, test_labels: Sequence[str], **kwargs: Any) -> int:
        """Run pytest on the given labels, or on everything; return its exit code."""
        import pytest  # imported here, since the settings name this module and serving needs no pytest

        return pytest.main([*self._options(), *arguments(test_labels)])

    def _options(self) -> list[str]:
        # A process that ends before its time ends the run, which names the test: with a new one, the run may never end.
        options = [f"--numprocesses={self.processes}", "--max-worker-restart=0", f"--durations={SLOWEST}"]
        options += {0: ["--quiet"], 2: ["--verbose"], 3: ["-vv"]}.get(self.verbosity, [])
        if self.failfast:
            options.append("--exitfirst")
        if self.keyword is not None:
            options += ["-k", self.keyword]
        return options


def arguments(labels: Sequence[str]) -> list[str]:
    """Return labels as paths for pytest; the first option of pytest and all that follow stay unchanged.

    >>> arguments(["datapoints.tests.test_store", "bandwidth", "-k", "a.b"])
    ['datapoints/tests/test_store.py', 'bandwidth', '-k', 'a.b']
    """
    paths = [_as_path(label) for label in takewhile(lambda label: not label.startswith("-"), labels)]
    return [*paths, *labels[len(paths) :]]


def _as_path(label: str) -> str:
    if "." not in label or "/" in label or "::" in label or Path(label).exists():
        return label
    path = Path(*label.split("."))
    return str(path) if path.is_dir() else f"{path}.py"
