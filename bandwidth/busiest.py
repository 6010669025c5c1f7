"""Which devices may have the most bytes: known without looking at all devices.

Plain Python; knows no framework.
"""

from __future__ import annotations

from heapq import nlargest

#: Devices that are remembered, once there are twice as many that may be among the busiest.
REMEMBERED = 64


class Busiest:
    """Some devices such that no other one has more bytes than `floor`. The store's lock guards it.

    It is told of every device whose bytes have grown. Those of others only shrink, and whoever asks sees it.
    """

    def __init__(self) -> None:
        self.floor = -1
        self._most: dict[str, int] = {}

    @property
    def devices(self) -> list[str]:
        """The devices that may have more bytes than `floor`, and some more."""
        return list(self._most)

    def note(self, device_id: str, total: int) -> None:
        """Tell that a device has so many bytes, or fewer. O(1) amortised."""
        if total <= self.floor:
            return
        self._most[device_id] = total
        if len(self._most) >= 2 * REMEMBERED:
            kept = nlargest(REMEMBERED + 1, self._most.items(), key=lambda device: device[1])
            self.floor = kept[-1][1]
            self._most = dict(kept[:-1])
