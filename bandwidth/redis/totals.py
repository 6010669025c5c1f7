"""How much a shared storage holds, by the counters of its stripes. Plain Python; knows no framework."""

from __future__ import annotations

from collections.abc import Iterable

from bandwidth.redis.layout import Stripe
from bandwidth.redis.library import LIBRARY
from timeseries_project.storage.client import Call

_totals = LIBRARY.function("bandwidth_totals")


def calls_for_totals(stripes: Iterable[Stripe]) -> list[Call]:
    """Return the calls that ask each stripe how much it holds."""
    return [Call(_totals, (stripe.registry, stripe.entries), read_only=True) for stripe in stripes]


def totals_in(answers: Iterable[tuple[int, bytes]]) -> tuple[int, int]:
    """Return the number of devices and of entries in all stripes, from their answers.

    >>> totals_in([(1, b"5"), (2, b"10")])
    (3, 15)
    """
    devices, entries = zip(*answers, strict=True)
    return sum(devices), sum(map(int, entries))
