"""What an app tells Prometheus of its state: it registers here whoever knows, and `metrics` asks them all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Gauge:
    """A number that goes up and down; its name is what follows `timeseries_`."""

    name: str
    text: str
    value: float


@dataclass(frozen=True, slots=True)
class AppState:
    """What an app holds at this moment.

    `held_bytes`, and `accepted` since the start, are None where a shared storage knows them.
    """

    gauges: list[Gauge]
    held_bytes: int | None
    accepted: int | None


_apps: dict[str, Callable[[], AppState]] = {}


def register(app: str, state: Callable[[], AppState]) -> None:
    """Ask this from now on, at each scrape: it must be quick."""
    _apps[app] = state


def states() -> dict[str, AppState]:
    """Return the states by app."""
    return {app: state() for app, state in _apps.items()}
