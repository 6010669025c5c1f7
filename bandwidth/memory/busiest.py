"""The busiest devices of a store in memory, exactly, though only a few are looked at.

Plain Python and NumPy; knows no framework. `recent.py` knows how many bytes each device may have at most. The entries
of those that may have the most are read, and of more of them, until no other can have as many.
"""

from __future__ import annotations

from threading import Lock

import numpy as np

from bandwidth.interface import SLOT, Busy, busiest_of
from bandwidth.memory.devices import Devices
from bandwidth.memory.recent import candidates
from bandwidth.memory.sums import whole_sums
from timeseries_project.core.block_kernels import NONE
from timeseries_project.core.busy import BusySeries
from timeseries_project.core.offload import give_way, leave_loop
from timeseries_project.core.summation import Integers

#: Devices that are read while the lock is held.
AT_ONCE = 2048
#: A pass over so many devices takes some milliseconds.
MANY = 65_536
#: How many times as many are looked at when others may have as much.
MORE = 4


def find_busiest(
    lock: Lock, busy: BusySeries, held: Devices, count: int, *, now: int, first: int, last: int
) -> list[Busy]:
    """Return the devices with the most bytes from second `first` to `last`, the busiest first."""
    if len(held.names.names) > MANY:
        leave_loop()
    with lock:
        held.recent.follow(now)
        is_whole = held.recent.is_whole
    if not is_whole:
        _look_at_all(lock, held)
    with lock:
        most = held.recent.most_between(first, last)
    some = count
    while True:
        numbers, others = candidates(most, some)
        found = busiest_of(_read(lock, busy, held, numbers, first, last), count)
        if others == 0 or (len(found) == count and found[-1].total >= others):
            return found
        some *= MORE


def _read(lock: Lock, busy: BusySeries, held: Devices, numbers: Integers, first: int, last: int) -> list[Busy]:
    """Return what devices have between two seconds."""
    found: list[Busy] = []
    if len(numbers) > AT_ONCE:
        leave_loop()
    for begin in range(0, len(numbers), AT_ONCE):
        some = numbers[begin : begin + AT_ONCE]
        with lock:
            busy.wait_until_free(some)
            _, bytes_ts, bytes_fs = whole_sums(held.sum_between(some, first, last))
            names = [held.names.names[number] for number in some.tolist()]
            found += map(Busy, names, held.blocks.lasts[some].tolist(), bytes_ts, bytes_fs)
        give_way()
    return found


def _look_at_all(lock: Lock, held: Devices) -> None:
    """Work out from the entries what each device has lately, in portions. What is written meanwhile is noted as ever.

    O(devices).
    """
    leave_loop()
    with lock:
        slots = held.recent.slots
        # There may be names without room, of devices for which memory ran out.
        devices = min(len(held.names.names), held.recent.room, held.blocks.series)
    for begin in range(0, devices, AT_ONCE):
        some = np.arange(begin, min(begin + AT_ONCE, devices))
        with lock:
            for slot in slots:
                held.recent.set(slot, some, held.sum_between(some, slot * SLOT, (slot + 1) * SLOT - 1))
        give_way()
    with lock:
        if held.recent.slots == slots:
            held.recent.commit_whole()


def newest(lock: Lock, held: Devices, oldest: int) -> int | None:
    """Return the newest timestamp of all devices, None if there is none from `oldest` on. O(devices)."""
    latest: int = NONE
    for begin in range(0, len(held.names.names), MANY):
        with lock:
            latest = max(latest, held.blocks.lasts[begin : begin + MANY].max(initial=NONE).item())
        give_way()
    return latest if latest >= oldest else None
