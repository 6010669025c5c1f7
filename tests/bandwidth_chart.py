"""Shared by the tests of the bandwidth chart: entries, addresses of charts, and what a chart draws."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from playwright.sync_api import Page

from bandwidth import services
from tests.browsing import wait_until

END = 1_767_227_400  # 2026-01-01T00:30:00Z
DEVICE = "router-1"
NASTY = """<script>alert("x")</script>'s & "q" 🛰️ </title>"""


def add_entries() -> None:
    """Clear the store, then store three minutes of data for one device and an entry of another."""
    services.store.clear()
    for age, bytes_ts, bytes_fs in ((0, 10, 1_000), (59, 5, 500), (60, 7, 70), (150, 1, 2)):
        services.store.add(DEVICE, END - age, bytes_ts, bytes_fs)
    services.store.add("router-2", END - 30, 99, 98)


def address(**parameters: object) -> str:
    return f"/charts/bandwidth?{urlencode(parameters)}"


def drawn(page: Page) -> dict[str, Any]:
    """Return what Chart.js draws on the page's first canvas, once it does."""
    wait_until(page, "window.Chart?.getChart(document.querySelector('canvas'))")
    return page.evaluate(
        """() => {
            const chart = Chart.getChart(document.querySelector("canvas"));
            return {
                names: chart.data.datasets.map((line) => line.label),
                lines: chart.data.datasets.map((line) => line.data),
                labels: chart.data.labels,
                ticks: chart.scales.x.ticks.map((tick) => tick.label),
            };
        }"""
    )
