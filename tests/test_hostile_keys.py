"""Keys that look like code stay text: on every page, in a real browser, and in every header."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import quote

import pytest
from playwright.sync_api import Page
from rest_framework.test import APIClient

from bandwidth import services as bandwidth
from datapoints import services as datapoints
from timeseries_project.core import clock

KEYS = [
    "<script>window.hit=1</script>",
    "</title><script>window.hit=1</script>",
    "</script><img src=x onerror=window.hit=1>",
    '"><svg onload=window.hit=1>',
    "' onmouseover='window.hit=1' autofocus onfocus='window.hit=1",
    "javascript:window.hit=1",
    "{{7*7}}{% debug %}${7*7}#{7*7}",
    "--><!--<b>",
    "&lt;script&gt;&#60;",
    "</textarea></pre></template><iframe srcdoc='<script>parent.hit=1</script>'>",
    "data:text/html,<script>window.hit=1</script>",
    "=cmd|' /C calc'!A0",
    "\u202etxt.exe",
]


#: Breaks out of any element or attribute that does not escape it.
POLYGLOT = """</title></script></textarea></pre>'"--><svg onload=window.hit=1><script>window.hit=1</script>"""


def add(key: str) -> None:
    """Store data under a key in both apps."""
    now = clock.now()
    datapoints.store.add(now, 1.0, key, key)
    bandwidth.store.add(key, now // 10**6, 1, 2)


def assert_text(page: Page) -> None:
    """Assert that no key became an element or an attribute, and that none ran as a script."""
    assert page.evaluate("window.hit") is None
    assert page.locator("iframe, [onload], [onerror], [onfocus], [onmouseover], img[src=x]").count() == 0
    assert page.locator("a[href^='javascript:'], a[href^='data:']").count() == 0


LISTS = ["/", "/charts/datapoints", "/charts/bandwidth"]
ENDPOINTS = ["/datapoints", "/devices", "/users", "/api/bandwidth/devices", "/api/bandwidth/entries"]
OF_ONE = [
    "/charts/datapoints?device={}",
    "/charts/datapoints?user={}",
    "/charts/bandwidth?device_uuid={}",
    "/devices/{}",
    "/api/bandwidth/devices/{}",
    "/api/bandwidth?device_uuid={}",
    "/statistics/users/{}/avg",
]
NOT_THERE = ["/{}", "/devices/x{}", "/datapoints?{}=1", "/datapoints?cursor={}", "/charts/datapoints?device=x{}"]


@pytest.mark.browser
@pytest.mark.parametrize("path", [*LISTS, *(f"{path}?format=api" for path in ENDPOINTS)])
def test_lists_show_them_as_text(page: Page, path: str) -> None:
    for key in [*KEYS, POLYGLOT]:
        add(key)
    page.goto(path)
    assert_text(page)


class _Skeleton(HTMLParser):
    """The elements of a page, each with the names of its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, list[str]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, [name for name, _ in attrs]))


@pytest.mark.usefixtures("now")
@pytest.mark.parametrize("key", KEYS)
def test_a_page_about_one_has_the_elements_of_a_page_about_any(api: APIClient, key: str) -> None:
    def skeleton(path: str, key: str) -> tuple[int, list[tuple[str, list[str]]]]:
        response = api.get(path.format(quote(key, safe="")), headers={"Accept": "text/html"})
        return response.status_code, _Skeleton(response.content.decode()).elements

    add(key)
    add("plain")
    for path in [*OF_ONE, *NOT_THERE]:
        assert skeleton(path, key) == skeleton(path, "plain"), path


@pytest.mark.browser
@pytest.mark.parametrize("path", OF_ONE)
def test_a_page_about_one_shows_it_as_text(page: Page, path: str) -> None:
    add(POLYGLOT)
    page.goto(path.format(quote(POLYGLOT, safe="")))
    assert_text(page)


@pytest.mark.browser
@pytest.mark.parametrize("path", NOT_THERE)
def test_refusals_show_it_as_text(page: Page, path: str, refusals: list[int]) -> None:
    response = page.goto(path.format(quote(POLYGLOT, safe="")))
    assert response is not None
    refusals.append(response.status)
    assert_text(page)


@pytest.mark.parametrize("key", [*KEYS, 'a>; rel="next", <http://x.example', "ü\u2028✓", "a,b;c=d"])
def test_the_link_to_the_next_page_holds_them_escaped(api: APIClient, key: str) -> None:
    for second in (1, 2):
        datapoints.store.add(second, 1.0, key, "u")
    response = api.get(f"/datapoints?limit=1&device={quote(key, safe='')}")
    link = response["Link"]
    assert link.isascii()
    assert link.count("<") == link.count(">") == 1
    assert link.endswith('>; rel="next"')
    following = api.get(link[1 : link.index(">")]).json()
    assert [point["device"] for point in following["results"]] == [key]
