"""How fast a store in memory is copied into record batches and taken back, in this process and by processor time."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from types import ModuleType

import numpy as np
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

POINTS = 10_000_000
SERIES = (1_000, 100_000)
AT_ONCE = 65_536
STEP = 15


def main() -> None:
    """Measure datapoints and bandwidth, in few long series and in many short ones."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=POINTS)
    points = parser.parse_args().points
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "timeseries_project.settings")
    import django

    django.setup()
    from bandwidth import services as bandwidth
    from bandwidth import snapshot as bandwidth_part
    from datapoints import services as datapoints
    from datapoints import snapshot as datapoints_part

    for part, services in ((datapoints_part, datapoints), (bandwidth_part, bandwidth)):
        for series in SERIES:
            fill(services, points, series)
            measure(part, services, points, series)


def fill(services: ModuleType, points: int, series: int) -> None:
    """Store so many rows of each series, one after another."""
    from timeseries_project.core.arrays import Keys

    services.store.clear()
    for begin in range(0, points, AT_ONCE):
        rows = np.arange(begin, min(begin + AT_ONCE, points))
        owners, times = np.divmod(rows, points // series)
        names = [f"device-{number}" for number in range(owners[0], owners[-1] + 1)]
        devices = Keys.numbered((owners - owners[0]).astype(np.int32), names)
        if services.__name__ == "datapoints.services":
            users = Keys.numbered(np.zeros(len(rows), dtype=np.int32), ["user"])
            services.store.add_batch(times * STEP * 1_000_000, rows * 0.1, devices, users)
        else:
            services.store.add_batch(devices, times * STEP, rows, 2 * rows)


def measure(part: ModuleType, services: ModuleType, points: int, series: int) -> None:
    """Print the rates of both directions."""
    begin = time.process_time()
    for _ in part.batches():
        pass
    copied = time.process_time() - begin
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, part.schema) as stream:
        for batch in part.batches():
            stream.write_batch(batch)
    data = sink.getvalue()
    services.store.clear()
    begin = time.process_time()
    part.restore(pa.ipc.open_stream(data), now=2**50)
    restored = time.process_time() - begin
    rates = f"{points / copied / 1e6:6.1f} M/s out, {points / restored / 1e6:6.1f} M/s back"
    print(f"{part.name:12} {points:,} rows in {series:,} series: {rates}, {data.size / points:.1f} bytes each")


if __name__ == "__main__":
    main()
