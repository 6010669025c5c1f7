"""The chart page of datapoints: a form, a chart of averages and moving averages, and its figures."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from operator import itemgetter
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse

from datapoints import key_list, ranges, services
from datapoints.bucket_widths import CALENDAR_LADDER
from datapoints.chart_links import answers, asked, chart_url
from datapoints.divisions import Division
from datapoints.interface import AXES, Axis, KeySummary
from datapoints.ranges import Drawing, Ranges
from datapoints.serializers import ChartQuerySerializer, Curve
from datapoints.side_by_side import Several, about, curve_name, data_file, lines, numbers, rows_of, several_get
from timeseries_project.api.prefix import address
from timeseries_project.api.watching import can_be_pushed
from timeseries_project.core import clock, zones
from timeseries_project.core.errors import FaultError, UnknownKeyError
from timeseries_project.core.offload import leave_loop
from timeseries_project.core.timestamps import MICROSECONDS
from timeseries_project.web.dashboard import Card, Link, Section
from timeseries_project.web.pages import (
    REFRESH,
    REFRESH_UNKNOWN,
    Context,
    command,
    day_element,
    figure,
    given,
    problem_shown,
    read_only,
    render_page,
    time_element,
)
from timeseries_project.web.side_by_side import choice, in_heading, in_words, shortened

#: The path and body that add one item; the shell inserts the time.
EXAMPLE = (
    "datapoints",
    """{"timestamp": '$(date +%s)', "value": 20.5, "device": "thermometer-1", "user": "ada"}""",
)

#: From this many buckets on, writing their times and rows takes some milliseconds.
MANY_DRAWN = 500
#: The parameters that the form keeps for those who open "Exact range".
EXACT = ("range", "start", "end")
#: What may be drawn of each of several devices or users; no value is the default.
CURVES = [("", "averages"), (Curve.MOVING_AVG, "moving averages")]

Query = dict[str, Any]


@read_only
def chart(request: HttpRequest) -> HttpResponse:
    """Draw the averages of a device or user; without either, offer a choice.

    The parameters are those of the statistics. An empty one, as a form sends it, counts as missing.
    """
    parameters = given(request.GET, ChartQuerySerializer)
    context: Context = {"controls": _controls(parameters), "ladder": map(str, CALENDAR_LADDER), "curves": CURVES}
    context |= _choice(parameters)
    try:
        query = ChartQuerySerializer.read_query(parameters)
        axis = next((axis for axis in AXES if query[axis] is not None), None)
        if axis is None:
            context |= _chooser(request, parameters, query)
        else:
            now = clock.now()
            drawing = _draw(axis, query, now)
            shown = Ranges(query, drawing, now, partial(chart_url, axis, query[axis], query))
            if isinstance(drawing, Several):
                context |= _several(axis, query, drawing, shown)
            else:
                context |= _one(axis, query, drawing)
            context |= _range(drawing, query["tz"]) | shown.links()
            context |= {"axis": axis, "window_size": query["window_size"]}
            if query["end"] is None:
                context["live"] = REFRESH
                can_be_pushed(request, partial(_version, axis, query, drawing.division))
    except FaultError as fault:
        context |= problem_shown(request, fault, exact=EXACT)
        if isinstance(fault, UnknownKeyError):
            context |= _chooser(request, parameters, query)
            context["live"] = REFRESH_UNKNOWN if query["end"] is None else None
    return render_page(request, "datapoints/chart.html", context)


def _controls(parameters: QueryDict) -> dict[str, str]:
    """Return the contents of the form's controls: the parameters as given, else the default if it is a constant."""
    names = ("device", "user", "curve", "bucket", "tz", "offset", "range", "start", "end", "averages")
    window_size = ChartQuerySerializer.wire_fields()["window_size"].default
    return {name: parameters.get(name, "") for name in names} | {
        "window_size": parameters.get("window_size", str(window_size))
    }


def _choice(parameters: QueryDict) -> Context:
    """Return what the form needs to add devices or users, or to remove them; it has fields for one of each kind."""
    axis = next((axis for axis in AXES if axis in parameters), "device")
    other = "user" if axis == "device" else "device"
    picked = choice(reverse("datapoints-chart"), parameters, axis)
    if other in parameters:
        picked |= {"one": False, "chosen": []}
    return {"choice": picked, "choice_keys": reverse(f"{axis}s")}


def _draw(axis: Axis, query: Query, now: int) -> services.ChartData | Several:
    start = ranges.start_of(query, now)
    if len(query[axis]) > 1:
        return several_get(axis=axis, keys=query[axis], query=query, start=start, now=now)
    chosen = {name: query[name] for name in ("bucket", "tz", "offset", "window_size", "end")}
    (key,) = query[axis]
    return services.chart_get(axis=axis, key=key, **chosen, start=start, now=now)


def _version(axis: Axis, query: Query, division: Division) -> object:
    """Return what a chart that ends now depends on; None if that would take long."""
    width, offset, now = division.span, division.offset or None, clock.now()
    versions = [
        services.statistics_version(axis=axis, key=key, bucket=width, tz=division.tz, offset=offset, end=None, now=now)
        for key in query[axis]
    ]  # None of one without datapoints
    start = ranges.start_of(query, now)
    return (versions, None if start is None else division.start(start)) if any(versions) else None


def _one(axis: Axis, query: Query, drawing: services.ChartData) -> Context:
    """Return what the page shows of one device or user: its two curves, their figures, and its buckets."""
    (key,) = query[axis]
    if len(drawing.starts) > MANY_DRAWN:
        leave_loop()
    files = {
        curve: f"{data_file([key], drawing.starts.tolist(), drawing.stop, drawing.division, curve)}.csv"
        for curve in Curve
    }
    data = _chart(query, drawing) | {
        "about": f"Averages and moving averages of the {axis} {key}; the table below has the figures.",
        "file": data_file([key], drawing.starts.tolist(), drawing.stop, drawing.division, ""),
        "averages": numbers(drawing.averages),
        "counts": drawing.counts.tolist(),
        "moving_averages": numbers(drawing.moving_averages),
    }
    return (
        _figures(drawing, query["tz"])
        | answers(axis, key, query, drawing)
        | {
            "key": key,
            "chart": data,
            "files": files,
            "latest_time": _day(drawing.last, query["tz"]),
        }
    )


def _several(axis: Axis, query: Query, drawing: Several, shown: Ranges) -> Context:
    """Return what the page shows of several devices or users: the curve of each, its figures, and their buckets."""
    if len(drawing.starts) * len(drawing.drawn) > MANY_DRAWN:
        leave_loop()
    keys = [each.key for each in drawing.drawn]
    starts, show = drawing.starts.tolist(), partial(time_element, zone=_zone(query["tz"]))
    rows = rows_of(axis, drawing, asked(query, drawing), query, lambda values: _extremes(starts, values, show))
    columns = [numbers(each.values) for each in drawing.drawn]
    return {
        "key": in_words(keys),
        "heading": in_heading(keys),
        "several": [row | {"mean": None if row["mean"] is None else written(row["mean"])} for row in rows],
        "unknown": drawing.unknown,
        "silent": [
            {
                "name": each.key,
                "short": shortened(each.key),
                "last": _day(each.summary.last, query["tz"]),
                "url": shown.latest(each.summary.last),
            }
            for each in drawing.drawn
            if not each.counts.any()
        ],
        "curve": curve_name(query),
        "points": sum(row["points"] for row in rows),
        "points_text": f"{sum(row['points'] for row in rows):,}",
        "wide": [(show(start), [column[place] for column in columns]) for place, start in enumerate(starts)],
        "chart": _chart(query, drawing)
        | {
            "about": about(axis, drawing, query),
            "file": data_file(keys, starts, drawing.stop, drawing.division, query["curve"]),
            "curve": curve_name(query),
            "lines": lines(drawing, query),
        },
    }


def _day(timestamp: int, tz: str | None) -> str:
    """Write the day of a time, as an element."""
    return day_element(timestamp // MICROSECONDS, clock.now_s(), _zone(tz))


def _zone(tz: str | None) -> ZoneInfo | None:
    return None if tz is None else zones.find(tz)


def _chart(query: Query, drawing: Drawing) -> Context:
    """Return the data for the script that draws the chart; times are epoch seconds.

    `offsets` tells by how many seconds the chosen zone is ahead of UTC at the start of each bucket, and at the end of
    the last one: browsers may know other versions of the zones, and not all of them.
    """
    starts, zone = drawing.starts.tolist(), None
    if query["tz"] is not None:
        known = zones.find(query["tz"])
        zone = {"name": known.key, "offsets": [zones.offset_at(time, known) for time in [*starts, drawing.stop]]}
    return {
        "bucket": drawing.division.nominal,
        "width": str(drawing.division.span),
        "stop": drawing.stop,
        "partial": _is_partial(drawing),
        "zone": zone,
        "window_size": query["window_size"],
        "labels": starts,
    }


def _is_partial(drawing: Drawing) -> bool:
    """Whether the last bucket shown is not over yet."""
    return drawing.stop * MICROSECONDS > clock.now() and len(drawing.starts) > 0


def _range(drawing: services.ChartData | Several, tz: str | None) -> Context:
    """Return the texts that describe the range and the buckets of a chart; times are in the zone, if there is one."""
    shown = partial(time_element, zone=_zone(tz))
    starts = drawing.starts.tolist()
    return {
        "width": str(drawing.division.span),
        "zone": tz,
        "partial": _is_partial(drawing),
        "too_many": None if drawing.too_many is None else f"{drawing.too_many:,}",
        "buckets": f"{len(starts):,}",
        "bucket_count": len(starts),
        "span": (shown(starts[0]), shown(drawing.stop)) if starts else None,
    }


def _figures(drawing: services.ChartData, tz: str | None) -> Context:
    """Return the figures and table rows of one device or user; times are in the zone, if there is one."""
    shown = partial(time_element, zone=_zone(tz))
    starts, averages, counts = drawing.starts.tolist(), numbers(drawing.averages), drawing.counts.tolist()
    moving_averages = numbers(drawing.moving_averages)
    points = sum(counts)
    weighted = (value * count for value, count in zip(averages, counts, strict=True) if value is not None)
    return {
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


def _chooser(request: HttpRequest, parameters: QueryDict, query: Query) -> Context:
    """Return the list of devices or users or, without any, the command that adds a datapoint."""
    if not services.totals_get().points:
        return {"choosing": True, "command": command(request, *EXAMPLE)}
    return key_list.context(request, parameters, query, partial(_chart_of, query))


def _chart_of(query: Query, axis: Axis, summary: KeySummary) -> str:
    """Return the address of a chart: of the range that is chosen or, if there are no data in it, of all."""
    start, end = ranges.start_of(query, clock.now()), query["end"]
    outside = (start is not None and start > summary.last) or (end is not None and end <= summary.first)
    return chart_url(axis, summary.key, query, **(dict.fromkeys(EXACT) if outside else {}))


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
