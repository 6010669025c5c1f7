"""Snapshots of many datapoints: how long they take to write and to read, and what other requests notice of them.

    python benchmarks/snapshot_pauses.py [MILLIONS]

Rates are by processor time, since the machine may be busy. Others are small writes, one after the other; their times
are by the clock, without and with snapshots under way.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "timeseries_project.settings")

import django  # noqa: E402

django.setup(set_prefix=False)

from benchmarks.kills import Service  # noqa: E402
from datapoints import services, snapshot  # noqa: E402
from datapoints.interface import PointColumns  # noqa: E402
from timeseries_project.core import clock  # noqa: E402
from timeseries_project.core.arrays import Keys  # noqa: E402
from timeseries_project.snapshots import files  # noqa: E402

SERIES = 1_000
PORTION = 1_000_000
SECONDS = 20


def fill(points: int) -> None:
    now = clock.now()
    for begin in range(0, points, PORTION):
        places = np.arange(begin, begin + PORTION, dtype=np.int64)
        keys = Keys.numbered((places % SERIES).astype(np.int32), [f"device-{n}" for n in range(SERIES)])
        times = now - (points - places) * 1_000
        services.datapoints_restore(points=PointColumns(times, np.sqrt(places), keys, keys), now=now)


def timed(what: str, points: int, call: Callable[[], object]) -> None:
    processor, begin = time.process_time(), time.perf_counter()
    call()
    used, passed = time.process_time() - processor, time.perf_counter() - begin
    print(f"{what}: {used:.2f} s of processor time, {points / used / 1e6:.1f} million a second; {passed:.2f} s passed")


def read(path: Path) -> None:
    for name, stream in files.SnapshotReader(path).streams():
        assert name == snapshot.name
        snapshot.restore(stream, now=clock.now())


def latencies(service: Service, seconds: float, number: int) -> list[float]:
    found = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        body = {"timestamp": time.time(), "value": 1, "device": f"live-{number}", "user": f"u{len(found)}"}
        begin = time.perf_counter()
        status, _ = service.ask("POST", "/datapoints", body)
        found.append(time.perf_counter() - begin)
        assert status == 201
        time.sleep(0.002)
    return found


def show(what: str, found: list[float]) -> None:
    p50, p99 = np.percentile(np.array(found) * 1e3, [50, 99])
    print(f"{what}: {len(found):,} requests, p50 {p50:.1f} ms, p99 {p99:.1f} ms, longest {max(found) * 1e3:.0f} ms")


def main() -> None:
    points = int(float(sys.argv[1]) * 1e6) if len(sys.argv) > 1 else 10_000_000
    with TemporaryDirectory() as folder:
        path = Path(folder) / "snapshot.arrow"
        fill(points)
        timed("written", points, lambda: files.write_beside(path, [snapshot], instant=clock.now()))
        print(f"{path.stat().st_size / points:.1f} bytes per datapoint")
        services.store = services._store()
        timed("verified", points, lambda: files.SnapshotReader(path))
        timed("verified and read", points, lambda: read(path))
        services.store = services._store()
        service = Service(path, every=86_400)
        service.start()
        service.wait()
        try:
            show("alone", latencies(service, SECONDS / 2, 0))
            stop = threading.Event()
            taken: list[float] = []

            def take() -> None:
                while not stop.is_set():
                    taken.append(service.ask("POST", "/api/snapshot")[1]["seconds"])

            thread = threading.Thread(target=take)
            thread.start()
            show("with snapshots", latencies(service, SECONDS, 1))
            stop.set()
            thread.join()
            print(f"{len(taken)} snapshots, of {np.mean(taken):.1f} s each")
        finally:
            service.kill()


if __name__ == "__main__":
    main()
