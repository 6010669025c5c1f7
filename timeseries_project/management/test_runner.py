"""`manage.py test` runs the same suite as `pytest`."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any


class PytestRunner:
    """Runs pytest as Django's test runner, as pytest-django documents it."""

    def __init__(self, verbosity: int = 1, failfast: bool = False, **kwargs: Any) -> None:
        self.verbosity = verbosity
        self.failfast = failfast

    @classmethod
    def add_arguments(cls, parser: ArgumentParser) -> None:
        """Add no arguments: pytest's own options belong on pytest's command line."""

    def run_tests(self, test_labels: Sequence[str], **kwargs: Any) -> int:
        """Run pytest on the given paths, or on everything; return its exit code."""
        import pytest  # not at module level: the settings name this module, and serving needs no pytest

        verbosity = {0: ["--quiet"], 2: ["--verbose"], 3: ["-vv"]}.get(self.verbosity, [])
        return pytest.main([*verbosity, *(["--exitfirst"] if self.failfast else []), *test_labels])
