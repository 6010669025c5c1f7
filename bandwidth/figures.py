"""The figures of the bandwidth page: those of a line, and what passed the threshold."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from bandwidth.amounts import Amount
from bandwidth.interface import Window
from bandwidth.units import Per, Threshold, family, percentile_95, write
from timeseries_project.web.pages import Context, time_element

Query = dict[str, Any]


def limit_of(query: Query) -> Fraction | None:
    """Return the threshold in bytes per window."""
    threshold: Threshold | None = query["threshold"]
    if threshold is None:
        return None
    seconds: int = query["window_time"]
    return threshold.rate * seconds / family(query["unit"]).per_byte


def limit_text(query: Query, limit: Fraction) -> str:
    """Write the threshold, given in bytes per window, as a rate in the chart's unit."""
    return write(limit.numerator, query["unit"], divisor=limit.denominator * query["window_time"], rate=True)


def passed(query: Query, limit: Fraction, *lines: list[int]) -> Context:
    """Return the threshold as a rate, and in how many windows each line lies above it."""
    return {"text": limit_text(query, limit), "counts": [sum(number > limit for number in line) for line in lines]}


def figures_of(direction: str, data: list[Window], numbers: list[int], complete: int, query: Query) -> Context:
    """Return the figures of one line. The mean and the percentile are those of complete windows, if there are any."""
    unit, rate = query["unit"], query["per"] is Per.SECOND
    divisor = query["window_time"] if rate else 1
    peak = max(numbers)

    def per_window(count: int, windows: int = 1) -> Amount:
        return Amount(count, unit, divisor=divisor * windows, rate=rate)

    return {
        "direction": direction,
        "total": Amount(sum(numbers), unit),
        "mean": per_window(sum(numbers[:complete]), complete) if complete else None,
        "peak": per_window(peak),
        "peak_end": time_element(data[numbers.index(peak)].timestamp) if peak else "",
        "percentile": per_window(percentile_95(numbers[:complete])) if complete else None,
    }
