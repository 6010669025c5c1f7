"""The links of the datapoints page: to other ranges, and to the API for the data of the chart."""

from __future__ import annotations

from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

from django.urls import reverse

from datapoints import services
from datapoints.interface import Axis
from datapoints.serializers import Curve
from datapoints.side_by_side import Several
from timeseries_project.api.prefix import address
from timeseries_project.core import clock, timestamps
from timeseries_project.core.spans import Span
from timeseries_project.core.timestamps import MICROSECONDS
from timeseries_project.web.pages import Context

_LAST_TIME = timestamps.parse("9999-12-31")

Query = dict[str, Any]


def _span_of(query: Query, drawing: services.ChartData | Several) -> int:
    """Return the length of the range; without a start it begins with the first datapoint. Steps keep it."""
    start, end = query["start"], query["end"]
    return max((end if end is not None else clock.now()) - (drawing.first if start is None else start), 1)


def _is_stepping(query: Query) -> bool:
    return query["start"] is not None and query["end"] is not None and query["start"] < query["end"]


def _to(axis: Axis, query: Query, start: int | None, end: int | None) -> str:
    return chart_url(axis, query[axis], query | {"start": start, "end": end})


def latest(axis: Axis, query: Query, drawing: services.ChartData | Several, last: int) -> str:
    """Return the address of a chart whose range ends with a datapoint."""
    after_last = last // MICROSECONDS * MICROSECONDS + MICROSECONDS
    if _is_stepping(query):
        return _to(axis, query, max(after_last - _span_of(query, drawing), 0), after_last)
    return _to(axis, query, None, None)


def steps(axis: Axis, query: Query, drawing: services.ChartData | Several) -> Context:
    """Return the links of the page to other ranges."""
    start, end = query["start"], query["end"]
    span, stepping = _span_of(query, drawing), _is_stepping(query)
    to = partial(_to, axis, query)
    return {
        "previous": to(max(start - span, 0), start) if stepping and start > 0 else None,
        "next": to(end, end + span) if stepping and end + span <= _LAST_TIME else None,
        "now": to(max(clock.now() - span, 0), None) if stepping else None,
        "all": to(None, None),
        "latest": latest(axis, query, drawing, drawing.last),
    }


def asked(query: Query, drawing: services.ChartData | Several) -> dict[str, object]:
    """Return the parameters of the API for the buckets of the chart."""
    division = drawing.division
    return {
        "bucket": str(division.span),
        "tz": division.tz,
        "offset": _span(division.offset or None),
        "start": _time(query["start"]),
        "end": _time(query["end"]),
    }


def answers(axis: Axis, key: str, query: Query, drawing: services.ChartData) -> Context:
    """Return the links to the API for the data of the chart of one device or user."""
    api = address(f"/statistics/{axis}s/{quote(key, safe='')}")
    chosen = asked(query, drawing)

    def forms(path: str, **more: object) -> dict[str, str]:
        return {form: f"{api}/{path}?{_encoded(chosen | more | {'format': form})}" for form in ("json", "csv")}

    return {"averages": forms("avg"), "moving_averages": forms("moving_avg", window_size=query["window_size"])}


def chart_url(axis: Axis, key: str | list[str], query: Query) -> str:
    """Return the address of a chart. Without `end`, the chart stays live."""
    bucket = query["bucket"]
    chosen = {
        axis: key,
        "curve": None if query["curve"] is Curve.AVG else query["curve"],
        "bucket": None if bucket is None else str(bucket),
        "tz": query["tz"],
        "offset": _span(query["offset"]),
        "window_size": query["window_size"],
        "start": _time(query["start"]),
        "end": _time(query["end"]),
    }
    return f"{reverse('datapoints-chart')}?{_encoded(chosen)}"


def _encoded(parameters: dict[str, object]) -> str:
    return urlencode({name: value for name, value in parameters.items() if value is not None}, doseq=True)


def _span(seconds: int | None) -> str | None:
    return None if seconds is None else str(Span(seconds, "s"))


def _time(timestamp: int | None) -> str | None:
    """Write a time as a parameter; beyond the year 9999 only epoch seconds can express it."""
    if timestamp is None or timestamp <= _LAST_TIME:
        return None if timestamp is None else timestamps.render(timestamp)
    return str(timestamp // MICROSECONDS)
