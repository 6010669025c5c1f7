"""The links of the datapoints page: to charts, and to the API for the data of a chart."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

from django.urls import reverse

from datapoints.interface import Axis
from datapoints.ranges import LAST_TIME, Drawing
from datapoints.serializers import Averages, Curve
from timeseries_project.api.prefix import address
from timeseries_project.core import timestamps
from timeseries_project.core.spans import Span
from timeseries_project.core.timestamps import MICROSECONDS
from timeseries_project.web.pages import Context

Query = dict[str, Any]


def asked(query: Query, drawing: Drawing) -> dict[str, object]:
    """Return the parameters of the API for the buckets of the chart."""
    division, start = drawing.division, query["start"]
    if query["range"] is not None and len(drawing.starts):
        start = int(drawing.starts[0]) * MICROSECONDS
    return {
        "bucket": str(division.span),
        "tz": division.tz,
        "offset": _span(division.offset or None),
        "start": _time(start),
        "end": _time(query["end"]),
    }


def answers(axis: Axis, key: str, query: Query, drawing: Drawing) -> Context:
    """Return the links to the API for the data of the chart of one device or user."""
    api = address(f"/statistics/{axis}s/{quote(key, safe='')}")
    chosen = asked(query, drawing)

    def forms(path: str, **more: object) -> dict[str, str]:
        return {form: f"{api}/{path}?{_encoded(chosen | more | {'format': form})}" for form in ("json", "csv")}

    return {"averages": forms("avg"), "moving_averages": forms("moving_avg", window_size=query["window_size"])}


def chart_url(axis: Axis, key: str | list[str], query: Query, **changes: object) -> str:
    """Return the address of a chart. Without `end`, the chart stays live. Defaults of how curves look are left out."""
    changed = query | changes
    bucket, length = changed["bucket"], changed["range"]
    chosen = {
        axis: key,
        "curve": None if changed["curve"] is Curve.AVG else changed["curve"],
        "bucket": None if bucket is None else str(bucket),
        "tz": changed["tz"],
        "offset": _span(changed["offset"]),
        "window_size": changed["window_size"],
        "range": None if length is None else str(length),
        "start": _time(changed["start"]),
        "end": _time(changed["end"]),
        "averages": None if changed["averages"] is Averages.LINE else changed["averages"],
    }
    return f"{reverse('datapoints-chart')}?{_encoded(chosen)}"


def _encoded(parameters: dict[str, object]) -> str:
    return urlencode({name: value for name, value in parameters.items() if value is not None}, doseq=True)


def _span(seconds: int | None) -> str | None:
    return None if seconds is None else str(Span(seconds, "s"))


def _time(timestamp: int | None) -> str | None:
    """Write a time as a parameter; beyond the year 9999 only epoch seconds can express it."""
    if timestamp is None or timestamp <= LAST_TIME:
        return None if timestamp is None else timestamps.render(timestamp)
    return str(timestamp // MICROSECONDS)
