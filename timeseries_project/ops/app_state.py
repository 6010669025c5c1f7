"""The state of each app for Prometheus: an app registers a function here, and `metrics` calls them all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Gauge:
    """A number that goes up and down, exposed as `timeseries_` plus its name."""

    name: str
    text: str
    value: float


@dataclass(frozen=True, slots=True)
class AppState:
    """What an app holds at this moment. `held_bytes` is None where a shared storage holds the data."""

    gauges: list[Gauge]
    held_bytes: int | None


_apps: dict[str, Callable[[], AppState]] = {}


def register(app: str, state: Callable[[], AppState]) -> None:
    """Register the function that returns an app's state. It runs at each scrape, so it must be quick."""
    _apps[app] = state


def states() -> dict[str, AppState]:
    """Return the states by app."""
    return {app: state() for app, state in _apps.items()}
