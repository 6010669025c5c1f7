"""What can be sent to: each app says it of itself in its module `client`."""

from __future__ import annotations

from dataclasses import dataclass

from timeseries_project import app_list


@dataclass(frozen=True, slots=True)
class Target:
    """An app that takes items.

    Its path; the fields of an item, of which `keys` are text and the others numbers; whether an item can be sent
    again safely; and the variable that holds the items in a listing in Python, where there are such.
    """

    path: str
    fields: tuple[str, ...]
    keys: tuple[str, ...]
    repeatable: bool
    python_variable: str | None = None


def targets() -> dict[str, Target]:
    """Return the targets by app."""
    return {app: module.TARGET for app, module in app_list.each("client")}
