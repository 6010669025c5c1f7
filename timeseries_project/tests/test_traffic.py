"""The promises of simulated traffic, at any time, seed and rate."""

from __future__ import annotations

from itertools import pairwise
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from bandwidth.serializers import EntrySerializer
from datapoints.serializers import DatapointSerializer
from timeseries_project.client.traffic import (
    DATAPOINT_STEP,
    DATAPOINT_STEPS,
    DAY,
    ENTRY_STEPS,
    LATEST,
    OLDEST_MS,
    SECOND,
    Traffic,
    user_name,
)
from transactions.serializers import TransactionSerializer

NOW = 1_769_860_800 * SECOND
traffics = st.builds(
    lambda devices, users, seed: Traffic(devices=devices, users=users, random=Random(seed)),
    devices=st.integers(1, 30),
    users=st.integers(1, 15),
    seed=st.integers(0, 2**32),
)
starts = st.integers(DAY, 2 * NOW)
ticks = st.lists(st.tuples(st.integers(1, 90 * SECOND), st.floats(0, 300)), min_size=1, max_size=8)


@given(traffics, starts, ticks)
def test_ticks_make_what_was_asked_for_once_and_never_in_the_future(
    traffic: Traffic, start: int, ticks: list[tuple[int, float]]
) -> None:
    past = list(traffic.past_datapoints(start))
    seen = {(d["timestamp"], d["device"], d["user"]) for d in past}
    counts, end, made = [0, 0, 0], start, 0.0
    total = len(past)
    for length, count in ticks:
        begin, end = end, end + length
        tick = traffic.tick(begin, end, count)
        made += count
        counts = [n + len(items) for n, items in zip(counts, tick, strict=True)]
        total += len(tick.datapoints)
        seen |= {(d["timestamp"], d["device"], d["user"]) for d in tick.datapoints}
        assert all(start < round(d["timestamp"] * SECOND) <= end for d in tick.datapoints)
        assert all(begin // SECOND <= e["timestamp"] <= end // SECOND for e in tick.bandwidth)
        assert all(max(0, begin // 1_000 - OLDEST_MS) <= t["timestamp"] <= end // 1_000 for t in tick.transactions)
        DatapointSerializer.read_batch(tick.datapoints)
        EntrySerializer.read_batch(tick.bandwidth)
        TransactionSerializer.read_batch(tick.transactions)
    late = traffic.late()
    assert traffic.late() == []
    seen |= {(d["timestamp"], d["device"], d["user"]) for d in late}
    assert len(seen) == total + len(late)  # all datapoints differ
    counts[0] += len(late)
    if all(length >= count for length, count in ticks):
        assert abs(sum(counts) - made) <= 3
    for count, share in zip(counts[1:], (0.3, 0.2), strict=True):
        assert abs(count - share * made) <= 1


@given(traffics, starts)
def test_the_past_is_a_day_of_datapoints_and_an_hour_of_bandwidth(traffic: Traffic, now: int) -> None:
    datapoints = list(traffic.past_datapoints(now))
    assert all(now - DAY <= d["timestamp"] * SECOND < now for d in datapoints)
    series = {(d["device"], d["user"]) for d in datapoints}
    assert len(datapoints) <= DATAPOINT_STEPS * len(series)
    for device, user in series:
        times = [d["timestamp"] for d in datapoints if (d["device"], d["user"]) == (device, user)]
        assert all(later - earlier > 0 for earlier, later in pairwise(times))
        assert len(times) > DATAPOINT_STEPS * 0.8
    DatapointSerializer.read_batch(datapoints)
    entries = list(traffic.past_entries(now))
    assert len(entries) == ENTRY_STEPS * len(traffic.network_devices)
    assert all(now // SECOND - 3_600 <= e["timestamp"] <= now // SECOND for e in entries)
    EntrySerializer.read_batch(entries)


@given(st.integers(0, 2**32), starts)
def test_the_same_chance_makes_the_same_traffic(seed: int, now: int) -> None:
    one, other = (Traffic(devices=4, users=2, random=Random(seed)) for _ in range(2))
    assert list(one.past_datapoints(now)) == list(other.past_datapoints(now))
    assert one.tick(now, now + SECOND, 100) == other.tick(now, now + SECOND, 100)


def test_some_come_late_and_some_out_of_order() -> None:
    traffic = Traffic(devices=10, users=3, random=Random(1))
    out_of_order = late = expiring = 0
    for second in range(120):
        begin = NOW + second * SECOND
        tick = traffic.tick(begin, begin + SECOND, 100)
        for items in (tick.datapoints, tick.bandwidth):
            times = [item["timestamp"] for item in items]  # type: ignore[index]
            out_of_order += times != sorted(times)
        late += sum(d["timestamp"] * SECOND <= begin for d in tick.datapoints)
        assert all(d["timestamp"] * SECOND > begin - LATEST - SECOND for d in tick.datapoints)
        expiring += sum(t["timestamp"] * 1_000 <= begin - SECOND for t in tick.transactions)
    assert out_of_order > 100
    assert 30 < late < 300
    assert 30 < expiring < 400


def test_values_follow_the_day() -> None:
    """A thermometer is warmer in the afternoon than before dawn, by more than its noise."""
    traffic = Traffic(devices=1, users=1, random=Random(2))
    values: dict[int, list[float]] = {}
    for datapoint in traffic.past_datapoints(NOW // DAY * DAY):
        hour = int(datapoint["timestamp"] * SECOND % DAY) // (DATAPOINT_STEP * 4)
        values.setdefault(hour, []).append(datapoint["value"])
    means = {hour: sum(column) / len(column) for hour, column in values.items()}
    coldest, warmest = min(means, key=means.__getitem__), max(means, key=means.__getitem__)
    assert 4 < means[warmest] - means[coldest] < 8
    assert coldest < 8
    assert 12 < warmest < 20


def test_bandwidth_has_bursts() -> None:
    traffic = Traffic(devices=1, users=1, random=Random(3))
    sizes = sorted(entry["bytes_fs"] for entry in traffic.past_entries(NOW))
    assert sizes[-1] > 5 * sizes[len(sizes) // 2]


def test_names_repeat_not() -> None:
    traffic = Traffic(devices=1_000, users=50, random=Random(4))
    assert len(set(traffic.network_devices)) == 1_000
    assert len({user_name(number) for number in range(50)}) == 50
    devices = {(d["device"], d["user"]) for d in traffic.past_datapoints(NOW)}
    assert len({device for device, _ in devices}) == 1_000
    assert len({user for _, user in devices}) == 50
    assert len(devices) > 1_000  # some are shared
