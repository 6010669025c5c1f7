"""The list of devices on the bandwidth page: sorted and searched, with totals and the bytes of the last day."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from django.http import HttpRequest, QueryDict
from django.urls import reverse

from bandwidth import services
from bandwidth.amounts import Amount
from bandwidth.interface import DeviceSummary
from bandwidth.units import Unit
from timeseries_project.api.watching import can_be_pushed
from timeseries_project.core import clock
from timeseries_project.web.lists import REFRESH_LIST, Source, list_context, read_page, refresh_of
from timeseries_project.web.outlines import DAY, POINTS, OutlineSpan, name_link, outline, span_of
from timeseries_project.web.pages import Context, ago_element, time_element

COLUMNS = (
    ("name", "Device"),
    ("bytes_ts", "To the server"),
    ("bytes_fs", "From the server"),
    ("entries", "Entries"),
    ("first", "First"),
    ("last", "Last seen"),
)


def context(
    request: HttpRequest,
    parameters: QueryDict,
    query: dict[str, Any],
    now: int,
    chart_of: Callable[[DeviceSummary], str],
) -> Context:
    """Return the context of the list, whose rows lead to the charts that `chart_of` names.

    A list that is not long is brought up to date now and then, and rendered once for all who watch it.
    """
    used = services.usage_get()
    search = query["search"]
    source = Source(
        portions=lambda after, size: services.devices_portions(search=search, after=after, size=size, now=now),
        is_searched=search is not None,
        total=used.devices,
        name=attrgetter("device_id"),
        values={name: attrgetter(name) for name in ("bytes_ts", "bytes_fs", "first", "last")}
        | {"entries": attrgetter("count")},
    )
    page = read_page(source, query["sort"], query["cursor"])
    span = span_of([row.last for row in page.rows], [row.first for row in page.rows], now, of_sums=True)
    devices = used.devices if page.found is None or search is not None else len(page.found)
    totals = None
    if page.found is not None:
        totals = [Amount(sum(map(attrgetter(name), page.found)), query["unit"]) for name in ("bytes_ts", "bytes_fs")]
    can_be_pushed(request, lambda: clock.now_s() // REFRESH_LIST)
    return {
        "live": refresh_of(used.devices),
        "list": list_context(page, reverse("bandwidth-chart"), parameters, COLUMNS, "devices"),
        "listed": _rows(page.rows, query["unit"], now, span, chart_of),
        "outlines": {"title": span.title, "length": span.length, "end": time_element(span.end)},
        "total_devices": f"{devices:,}" if devices else "",
        "plural": "" if devices == 1 else "s",
        "total_entries": f"{used.entries if page.found is None else sum(row.count for row in page.found):,}",
        "totals": totals,
        "choosing": True,
    }


def _rows(
    devices: list[DeviceSummary], unit: Unit, now: int, span: OutlineSpan, chart_of: Callable[[DeviceSummary], str]
) -> list[Context]:
    """Return the rows of the table, each with a curve of its bytes from zero to its own highest."""
    names = [device.device_id for device in devices]
    outlines = services.outlines_list(
        device_ids=names, end_time=span.end, window_time=span.length, num_windows=POINTS, now=now
    )
    return [
        {
            "name": device.device_id,
            "link": name_link(device.device_id, chart_of(device)),
            "outline": outline(counts, 0, max(counts)) if any(counts) else "",
            "bytes_ts": Amount(device.bytes_ts, unit),
            "bytes_fs": Amount(device.bytes_fs, unit),
            "entries": f"{device.count:,}",
            "first": time_element(device.first, form="day"),
            "last": ago_element(device.last, now),
            "is_quiet": device.last <= now - DAY,
        }
        for device, counts in zip(devices, outlines, strict=True)
    ]
