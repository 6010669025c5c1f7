"""Charts of several devices that the production server pushes: all of them are watched, and what is hidden stays so."""

from __future__ import annotations

import json
import time
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect

from tests.browsing import media_types, wait_until
from tests.served import Served

pytestmark = pytest.mark.browser

CHART = "Chart.getChart(document.querySelector('canvas'))"
STREAM = "text/event-stream, text/html;q=0.9"


@pytest.fixture
def live_server_url(server: Served) -> str:
    """The server whose pages are opened."""
    return f"http://127.0.0.1:{server.port}"


def send(server: Served, path: str, **item: object) -> None:
    item |= {"timestamp": int(time.time())}
    assert server.request("POST", path, json.dumps(item), Content_Type="application/json")[0] == 201


def last_of(line: str) -> str:
    """Return an expression for the newest value of a line, by its name."""
    return f"{CHART}.data.datasets.find(({{ name }}) => name === '{line}')?.data.at(-1)"


def test_windows_of_several_devices_come_as_they_are_written(page: Page, server: Served) -> None:
    for device in ("a", "b"):
        send(server, "/api/bandwidth", device_id=device, bytes_ts=1, bytes_fs=2)
    # A window of a day holds all that is written in this test, but for one at midnight.
    devices = [("device_uuid", device) for device in ("a", "b", "late")]
    page.goto(f"/charts/bandwidth?{urlencode([*devices, ('window_time', 86_400)])}")
    kinds = media_types(page, "/charts/")
    wait_until(page, f"{last_of('to the server of b')} === 1")
    expect(page.locator("#unknown")).to_contain_text("late")
    button = page.get_by_role("button", name="a, to the server")
    button.click()

    send(server, "/api/bandwidth", device_id="b", bytes_ts=10, bytes_fs=0)
    wait_until(page, f"{last_of('to the server of b')} === 11")
    send(server, "/api/bandwidth", device_id="a", bytes_ts=100, bytes_fs=0)
    wait_until(page, f"{last_of('to the server of a')} === 101")
    send(server, "/api/bandwidth", device_id="late", bytes_ts=1_000, bytes_fs=0)
    wait_until(page, f"{last_of('to the server of late')} === 1000")

    expect(page.locator("#unknown")).to_have_count(0)
    expect(page.locator(".legend button")).to_have_count(6)
    expect(button).to_have_attribute("aria-pressed", "false")
    assert not page.evaluate(f"{CHART}.isDatasetVisible(0)")
    assert set(kinds) <= {STREAM}  # no page was asked for again


def test_buckets_of_several_users_come_as_they_are_written(page: Page, server: Served) -> None:
    for user in ("ada", "bob"):
        send(server, "/datapoints", device=f"of {user}", user=user, value=1)
    page.goto(f"/charts/datapoints?{urlencode([('user', 'ada'), ('user', 'bob'), ('range', '24h'), ('bucket', '1d')])}")
    kinds = media_types(page, "/charts/")
    wait_until(page, f"{last_of('of bob')} === 1")

    send(server, "/datapoints", device="another", user="bob", value=4)
    wait_until(page, f"{last_of('of bob')} === 2.5")
    send(server, "/datapoints", device="another", user="ada", value=2)
    wait_until(page, f"{last_of('of ada')} === 1.5")

    assert set(kinds) <= {STREAM}
    expect(page.locator("#lines [data-key=bob]")).to_contain_text("2.5")
