"""Browser actions for the tests of pages: read charts, cut the server off, hide a page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page, Route, expect


def wait_until(page: Page, condition: str) -> None:
    """Wait for a condition in JavaScript; Playwright's own waiting evaluates text, which the pages' policy forbids."""
    page.evaluate(
        f"""() => new Promise((resolve, reject) => {{
            setTimeout(() => reject(new Error("waited in vain")), 30000);
            const check = () => ({condition}) ? resolve() : requestAnimationFrame(check);
            check();
        }})"""
    )


def media_types(page: Page, part: str) -> list[str]:
    """Return the list to which is appended what media types a page asks for where its address has this part."""
    found: list[str] = []
    page.on("request", lambda request: found.append(request.headers.get("accept", "")) if part in request.url else None)
    return found


def query_of(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query, keep_blank_values=True)


def drawn(page: Page, canvas: str) -> dict[str, list[Any]]:
    """Return the points of each line on a canvas, by the line's name: [epoch seconds, value]."""
    return page.evaluate(
        """(id) => Object.fromEntries(Chart.getChart(document.getElementById(id)).data.datasets.map(
            (line) => [line.label, line.data.map((point) => (Number.isFinite(point.x) ? [point.x, point.y] : point))]
        ))""",
        canvas,
    )


def ask(page: Page) -> None:
    """Make a visible page refresh at once, as when a person comes back to it, instead of after its interval."""
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def shown_at(page: Page, moment: str) -> None:
    """Make the page refresh, and wait until it shows this moment."""
    ask(page)
    expect(page.locator(".updated time")).to_have_attribute("datetime", moment)


@contextmanager
def cut_off(page: Page, path: str, failures: list[str]) -> Iterator[None]:
    """Refuse the page's requests to a path, as if the server were gone; append their addresses to `failures`."""

    def refuse(route: Route) -> None:
        failures.append(route.request.url)
        route.abort("connectionrefused")

    page.route(lambda url: urlsplit(url).path == path, refuse)
    yield
    page.unroute_all(behavior="wait")


def open_exact(page: Page) -> None:
    """Open the part of a chart's form that has the exact range, on a phone after the form itself."""
    folded = page.locator("#choose:not([open]) > summary")
    if folded.is_visible():
        folded.click()
    page.get_by_text("Exact range", exact=True).click()


def hide(page: Page, hidden: bool) -> None:
    """Hide the page's tab behind another one, or show it again."""
    page.evaluate(
        """(hidden) => {
            Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


def saved(page: Page, button: str) -> tuple[str, bytes]:
    """Press a button that saves a file; return the file's name and content."""
    with page.expect_download() as download:
        page.get_by_role("button", name=button, exact=True).click()
    return download.value.suggested_filename, download.value.path().read_bytes()


def figures(page: Page, within: str = "main") -> dict[str, str]:
    """Return the figures shown, by name."""
    names = page.locator(f"{within} dt").all_inner_texts()
    return dict(zip(names, page.locator(f"{within} dd").all_inner_texts(), strict=True))
