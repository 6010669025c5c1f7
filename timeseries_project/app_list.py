"""The list of the project's apps. A new app is added here, and its routes in `urls.py`."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from types import ModuleType

APPS = ("transactions", "datapoints", "bandwidth")


def each(module: str) -> Iterator[tuple[str, ModuleType]]:
    """Yield the name of every app with its module `module`.

    >>> [name for name, _ in each("client")]
    ['transactions', 'datapoints', 'bandwidth']
    """
    for app in APPS:
        yield app, import_module(f"{app}.{module}")
