"""The apps of the project: the one list that a further app is added to, beside its routes in `urls.py`."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from types import ModuleType

APPS = ("transactions", "datapoints", "bandwidth")


def each(module: str) -> Iterator[tuple[str, ModuleType]]:
    """Yield every app's name with its module of that name.

    >>> [name for name, _ in each("client")]
    ['transactions', 'datapoints', 'bandwidth']
    """
    for app in APPS:
        yield app, import_module(f"{app}.{module}")
