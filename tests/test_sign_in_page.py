"""Signing in with a real browser: the form, the redirect back, pages with a token, and a revoked token."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect
from pytest_django.fixtures import Settings

from datapoints import services as datapoints
from tests.accessibility import LOOKS, findings
from tests.browsing import ask, shown_at
from timeseries_project.core import clock, timestamps

pytestmark = pytest.mark.browser


@pytest.fixture(autouse=True)
def tokens(settings: Settings) -> Settings:
    """Require a token for everything, in the server's thread too."""
    settings.API_TOKENS = ("good-token",)
    settings.API_TOKENS_FOR_READS = True
    return settings


def sign_in(page: Page, token: str = "good-token") -> None:
    page.get_by_label("API token").fill(token)
    page.get_by_role("button", name="Sign in").click()


@pytest.mark.parametrize(
    "path", ["/", "/charts/datapoints?device=a&bucket=1h", "/charts/transactions", "/devices?limit=5", "/api/docs/"]
)
def test_a_page_leads_to_the_form_and_the_form_back(page: Page, path: str, refusals: list[int]) -> None:
    datapoints.store.add(clock.now(), 1.0, "a", "u")
    refusals += [401, 401]
    page.goto(path)
    page.get_by_role("alert").get_by_role("link", name="Sign in").click()
    sign_in(page, "wrong")
    expect(page.get_by_role("alert")).to_contain_text("does not accept this token")
    sign_in(page)
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    assert page.url.endswith(path)


def test_swagger_and_the_browsable_form_write_with_it(page: Page) -> None:
    page.goto("/sign-in?next=/datapoints")
    sign_in(page)
    page.wait_for_url("**/datapoints")  # until its scripts have loaded, the form would be sent as a plain form
    page.get_by_role("button", name="POST").click()
    expect(page.locator(".response-info")).to_contain_text("HTTP 201 Created")
    page.goto("/api/docs/")
    operation = page.locator("#operations-transactions-transactions_delete")
    operation.click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    expect(operation.locator(".live-responses-table .response-col_status").last).to_contain_text("204")


def test_without_a_token_the_browsable_page_offers_no_form(page: Page, tokens: Settings) -> None:
    tokens.API_TOKENS_FOR_READS = False
    page.goto("/datapoints")
    expect(page.locator(".response-info")).to_contain_text("HTTP 200 OK")
    assert page.get_by_role("button", name="POST").count() == 0
    page.get_by_role("link", name="Sign in").click()
    sign_in(page)
    expect(page.get_by_role("button", name="POST")).to_be_visible()


def test_signing_out_shows_nothing_any_more(page: Page, refusals: list[int]) -> None:
    page.goto("/sign-in")
    sign_in(page)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()
    assert page.context.cookies() == []
    refusals.append(401)
    page.goto("/")
    expect(page.locator(".response-info")).to_contain_text("HTTP 401 Unauthorized")


def test_a_live_page_whose_token_is_gone_says_so(page: Page, tokens: Settings, refusals: list[int]) -> None:
    page.goto("/sign-in?next=/charts/transactions")
    sign_in(page)
    expect(page.locator(".updated")).to_be_visible()
    before = page.locator(".updated time").get_attribute("datetime")
    tokens.API_TOKENS = ("new-token",)
    refusals += [401]
    ask(page)
    expect(page.locator("#unreachable")).to_contain_text("A token is needed")
    assert page.locator(".updated time").get_attribute("datetime") == before  # the old content stays visible
    page.locator("#unreachable").get_by_role("link", name="Sign in").click()
    sign_in(page, "new-token")
    expect(page.locator(".updated")).to_be_visible()
    assert page.url.endswith("/charts/transactions")


def test_a_live_page_goes_on_when_there_is_a_token_again(
    page: Page, tokens: Settings, monkeypatch: pytest.MonkeyPatch, refusals: list[int]
) -> None:
    page.goto("/sign-in?next=/charts/transactions")
    sign_in(page)
    expect(page.locator(".updated")).to_be_visible()
    tokens.API_TOKENS = ("new-token",)
    refusals += [401]
    ask(page)
    expect(page.locator("#unreachable")).to_be_visible()
    tokens.API_TOKENS = ("new-token", "good-token")
    moment = timestamps.parse("2026-01-31T12:00:00Z")
    monkeypatch.setattr(clock, "now", lambda: moment)
    shown_at(page, "2026-01-31T12:00:00Z")
    expect(page.locator("#unreachable")).to_be_hidden()


@pytest.mark.parametrize("context_options", LOOKS)
@pytest.mark.parametrize("state", ["new", "wrong", "signed in", "refused"])
def test_the_form_is_accessible_and_fits(page: Page, state: str, refusals: list[int]) -> None:
    if state == "refused":
        refusals.append(401)
        page.goto("/devices")
    else:
        page.goto("/sign-in?next=/devices")
    if state == "wrong":
        refusals.append(401)
        sign_in(page, "wrong")
        expect(page.get_by_role("alert")).to_be_visible()
    if state == "signed in":
        sign_in(page)
        page.goto("/sign-in")
        expect(page.get_by_text("You are signed in.")).to_be_visible()
    assert findings(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.fixture
def context_options() -> dict[str, Any]:
    """The default options; LOOKS replaces them above."""
    return {}
