"""The busiest devices in a shared storage. Plain Python; knows no framework.

Each stripe keeps the bytes of its devices in spans (see `redis/lua/includes/spans.lua`). Those who have the most there
are read, and more of them, until no other can have as many. Each write adds to the spans of its own clock, but never
replaces a later span. So after a clock that was far ahead was set back, devices may be missing for up to an hour.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bandwidth.interface import SLOT, Busy, DeviceSummary, begin_of_span, busiest_of
from bandwidth.redis.layout import Stripe
from bandwidth.redis.library import LIBRARY
from timeseries_project.storage.client import Call, Storage

#: Devices of each stripe that are read at first, and how many times as many are if others may have as much.
READ_AT_FIRST, MORE = 8, 4
#: Bytes in spans are doubles: those beyond 2**53 are rounded with each entry.
ROUNDED = 1 - 2.0**-40

_busiest = LIBRARY.function("bandwidth_busiest")

Summaries = Callable[[Sequence[str], int], list[DeviceSummary]]


def first_span(now: int) -> int:
    """Return the number of the span that is shown, the first one that is added to."""
    return begin_of_span(now) // SLOT


def find_busiest(
    storage: Storage, stripes: Sequence[Stripe], summaries: Summaries, count: int, *, now: int, first: int, last: int
) -> list[Busy]:
    """Return the devices with the most bytes from second `first` to `last`, the busiest first. Two calls as a rule.

    `summaries` returns what devices have from a second on. Of two devices beyond 2**53 bytes that differ by less than a
    trillionth, either may count as the busier.
    """
    span, asked = first_span(now), max(READ_AT_FIRST, count)
    while True:
        keys = [(stripe, stripe.spans(span, 1)[0]) for stripe in stripes]
        answers = storage.calls([Call(_busiest, (key,), (span, asked), read_only=True) for _, key in keys])
        names = [
            key[len(stripe.prefix) :].decode()
            for (stripe, _), answer in zip(keys, answers, strict=True)
            for key in answer[::2]
        ]
        others = max((float(answer[-1]) for answer in answers if len(answer) == 2 * asked), default=0.0)
        found = busiest_of(_between(summaries, names, first, last), count)
        if others == 0 or (len(found) == count and found[-1].total >= others * ROUNDED):
            return found
        asked *= MORE


def _between(summaries: Summaries, names: Sequence[str], first: int, last: int) -> list[Busy]:
    """Return what devices have between two seconds."""
    found = summaries(names, first)
    ahead = [one.device_id for one in found if one.last > last]
    later = {one.device_id: one for one in summaries(ahead, last + 1)} if ahead else {}
    return [
        Busy(
            one.device_id,
            one.last,
            one.bytes_ts - (later[one.device_id].bytes_ts if one.device_id in later else 0),
            one.bytes_fs - (later[one.device_id].bytes_fs if one.device_id in later else 0),
        )
        for one in found
    ]
