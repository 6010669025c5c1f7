"""Going back in a real browser after signing out: nothing is shown that needed a token."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import override_settings
from playwright.sync_api import Browser, Page, expect

from tests.conftest import CHROMIUM_ARGS
from timeseries_project.core import clock
from transactions import services as transactions

pytestmark = pytest.mark.browser


@pytest.fixture(autouse=True)
def tokens() -> Iterator[None]:
    with override_settings(API_TOKENS=("good-token",), API_TOKENS_FOR_READS=True):
        yield


@pytest.fixture(scope="module")
def browser(browser: Browser, chromium: str) -> Iterator[Browser]:
    """Chromium as people have it: it keeps pages that are left, to show them again when one goes back."""
    kept = ["--disable-back-forward-cache"]
    start = browser.browser_type.launch
    with start(executable_path=chromium, args=CHROMIUM_ARGS, ignore_default_args=kept) as other:
        yield other


@pytest.mark.parametrize(
    ("path", "seen"), [("/charts/transactions", "12,345.50"), ("/", "12,345.50"), ("/api/statistics", "12345.5")]
)
def test_back_shows_nothing_that_needed_a_token(page: Page, path: str, seen: str, refusals: list[int]) -> None:
    transactions.window.add(clock.now_ms(), 12_345.5, now=clock.now_ms())
    page.goto(f"/sign-in?next={path}")
    page.get_by_label("API token").fill("good-token")
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("main, .response-info").first).to_contain_text(seen)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("API token")).to_be_visible()
    # The page itself and, on a live page that comes back for a moment, the figures that its script asks for.
    page.on("response", lambda response: refusals.append(response.status) if response.status >= 400 else None)
    page.evaluate("history.back()")
    expect(page.locator(".response-info")).to_contain_text("HTTP 401 Unauthorized")
    assert seen not in page.content()


def test_back_shows_the_page_anew_to_who_is_signed_in(page: Page) -> None:
    page.goto("/sign-in?next=/charts/transactions")
    page.get_by_label("API token").fill("good-token")
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator(".updated")).to_be_visible()
    page.goto("/sign-in")
    transactions.window.add(clock.now_ms(), 12_345.5, now=clock.now_ms())
    page.evaluate("history.back()")
    expect(page.locator("main")).to_contain_text("12,345.50")
