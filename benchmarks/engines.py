"""Measures the engines alone, without HTTP: the cost of each operation by size, as Markdown tables.

    python benchmarks/engines.py [--quick | --full]

The cost of an operation that does not depend on the size stays level down its column.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from options import Options
from report import Row, duration, limit, machine
from workloads import BATCH, SERIES, days_ago, rng

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "timeseries_project.settings")

from bandwidth.memory.store import BandwidthStore
from datapoints import services
from datapoints.divisions import Grid
from datapoints.statistics import Aggregate, Fill, aggregate_points
from timeseries_project.core.spans import Span
from transactions.memory.sliding_window import SlidingWindow

T = TypeVar("T")
Integers = NDArray[np.int64]

MICROSECONDS = 1_000_000
SLICE = 8_192  # buckets of a long answer that are computed at once
QUARTER_HOUR = 900


def timed(operations: Iterable[Callable[[], object]]) -> float:
    """Return the median duration of the operations, in seconds."""
    seconds = []
    for operation in operations:
        begin = time.perf_counter()
        operation()
        seconds.append(time.perf_counter() - begin)
    return median(seconds)


def per_item(run: Callable[[Sequence[T]], object], items: Sequence[T], portions: int = 10) -> float:
    """Return the seconds that `run` takes per item: the median over ten portions."""
    length = len(items) // portions
    cut = [items[i : i + length] for i in range(0, length * portions, length)]
    return timed([partial(run, portion) for portion in cut]) / length


def table(title: str, size: str, columns: Sequence[str], rows: Iterable[tuple[int, Sequence[float]]]) -> None:
    """Print one table: a line per size with the cost of each operation."""
    print(f"\n## {title}\n\n| {size} | {' | '.join(columns)} |\n| ---: |{' ---: |' * len(columns)}")
    for count, seconds in rows:
        print(f"| {count:,} | {' | '.join(map(duration, seconds))} |", flush=True)


def _batch(times_us: Integers, series: Integers | None = None) -> Callable[[], object]:
    """Return a function that adds points at these times, of one device or of those with the given numbers."""
    numbers = [0] * len(times_us) if series is None else series.tolist()
    devices = [f"device-{i:04d}" for i in numbers]
    return partial(
        services.datapoints_add,
        timestamp=times_us.tolist(),
        value=rng.normal(20, 5, len(times_us)).round(2).tolist(),
        device=devices,
        user=["user"] * len(devices),
        now=time.time_ns() // 1_000,
    )


def _fill(times_us: Integers) -> None:
    """Replace all points by these, of one device."""
    services.store.clear()
    for i in range(0, len(times_us), 100_000):
        _batch(times_us[i : i + 100_000])()


def _add_each(times: Sequence[int]) -> None:
    add = services.store.add
    for timestamp in times:
        add(timestamp, 1.5, "device-0000", "user")


def adding(options: Options) -> None:
    """Add single points at the end and anywhere, to one series of growing length."""

    def rows() -> Iterable[tuple[int, Sequence[float]]]:
        for exponent in range(3, options.choose(6, 7, 8)):
            count = 10**exponent
            first = days_ago(200) * 1_000
            _fill(first + np.arange(count) * MICROSECONDS)
            newest = [first + (count + i) * MICROSECONDS for i in range(2_000)]
            late = (first + rng.permutation(count * 1_000)[:1_000] * 1_000 + 1).tolist()
            yield count, (per_item(_add_each, newest), per_item(_add_each, late))

    table("Datapoints: one point to one series", "points stored", ["newest", "at a random earlier time"], rows())


def adding_batches(options: Options) -> None:
    """Add batches of 10,000 points over 1,000 growing series; cost per point."""
    steps, width = BATCH // SERIES, 20 * MICROSECONDS
    series = np.tile(np.arange(SERIES), steps)
    first = days_ago(30) * 1_000

    def at(numbers: Integers) -> Integers:
        """Return the times of these steps; every series reports once in each."""
        return first + np.repeat(numbers, SERIES) * width

    def rows() -> Iterable[tuple[int, Sequence[float]]]:
        services.store.clear()
        reached = late = 0
        for length in options.choose([100, 1_000], [100, 1_000, 5_000], [100, 1_000, 10_000, 50_000]):
            while reached < length:  # in larger batches, which is faster
                more = min(length - reached, 100)
                _batch(at(np.arange(reached, reached + more)), np.tile(np.arange(SERIES), more))()
                reached += more
            ordered: list[float] = []
            shuffled: list[float] = []
            earlier: list[float] = []
            for _ in range(10):
                for turns, numbers in ((ordered, np.arange(steps)), (shuffled, rng.permutation(steps))):
                    turns.append(timed([_batch(at(reached + numbers), series)]))
                    reached += steps
                unique = 1 + late + np.repeat(np.arange(steps), SERIES)
                earlier.append(timed([_batch(first + rng.integers(0, length, BATCH) * width + unique, series)]))
                late += steps
            yield length, [median(seconds) / BATCH for seconds in (ordered, shuffled, earlier)]

    columns = ["in order", "shuffled", "each at a random earlier time"]
    table("Datapoints: batches of 10,000 over 1,000 series, per point", "points per series", columns, rows())


def _slices(rows: services.BucketRows) -> None:
    for start in range(0, len(rows), SLICE):
        rows.columns(start, start + SLICE)


def _average(now: int, **choice: object) -> None:
    question = {"aggregate": Aggregate.AVG, "bucket": Span(15, "m"), "start": None, "end": None, "fill": Fill.NULL}
    _slices(services.statistics_list(axis="device", key="device-0000", **{**question, **choice}, now=now))  # type: ignore[arg-type]


def averages_by_points(options: Options) -> None:
    """Average more and more points in the same 67 buckets."""

    def rows() -> Iterable[tuple[int, Sequence[float]]]:
        first = days_ago(100) // 1_000 // QUARTER_HOUR * QUARTER_HOUR * MICROSECONDS
        span = 67 * QUARTER_HOUR * MICROSECONDS
        for count in options.choose([10_000, 100_000], [10_000, 100_000, 1_000_000], [10**i for i in range(4, 8)]):
            _fill(first + np.arange(count) * (span // count))
            now = first + span - 1
            asked = [partial(_average, now, aggregate=a) for a in (Aggregate.AVG, Aggregate.MAX, Aggregate.P99)]
            yield count, [timed([question] * 20) for question in asked]

    table("Statistics: an answer of 67 buckets", "points in them", ["avg", "max", "p99"], rows())


def aggregates_by_bucket(options: Options) -> None:
    """Work out each aggregate of points that come now and then, in buckets of growing width; cost per point."""
    count = options.choose(100_000, 1_000_000, 10_000_000)
    times = np.cumsum(rng.integers(1, 2 * MICROSECONDS, count))
    values = rng.normal(20, 5, count).round(2)

    def rows() -> Iterable[tuple[int, Sequence[float]]]:
        for width in (1, 60, 3_600):
            asked = [partial(aggregate_points, times, values, Grid(width * MICROSECONDS), a) for a in Aggregate]
            yield width, [timed([question] * 5) / count for question in asked]

    columns = [aggregate.value for aggregate in Aggregate]
    table(f"Statistics: buckets of {count:,} points, per point", "seconds of a bucket", columns, rows())


def averages_by_buckets(options: Options) -> None:
    """Compute averages and moving averages over more and more buckets of one point each; cost per bucket."""

    def rows() -> Iterable[tuple[int, Sequence[float]]]:
        for count in options.choose(
            [1_000, 100_000], [1_000, 10_000, 100_000, 940_000], [1_000, 10_000, 100_000, 1_900_000]
        ):
            now = _dense(count)
            yield count, [seconds / count for seconds in (timed([partial(_average, now)] * 5), _moving(now, 100))]

    table("Statistics: per bucket of the answer", "buckets", ["avg", "moving_avg, window 100"], rows())


def moving_averages_by_window(options: Options) -> None:
    """Compute moving averages with growing windows over the same buckets."""
    count = options.choose(100_000, 940_000, 1_900_000)

    def rows() -> Iterable[tuple[int, Sequence[float]]]:
        now = _dense(count)
        for size in (1, 4, 100, 1_000, 10_000, 100_000, 1_000_000):
            yield size, [_moving(now, size), _moving(now, size, fill=Fill.LINEAR), _moving(now, size, min_periods=1)]

    columns = ["fill=null", "fill=linear", "min_periods=1"]
    table(f"Statistics: moving averages of {count:,} buckets", "window", columns, rows())


def _dense(count: int) -> int:
    """Fill that many buckets with a point each; return the time of the last."""
    last = int(time.time()) // QUARTER_HOUR
    times = np.arange(last - count + 1, last + 1) * (QUARTER_HOUR * MICROSECONDS)
    _fill(times)
    return int(times[-1])


def _moving(now: int, size: int, fill: Fill = Fill.NULL, min_periods: int | None = None) -> float:
    def ask() -> None:
        rows = services.moving_average_list(
            axis="device",
            key="device-0000",
            window_size=size,
            min_periods=min_periods,
            bucket=Span(15, "m"),
            start=None,
            end=None,
            fill=fill,
            now=now,
        )
        _slices(rows)

    return timed([ask] * 3)


def deleting(options: Options) -> None:
    """Delete devices with more and more points."""

    def rows() -> Iterable[tuple[int, Sequence[float]]]:
        for count in options.choose([1_000, 100_000], [1_000, 100_000, 1_000_000], [10**i for i in range(3, 8)]):
            seconds = []
            for _ in range(3):
                _fill(days_ago(200) * 1_000 + np.arange(count) * MICROSECONDS)
                seconds.append(timed([lambda: services.datapoints_delete(axis="device", key="device-0000")]))
            yield count, [median(seconds)]

    table("Datapoints: delete a device", "points", ["delete"], rows())
    services.store.clear()


def bandwidth_by_entries(options: Options) -> None:
    """Ask for windows of, and add to, a device with more and more entries, one a second."""

    def rows() -> Iterable[tuple[int, Sequence[float]]]:
        for count in options.choose(
            [100, 10_000, 100_000], [100, 10_000, 1_000_000], [100, 10_000, 1_000_000, 10_000_000]
        ):
            store, first = BandwidthStore(), 1_000_000_000
            names, sizes = ["device"] * count, rng.integers(0, 10**6, count).tolist()
            store.add_batch(names, range(first, first + count), sizes, sizes)
            end = first + count
            ask = [partial(store.windows, "device", end=end, length=60, count=n) for n in (10, 1_000)]
            windows = [timed([question] * 200) for question in ask]
            add = partial(_add_entries, store)
            newest = per_item(add, [end + i for i in range(2_000)])
            yield count, (*windows, newest, per_item(add, rng.integers(first, end, 20).tolist()))

    columns = ["10 windows", "1,000 windows", "add the newest", "add at a random earlier time"]
    table("Bandwidth", "entries of the device", columns, rows())


def _add_entries(store: BandwidthStore, times: Sequence[int]) -> None:
    for timestamp in times:
        store.add("device", timestamp, 1, 1)


def _transactions(count: int) -> tuple[float, float, float]:
    """Return the seconds of an `add`, a median summary, and one in the worst phase, with so many transactions.

    The worst phase is the slowest of a thousand positions of the window's start within its cells. Each position is
    measured seven times and the quickest counts, since interruptions of the process are not the engine's fault.
    """
    window, now = SlidingWindow(length_ms=60_000, ahead_ms=5_000), days_ago(0)
    for done in range(0, count, 100_000):
        some = min(count - done, 100_000)
        times = rng.integers(now - 60_000, now, some)
        window.add_batch(times.tolist(), rng.normal(50, 20, some).tolist(), now=now)
    items = [(now - random.randrange(60_000), random.gauss(50, 20)) for _ in range(20_000)]

    def add(portion: Sequence[tuple[int, float]]) -> None:
        for timestamp, amount in portion:
            window.add(timestamp, amount, now=now)

    places = [partial(window.summary, now=now + i) for i in range(0, 10_000, 7)]
    phases = [min(timed([place]) for _ in range(7)) for place in places]
    return per_item(add, items), median(phases), max(phases)


def transactions_by_count(options: Options) -> None:
    """Add to, and summarise, a window that holds more and more transactions."""
    counts = [10**i for i in range(2, options.choose(6, 7, 8))]
    rows = ((count, _transactions(count)) for count in counts)
    table("Transactions", "in the window", ["add", "summary, median", "summary, worst phase"], rows)


def _transactions_batches() -> float:
    """Return how many transactions a second a window takes in batches of 10,000, as columns."""
    window, now, size = SlidingWindow(length_ms=60_000, ahead_ms=5_000), days_ago(0), 10_000
    times, amounts = rng.integers(now - 60_000, now, size), rng.normal(50, 20, size)
    return size / median(timed([partial(window.add_batch, times, amounts, now=now)]) for _ in range(99))


def transactions_goals(options: Options) -> list[Row]:
    """Compare the window with its goals, as rows of `compare.py`."""
    few, many = 100_000, options.choose(1_000_000, 10_000_000, 10_000_000)
    # In turns, so that a change in the machine's speed affects both.
    found = {count: [_transactions(count) for _ in range(options.choose(1, 2, 3))] for count in (few, many)}
    medians = {count: [median(column) for column in zip(*runs, strict=True)] for count, runs in found.items()}
    add, query, worst = medians[few]
    what = "transactions engine"
    rows = [
        limit(f"{what}: add", add, 1.5e-6, duration, f"at {few:,} in the window"),
        limit(f"{what}: query, median", query, 5e-6, duration, f"at {few:,}"),
        limit(f"{what}: query, worst phase", worst, 50e-6, duration, f"at {few:,}"),
    ]
    batches = _transactions_batches()
    rows.append(Row(f"{what}: batches", "≥ 2.5 M/s", f"{batches / 1e6:.1f} M/s", "10,000 as columns", batches >= 2.5e6))
    for name, i in (("add", 0), ("query", 1)):
        a, b = medians[many][i], medians[few][i]
        text = f"{duration(a)}, {duration(b)}"
        rows.append(Row(f"{what}: {name}, {many:,} against {few:,}", "≤ 1.1 ×", f"{a / b:.2f} ×", text, a / b <= 1.1))
    return rows


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description="Measure the engines alone, as Markdown tables.")
    parser.add_argument("--quick", action="store_true", help="small sizes, half a minute")
    parser.add_argument("--full", action="store_true", help="all sizes")
    arguments = parser.parse_args()
    options = Options(quick=arguments.quick, full=arguments.full)
    print(machine())
    for benchmark in (
        adding,
        adding_batches,
        averages_by_points,
        aggregates_by_bucket,
        averages_by_buckets,
        moving_averages_by_window,
        deleting,
        bandwidth_by_entries,
        transactions_by_count,
    ):
        benchmark(options)


if __name__ == "__main__":
    main()
