"""The transactions page: figures of the last 60 seconds, and a curve of them that the page itself collects."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from timeseries_project.api.prefix import address
from timeseries_project.api.watching import can_be_pushed
from timeseries_project.core import clock, timestamps
from timeseries_project.web.dashboard import Card, Link, Section
from timeseries_project.web.pages import REFRESH, Figure, command, figure, read_only, updated
from transactions import services
from transactions.interface import Summary

#: The path and body that add one item; the shell inserts the time.
EXAMPLE = (
    "api/transactions",
    """{"timestamp": '$(date +%s000)', "amount": 12.3}""",
)


@read_only
def chart(request: HttpRequest) -> HttpResponse:
    """Show the present statistics; each time the page refreshes, it adds them to its curve."""
    now = clock.now()
    summary = services.statistics_get(now=now // 1_000)
    context = {
        "refresh": REFRESH,
        "updated": updated(now),
        "figures": [
            *figures(summary),
            figure("Count per second", summary.count / services.WINDOW_SECONDS),
            figure("Sum per second", summary.sum / services.WINDOW_SECONDS),
        ],
        "sample": {"time": now / timestamps.MICROSECONDS, **sample(summary)},
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


def card(request: HttpRequest, now: int) -> Card:
    """Return the dashboard's card of the last 60 seconds."""
    summary = services.statistics_get(now=now // 1_000)
    context = {
        "figures": figures(summary),
        "command": None if summary.count else command(request, *EXAMPLE),
    }
    return Card(context, sample={"count": summary.count})


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
