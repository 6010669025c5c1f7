"""All kinds of pages, filled, for the tests that go over each of them."""

from __future__ import annotations

from urllib.parse import urlencode

from bandwidth import services as bandwidth
from datapoints import services as datapoints
from timeseries_project.core.timestamps import MICROSECONDS
from transactions import services as transactions

DEVICE = "router-1"
#: Names that text functions, HTML, or writing from left to right could spoil.
NAMES = ["cost$&x", "<b>bold</b>", "جهاز-١", "n" * 200]

CHARTS = {
    "bandwidth": f"/charts/bandwidth?device_uuid={DEVICE}",
    "datapoints": f"/charts/datapoints?device={DEVICE}",
    "transactions": "/charts/transactions",
}
OURS = {
    "dashboard": "/",
    **CHARTS,
    "bandwidth-list": "/charts/bandwidth",
    "datapoints-list": "/charts/datapoints",
    "bandwidth-empty": f"/charts/bandwidth?device_uuid={DEVICE}&end_time=86400",
}
BROWSABLE = {"api": "/api/statistics", "api-form": "/datapoints"}
FORMS = {"bandwidth": "device_uuid", "datapoints": "device"}
PHONE = {"width": 360, "height": 740}


def fill(now: int) -> None:
    """Give each app data of the ten minutes up to a time in epoch seconds, of devices under all kinds of names."""
    for name in (DEVICE, *NAMES):
        for age in range(0, 600, 30):
            bandwidth.store.add(name, now - age, 1_000 * (age + 1), 30_000)
            datapoints.store.add((now - age) * MICROSECONDS, 20.0 + age / 60, name, "ada")
    transactions.window.add(now * 1_000, 12.5, now=now * 1_000)


def of_device(chart: str, name: str) -> str:
    """Return the address of the chart of a device."""
    return f"/charts/{chart}?{urlencode({FORMS[chart]: name})}"
