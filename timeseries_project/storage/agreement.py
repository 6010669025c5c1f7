"""Settings that must agree between all servers on one storage are compared through it.

The first server writes its settings beside the data, and each one says every few seconds that it still lives. A later
one whose settings differ is told so. When no other lives any more, a server brings its own settings: so they are
changed on purpose. Plain Python; knows no framework.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from timeseries_project.storage.client import Call, Storage
from timeseries_project.storage.lua import SHARED, Library

LIBRARY = Library("settings", SHARED / "settings")
_AGREE, _LEAVE = LIBRARY.function("settings_agree"), LIBRARY.function("settings_leave")
#: The hash of settings, and the sorted set of servers. They share a slot.
SETTINGS, MEMBERS = b"ts:{settings}:values", b"ts:{settings}:members"
#: Seconds after which a server that has said nothing counts no longer.
ALIVE_SECONDS = 15
#: What stands for a setting that is not set.
UNSET = "unset"


class Difference(NamedTuple):
    """A setting that differs: its value here, and that of the other servers."""

    name: str
    here: str
    there: str
    #: Whether the servers must not work on one storage.
    is_strict: bool

    def __str__(self) -> str:
        return f"{self.name} is {self.here} here and {self.there} there"


class Agreement:
    """One server's part in the agreement. `strict` settings must be the same, `loose` ones should be.

    Both methods that compare raise the errors of the storage.
    """

    def __init__(
        self, storage: Storage, name: str, *, strict: Mapping[str, object], loose: Mapping[str, object]
    ) -> None:
        self._storage = storage
        self._name = name.encode()
        self._strict = strict.keys()
        self._values = {name: UNSET if value is None else str(value) for name, value in {**strict, **loose}.items()}

    def join(self) -> list[Difference]:
        """Compare at the start; return what differs. The server counts from here on, unless a strict one differs."""
        return self._agree(joins=True)

    def go_on(self) -> list[Difference]:
        """Say that the server lives, and compare again: the storage may have been away, or lost what it held."""
        return self._agree(joins=False)

    def leave(self) -> None:
        """Say that the server ends: the next one may differ at once."""
        self._storage.call(Call(_LEAVE, [MEMBERS], [self._name]))

    def _agree(self, *, joins: bool) -> list[Difference]:
        arguments: list[bytes | str | int | float] = [self._name, ALIVE_SECONDS, int(joins)]
        for name, value in self._values.items():
            arguments += [name, value, int(name in self._strict)]
        flat = [word.decode() for word in self._storage.call(Call(_AGREE, [SETTINGS, MEMBERS], arguments))]
        pairs = zip(flat[::2], flat[1::2], strict=True)
        return [Difference(name, self._values[name], there, name in self._strict) for name, there in pairs]
