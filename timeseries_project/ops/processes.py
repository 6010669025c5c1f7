"""The figures of the server's processes for Prometheus: `process_*`, whichever of them is asked.

A server is one process, or one that starts and supervises those that answer. The figures are those of all of them
together, and one that has ended keeps its share of the processor time, as a counter must not fall.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from prometheus_client import ProcessCollector
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

#: The process that imported this first. Those that answer are the same one, or forks of it.
SERVER = os.getpid()
_TICKS = os.sysconf("SC_CLK_TCK")
#: In the numbers of /proc/PID/stat behind the name: the processor time of ended children that were waited for.
_ENDED_CHILDREN = slice(13, 15)
_START, _PROCESSOR = "process_start_time_seconds", "process_cpu_seconds"


class ServerProcesses(Collector):
    """Memory, processor time and files of all processes of the server together, and a start.

    The start is that of the server or, if each process has data of its own (`own_data`), of the one that is asked: data
    in memory are gone with their process, whoever lives on.
    """

    def __init__(self, *, own_data: bool) -> None:
        self._own_data = own_data

    def collect(self) -> Iterator[Metric]:
        """Yield the sums. O(processes)."""
        while True:  # until no process was waited for meanwhile, whose time would count twice or not at all
            ended = _time_of_ended()
            metrics = self._sums()
            if ended == _time_of_ended():
                break
        for metric in metrics:
            if metric.name == _PROCESSOR:
                [sample] = metric.samples
                metric.samples = [sample._replace(value=sample.value + ended)]
            yield metric

    def _sums(self) -> list[Metric]:
        total: dict[str, Metric] = {}
        for process in processes():
            for metric in _collector(process).collect():
                if metric.name == _START:
                    if process == (os.getpid() if self._own_data else SERVER):
                        total[metric.name] = metric
                elif metric.name in total:
                    [sample], [other] = total[metric.name].samples, metric.samples
                    total[metric.name].samples = [sample._replace(value=sample.value + other.value)]
                else:
                    total[metric.name] = metric
        return list(total.values())


def processes() -> set[int]:
    """Return the processes of the server: this one alone, or the one that supervises and those that it started."""
    if os.getpid() == SERVER:
        return {SERVER}
    found = {SERVER, os.getpid()}
    with suppress(OSError):  # where the kernel has no such list, or the server has just ended
        for thread in Path(f"/proc/{SERVER}/task").iterdir():
            found.update(map(int, (thread / "children").read_text().split()))
    return found


def _time_of_ended() -> float:
    """Return the seconds of processor time that the ended processes of the server took."""
    if os.getpid() == SERVER:
        return 0.0
    try:
        numbers = Path(f"/proc/{SERVER}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, numbers[_ENDED_CHILDREN])) / _TICKS


@lru_cache(64)
def _collector(process: int) -> ProcessCollector:
    return ProcessCollector(pid=lambda: process, registry=None)
