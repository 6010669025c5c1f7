"""Pages without JavaScript: nothing that does nothing is shown, and what is shown works."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect
from pytest_django.fixtures import Settings

from tests.accessibility import findings
from tests.browsing import open_exact, wait_until
from tests.every_page import BROWSABLE, CHARTS, DEVICE, OURS, PHONE, fill, of_device

WIDE = {"java_script_enabled": False, "viewport": {"width": 1280, "height": 900}}
NARROW = {"java_script_enabled": False, "viewport": PHONE}

pytestmark = pytest.mark.browser
EVERY = {**OURS, **BROWSABLE, "docs": "/api/docs/", "unknown": "/charts/bandwidth?device_uuid=nobody"}
#: Visible elements that only scripts bring to life: fields and buttons outside of forms, or of forms that scripts send.
DEAD = """() => [...document.querySelectorAll("button, input, select, textarea, canvas, .chart, #clock")]
    .filter((element) => element.checkVisibility())
    .filter((element) => !element.form || element.form.dataset.method || element.type === "button")
    .map((element) => element.outerHTML.slice(0, 80))"""
#: Words of what a page would do with scripts.
PROMISES = ["Updated", "Pause", "PNG", "Averages as", "is looked for", "dashed", "Added per second", "since you opened"]
PROMISES += ["Keys", "Times in"]


@pytest.fixture(autouse=True)
def filled(now: int) -> None:
    """Data of the ten minutes before 12:00."""
    fill(now)


@pytest.mark.parametrize("context_options", [WIDE, NARROW], ids=["desktop", "phone"])
@pytest.mark.parametrize("path", EVERY.values(), ids=EVERY)
def test_nothing_dead_is_shown_and_a_sentence_says_what_is_missing(page: Page, path: str, refusals: list[int]) -> None:
    refusals.extend([404] if "nobody" in path else [])
    page.goto(path)
    assert page.evaluate(DEAD) == []
    text = page.locator("body").inner_text()
    assert [words for words in PROMISES if words in text] == []
    assert page.locator("noscript :visible").count() >= 1
    assert "JavaScript" in text
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("context_options", [WIDE])
def test_signing_in_works(page: Page, settings: Settings) -> None:
    settings.API_TOKENS = ("good-token",)
    settings.API_TOKENS_FOR_READS = True
    page.goto("/sign-in?next=/charts/bandwidth")
    assert page.evaluate(DEAD) == []
    expect(page.locator("noscript :visible")).to_have_text("You can sign in without JavaScript. Only charts need it.")
    page.get_by_label("API token").fill("good-token")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/charts/bandwidth")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("API token")).to_be_visible()


@pytest.mark.parametrize("context_options", [WIDE, NARROW], ids=["desktop", "phone"])
@pytest.mark.parametrize("chart", ["bandwidth", "datapoints"])
def test_forms_and_links_work(page: Page, chart: str) -> None:
    page.goto(f"/charts/{chart}")
    page.get_by_label("Device", exact=True).fill(DEVICE)
    page.get_by_role("button", name="Show").click()
    expect(page.locator("h1 bdi")).to_have_text(DEVICE)
    page.locator("#table summary").click()
    expect(page.locator("#table tbody tr").first).to_be_visible()
    expect(page.locator("#updated")).to_have_text("As of 12:00:00 UTC", use_inner_text=True)

    page.go_back()
    page.get_by_role("link", name=DEVICE).first.click()
    expect(page.locator("h1 bdi")).to_have_text(DEVICE)


@pytest.mark.parametrize("context_options", [NARROW])
def test_the_form_is_folded_on_a_phone_and_opens(page: Page) -> None:
    page.goto(CHARTS["bandwidth"])
    expect(page.get_by_label("Device", exact=True)).to_be_hidden()
    open_exact(page)
    page.get_by_label("Windows", exact=True).fill("3")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("#windows tbody tr")).to_have_count(3)


@pytest.mark.parametrize("context_options", [WIDE])
def test_the_form_stands_open_where_there_is_room(page: Page) -> None:
    page.goto(CHARTS["bandwidth"])
    expect(page.get_by_label("Device", exact=True)).to_be_visible()
    expect(page.get_by_text("Choose", exact=True)).to_be_hidden()


@pytest.mark.parametrize("path", ["/", *CHARTS.values(), of_device("bandwidth", DEVICE)])
def test_with_scripts_all_of_it_is_there(page: Page, path: str) -> None:
    page.goto(path)
    wait_until(page, "document.readyState === 'complete'")
    expect(page.locator("canvas").first).to_be_visible()
    for name in ("Pause", "Keys"):
        expect(page.get_by_role("button", name=name)).to_be_visible()
    expect(page.locator("#updated")).to_contain_text("Updated")
    assert page.locator("noscript :visible").count() == 0
    assert findings(page) == []
