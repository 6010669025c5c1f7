"""The counts of several worker processes, in files of one directory that each of them adds up when it is asked.

It is the client library's multiprocess mode, which PROMETHEUS_MULTIPROC_DIR switches on: a process counts in files of
its own, named by its number. Those of processes that have ended are merged, so that workers that end again and again
leave neither more files nor lower counts.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client.metrics_core import Metric
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector

#: What stands in place of a process's number in the name of the files in which ended ones are merged.
ENDED = "ended"


class SharedCounts(MultiProcessCollector):
    """The counters and histograms of all workers that count in a directory, also of those that have ended."""

    def __init__(self, directory: str) -> None:
        super().__init__(None, path=directory)  # type: ignore[no-untyped-call]
        self._directory = Path(directory)

    def collect(self) -> Iterable[Metric]:
        """Return the sums over all files, none of which is merged meanwhile. O(files · series)."""
        if _ended(self._directory):
            with _locked(self._directory, fcntl.LOCK_EX):
                for path in _ended(self._directory):  # again: another process may have merged them meanwhile
                    _merge(path)
        with _locked(self._directory, fcntl.LOCK_SH):
            metrics: Iterable[Metric] = super().collect()  # type: ignore[no-untyped-call]
            return metrics


def _ended(directory: Path) -> list[Path]:
    """Return the files of processes that have ended."""
    files = ((path, path.stem.partition("_")[2]) for path in directory.glob("*_*.db"))
    return [path for path, process in files if process != ENDED and not os.path.exists(f"/proc/{process}")]


def _merge(path: Path) -> None:
    """Add the counts of a file to those of the ended processes, and remove it."""
    kind = path.stem.partition("_")[0]
    merged = MmapedDict(str(path.with_name(f"{kind}_{ENDED}.db")))  # type: ignore[no-untyped-call]
    try:
        for key, value, _, _ in MmapedDict.read_all_values_from_file(str(path)):  # type: ignore[no-untyped-call]
            before, _ = merged.read_value(key)  # type: ignore[no-untyped-call]
            merged.write_value(key, before + value, 0.0)  # type: ignore[no-untyped-call]
        path.unlink()
    finally:
        merged.close()  # type: ignore[no-untyped-call]


@contextmanager
def _locked(directory: Path, how: int) -> Iterator[None]:
    """Keep other processes and threads from merging, or with LOCK_EX from reading too."""
    with (directory / "lock").open("a") as file:
        fcntl.flock(file, how)
        yield
