"""A rate limit per client by the generic cell rate algorithm, which keeps one number per client.

An idle client may send `count` requests at once, then one every `seconds / count` seconds. DRF's own throttles, in
comparison, keep the time of every request.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

#: Most clients that are remembered; beyond them, the one that has been idle longest is forgotten.
MAX_CLIENTS = 65_536


class RateLimiter:
    """Limits the requests of each client, in constant time and bounded memory. Thread-safe.

    For each client it keeps the time at which its allowance is complete again, in ticks of 1 / count ns, so that the
    cost of a request is a whole number of ticks. The caller passes the time, in seconds of a monotonic clock.

    >>> limiter = RateLimiter(count=2, seconds=60)
    >>> [limiter.ask("ada", now=100.0) for _ in range(3)], limiter.ask("bob", now=100.0)
    ([0.0, 0.0, 30.0], 0.0)
    >>> limiter.ask("ada", now=129.0), limiter.ask("ada", now=130.0)
    (1.0, 0.0)
    """

    def __init__(self, *, count: int, seconds: int, most: int = MAX_CLIENTS) -> None:
        self._count = count
        self._whole = seconds * 10**9 * count
        self._cost = seconds * 10**9
        self._most = most
        self._clients: OrderedDict[str, int] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._clients)

    def ask(self, client: str, *, now: float) -> float:
        """Count a request and return 0; or, if it is too early, return by how many seconds, uncounted. O(1)."""
        ticks = round(now * 1e9) * self._count
        with self._lock:
            after = max(self._clients.get(client, 0), ticks) + self._cost
            early = after - self._whole - ticks
            if early <= 0:
                self._clients[client] = after
            self._clients.move_to_end(client)  # refused clients are remembered too
            if len(self._clients) > self._most:
                self._clients.popitem(last=False)
        return max(early, 0) / (self._count * 1e9)
