"""The results of a benchmark, and how they are printed."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Literal


@dataclass(frozen=True)
class Row:
    """One row of the table: what was measured, the goal, the measured figure, and the medians behind it."""

    what: str
    goal: str
    figure: str
    medians: str
    met: bool | None = None

    def __str__(self) -> str:
        met = {True: "yes", False: "**no**", None: ""}[self.met]
        return f"| {self.what} | {self.goal} | {self.figure} | {met} | {self.medians} |"


#: The least or the greatest ratio that meets the goal.
Goal = tuple[Literal["≥", "≤"], float]

HEADING = "| what | goal | measured | met | medians behind it |\n| --- | --- | --- | --- | --- |"


def ratio(
    what: str,
    first: tuple[str, float],
    second: tuple[str, float],
    show: Callable[[float], str],
    goal: Goal | None,
) -> Row:
    """Return a row with the ratio of two medians, first over second, and whether it meets the goal, if any."""
    quotient = first[1] / second[1]
    medians = f"{first[0]} {show(first[1])}, {second[0]} {show(second[1])}"
    if goal is None:
        return Row(what, "", f"{quotient:.2f} ×", medians)
    sign, limit = goal
    met = quotient >= limit if sign == "≥" else quotient <= limit
    return Row(what, f"{sign} {limit:g} ×", f"{quotient:.2f} ×", medians, met)


def limit(what: str, value: float, most: float, show: Callable[[float], str], medians: str) -> Row:
    """Return a row with a figure and whether it is at most `most`."""
    return Row(what, f"≤ {show(most)}", show(value), medians, value <= most)


def interleaved(
    cases: Mapping[str, Callable[[], float]], *, rounds: int, seconds: float, least: int = 2
) -> dict[str, float]:
    """Measure all cases round by round (A B C, A B C, ...) and return the median of each.

    Rounds end after `seconds`, but there are at least `least` of them.
    """
    found: dict[str, list[float]] = {name: [] for name in cases}
    deadline = time.perf_counter() + seconds
    for done in range(rounds):
        if done >= least and time.perf_counter() > deadline:
            break
        for name, measure in cases.items():
            found[name].append(measure())
    return {name: median(values) for name, values in found.items()}


def percentile(values: list[float], percent: float) -> float:
    """Return the smallest value that at least `percent` percent of all values do not exceed."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(len(ranked) * percent / 100))]


def millions(rate: float) -> str:
    """Show a rate per second in millions."""
    return f"{rate / 1e6:.2f} M/s"


def thousands(rate: float) -> str:
    """Show a rate per second."""
    return f"{rate:,.0f}/s"


def duration(seconds: float) -> str:
    """Show seconds in a suitable unit."""
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e9:.0f} ns"


def size(count: float) -> str:
    """Show a number of bytes."""
    if abs(count) >= 2**20:
        return f"{count / 2**20:.3g} MB"
    return f"{count:,.0f} B" if abs(count) >= 100 else f"{count:.3g} B"


def machine() -> str:
    """Describe the machine in a line."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine()
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} × {model}, {memory:.0f} GB, Linux {platform.release()}, Python {platform.python_version()}"
    )
