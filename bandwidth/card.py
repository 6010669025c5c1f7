"""The dashboard's card of bandwidth: the devices that are the busiest now."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, QueryDict
from django.urls import reverse

from bandwidth import services
from bandwidth.amounts import Amount
from bandwidth.charts import EXAMPLE
from bandwidth.interface import Busy
from bandwidth.ranges import end_that_shows
from bandwidth.serializers import ChartQuerySerializer
from bandwidth.units import Unit
from timeseries_project.api.prefix import address
from timeseries_project.core.timestamps import MICROSECONDS
from timeseries_project.web.dashboard import Card, Link, Section
from timeseries_project.web.pages import clock_element, command, figure, time_element


def card(request: HttpRequest, now: int) -> Card:
    """Return the card: who sent the most of late or, if nobody did, when anybody last did."""
    seconds = now // MICROSECONDS
    overview = services.overview_get(now=seconds)
    context = {
        "figures": [figure("Devices", overview.devices), figure("Entries", overview.entries)],
        "since": clock_element(overview.since),
        "busiest": [_row(device, seconds) for device in overview.busiest],
        "latest": None if overview.latest is None else time_element(overview.latest),
        "command": None if overview.devices else command(request, *EXAMPLE),
    }
    return Card(context, sample={"busiest": [(one.device_id, one.bytes_ts, one.bytes_fs) for one in overview.busiest]})


def _row(device: Busy, now: int) -> dict[str, Any]:
    """Return a row of the table, with the address of a chart that shows what the device sent."""
    query = ChartQuerySerializer.read_query(QueryDict())
    windows = {name: query[name] for name in ("window_time", "num_windows")}
    end_time = end_that_shows(device.last, query["window_time"], query["num_windows"], now)
    end = {} if end_time is None else {"end_time": end_time}
    return {
        "device_id": device.device_id,
        "url": f"{reverse('bandwidth-chart')}?{urlencode({'device_uuid': device.device_id, **end, **windows})}",
        "bytes_ts": Amount(device.bytes_ts, Unit.BYTES),
        "bytes_fs": Amount(device.bytes_fs, Unit.BYTES),
    }


def section() -> Section:
    """Return the app's part of the dashboard."""
    return Section(
        "Bandwidth",
        card,
        charts=[Link(reverse("bandwidth-chart"), "Bytes to and from the server per device.")],
        browse=[Link(address("/api/bandwidth/devices"), "Devices whose bytes are counted.")],
    )
