"""What the tests of pages ask of the browser."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page


def wait_until(page: Page, condition: str) -> None:
    """Wait for a condition in JavaScript; Playwright's own waiting evaluates text, which the pages' policy forbids."""
    page.evaluate(
        f"""() => new Promise((resolve, reject) => {{
            setTimeout(() => reject(new Error("waited in vain")), 5000);
            const check = () => ({condition}) ? resolve() : requestAnimationFrame(check);
            check();
        }})"""
    )


def query_of(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query, keep_blank_values=True)
