"""The page of the last 60 seconds: figures, and a curve that the page itself keeps."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from timeseries_project.api.serializers import NoParameters
from timeseries_project.core import clock, timestamps
from timeseries_project.web.dashboard import Card, Link, Section
from timeseries_project.web.pages import REFRESH, Figure, command, figure, read_only
from transactions import services
from transactions.interface import Summary


@read_only
def chart(request: HttpRequest) -> HttpResponse:
    """Show the statistics as they are now; the page takes a sample of them each time it asks."""
    NoParameters.read_query(request.GET)
    now = clock.now()
    summary = services.statistics_get(now=now // 1_000)
    context = {
        "refresh": REFRESH,
        "updated": timestamps.render(now // timestamps.MICROSECONDS * timestamps.MICROSECONDS),
        "figures": [
            *figures(summary),
            figure("Count per second", summary.count / services.WINDOW_SECONDS),
            figure("Sum per second", summary.sum / services.WINDOW_SECONDS),
        ],
        "sample": {"time": now / timestamps.MICROSECONDS, **sample(summary)},
        "command": None if summary.count else command(request, "transactions"),
    }
    return render(request, "transactions/chart.html", context)


def figures(summary: Summary) -> list[Figure]:
    """Return the statistics to show; of no transactions there is no average and no extreme."""
    names = {"count": "Count", "sum": "Sum", "avg": "Average", "min": "Minimum", "max": "Maximum"}
    values = sample(summary)
    return [figure(name, values[key]) for key, name in names.items()]


def sample(summary: Summary) -> dict[str, Any]:
    """Return the statistics to draw, None where there is no value."""
    empty = {"avg": None, "max": None, "min": None} if not summary.count else {}
    return {**summary._asdict(), **empty}


def card(request: HttpRequest, now: int) -> Card:
    """Return what the dashboard shows of the last 60 seconds."""
    summary = services.statistics_get(now=now // 1_000)
    context = {
        "figures": figures(summary),
        "command": None if summary.count else command(request, "transactions"),
    }
    return Card(context, sample={"count": summary.count})


def section() -> Section:
    """Return the app's part of the dashboard."""
    return Section(
        card,
        charts=[Link(reverse("transactions-chart"), "The last 60 seconds, and a curve of them.")],
        browse=[
            Link("/api/statistics", "The last 60 seconds’ transactions."),
            Link("/api/statistics/history", "Those of each of the last 600 seconds."),
            Link("/api/transactions", "Takes transactions; POST and DELETE only."),
        ],
    )
