"""The cost of questions about a few of many devices, and about all of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bandwidth.memory import busiest
from bandwidth.memory import store as windows_module
from bandwidth.memory.devices import Devices
from bandwidth.memory.store import BandwidthStore
from bandwidth.memory.sums import DeviceSums
from timeseries_project.core import offload
from timeseries_project.core.summation import Integers

DEVICES = 5_000


@pytest.fixture
def store() -> BandwidthStore:
    """Many devices, the later ones busier."""
    store = BandwidthStore()
    count = range(DEVICES)
    store.add_batch([f"d{i:05}" for i in count], [1_000 + i for i in count], [10 * i for i in count], [0] * DEVICES)
    return store


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of the devices that were summed up."""
    numbers: list[int] = []
    sum_up = Devices.sum_up

    def counted(devices: Devices, some: Integers, oldest: int, *, noted: bool = False) -> DeviceSums:
        numbers.extend(some.tolist())
        return sum_up(devices, some, oldest, noted=noted)

    monkeypatch.setattr(Devices, "sum_up", counted)
    return numbers


def names(store: BandwidthStore, count: int = 3, oldest: int = 0) -> list[str]:
    return [device.device_id for device in store.overview(count, oldest=oldest).busiest]


def test_the_busiest_are_known_without_looking_at_all(store: BandwidthStore, looked_at: list[int]) -> None:
    assert store.overview(3)[:2] == (DEVICES, DEVICES)
    assert names(store) == ["d04999", "d04998", "d04997"]
    store.add("d00007", 9_000, 10**6, 0)
    store.add("d00008", 9_000, 0, 10**7)
    assert names(store) == ["d00008", "d00007", "d04999"]
    assert len(looked_at) <= 3 * busiest.REMEMBERED


def test_once_the_busiest_are_gone_all_are_looked_at_once(store: BandwidthStore, looked_at: list[int]) -> None:
    for number in range(DEVICES - busiest.REMEMBERED, DEVICES):
        store.delete(f"d{number:05}")
    last = DEVICES - busiest.REMEMBERED - 1
    assert names(store) == [f"d{last - i:05}" for i in range(3)]
    del looked_at[:]
    assert names(store) == [f"d{last - i:05}" for i in range(3)]
    assert len(looked_at) <= busiest.REMEMBERED


def test_what_was_dropped_makes_nobody_busy(store: BandwidthStore) -> None:
    store.add("d00001", 500, 10**9, 0)
    assert names(store)[0] == "d00001"
    assert names(store, oldest=900) == ["d04999", "d04998", "d04997"]
    store.add("d00001", 9_000, 1, 1, oldest=900)
    assert names(store, oldest=900) == ["d04999", "d04998", "d04997"]


def test_a_few_are_listed_by_looking_at_a_few(store: BandwidthStore, looked_at: list[int]) -> None:
    assert [device.device_id for device in store.devices(None, 2, after="d01999")] == ["d02000", "d02001"]
    assert len(looked_at) == 2
    assert [device.device_id for device in store.devices("77", 3, after="d01")] == ["d01077", "d01177", "d01277"]
    assert len(looked_at) <= 100
    del looked_at[:]
    portions = store.device_portions(size=10)
    assert [device.device_id for device in next(portions)] == [f"d{i:05}" for i in range(10)]
    assert len(looked_at) == 10
    assert sum(map(len, portions)) == DEVICES - 10


@pytest.mark.parametrize(
    "dear",
    [
        pytest.param(lambda store: store.devices(limit=1), id="the order is not known yet"),
        pytest.param(lambda store: store.devices("nothing"), id="all are searched"),
        pytest.param(lambda store: store.overview(busiest.REMEMBERED + 1), id="more than are remembered"),
    ],
)
def test_what_concerns_all_leaves_the_event_loop(
    store: BandwidthStore, dear: Callable[[BandwidthStore], object]
) -> None:
    with pytest.raises(offload.Offload):
        offload.inline(dear, store)
    dear(store)


def test_the_lock_is_free_between_portions(store: BandwidthStore, monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[bool] = []
    monkeypatch.setattr(windows_module, "give_way", lambda: turns.append(store._lock.locked()))
    store.overview(busiest.REMEMBERED + 1)
    assert turns == [False] * -(-DEVICES // windows_module.AT_ONCE)
