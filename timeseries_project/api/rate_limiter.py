"""How often each of many clients may ask: the generic cell rate algorithm, one number per client.

A client that has been quiet may ask `count` times at once, then once every `seconds / count`. Compare DRF's own
throttles, which keep the time of every request.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

#: Clients that are remembered; of one that has not asked for longest nothing is known any more.
MAX_CLIENTS = 65_536


class RateLimiter:
    """Counts requests by client, in constant time and bounded memory. Thread-safe.

    For each client it keeps when its allowance will be whole again, in ticks of 1 / count ns: a request costs
    `seconds` of those, so nothing is rounded. Time is the caller's, in seconds of a clock that nobody sets.

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
        """Count a request and return 0, or return for how many seconds it comes too early, and count nothing. O(1)."""
        ticks = round(now * 1e9) * self._count
        with self._lock:
            after = max(self._clients.get(client, 0), ticks) + self._cost
            early = after - self._whole - ticks
            if early <= 0:
                self._clients[client] = after
            self._clients.move_to_end(client)  # the refused are known too, and so remembered
            if len(self._clients) > self._most:
                self._clients.popitem(last=False)
        return max(early, 0) / (self._count * 1e9)
