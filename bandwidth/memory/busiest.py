"""Candidates for the devices with the most bytes, found without reading all devices.

Plain Python; knows no framework.
"""

from __future__ import annotations

from heapq import nlargest

#: Number of candidates that are kept each time there are twice as many.
REMEMBERED = 64


class Busiest:
    """A set of candidates: no device outside it has more bytes than `floor`. Guarded by the store's lock.

    `note` is called for each device whose bytes grow. Bytes may shrink without a call, so a caller reads the
    candidates' present bytes.
    """

    def __init__(self) -> None:
        self.floor = -1
        self._most: dict[str, int] = {}

    @property
    def devices(self) -> list[str]:
        """All devices that may have more bytes than `floor`, and perhaps some others."""
        return list(self._most)

    def note(self, device_id: str, total: int) -> None:
        """Note that a device has at most `total` bytes. O(1) amortised."""
        if total <= self.floor:
            return
        self._most[device_id] = total
        if len(self._most) >= 2 * REMEMBERED:
            kept = nlargest(REMEMBERED + 1, self._most.items(), key=lambda device: device[1])
            self.floor = kept[-1][1]
            self._most = dict(kept[:-1])
