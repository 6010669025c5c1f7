"""The lists of devices and users on the datapoints page: sorted and searched, with the averages of the last day."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from django.http import HttpRequest, QueryDict
from django.urls import reverse

from datapoints import outlines, services
from datapoints.interface import AXES, MOST_OUTLINED, Axis, KeySummary
from timeseries_project.api.watching import can_be_pushed
from timeseries_project.core import clock
from timeseries_project.core.timestamps import MICROSECONDS
from timeseries_project.web.lists import REFRESH_LIST, Source, address_with, list_context, read_page, refresh_of
from timeseries_project.web.outlines import DAY, POINTS, OutlineSpan, name_link, outline, span_of
from timeseries_project.web.pages import Context, ago_element, time_element

COLUMNS = (("datapoints", "Datapoints"), ("first", "First"), ("last", "Last seen"))


def context(
    request: HttpRequest, parameters: QueryDict, query: dict[str, Any], chart_of: Callable[[Axis, KeySummary], str]
) -> Context:
    """Return the context of the list of devices or users, whose rows lead to the charts that `chart_of` names.

    A list that is not long is brought up to date now and then, and rendered once for all who watch it.
    """
    now, totals = clock.now(), services.totals_get()
    counts = {"device": totals.devices, "user": totals.users}
    axis: Axis = query["listed"] or ("user" if query["user"] is not None else "device")
    axis = AXES[axis == "user"]
    search = query["search"]
    source = Source(
        portions=lambda after, size: services.keys_portions(axis=axis, search=search, after=after, size=size, now=now),
        is_searched=search is not None,
        total=counts[axis],
        name=attrgetter("key"),
        values={"datapoints": attrgetter("count"), "first": attrgetter("first"), "last": attrgetter("last")},
    )
    page = read_page(source, query["sort"], query["cursor"])
    seconds = now // MICROSECONDS
    span = span_of([row.last // MICROSECONDS for row in page.rows], [], seconds, of_sums=False)
    path, columns = reverse("datapoints-chart"), (("name", axis.capitalize()), *COLUMNS)
    can_be_pushed(request, lambda: clock.now_s() // REFRESH_LIST)
    return {
        "live": refresh_of(counts[axis]),
        "choosing": True,
        "list": list_context(page, path, parameters, columns, f"{axis}s"),
        "list_axis": axis,
        "tabs": [
            {
                "title": f"{each.capitalize()}s",
                "url": address_with(path, parameters, listed=each),
                "count": f"{counts[each]:,}",
                "is_shown": each == axis,
            }
            for each in AXES
        ],
        "keys": _rows(axis, page.rows, seconds, span, chart_of),
        "outlines": {"title": span.title, "length": span.length, "end": time_element(span.end), "most": MOST_OUTLINED},
        "total_keys": f"{counts[axis]:,}",
        "plural": "" if counts[axis] == 1 else "s",
        "total_points": f"{totals.points if page.found is None else sum(row.count for row in page.found):,}",
    }


def _rows(
    axis: Axis, keys: list[KeySummary], now: int, span: OutlineSpan, chart_of: Callable[[Axis, KeySummary], str]
) -> list[Context]:
    """Return the rows of the table, each with a curve of its averages between its own lowest and highest."""
    start, width = (span.end - span.length * POINTS) * MICROSECONDS, span.length * MICROSECONDS
    found = outlines.outlines_list(
        axis=axis,
        keys=[key.key for key in keys],
        start=start,
        width=width,
        count=POINTS,
        now=now * MICROSECONDS,
    )
    rows = []
    for key, averages in zip(keys, found, strict=True):
        known = [value for value in averages if value is not None]
        last = key.last // MICROSECONDS
        rows.append(
            {
                "name": key.key,
                "link": name_link(key.key, chart_of(axis, key)),
                "outline": outline(averages, min(known), max(known)) if known else "",
                "count": f"{key.count:,}",
                "first": time_element(key.first // MICROSECONDS, form="day"),
                "last": ago_element(last, now),
                "is_quiet": last <= now - DAY,
            }
        )
    return rows
