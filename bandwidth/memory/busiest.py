"""Candidates for the devices with the most bytes, found without reading all devices.

Plain Python and NumPy; knows no framework.
"""

from __future__ import annotations

import numpy as np

from timeseries_project.core.block_kernels import NONE
from timeseries_project.core.summation import Floats, Integers

#: Number of candidates.
REMEMBERED = 128


class Busiest:
    """A set of candidates: no device outside it has more bytes than `floor`. Guarded by the store's lock.

    Kernels note each device whose bytes grow; see `entry_kernels.py`. Bytes may shrink, and a device be deleted and its
    number given to another, without a note; so a caller reads the candidates' present bytes.
    """

    def __init__(self) -> None:
        self._candidates: Integers = np.full(REMEMBERED, NONE)
        self._bytes: Floats = np.full(REMEMBERED, -1.0)
        self._floor: Floats = np.full(1, -1.0)

    @property
    def arrays(self) -> tuple[Integers, Floats, Floats]:
        """The arrays for a kernel."""
        return self._candidates, self._bytes, self._floor

    @property
    def floor(self) -> float:
        """The most bytes that any other device may have; less than 0 if there is no other."""
        return self._floor.item()

    @property
    def devices(self) -> Integers:
        """All devices that may have more bytes than `floor`, and perhaps some others or none."""
        found: Integers = self._candidates[self._candidates != NONE]
        return found
