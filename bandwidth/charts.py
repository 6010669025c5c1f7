"""The bandwidth page: a form, a chart, and the figures behind it."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from functools import partial
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse

from bandwidth import device_list, ranges, services
from bandwidth.amounts import Amount
from bandwidth.interface import DeviceSummary, Window
from bandwidth.ranges import window_end
from bandwidth.serializers import ChartQuerySerializer
from bandwidth.units import Per, Threshold, Unit, family, percentile_95, write
from timeseries_project.api.prefix import address
from timeseries_project.api.watching import can_be_pushed
from timeseries_project.core import clock
from timeseries_project.core.errors import FaultError, UnknownKeyError
from timeseries_project.core.offload import leave_loop
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
    "api/bandwidth",
    """{"timestamp": '$(date +%s)', "device_id": "router-1", "bytes_ts": 1200, "bytes_fs": 3400}""",
)

#: Number of windows above which writing the page takes some milliseconds.
MANY_WINDOWS = 500

#: The units to choose from, by group; no value is the default.
UNITS = [
    ("That fits", [("", "bytes: kB, MB, …"), (Unit.BINARY, "bytes: KiB, MiB, …"), (Unit.BITS, "bits: kbit, Mbit, …")]),
    ("Bytes, decimal", [(unit, unit) for unit in (Unit.B, Unit.KB, Unit.MB, Unit.GB, Unit.TB)]),
    ("Bytes, binary", [(unit, unit) for unit in (Unit.KIB, Unit.MIB, Unit.GIB, Unit.TIB)]),
    ("Bits", [(unit, unit) for unit in (Unit.BIT, Unit.KBIT, Unit.MBIT, Unit.GBIT, Unit.TBIT)]),
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
    context: Context = {"controls": _controls(parameters), "units": UNITS}
    now = clock.now_s()
    try:
        query = ChartQuerySerializer.read_query(parameters)
        if query["device_uuid"] is None:
            context |= device_list.context(request, parameters, query, now, partial(_chart_of, query, now))
        else:
            if query["num_windows"] > MANY_WINDOWS:
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
        "device_uuid": parameters.get("device_uuid", ""),
        "end_time": parameters.get("end_time", ""),
        "window_time": parameters.get("window_time", str(fields["window_time"].default)),
        "num_windows": parameters.get("num_windows", str(fields["num_windows"].default)),
        "unit": parameters.get("unit", ""),
        "per": parameters.get("per", ""),
        "threshold": parameters.get("threshold", ""),
        "rate_unit": _rate_unit(parameters.get("unit", "")),
    }


def _rate_unit(unit: str) -> str:
    """Return the unit of the threshold, which is the one that the prefixes of the chart's unit stand before."""
    return "bits" if unit in list(Unit) and family(Unit(unit)).per_byte == 8 else "bytes"


def device_table(devices: Iterable[DeviceSummary], query: Query, now: int) -> list[dict[str, Any]]:
    """Return the rows of a table of devices, each with the address of a chart that shows some of its data."""
    return [
        {
            "device_id": device.device_id,
            "url": _chart_of(query, now, device),
            "bytes_ts": Amount(device.bytes_ts, query["unit"]),
            "bytes_fs": Amount(device.bytes_fs, query["unit"]),
        }
        for device in devices
    ]


def _chart_of(query: Query, now: int, device: DeviceSummary) -> str:
    """Return the address of a device's chart: of the windows that are chosen or, if its data end before, its latest."""
    end_time = query["end_time"]
    if end_time is None and not now - query["window_time"] * query["num_windows"] < device.last <= now:
        end_time = window_end(device.last, query["window_time"])
    return _url(query, device_uuid=device.device_id, end_time=end_time)


def _version(device: str, window_time: int) -> object:
    """Return what a chart that ends with the present window depends on."""
    now = clock.now_s()
    return services.windows_version(device_uuid=device, end_time=window_end(now, window_time), now=now)


def _drawing(query: Query, now: int) -> Context:
    """Return the template's context for a chart: series, figures, table rows, and links to other charts."""
    current = window_end(now, query["window_time"])
    asked = {name: query[name] for name in ("device_uuid", "window_time", "num_windows")}
    end = current if query["end_time"] is None else query["end_time"]
    device, _, length, count, data = services.windows_list(**asked, end_time=end, now=now)
    span = length * count
    complete = sum(window.timestamp < now for window in data)
    api = address("/api/bandwidth")
    summary = services.device_get(device_id=device, now=now)
    shown = ranges.Windows(query["end_time"], length, count)
    lines = ([window.bytes_ts for window in data], [window.bytes_fs for window in data])
    limit = _limit(query)
    return {
        "device": device,
        "chart": {
            "device": device,
            "window_time": length,
            "labels": [window.timestamp for window in data],
            "bytes_ts": lines[0],
            "bytes_fs": lines[1],
            "complete": complete,
            "unit": query["unit"],
            "per": query["per"],
            "threshold": None if limit is None else float(limit),
            "lengths": ranges.LENGTHS,
            "least": ranges.LEAST,
        },
        "start": time_element(end - span),
        "end": time_element(end),
        "rate": query["per"] is Per.SECOND,
        "figures": [
            _figures(direction, data, numbers, complete, query)
            for direction, numbers in zip(("to the server", "from the server"), lines, strict=True)
        ],
        "threshold": None if limit is None else _passed(query, limit, *lines),
        "rows": [
            (time_element(window.timestamp), window.bytes_ts, window.bytes_fs, place >= complete)
            for place, window in enumerate(data)
        ],
        "open": count - complete,
        "empty": not any(window.entries for window in data),
        **ranges.links(shown, summary, now, partial(_url, query)),
        "json": f"{api}?{urlencode({**asked, 'end_time': end, 'format': 'json'})}",
        "csv": f"{api}?{urlencode({**asked, 'end_time': end, 'format': 'csv'})}",
    }


def _limit(query: Query) -> Fraction | None:
    """Return the threshold in bytes per window."""
    threshold: Threshold | None = query["threshold"]
    if threshold is None:
        return None
    seconds: int = query["window_time"]
    return threshold.rate * seconds / family(query["unit"]).per_byte


def _passed(query: Query, limit: Fraction, *lines: list[int]) -> Context:
    """Return the threshold as a rate, and in how many windows each line lies above it."""
    over = limit.denominator * query["window_time"]
    text = write(limit.numerator, query["unit"], divisor=over, rate=True)
    return {"text": text, "counts": [sum(number > limit for number in line) for line in lines]}


def _figures(direction: str, data: list[Window], numbers: list[int], complete: int, query: Query) -> Context:
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


def _url(query: Query, **changes: object) -> str:
    """Return the address of a chart; without `end_time`, the chart stays live. Of the units, defaults are left out."""
    changed = query | changes
    threshold = changed["threshold"]
    named = {
        "device_uuid": changed["device_uuid"],
        "end_time": changed["end_time"],
        "window_time": changed["window_time"],
        "num_windows": changed["num_windows"],
        "unit": None if changed["unit"] is Unit.BYTES else changed["unit"],
        "per": None if changed["per"] is Per.WINDOW else changed["per"],
        "threshold": None if threshold is None else threshold.text,
    }
    chosen = {name: value for name, value in named.items() if value is not None}
    return f"{reverse('bandwidth-chart')}?{urlencode(chosen)}"


def card(request: HttpRequest, now: int) -> Card:
    """Return the dashboard's card of the busiest devices."""
    totals = services.overview_get()
    context = {
        "figures": [figure("Devices", totals.devices), figure("Entries", totals.entries)],
        "busiest": device_table(totals.busiest, ChartQuerySerializer.read_query(QueryDict()), now // MICROSECONDS),
        "command": None if totals.devices else command(request, *EXAMPLE),
    }
    busiest = [(device.device_id, device.bytes_ts, device.bytes_fs) for device in totals.busiest]
    return Card(context, sample={"busiest": busiest})


def section() -> Section:
    """Return the app's part of the dashboard."""
    return Section(
        "Bandwidth",
        card,
        charts=[Link(reverse("bandwidth-chart"), "Bytes to and from the server per device.")],
        browse=[Link(address("/api/bandwidth/devices"), "Devices whose bytes are counted.")],
    )
