"""The counts of worker processes are added up, and those of ended ones stay and take no more files."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from timeseries_project.core.kernels import ROOT
from timeseries_project.ops.shared_counts import SharedCounts

#: A worker that has counted to its number, and lives until its input ends.
WORKER = """
import sys
from prometheus_client import CollectorRegistry, Counter, Histogram
registry = CollectorRegistry()
Counter("eggs", "Eggs.", ("colour",), registry=registry).labels("red").inc(int(sys.argv[1]))
Histogram("seconds", "Seconds.", buckets=(1,), registry=registry).observe(int(sys.argv[1]))
print("counted", flush=True)
sys.stdin.read()
"""


@contextmanager
def counting(folder: Path, number: int) -> Iterator[int]:
    """Run a worker; yield its process's number when it has counted."""
    with subprocess.Popen(
        [sys.executable, "-c", WORKER, str(number)],
        cwd=ROOT,
        env=os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(folder)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as worker:
        assert worker.stdin
        assert worker.stdout
        assert worker.stdout.readline() == b"counted\n"
        yield worker.pid
        worker.stdin.close()


def values(folder: Path) -> dict[str, float]:
    """Return the sums, by the names of their series."""
    metrics = SharedCounts(str(folder)).collect()
    return {f"{s.name}{s.labels.get('le', '')}": s.value for metric in metrics for s in metric.samples}


def test_living_and_ended_workers_count_together(tmp_path: Path) -> None:
    with counting(tmp_path, 1) as living:
        for _ in range(3):
            with counting(tmp_path, 5):
                found = values(tmp_path)
            # It is the same whether a worker lives, has ended, or was merged with those that ended before.
            assert values(tmp_path) == values(tmp_path) == found
        expected = {"eggs_total": 16, "seconds_count": 4, "seconds_sum": 16, "seconds_bucket1.0": 1}
        assert found == expected | {"seconds_bucket+Inf": 4}
        files = sorted(path.name for path in tmp_path.glob("*.db"))
        assert files == sorted(f"{kind}_{of}.db" for kind in ("counter", "histogram") for of in (living, "ended"))


def test_nothing_was_counted_yet(tmp_path: Path) -> None:
    assert values(tmp_path) == {}
