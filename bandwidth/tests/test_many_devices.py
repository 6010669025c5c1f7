"""The cost of questions about a few of many devices, and about all of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

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

    def counted(devices: Devices, some: Integers, oldest: int) -> DeviceSums:
        numbers.extend(some.tolist())
        return sum_up(devices, some, oldest)

    monkeypatch.setattr(Devices, "sum_up", counted)
    return numbers


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
    ],
)
def test_what_concerns_all_leaves_the_event_loop(
    store: BandwidthStore, dear: Callable[[BandwidthStore], object]
) -> None:
    with pytest.raises(offload.Offload):
        offload.inline(dear, store)
    dear(store)
