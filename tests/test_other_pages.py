"""The dashboard's links and commands, the API's documentation and its browsable pages, in a real browser."""

from __future__ import annotations

import subprocess

import pytest
from playwright.sync_api import Page, expect
from rest_framework.test import APIClient

from bandwidth import services
from datapoints import services as datapoints

pytestmark = pytest.mark.browser

NAVIGATION = ["/", "/charts/bandwidth", "/charts/datapoints", "/charts/transactions", "/api/docs/"]


@pytest.mark.parametrize("path", ["/", "/charts/bandwidth", "/charts/datapoints", "/charts/transactions"])
def test_pages_are_only_read(api: APIClient, path: str) -> None:
    assert api.head(path).status_code == 200
    refused = api.post(path, {}, format="json")

    assert refused.status_code == 405
    assert refused["Content-Type"] == "application/problem+json"


def test_dashboard_links_lead_somewhere(page: Page) -> None:
    page.goto("/")
    paths = page.locator(".links a, .card a").evaluate_all("links => links.map((link) => link.getAttribute('href'))")

    statuses = {path: page.request.get(path).status for path in paths}

    assert statuses == {**dict.fromkeys(paths, 200), "/api/transactions": 405}


def test_dashboard_commands_work_as_pasted(page: Page) -> None:
    services.store.clear()
    page.goto("/")

    for command in page.locator("pre").all_inner_texts():
        subprocess.run(
            ["sh", "-c", command.replace("curl", "curl --silent --fail", 1)], check=True, capture_output=True
        )

    assert page.request.get("/api/statistics").json()["count"] == 1
    assert page.request.get("/api/bandwidth/devices").json()[0]["bytes_fs"] == 3400
    assert page.request.get("/devices").json()[0]["device"] == "thermometer-1"


def test_api_docs_render_operations(page: Page) -> None:
    page.goto("/api/docs/")

    expect(page.locator(".opblock").first).to_be_visible()
    paths = page.request.get("/api/schema/?format=json").json()["paths"]
    expect(page.locator(".opblock")).to_have_count(sum(map(len, paths.values())))


@pytest.mark.parametrize("path", ["/datapoints", "/devices", "/api/bandwidth/devices", "/api/statistics", "/healthz"])
def test_browsable_page_is_clean(page: Page, path: str) -> None:
    page.goto(path)

    expect(page.locator(".response-info")).to_contain_text("HTTP 200 OK")
    links = page.get_by_role("navigation", name="Main").get_by_role("link")
    assert links.evaluate_all("links => links.map((link) => link.getAttribute('href'))") == NAVIGATION


@pytest.mark.parametrize(("path", "status"), [("/nope", 404), ("/datapoints?limit=0", 400), ("/api/transactions", 405)])
def test_browsable_error_page_is_clean(page: Page, refusals: list[int], path: str, status: int) -> None:
    refusals.append(status)

    page.goto(path)

    expect(page.locator(".response-info")).to_contain_text(f"HTTP {status}")
    expect(page.locator(".response-info")).to_contain_text('"detail"')


def test_browsable_form_adds_what_it_shows(page: Page) -> None:
    page.goto("/datapoints")

    page.get_by_role("button", name="POST").click()

    expect(page.locator(".response-info")).to_contain_text("HTTP 201 Created")
    assert [summary.count for summary in datapoints.keys_list(axis="device")] == [1]


def test_browsable_form_shows_why_it_was_refused(page: Page, refusals: list[int]) -> None:
    refusals.append(400)
    page.goto("/datapoints")

    page.get_by_label("Content:").fill('{"value": "x"}')
    page.get_by_role("button", name="POST").click()

    expect(page.locator(".response-info")).to_contain_text("must be a number.")


def test_browsable_button_deletes(page: Page, refusals: list[int]) -> None:
    refusals.append(405)  # the endpoint has only DELETE
    datapoints.store.add(0, 1.0, "thermometer-1", "ada")
    page.goto("/devices/thermometer-1/datapoints")

    page.get_by_role("button", name="DELETE").click()
    page.locator("#deleteModal").get_by_text("Delete", exact=True).click()

    expect(page.locator(".response-info")).to_have_text("HTTP 204 No Content")
    assert datapoints.keys_list(axis="device") == []
