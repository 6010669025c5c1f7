"""The apps that items can be sent to. Each app declares its target in its module `client`."""

from __future__ import annotations

from dataclasses import dataclass

from timeseries_project import app_list


@dataclass(frozen=True, slots=True)
class Target:
    """An app that accepts items.

    It has a path, the fields of an item (`keys` are text, the others numbers or, in `dates`, maybe dates), whether an
    item can be sent again safely, and the variable that holds the items in a Python listing, if the app reads those.
    """

    path: str
    fields: tuple[str, ...]
    keys: tuple[str, ...]
    repeatable: bool
    python_variable: str | None = None
    dates: tuple[str, ...] = ()


def targets() -> dict[str, Target]:
    """Return the targets by app."""
    return {app: module.TARGET for app, module in app_list.each("client")}
