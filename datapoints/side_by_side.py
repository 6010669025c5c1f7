"""The chart of several devices or users: a curve of averages for each, in common buckets."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import numpy as np

from datapoints import bucket_widths, services
from datapoints.divisions import Division
from datapoints.interface import Axis, KeySummary
from datapoints.serializers import Curve
from timeseries_project.api.prefix import address
from timeseries_project.core.errors import MAX_SHOWN_KEY, UnknownKeyError, shown
from timeseries_project.core.summation import Floats, Integers
from timeseries_project.web.file_names import file_name
from timeseries_project.web.side_by_side import Look, all_named, look, shortened

Query = dict[str, Any]


class Drawn(NamedTuple):
    """A device or user of the chart: its values in the common buckets, NaN where it has none, and its datapoints."""

    key: str
    look: Look
    values: Floats
    averages: Floats
    counts: Integers
    summary: KeySummary


class Several(NamedTuple):
    """The curves of several devices or users in the same buckets; `unknown` are those without any datapoints."""

    division: Division
    too_many: int | None
    starts: Integers
    stop: int
    drawn: list[Drawn]
    unknown: list[str]

    @property
    def first(self) -> int:
        """The time of the oldest datapoint of all."""
        return min(each.summary.first for each in self.drawn)

    @property
    def last(self) -> int:
        """The time of the newest datapoint of all."""
        return max(each.summary.last for each in self.drawn)


def several_get(*, axis: Axis, keys: list[str], query: Query, start: int | None, now: int) -> Several:
    """Return the curves of several devices or users. UnknownKeyError if none of them has datapoints.

    The buckets suit the range of all together; what is drawn of each is what a chart of it alone would draw in them.
    """
    summaries = _summaries(axis, keys, now)
    low = max(start or 0, min(summary.first for summary in summaries.values()))
    high = max(now, *(summary.last for summary in summaries.values())) + 1
    high = high if query["end"] is None else min(query["end"], high)
    division, too_many = bucket_widths.suitable(low, high, query["bucket"], query["tz"], query["offset"] or 0)
    chosen = {name: query[name] for name in ("tz", "offset", "window_size", "end")}
    chosen |= {"bucket": division.span, "start": start}
    charts = {key: services.chart_get(axis=axis, key=key, **chosen, now=now) for key in summaries}
    starts = np.unique(np.concatenate([chart.starts for chart in charts.values()]))
    stop = max(chart.stop for chart in charts.values())
    drawn = [
        _drawn(key, look(keys.index(key)), chart, starts, summaries[key], query["curve"])
        for key, chart in charts.items()
    ]
    return Several(division, too_many, starts, stop, drawn, [key for key in keys if key not in summaries])


def _summaries(axis: Axis, keys: list[str], now: int) -> dict[str, KeySummary]:
    """Return the summaries of those that have datapoints. UnknownKeyError if none has."""
    found: dict[str, KeySummary] = {}
    for key in keys:
        try:
            found[key] = services.key_get(axis=axis, key=key, now=now)
        except UnknownKeyError:
            continue
    if not found:
        names = ", ".join(repr(shown(key, MAX_SHOWN_KEY)) for key in keys)
        raise UnknownKeyError(f"There are no datapoints of the {axis}s {names}.")
    return found


def _drawn(
    key: str, look: Look, chart: services.ChartData, starts: Integers, summary: KeySummary, curve: Curve
) -> Drawn:
    """Place the curve of one in the common buckets."""
    places = starts.searchsorted(chart.starts)

    def placed(values: Floats) -> Floats:
        column = np.full(len(starts), np.nan)
        column[places] = values
        return column

    counts = np.zeros(len(starts), dtype=np.int64)
    counts[places] = chart.counts
    averages = placed(chart.averages)
    values = averages if curve is Curve.AVG else placed(chart.moving_averages)
    return Drawn(key, look, values, averages, counts, summary)


def numbers(column: Iterable[float]) -> list[float | None]:
    """Return values as a page has them: None where there is none."""
    return [None if math.isnan(value) else float(value) for value in column]


def curve_name(query: Query) -> str:
    """Return what is drawn of each, in words."""
    return "average" if query["curve"] is Curve.AVG else f"moving average over {query['window_size']}"


def lines(several: Several, query: Query) -> list[dict[str, Any]]:
    """Return the lines of the chart, for the script that draws it."""
    return [
        {"name": each.key, "look": each.look, "values": numbers(each.values), "counts": each.counts.tolist()}
        for each in several.drawn
    ]


def about(axis: Axis, several: Several, query: Query) -> str:
    """Describe the chart to those who do not see it."""
    names = all_named([each.key for each in several.drawn])
    return f"{curve_name(query).capitalize()} per bucket of the {axis}s {names}; the table below has the figures."


def rows_of(
    axis: Axis, several: Several, chosen: dict[str, Any], query: Query, extremes: Callable[[list[float | None]], Any]
) -> list[dict[str, Any]]:
    """Return the rows of the table of figures, with links to the data of each; `chosen` are the API's parameters."""
    moving = query["curve"] is Curve.MOVING_AVG
    asked = chosen | ({"window_size": query["window_size"]} if moving else {})
    encoded = urlencode({name: value for name, value in asked.items() if value is not None})
    rows = []
    for each in several.drawn:
        path = f"/statistics/{axis}s/{quote(each.key, safe='')}/{query['curve']}"
        api = f"{address(path)}?{encoded}&format="
        points = int(each.counts.sum())
        known = ~np.isnan(each.averages)
        weighted = each.averages[known] * each.counts[known]
        rows.append(
            {
                "key": each.key,
                "short": shortened(each.key),
                "look": each.look,
                "extremes": extremes(numbers(each.values)),
                "points": points,
                "mean": math.fsum(weighted.tolist()) / points if points else None,
                "json": f"{api}json",
                "csv": f"{api}csv",
                "file": data_file([each.key], several.starts.tolist(), several.stop, several.division, query["curve"])
                + ".csv",
            }
        )
    return rows


def data_file(keys: list[str], starts: list[int], stop: int, division: Division, curve: str) -> str:
    """Return the name of a file of values, without its ending: of which range, which curve, in which buckets."""
    begin = starts[0] if starts else stop
    return file_name("datapoints", keys, stop, stop - begin, curve, str(division.span))
