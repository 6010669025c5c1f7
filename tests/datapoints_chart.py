"""Shared by the tests of the datapoints chart: points, addresses of charts, and what a chart draws."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from playwright.sync_api import Page

from datapoints import services
from tests.browsing import wait_until
from timeseries_project.core import timestamps

DEVICE = "thermometer-1"
NOW = "2026-01-31T12:00:00Z"
QUARTER = 900
NASTY = """<script>alert("x")</script>'s & "q" $& 🛰️ </title>/"""


def at(text: str) -> int:
    """Return a time as epoch seconds."""
    return timestamps.parse(text) // timestamps.MICROSECONDS


FIRST = at("2026-01-31T10:00:00Z")


def add(text: str, value: float, device: str = DEVICE, user: str = "ada") -> None:
    services.store.add(timestamps.parse(text), value, device, user)


def add_points() -> None:
    """Two hours of quarter-hours up to now: an average of two, a gap, and one value of another device."""
    add("2026-01-31T10:00:00Z", 10)
    add("2026-01-31T10:05:00Z", 30)
    add("2026-01-31T10:15:00Z", 26)
    add("2026-01-31T10:30:00Z", 28)
    add("2026-01-31T11:00:00Z", 40)
    add("2026-01-31T11:15:00Z", 50)
    add("2026-01-31T11:00:00Z", 70, device="thermometer-2")


def address(**parameters: object) -> str:
    return f"/charts/datapoints?{urlencode(parameters)}"


WHOLE: dict[str, object] = {
    "device": DEVICE,
    "bucket": "15m",
    "window_size": 2,
    "start": "2026-01-31T10:00:00Z",
    "end": "2026-01-31T11:30:00Z",
}


def drawn(page: Page) -> dict[str, Any]:
    """Return what Chart.js draws on the page's first canvas, once it does."""
    wait_until(page, "window.Chart?.getChart(document.querySelector('canvas'))")
    return page.evaluate(
        """() => {
            const chart = Chart.getChart(document.querySelector("canvas"));
            return {
                names: chart.data.datasets.map((line) => line.label),
                lines: chart.data.datasets.map((line) => line.data),
                types: chart.data.datasets.map((line, i) => chart.getDatasetMeta(i).type),
                spans: chart.data.datasets.map((line, i) => chart.getDatasetMeta(i).dataset?.options.spanGaps ?? false),
                labels: chart.data.labels,
                ticks: chart.scales.x.ticks.map((tick) => tick.label),
            };
        }"""
    )
