"""The chart page of datapoints: a form, a chart of averages and moving averages, and its figures."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import partial
from operator import itemgetter
from typing import Any
from urllib.parse import quote, urlencode

from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse

from datapoints import key_list, ranges, services
from datapoints.bucket_widths import CALENDAR_LADDER
from datapoints.divisions import Division
from datapoints.interface import AXES, Axis, KeySummary
from datapoints.ranges import LAST_TIME, Ranges
from datapoints.serializers import Averages, ChartQuerySerializer
from timeseries_project.api.prefix import address
from timeseries_project.api.watching import can_be_pushed
from timeseries_project.core import clock, timestamps, zones
from timeseries_project.core.errors import FaultError, UnknownKeyError
from timeseries_project.core.offload import leave_loop
from timeseries_project.core.spans import Span
from timeseries_project.core.timestamps import MICROSECONDS
from timeseries_project.web.dashboard import Card, Link, Section
from timeseries_project.web.pages import (
    REFRESH,
    REFRESH_UNKNOWN,
    Context,
    command,
    figure,
    given,
    problem_shown,
    read_only,
    render_page,
    time_element,
)

#: The path and body that add one item; the shell inserts the time.
EXAMPLE = (
    "datapoints",
    """{"timestamp": '$(date +%s)', "value": 20.5, "device": "thermometer-1", "user": "ada"}""",
)

#: From this many buckets on, writing their times and rows takes some milliseconds.
MANY_DRAWN = 500
#: The parameters that the form keeps for those who open "Exact range".
EXACT = ("range", "start", "end")

Query = dict[str, Any]


@read_only
def chart(request: HttpRequest) -> HttpResponse:
    """Draw the averages of a device or user; without either, offer a choice.

    The parameters are those of the statistics. An empty one, as a form sends it, counts as missing.
    """
    parameters = given(request.GET, ChartQuerySerializer)
    context: Context = {"controls": _controls(parameters), "ladder": map(str, CALENDAR_LADDER)}
    try:
        query = ChartQuerySerializer.read_query(parameters)
        key = _key(query)
        if key is None:
            context |= _chooser(request, parameters, query)
        else:
            now = clock.now()
            drawing = _draw(*key, query, now)
            if len(drawing.starts) > MANY_DRAWN:
                leave_loop()
            context |= _figures(drawing, query["tz"]) | _answers(*key, query, drawing)
            context |= Ranges(query, drawing, now, partial(_url, *key, query)).links()
            context |= {"axis": key[0], "key": key[1], "window_size": query["window_size"]}
            context["chart"] = _chart(*key, query, drawing)
            if query["end"] is None:
                context["live"] = REFRESH
                can_be_pushed(request, partial(_version, *key, query, drawing.division))
    except FaultError as fault:
        context |= problem_shown(request, fault, exact=EXACT)
        if isinstance(fault, UnknownKeyError):
            context |= _chooser(request, parameters, query)
            context["live"] = REFRESH_UNKNOWN if query["end"] is None else None
    return render_page(request, "datapoints/chart.html", context)


def _controls(parameters: QueryDict) -> dict[str, str]:
    """Return the contents of the form's controls: the parameters as given, else the default if it is a constant."""
    names = ("device", "user", "bucket", "tz", "offset", "range", "start", "end", "averages")
    window_size = ChartQuerySerializer.wire_fields()["window_size"].default
    return {name: parameters.get(name, "") for name in names} | {
        "window_size": parameters.get("window_size", str(window_size))
    }


def _key(query: Query) -> tuple[Axis, str] | None:
    return next(((axis, query[axis]) for axis in AXES if query[axis] is not None), None)


def _draw(axis: Axis, key: str, query: Query, now: int) -> services.ChartData:
    chosen = {name: query[name] for name in ("bucket", "tz", "offset", "window_size", "end")}
    return services.chart_get(axis=axis, key=key, **chosen, start=ranges.start_of(query, now), now=now)


def _version(axis: Axis, key: str, query: Query, division: Division) -> object:
    """Return what a chart that ends now depends on; None if that would take long."""
    now, width, offset = clock.now(), division.span, division.offset or None
    version = services.statistics_version(
        axis=axis, key=key, bucket=width, tz=division.tz, offset=offset, end=None, now=now
    )
    start = ranges.start_of(query, now)
    return None if version is None else (version, None if start is None else division.start(start))


def _chart(axis: Axis, key: str, query: Query, drawing: services.ChartData) -> Context:
    """Return the data for the script that draws the chart; times are epoch seconds.

    `offsets` tells by how many seconds the chosen zone is ahead of UTC at the start of each bucket, and at the end of
    the last one: browsers may know other versions of the zones, and not all of them.
    """
    starts, zone = drawing.starts.tolist(), None
    if query["tz"] is not None:
        known = zones.find(query["tz"])
        zone = {"name": known.key, "offsets": [zones.offset_at(time, known) for time in [*starts, drawing.stop]]}
    return {
        "key": f"{axis} {key}",
        "bucket": drawing.division.nominal,
        "stop": drawing.stop,
        "partial": _is_partial(drawing),
        "zone": zone,
        "window_size": query["window_size"],
        "labels": starts,
        "averages": _values(drawing.averages),
        "counts": drawing.counts.tolist(),
        "moving_averages": _values(drawing.moving_averages),
    }


def _is_partial(drawing: services.ChartData) -> bool:
    """Whether the last bucket shown is not over yet."""
    return drawing.stop * MICROSECONDS > clock.now() and len(drawing.starts) > 0


def _values(column: Iterable[float]) -> list[float | None]:
    return [None if math.isnan(value) else float(value) for value in column]


def _figures(drawing: services.ChartData, tz: str | None) -> Context:
    """Return the texts, figures and table rows that describe the chart; times are in the zone, if there is one."""
    zone = None if tz is None else zones.find(tz)

    def shown(seconds: int) -> str:
        return time_element(seconds, zone)

    starts, averages, counts = drawing.starts.tolist(), _values(drawing.averages), drawing.counts.tolist()
    moving_averages = _values(drawing.moving_averages)
    points = sum(counts)
    weighted = (value * count for value, count in zip(averages, counts, strict=True) if value is not None)
    return {
        "width": str(drawing.division.span),
        "zone": tz,
        "partial": _is_partial(drawing),
        "too_many": None if drawing.too_many is None else f"{drawing.too_many:,}",
        "buckets": f"{len(starts):,}",
        "span": (shown(starts[0]), shown(drawing.stop)) if starts else None,
        "points": points,
        "points_text": f"{points:,}",
        "mean": written(math.fsum(weighted) / points) if points else None,
        "figures": [
            ("average", _extremes(starts, averages, shown)),
            ("moving average", _extremes(starts, moving_averages, shown)),
        ],
        "rows": [
            (shown(start), value, count, moving)
            for start, value, count, moving in zip(starts, averages, counts, moving_averages, strict=True)
        ],
    }


def _extremes(starts: list[int], values: list[float | None], shown: Callable[[int], str]) -> list[tuple[str, str]]:
    """Return the latest, lowest and highest value, each with the start of its bucket; empty if there is no value."""
    known = [(value, start) for start, value in zip(starts, values, strict=True) if value is not None]
    if not known:
        return []
    values_only = itemgetter(0)
    chosen = (known[-1], min(known, key=values_only), max(known, key=values_only))
    return [(written(value), shown(start)) for value, start in chosen]


def _answers(axis: Axis, key: str, query: Query, drawing: services.ChartData) -> Context:
    """Return the addresses of the chart's data in the API."""
    api = address(f"/statistics/{axis}s/{quote(key, safe='')}")
    division, start = drawing.division, query["start"]
    if query["range"] is not None and len(drawing.starts):
        start = int(drawing.starts[0]) * MICROSECONDS
    chosen = {
        "bucket": str(division.span),
        "tz": division.tz,
        "offset": _span(division.offset or None),
        "start": _time(start),
        "end": _time(query["end"]),
    }

    def answers(path: str, **more: object) -> dict[str, str]:
        return {form: f"{api}/{path}?{_encoded(chosen | more | {'format': form})}" for form in ("json", "csv")}

    return {
        "averages": answers("avg"),
        "moving_averages": answers("moving_avg", window_size=query["window_size"]),
    }


def _chooser(request: HttpRequest, parameters: QueryDict, query: Query) -> Context:
    """Return the list of devices or users or, without any, the command that adds a datapoint."""
    if not services.totals_get().points:
        return {"choosing": True, "command": command(request, *EXAMPLE)}
    return key_list.context(request, parameters, query, partial(_chart_of, query))


def _chart_of(query: Query, axis: Axis, summary: KeySummary) -> str:
    """Return the address of a chart: of the range that is chosen or, if there are no data in it, of all."""
    start, end = ranges.start_of(query, clock.now()), query["end"]
    outside = (start is not None and start > summary.last) or (end is not None and end <= summary.first)
    return _url(axis, summary.key, query, **(dict.fromkeys(EXACT) if outside else {}))


def _url(axis: Axis, key: str, query: Query, **changes: object) -> str:
    """Return the address of a chart. Without `end`, the chart stays live. Averages are a line by default."""
    changed = query | changes
    bucket, length = changed["bucket"], changed["range"]
    chosen = {
        axis: key,
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
    return urlencode({name: value for name, value in parameters.items() if value is not None})


def _span(seconds: int | None) -> str | None:
    return None if seconds is None else str(Span(seconds, "s"))


def _time(timestamp: int | None) -> str | None:
    """Write a time as a parameter; beyond the year 9999 only epoch seconds can express it."""
    if timestamp is None or timestamp <= LAST_TIME:
        return None if timestamp is None else timestamps.render(timestamp)
    return str(timestamp // MICROSECONDS)


def written(value: float) -> str:
    """Write a number with at most six significant digits, and with thousands separators unless it is too large.

    >>> written(1234.5678), written(0.1), written(2e20), written(0.00012)
    ('1,234.57', '0.1', '2e+20', '0.00012')
    """
    rounded = float(f"{value:.6g}")
    if rounded and not 1e-3 <= abs(rounded) < 1e15:
        return f"{rounded:g}"
    return f"{rounded:,.9f}".rstrip("0").rstrip(".")


def card(request: HttpRequest, now: int) -> Card:
    """Return the dashboard's card: how much is stored."""
    totals = services.totals_get()
    context = {
        "figures": [
            figure("Points", totals.points),
            figure("Devices", totals.devices),
            figure("Users", totals.users),
        ],
        "command": None if totals.points else command(request, *EXAMPLE),
    }
    return Card(context, sample={"added": totals.added})


def section() -> Section:
    """Return the app's part of the dashboard."""
    return Section(
        "Datapoints",
        card,
        charts=[Link(reverse("datapoints-chart"), "Averages and moving averages of a device or user.")],
        browse=[
            Link(address("/datapoints"), "Values as devices and users report them."),
            Link(address("/devices"), "Devices that have datapoints."),
            Link(address("/users"), "Users that have datapoints."),
        ],
    )
