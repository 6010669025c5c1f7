"""What a server does about its shared storage at its start, while it serves, and at its end: settings and promises."""

from __future__ import annotations

import logging
import threading

from django.conf import settings

from timeseries_project import env
from timeseries_project.ops import readiness
from timeseries_project.storage.agreement import ALIVE_SECONDS, Agreement, Difference
from timeseries_project.storage.connection import storage
from timeseries_project.storage.errors import StorageFullError, StorageUnavailableError
from timeseries_project.storage.nodes import deadline
from timeseries_project.storage.promises import ask, promise

#: Seconds between two comparisons.
BEAT_SECONDS = ALIVE_SECONDS / 3
#: Seconds that the end may wait for the storage.
LEAVE_SECONDS = 0.5
_AWAY = (StorageUnavailableError, StorageFullError)
#: Why the service refuses, and what to do.
_STRICT = (
    "they must be the same for all servers on this storage; to change them, stop all of them first (one that was "
    f"killed counts for {ALIVE_SECONDS} s)"
)

log = logging.getLogger(__name__)


class Membership:
    """This server among those on its storage; nothing is done if its data are in its memory."""

    def __init__(self, name: str) -> None:
        self._told: set[Difference] = set()
        self._agreement: Agreement | None = None
        if storage is None:
            return
        self._agreement = Agreement(
            storage,
            name,
            # With another skew, transactions are in another window; with a shorter retention, data of others go.
            strict={"CLOCK_SKEW_SECONDS": settings.CLOCK_SKEW_SECONDS, "RETENTION": _spelt(settings.RETENTION_SECONDS)},
            # Each server obeys its own, though they count what all have stored.
            loose={name: getattr(settings, name) for name in ("MAX_DATAPOINTS", "MAX_SERIES", "MAX_BANDWIDTH_ENTRIES")},
        )

    def begin(self, *, is_trial: bool = False) -> None:
        """Compare settings, and stop the start where that is not safe; say what the storage promises."""
        if storage is None or self._agreement is None:
            return
        try:
            differing = self._agreement.join()
            if strict := [difference for difference in differing if difference.is_strict]:
                env.refuse(strict[0].name, f"{_listed(strict)}; {_STRICT}.")
            if not is_trial:
                self._tell(differing)
                nodes = ask(storage)
                level = logging.WARNING if any(node and node.is_weak for node in nodes) else logging.INFO
                log.log(level, promise(nodes))
        except _AWAY:
            if not is_trial:  # the service starts all the same, and compares when the storage is back
                log.warning("What this storage keeps of acknowledged writes is not known yet: it cannot be reached.")

    def keep(self) -> None:
        """Go on comparing in this process, until it ends."""
        if self._agreement is not None:
            threading.Thread(target=self._keep, name="settings", daemon=True).start()

    def end(self) -> None:
        """Let others differ from now on."""
        if self._agreement is not None:
            try:
                with deadline(LEAVE_SECONDS):
                    self._agreement.leave()
            except _AWAY:
                pass

    def _keep(self) -> None:
        assert self._agreement is not None
        pause = threading.Event()
        while not pause.wait(BEAT_SECONDS):
            try:
                self._compare(self._agreement.go_on())
            except _AWAY:
                continue
            except Exception:
                log.exception("The settings could not be compared.")

    def _compare(self, differing: list[Difference]) -> None:
        """Say what differs, once; where that is not safe, the server is not ready."""
        self._tell(differing)
        if strict := [difference for difference in differing if difference.is_strict]:
            reason = f"Settings differ: {_listed(strict)}."
            readiness.register("settings", lambda: reason)
        else:
            readiness.forget("settings")

    def _tell(self, differing: list[Difference]) -> None:
        for difference in set(differing) - self._told:
            log.log(
                logging.ERROR if difference.is_strict else logging.WARNING,
                "%s, in another server on this storage%s.",
                difference,
                f"; {_STRICT}" if difference.is_strict else "",
            )
        self._told = set(differing)


def _listed(differing: list[Difference]) -> str:
    return ", ".join(map(str, differing))


def _spelt(seconds: int | None) -> str | None:
    return None if seconds is None else f"{seconds}s"
