"""The apps that items can be sent to and taken from. Each app declares its target in its module `client`."""

from __future__ import annotations

from dataclasses import dataclass

from timeseries_project import app_list


@dataclass(frozen=True, slots=True)
class Listing:
    """Where an app lists what it stores, and how many items its devices have.

    `filters` are the parameters of the listing by the options of `dump` that set them; `counts` is the path of the list
    of devices. Numbers in `sums` may be larger than one item may have.
    """

    path: str
    filters: dict[str, str]
    counts: str
    integers: tuple[str, ...] = ()
    sums: tuple[str, ...] = ()


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
    #: The unit in which `timestamp` is a number.
    unit: str = "s"
    #: How what is stored can be taken out again, if it can.
    listing: Listing | None = None


def targets() -> dict[str, Target]:
    """Return the targets by app."""
    return {app: module.TARGET for app, module in app_list.each("client")}
