"""The transactions page: figures of the last 60 seconds, and how they were during the last ten minutes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from timeseries_project.api.prefix import address
from timeseries_project.api.watching import PART, can_be_pushed
from timeseries_project.core import clock
from timeseries_project.web.dashboard import Card, Link, Section
from timeseries_project.web.pages import REFRESH, Figure, command, figure, read_only, time_element, updated
from transactions import services
from transactions.curve import Moment
from transactions.interface import HISTORY_SECONDS, Summary

#: Seconds that the curve of the dashboard shows.
CARD_SECONDS = 300
#: The path and body that add one item; the shell inserts the time.
EXAMPLE = (
    "api/transactions",
    """{"timestamp": '$(date +%s000)', "amount": 12.3}""",
)


@read_only
def chart(request: HttpRequest) -> HttpResponse:
    """Show the present statistics, and those of the last ten minutes."""
    now = clock.now()
    summary = services.statistics_get(now=now // 1_000)
    moments = moments_up_to(summary, HISTORY_SECONDS, now // 1_000)
    context = {
        "refresh": REFRESH,
        "updated": updated(now),
        "figures": [
            *figures(summary),
            figure("Count per second", summary.count / services.WINDOW_SECONDS),
            figure("Sum per second", summary.sum / services.WINDOW_SECONDS),
        ],
        "curve": columns(moments),
        "rows": [] if PART in request.META else rows(moments),
        "command": None if summary.count else command(request, *EXAMPLE),
    }
    can_be_pushed(request, lambda: None)  # its curve moves on with time
    return render(request, "transactions/chart.html", context)


def figures(summary: Summary) -> list[Figure]:
    """Return the statistics to show; without transactions there is no average, minimum or maximum."""
    names = {"count": "Count", "sum": "Sum", "avg": "Average", "min": "Minimum", "max": "Maximum"}
    values = sample(summary)
    return [figure(name, values[key]) for key, name in names.items()]


def sample(summary: Summary) -> dict[str, Any]:
    """Return the statistics to draw; None where there is no value."""
    empty = {"avg": None, "max": None, "min": None} if not summary.count else {}
    return {**summary._asdict(), **empty}


def moments_up_to(summary: Summary, span: int, now: int) -> list[Moment]:
    """Return the moments of some seconds up to now, whose statistics are those that the page shows in figures."""
    *before, present = services.curve_get(now=now, span=span)
    return [*before, present._replace(summary=summary)]


def columns(moments: Sequence[Moment], names: Sequence[str] = (*Summary._fields,)) -> dict[str, list[Any]]:
    """Return moments as columns to draw: the times, and the statistics with these names."""
    summaries = [None if summary is None else sample(summary) for _, summary in moments]
    values = {name: [None if one is None else one[name] for one in summaries] for name in names}
    return {"time": [time for time, _ in moments], **values}


def rows(moments: Sequence[Moment]) -> list[tuple[str, list[str]]]:
    """Return the moments that are known as rows of a table: the time, and the figures in full."""
    return [
        (time_element(time), [_in_full(sample(summary)[name]) for name in ("count", "sum", "avg", "min", "max")])
        for time, summary in moments
        if summary is not None
    ]


def _in_full(value: float | None) -> str:
    """Write a number with all digits that decimal numbers keep in a double.

    >>> _in_full(0.1 + 0.2), _in_full(26106.54), _in_full(1e150), _in_full(None)
    ('0.3', '26,106.54', '1e+150', '–')
    """
    return "–" if value is None else f"{value:,.15g}"


def card(request: HttpRequest, now: int) -> Card:
    """Return the dashboard's card of the last 60 seconds."""
    summary = services.statistics_get(now=now // 1_000)
    context = {
        "figures": figures(summary),
        "command": None if summary.count else command(request, *EXAMPLE),
    }
    moments = moments_up_to(summary, CARD_SECONDS, now // 1_000)
    return Card(context, sample={"curve": columns(moments, ["count"])})


def section() -> Section:
    """Return the app's part of the dashboard."""
    return Section(
        "Transactions",
        card,
        charts=[Link(reverse("transactions-chart"), "The last 60 seconds, and a curve of them.")],
        browse=[
            Link(address("/api/statistics"), "The last 60 seconds’ transactions."),
            Link(address("/api/statistics/history"), "Those of each of the last 600 seconds."),
            Link(address("/api/transactions"), "Takes transactions; POST and DELETE only."),
        ],
    )
