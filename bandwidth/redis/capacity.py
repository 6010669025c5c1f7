"""How much the stripes of a shared storage hold, as far as this process knows. Plain Python; knows no framework."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

from bandwidth.redis.totals import totals_in
from timeseries_project.core import clock

#: Seconds for which the counts of a cluster's stripes are cached.
COUNT_SECONDS = 1


class Counts:
    """The counts of all stripes: as they were read last, and what this process has added since.

    Those of a stripe whose server is failing stay as they were.
    """

    def __init__(self, stripes: int) -> None:
        self._stripes: list[tuple[int, int] | None] = [None] * stripes
        #: Deadline until which these may be used, and at most how many entries and devices there are if no other
        #: process adds any.
        self._counted = (0.0, 0, 0)
        self._lock = Lock()

    @property
    def are_known(self) -> bool:
        """Whether each stripe was read at least once."""
        return None not in self._stripes

    def take(self, entries: int, devices: int, most_entries: int, most_devices: int) -> bool:
        """Count more, and return True, if they fit by counts that are fresh enough."""
        with self._lock:
            until, held_entries, held_devices = self._counted
            more = until, held_entries + entries, held_devices + devices
            if clock.elapsed() < until and more[1] <= most_entries and more[2] <= most_devices:
                self._counted = more
                return True
            return False

    def learn(self, answers: Sequence[tuple[int, bytes] | None]) -> tuple[int, int]:
        """Note what stripes answered, None where there is no answer; return all devices and entries."""
        with self._lock:
            for place, answer in enumerate(answers):
                if answer is not None:
                    self._stripes[place] = totals_in([answer])
            known = [counts for counts in self._stripes if counts is not None]
        return sum(devices for devices, _ in known), sum(entries for _, entries in known)

    def use(self, entries: int, devices: int) -> None:
        """Use these counts for a moment."""
        with self._lock:
            self._counted = clock.elapsed() + COUNT_SECONDS, entries, devices
