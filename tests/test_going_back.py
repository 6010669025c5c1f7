"""Going back in a real browser after signing out: nothing is shown that needed a token."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import override_settings
from playwright.sync_api import Page, expect

from timeseries_project.core import clock
from transactions import services as transactions

pytestmark = pytest.mark.browser


@pytest.fixture(autouse=True)
def tokens() -> Iterator[None]:
    with override_settings(API_TOKENS=("good-token",), API_TOKENS_FOR_READS=True):
        yield


@pytest.mark.parametrize(
    ("path", "seen"), [("/charts/transactions", "12,345.50"), ("/", "12,345.50"), ("/api/statistics", "12345.5")]
)
def test_back_shows_no_figures(page: Page, path: str, seen: str, refusals: list[int]) -> None:
    transactions.window.add(clock.now_ms(), 12_345.5, now=clock.now_ms())
    page.goto(f"/sign-in?next={path}")
    page.get_by_label("API token").fill("good-token")
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("main, .response-info").first).to_contain_text(seen)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("API token")).to_be_visible()
    refusals.append(401)
    page.go_back()
    expect(page.locator(".response-info")).to_contain_text("HTTP 401 Unauthorized")
    assert seen not in page.content()
