"""Versions of series: short texts of which no two states of the same series ever have the same.

Plain Python and NumPy; knows no framework.
"""

from __future__ import annotations

from hashlib import blake2b
from threading import Lock

import numpy as np

from datapoints.memory.key_summaries import SERIES_SUMMED_UP
from datapoints.memory.names import SeriesNames
from datapoints.memory.series import SeriesPool
from timeseries_project.core.busy import BusySeries
from timeseries_project.core.offload import leave_loop


class Versioned:
    """The part of a store that tells versions, from what is counted anyhow: they cost writers nothing."""

    _lock: Lock
    _busy: BusySeries
    _pool: SeriesPool
    _names: SeriesNames

    def version(self, *, device: str | None = None, user: str | None = None) -> str | None:
        """Return a text that every change of the points of a device, a user, both, or anybody makes another one.

        None if there are no such points. O(1) for everything or for a device and a user, else O(series).
        """
        with self._lock:
            if device is None and user is None:
                return f"{self._pool.serial}.{self._pool.changes}"
            series = self._names.of(device, user)
            if len(series) > SERIES_SUMMED_UP:
                leave_loop()
            while self._busy.wait_until_free(series):
                series = self._names.of(device, user)
            if not len(series):
                return None
            # A series grows at its end, which its count tells, or is changed elsewhere, which is counted too; and one
            # that takes the number of another has a serial number of its own.
            state = self._names.births_of(series), self._pool.lates[series], self._pool.counts[series]
            serial = self._pool.serial
        return f"{serial}.{blake2b(np.concatenate(state).tobytes(), digest_size=16).hexdigest()}"
