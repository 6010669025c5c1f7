"""Whether the process can serve: whoever it depends on registers a check here, and `/readyz` asks them all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: Returns why it cannot serve, in a sentence, or None if it can. It must answer within milliseconds.
Check = Callable[[], str | None]

_checks: dict[str, Check] = {}


def register(name: str, check: Check) -> None:
    """Ask this from now on; a check registered under the same name before is replaced."""
    _checks[name] = check


def forget(name: str) -> None:
    """Do not ask any more what is registered under this name, if anything is."""
    _checks.pop(name, None)


@contextmanager
def busy(name: str, reason: str) -> Iterator[None]:
    """Be not ready, for this reason, as long as the block takes."""
    register(name, lambda: reason)
    try:
        yield
    finally:
        forget(name)


def reasons() -> list[str]:
    """Return why the process cannot serve; nothing if it can."""
    return [reason for check in list(_checks.values()) if (reason := check())]
