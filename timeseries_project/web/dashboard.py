"""The dashboard: what is being measured right now, and links to everything."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

import bandwidth.charts
import bandwidth.services
import datapoints.services
import transactions.charts
import transactions.services
from timeseries_project.api.serializers import NoParameters
from timeseries_project.core import clock, timestamps
from timeseries_project.web.pages import REFRESH, command, figure, read_only


@read_only
def home(request: HttpRequest) -> HttpResponse:
    """Show a card of live figures per app, or where an app has no data the command that adds some."""
    NoParameters.read_query(request.GET)
    now = clock.now()
    recent = transactions.services.statistics(now=now // 1_000)
    points = datapoints.services.totals()
    traffic = bandwidth.services.totals()
    filled = {"transactions": recent.count, "datapoints": points.points, "bandwidth": traffic.devices}
    context = {
        "refresh": REFRESH,
        "updated": timestamps.render(now // timestamps.MICROSECONDS * timestamps.MICROSECONDS),
        "transactions": transactions.pages.figures(recent),
        "datapoints": [
            figure("Points", points.points),
            figure("Devices", points.devices),
            figure("Users", points.users),
        ],
        "bandwidth": [figure("Devices", traffic.devices), figure("Entries", traffic.entries)],
        "busiest": bandwidth.pages.device_rows(traffic.busiest),
        "commands": {app: command(request, app) for app, count in filled.items() if not count},
        "sample": {
            "time": now / timestamps.MICROSECONDS,
            "count": recent.count,
            "added": points.added,
            "busiest": [(device.device_id, device.bytes_ts, device.bytes_fs) for device in traffic.busiest],
        },
    }
    return render(request, "dashboard.html", context)
