"""The bandwidth page: a form, a chart, and the figures behind it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse

from bandwidth import services
from bandwidth.interface import DeviceSummary, Window
from bandwidth.serializers import ChartQuerySerializer
from timeseries_project.api.prefix import address
from timeseries_project.api.watching import can_be_pushed
from timeseries_project.core import clock
from timeseries_project.core.errors import FaultError, UnknownKeyError
from timeseries_project.core.offload import leave_loop
from timeseries_project.core.timestamps import END_OF_YEARS
from timeseries_project.web.dashboard import Card, Link, Section
from timeseries_project.web.pages import (
    MANY_LISTED,
    MAX_LISTED,
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
    utc,
)

#: The path and body that add one item; the shell inserts the time.
EXAMPLE = (
    "api/bandwidth",
    """{"timestamp": '$(date +%s)', "device_id": "router-1", "bytes_ts": 1200, "bytes_fs": 3400}""",
)

#: Number of windows above which writing the page takes some milliseconds.
MANY_WINDOWS = 500

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB")


@read_only
def chart(request: HttpRequest) -> HttpResponse:
    """Draw the windows that the four parameters choose; without a device, offer a list of devices.

    The parameters are those of GET /api/bandwidth. An empty one, as forms send it, counts as missing.
    """
    parameters = given(request.GET, ChartQuerySerializer)
    context: Context = {"controls": _controls(parameters)}
    try:
        query = ChartQuerySerializer.read_query(parameters)
        if query["device_uuid"] is None:
            context |= _chooser(query)
        else:
            if query["num_windows"] > MANY_WINDOWS:
                leave_loop()
            context |= _drawing(services.windows_list(**query, now=clock.now_s()))
            if query["end_time"] is None:
                context["live"] = REFRESH
                device = query["device_uuid"]
                can_be_pushed(
                    request,
                    lambda: services.windows_version(device_uuid=device, end_time=None, now=clock.now_s()),
                )
    except FaultError as fault:
        context |= problem_shown(request, fault)
        if isinstance(fault, UnknownKeyError):
            context |= _chooser(query)
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
    }


def _chooser(query: dict[str, Any]) -> Context:
    """Return the list of devices, each linked to a chart that shows some of its data if possible."""
    total = services.devices_count()
    if total > MANY_LISTED:
        leave_loop()
    return {
        "listed": device_table(services.devices_list(limit=MAX_LISTED), query),
        "total_devices": total,
        "choosing": True,
    }


def device_table(devices: Iterable[DeviceSummary], query: dict[str, Any] | None = None) -> list[dict[str, str]]:
    """Return the rows of a table of devices, each with the address of a chart that shows some of its data.

    `query` is the chart's query; the default is a chart without parameters.
    """
    query = query or ChartQuerySerializer.read_query(QueryDict())
    span = query["window_time"] * query["num_windows"]
    now = clock.now_s()

    def url(device: DeviceSummary) -> str:
        end_time = query["end_time"]
        if end_time is None and not now - span < device.last <= now:
            end_time = device.last
        return _url(device.device_id, end_time, query["window_time"], query["num_windows"])

    return [
        {
            "device_id": device.device_id,
            "url": url(device),
            "entries": f"{device.count:,}",
            "last": utc(device.last),
            "bytes_ts": human(device.bytes_ts),
            "bytes_fs": human(device.bytes_fs),
        }
        for device in devices
    ]


def _drawing(windows: services.Windows) -> Context:
    """Return the template's context for a chart: series, figures, table rows, and links to other charts."""
    device, end, length, count, data = windows
    span = length * count
    query = {"device_uuid": device, "end_time": end, "window_time": length, "num_windows": count}
    api = address("/api/bandwidth")
    return {
        "device": device,
        "chart": {
            "device": device,
            "window_time": length,
            "labels": [window.timestamp for window in data],
            "bytes_ts": [window.bytes_ts for window in data],
            "bytes_fs": [window.bytes_fs for window in data],
        },
        "start": time_element(end - span),
        "end": time_element(end),
        "figures": [
            _figures("to the server", data, [window.bytes_ts for window in data]),
            _figures("from the server", data, [window.bytes_fs for window in data]),
        ],
        "rows": [(utc(window.timestamp), window.bytes_ts, window.bytes_fs) for window in data],
        "empty": not any(window.entries for window in data),
        "latest": _url(device, services.device_last(device_uuid=device), length, count),
        "previous": _url(device, end - span, length, count) if end >= span else None,
        "next": _url(device, end + span, length, count) if end + span < END_OF_YEARS else None,
        "now": _url(device, None, length, count),
        "json": f"{api}?{urlencode({**query, 'format': 'json'})}",
        "csv": f"{api}?{urlencode({**query, 'format': 'csv'})}",
    }


def _figures(direction: str, data: list[Window], numbers: list[int]) -> dict[str, str]:
    total, peak = sum(numbers), max(numbers)
    return {
        "direction": direction,
        "total": human(total),
        "total_bytes": str(total),
        "total_exact": exact(total),
        "peak": human(peak),
        "peak_bytes": str(peak),
        "peak_exact": exact(peak),
        "peak_end": utc(data[numbers.index(peak)].timestamp) if peak else "",
    }


def _url(device: str, end_time: int | None, window_time: int, num_windows: int) -> str:
    """Return the address of a chart; without `end_time`, the chart stays live."""
    query = {"device_uuid": device, "end_time": end_time, "window_time": window_time, "num_windows": num_windows}
    chosen = {name: value for name, value in query.items() if value is not None}
    return f"{reverse('bandwidth-chart')}?{urlencode(chosen)}"


def human(number: int) -> str:
    """Format a number of bytes with a decimal prefix and one decimal place.

    >>> human(999), human(1_500_000)
    ('999 B', '1.5 MB')
    """
    power = min((len(str(number)) - 1) // 3, len(_UNITS) - 1)
    return f"{number / 1000**power:.1f} {_UNITS[power]}" if power else f"{number} B"


def exact(number: int) -> str:
    """Format a number of bytes in full; empty where `human` already shows all its digits."""
    return f"{number:,} bytes" if number >= 1000 else ""


def card(request: HttpRequest, now: int) -> Card:
    """Return the dashboard's card of the busiest devices."""
    totals = services.overview_get()
    context = {
        "figures": [figure("Devices", totals.devices), figure("Entries", totals.entries)],
        "busiest": device_table(totals.busiest),
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
