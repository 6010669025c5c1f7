"""The bandwidth page: a form, a chart, and the figures behind it."""

from __future__ import annotations

from functools import partial
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse

from bandwidth import device_list, ranges, services, side_by_side
from bandwidth.directions import Direction
from bandwidth.figures import figures_of, limit_of, passed
from bandwidth.interface import DeviceSummary
from bandwidth.ranges import end_that_shows, window_end
from bandwidth.serializers import ChartQuerySerializer
from bandwidth.units import Per, Unit, family
from timeseries_project.api.prefix import address
from timeseries_project.api.watching import can_be_pushed
from timeseries_project.core import clock
from timeseries_project.core.errors import FaultError, UnknownKeyError
from timeseries_project.core.offload import leave_loop
from timeseries_project.web.pages import (
    REFRESH,
    REFRESH_UNKNOWN,
    Context,
    day_element,
    given,
    problem_shown,
    read_only,
    render_page,
    time_element,
)
from timeseries_project.web.side_by_side import choice

#: The path and body that add one item; the shell inserts the time.
EXAMPLE = (
    "api/bandwidth",
    """{"timestamp": '$(date +%s)', "device_id": "router-1", "bytes_ts": 1200, "bytes_fs": 3400}""",
)

#: Number of windows, of all devices together, above which writing the page takes some milliseconds.
MANY_WINDOWS = 500

#: The units to choose from, by group; no value is the default.
UNITS = [
    ("That fits", [("", "bytes: kB, MB, …"), (Unit.BINARY, "bytes: KiB, MiB, …"), (Unit.BITS, "bits: kbit, Mbit, …")]),
    ("Bytes, decimal", [(unit, unit) for unit in (Unit.B, Unit.KB, Unit.MB, Unit.GB, Unit.TB)]),
    ("Bytes, binary", [(unit, unit) for unit in (Unit.KIB, Unit.MIB, Unit.GIB, Unit.TIB)]),
    ("Bits", [(unit, unit) for unit in (Unit.BIT, Unit.KBIT, Unit.MBIT, Unit.GBIT, Unit.TBIT)]),
]

#: The directions to choose from; no value is the default.
DIRECTIONS = [
    ("", "both ways"),
    (Direction.TO, "to the server"),
    (Direction.FROM, "from the server"),
    (Direction.SUM, "both added up"),
]

#: The parameters that the form keeps for those who open "Exact range".
EXACT = ("end_time", "window_time", "num_windows")

Query = dict[str, Any]


@read_only
def chart(request: HttpRequest) -> HttpResponse:
    """Draw the windows that the parameters choose; without a device, offer a list of devices.

    The parameters are those of GET /api/bandwidth, and how its numbers are shown. An empty one, as forms send it,
    counts as missing. Without an end, the last window is the one that holds the present second: windows then end at
    multiples of their length, so that what a past one holds does not change while time goes on.
    """
    parameters = given(request.GET, ChartQuerySerializer)
    context: Context = {"controls": _controls(parameters), "units": UNITS, "directions": DIRECTIONS}
    context["choice"] = choice(reverse("bandwidth-chart"), parameters, "device_uuid")
    now = clock.now_s()
    try:
        query = ChartQuerySerializer.read_query(parameters)
        if query["device_uuid"] is None:
            context |= device_list.context(request, parameters, query, now, partial(_chart_of, query, now))
        else:
            if query["num_windows"] * len(query["device_uuid"]) > MANY_WINDOWS:
                leave_loop()
            context |= _drawing(query, now)
            if query["end_time"] is None:
                context["live"] = REFRESH
                can_be_pushed(request, partial(_version, query["device_uuid"], query["window_time"]))
    except FaultError as fault:
        context |= problem_shown(request, fault, exact=EXACT)
        if isinstance(fault, UnknownKeyError):
            context |= device_list.context(request, parameters, query, now, partial(_chart_of, query, now))
            context["live"] = REFRESH_UNKNOWN if query["end_time"] is None else None
    return render_page(request, "bandwidth/chart.html", context)


def _controls(parameters: QueryDict) -> dict[str, str]:
    """Return the values of the form's controls: parameters as given, or defaults; an empty `end_time` means now."""
    fields = ChartQuerySerializer.wire_fields()
    return {
        "device_uuid": parameters.get("device_uuid", ""),  # the only one, if the form has a field for it
        "end_time": parameters.get("end_time", ""),
        "window_time": parameters.get("window_time", str(fields["window_time"].default)),
        "num_windows": parameters.get("num_windows", str(fields["num_windows"].default)),
        "direction": parameters.get("direction", ""),
        "unit": parameters.get("unit", ""),
        "per": parameters.get("per", ""),
        "threshold": parameters.get("threshold", ""),
        "rate_unit": _rate_unit(parameters.get("unit", "")),
    }


def _rate_unit(unit: str) -> str:
    """Return the unit of the threshold, which is the one that the prefixes of the chart's unit stand before."""
    return "bits" if unit in list(Unit) and family(Unit(unit)).per_byte == 8 else "bytes"


def _chart_of(query: Query, now: int, device: DeviceSummary) -> str:
    """Return the address of a device's chart: of the windows that are chosen or, if its data end before, its latest."""
    end_time = query["end_time"]
    if end_time is None:
        end_time = end_that_shows(device.last, query["window_time"], query["num_windows"], now)
    return _url(query, device_uuid=device.device_id, end_time=end_time)


def _version(devices: list[str], window_time: int) -> object:
    """Return what a chart that ends with the present window depends on."""
    now = clock.now_s()
    end = window_end(now, window_time)
    versions = [services.windows_version(device_uuid=device, end_time=end, now=now) for device in devices]
    return versions if any(versions) else None  # of a device without entries there is none


def _drawing(query: Query, now: int) -> Context:
    """Return the template's context for a chart: series, figures, table rows, and links to other charts."""
    length, count = query["window_time"], query["num_windows"]
    end = window_end(now, length) if query["end_time"] is None else query["end_time"]
    shown = ranges.Windows(query["end_time"], length, count)
    url = partial(_url, query)
    if side_by_side.is_due(query):
        drawn = side_by_side.drawing(query, end, now, partial(ranges.latest, shown, url=url))
    else:
        drawn = _one_device(query, end, now)
    drawn["chart"] |= {"lengths": ranges.LENGTHS, "least": ranges.LEAST}
    return drawn | {
        "start": time_element(end - length * count),
        "end": time_element(end),
        "rate": query["per"] is Per.SECOND,
        "num_windows": count,
        "open": count - drawn["complete"],
        "latest_time": day_element(drawn["last"], now),
        **ranges.links(shown, drawn["first"], drawn["last"], now, url),
    }


def _one_device(query: Query, end: int, now: int) -> Context:
    """Return what the page shows of one device: its two lines, their figures, and its windows."""
    (device,) = query["device_uuid"]
    asked = {"device_uuid": device, "window_time": query["window_time"], "num_windows": query["num_windows"]}
    data = services.windows_list(**asked, end_time=end, now=now).data
    complete = sum(window.timestamp < now for window in data)
    summary = services.device_get(device_id=device, now=now)
    api = address("/api/bandwidth")
    lines = ([window.bytes_ts for window in data], [window.bytes_fs for window in data])
    limit = limit_of(query)
    return {
        "device": device,
        "chart": {
            "about": side_by_side.about([device], Direction.BOTH),
            "window_time": query["window_time"],
            "labels": [window.timestamp for window in data],
            "bytes_ts": lines[0],
            "bytes_fs": lines[1],
            "complete": complete,
            "unit": query["unit"],
            "per": query["per"],
            "threshold": None if limit is None else float(limit),
            "file": side_by_side.picture_file([device], end, query),
        },
        "figures": [
            figures_of(direction, data, numbers, complete, query)
            for direction, numbers in zip(("to the server", "from the server"), lines, strict=True)
        ],
        "threshold": None if limit is None else passed(query, limit, *lines),
        "rows": [
            (time_element(window.timestamp), window.bytes_ts, window.bytes_fs, place >= complete)
            for place, window in enumerate(data)
        ],
        "complete": complete,
        "first": summary.first,
        "last": summary.last,
        "empty": not any(window.entries for window in data),
        "json": f"{api}?{urlencode({**asked, 'end_time': end, 'format': 'json'})}",
        "csv": f"{api}?{urlencode({**asked, 'end_time': end, 'format': 'csv'})}",
        "csv_file": side_by_side.data_file([device], end, query),
    }


def _url(query: Query, **changes: object) -> str:
    """Return the address of a chart; without `end_time`, the chart stays live. Of the units, defaults are left out."""
    changed = query | changes
    threshold = changed["threshold"]
    named = {
        "device_uuid": changed["device_uuid"],
        "end_time": changed["end_time"],
        "window_time": changed["window_time"],
        "num_windows": changed["num_windows"],
        "direction": None if changed["direction"] is Direction.BOTH else changed["direction"],
        "unit": None if changed["unit"] is Unit.BYTES else changed["unit"],
        "per": None if changed["per"] is Per.WINDOW else changed["per"],
        "threshold": None if threshold is None else threshold.text,
    }
    chosen = {name: value for name, value in named.items() if value is not None}
    return f"{reverse('bandwidth-chart')}?{urlencode(chosen, doseq=True)}"
