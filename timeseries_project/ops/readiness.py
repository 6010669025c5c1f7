"""Whether the process can serve: each part that may prevent it registers a check here, and `/readyz` runs them all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: Returns None if the process can serve, else a sentence that says why not. Must return within milliseconds.
Check = Callable[[], str | None]

_checks: dict[str, Check] = {}


def register(name: str, check: Check) -> None:
    """Add a check, or replace the one of the same name."""
    _checks[name] = check


def forget(name: str) -> None:
    """Remove the check of this name, if there is one."""
    _checks.pop(name, None)


@contextmanager
def busy(name: str, reason: str) -> Iterator[None]:
    """Report the process as not ready, for this reason, while the `with` block runs."""
    register(name, lambda: reason)
    try:
        yield
    finally:
        forget(name)


def reasons() -> list[str]:
    """Return why the process cannot serve; an empty list if it can."""
    return [reason for check in list(_checks.values()) if (reason := check())]
