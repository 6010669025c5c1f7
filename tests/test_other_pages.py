"""The dashboard's links and commands, the API's documentation and its browsable pages, in a real browser."""

from __future__ import annotations

import subprocess

import pytest
from playwright.sync_api import Page, expect
from rest_framework.test import APIClient

from bandwidth import services
from datapoints import services as datapoints
from tests.browsing import cut_off

pytestmark = pytest.mark.browser


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


@pytest.mark.parametrize("path", ["/", "/charts/bandwidth", "/datapoints", "/metrics", "/api/docs/"])
def test_every_page_has_the_navigation(page: Page, path: str) -> None:
    page.goto(path)

    links = page.get_by_role("navigation", name="Main").get_by_role("link")
    addresses = links.evaluate_all("links => links.map((link) => link.getAttribute('href'))")
    assert addresses == ["/", "/charts/bandwidth", "/charts/datapoints", "/charts/transactions", "/api/docs/"]


def test_api_docs_render_operations(page: Page) -> None:
    page.goto("/api/docs/")

    expect(page.locator(".opblock").first).to_be_visible()
    expect(page.locator("#operations-datapoints-datapoints_list")).to_contain_text("List datapoints")
    paths = page.request.get("/api/schema/?format=json").json()["paths"]
    expect(page.locator(".opblock")).to_have_count(sum(map(len, paths.values())))


@pytest.mark.parametrize("path", ["/datapoints", "/devices", "/api/bandwidth/devices", "/api/statistics", "/healthz"])
def test_browsable_page_is_clean(page: Page, path: str) -> None:
    page.goto(path)

    expect(page.locator(".response-info")).to_contain_text("HTTP 200 OK")


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


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/bandwidth?device_uuid=X", 404),
        ("/api/bandwidth?device_uuid=X&window_time=0&format=api", 400),
        ("/datapoints?limit=10", 200),
        ("/api/transactions", 405),
    ],
)
def test_browsable_example_can_be_sent_as_it_is(page: Page, refusals: list[int], path: str, status: int) -> None:
    """The parameters of GET are not sent along. Each answer brings a fresh example."""
    refusals.extend([status] if status >= 400 else [])
    page.goto(path)

    for _ in range(2):
        page.get_by_role("button", name="POST").click()
        expect(page.locator(".response-info")).to_contain_text("HTTP 201 Created")
        page.evaluate("document.querySelector('.response-info').textContent = ''")


def test_browsable_form_keeps_the_parameters_of_post(page: Page, refusals: list[int]) -> None:
    refusals.append(400)  # for GET they are unknown
    page.goto("/datapoints?on_duplicate=skip&bogus=1&format=api")
    form = page.locator("form[data-method=POST]")

    assert form.get_attribute("action") == "/datapoints?on_duplicate=skip&format=api"


def test_browsable_form_keeps_what_was_refused_and_sends_the_chosen_type(page: Page, refusals: list[int]) -> None:
    refusals.append(400)
    page.goto("/datapoints")
    page.get_by_label("Media type:").select_option("text/csv")
    page.get_by_label("Content:").fill("timestamp,value,device,user\n1,x,d,u")

    page.get_by_role("button", name="POST").click()
    expect(page.locator(".response-info")).to_contain_text("HTTP 400 Bad Request")

    page.get_by_label("Content:").fill(page.get_by_label("Content:").input_value().replace("x", "2"))
    page.get_by_role("button", name="POST").click()
    expect(page.locator(".response-info")).to_contain_text('"created": 1')


def test_browsable_form_says_that_the_server_is_away(page: Page, failures: list[str]) -> None:
    page.goto("/datapoints")

    with cut_off(page, "/datapoints", failures):
        page.get_by_role("button", name="POST").click()
        expect(page.get_by_role("alert")).to_contain_text("cannot be reached")

    page.get_by_role("button", name="OPTIONS").click()
    expect(page.locator(".response-info")).to_contain_text('"renders"')
    expect(page.locator("#unreachable")).to_be_hidden()


def test_browsable_form_shows_why_it_was_refused(page: Page, refusals: list[int]) -> None:
    refusals.append(400)
    page.goto("/datapoints")

    page.get_by_label("Content:").fill('{"value": "x"}')
    page.get_by_role("button", name="POST").click()

    expect(page.locator(".response-info")).to_contain_text("must be a number.")


def test_browsable_button_deletes_what_the_page_is_about(page: Page) -> None:
    """The query of the page goes along, but for what only a GET knows."""
    for minute in (0, 1):
        datapoints.store.add(minute * 60 * 10**6, 1.0, "thermometer-1", "ada")
    page.goto("/datapoints?device=thermometer-1&end=1970-01-01T00:01:00Z&limit=5")

    page.get_by_role("button", name="DELETE").click()
    expect(page.get_by_role("dialog")).to_contain_text("DELETE /datapoints?device=thermometer-1&end=")
    page.locator("#deleteModal").get_by_text("Delete", exact=True).click()

    expect(page.locator(".response-info")).to_have_text("HTTP 204 No Content")
    assert [summary.first for summary in datapoints.keys_list(axis="device")] == [60 * 10**6]


def test_browsable_button_deletes(page: Page, refusals: list[int]) -> None:
    refusals.append(405)  # the endpoint has only DELETE
    datapoints.store.add(0, 1.0, "thermometer-1", "ada")
    page.goto("/devices/thermometer-1/datapoints")

    page.get_by_role("button", name="DELETE").click()
    page.locator("#deleteModal").get_by_text("Delete", exact=True).click()

    expect(page.locator(".response-info")).to_have_text("HTTP 204 No Content")
    assert datapoints.keys_list(axis="device") == []
