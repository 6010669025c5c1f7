"""Takes the screenshots for README and docs, of a server with the sample listing, and writes them to docs/images/.

`python scripts/screenshots.py [directory]`
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

from playwright.sync_api import Browser, Page, Route, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM_ARGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
PATIENCE = 30.0  # seconds until the server must answer
TRAFFIC = 60  # seconds of simulated traffic before the pictures of live pages
PHONE, DESKTOP = {"width": 360, "height": 640}, {"width": 1200, "height": 640}
LOOK = {"locale": "en-GB", "timezone_id": "UTC"}


@contextmanager
def server() -> Iterator[str]:
    """Run the development server on a free port; yield its base URL."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if name != "BANDWIDTHS_FILE"}
    command = [sys.executable, "manage.py", "runserver", "--noreload", f"127.0.0.1:{port}"]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    try:
        base = f"http://127.0.0.1:{port}"
        await_answer(process, f"{base}/healthz")
        yield base
    finally:
        process.terminate()
        process.wait()


def await_answer(process: subprocess.Popen[bytes], url: str) -> None:
    """Wait until the server answers; exit if it stops or takes too long."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urlopen(url).close()
        except URLError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("The server did not start.")


def first_chart(base: str) -> str:
    """Return the path of the first device's chart, with all of its half hour."""
    with urlopen(f"{base}/api/bandwidth/devices") as answer:
        device = json.load(answer)[0]
    query = {"device_uuid": device["device_id"], "end_time": device["last"], "window_time": 60, "num_windows": 30}
    return f"/charts/bandwidth?{urlencode(query)}"


def traffic(base: str, pages: list[Page]) -> None:
    """Simulate traffic while the live pages are open."""
    command = [sys.executable, "manage.py", "simulate", "--url", base, "--duration", str(TRAFFIC), "--verbosity", "0"]
    with subprocess.Popen(command, cwd=ROOT) as process:
        while process.poll() is None:
            for page in pages:
                page.wait_for_timeout(200)
    if process.returncode:
        raise SystemExit("The simulation failed.")


def show_states(browser: Browser, base: str, directory: Path) -> None:
    """Take a picture of each state of a page other than that all is well: light on a desktop, and dark on a phone."""
    bandwidth, device = "/charts/bandwidth", {"device_uuid": "atrium-wifi"}
    live = f"/charts/bandwidth?{urlencode({**device, 'window_time': 5, 'num_windows': 12})}"
    thermometer = "/charts/datapoints?device=thermometer-1"
    states: dict[str, tuple[str, str, Callable[[Page], None]]] = {  # address, a selector of the state, what brings it
        "loading": (live, "#loading:not(:empty)", follow_a_slow_link),
        "empty": (f"{bandwidth}?{urlencode({**device, 'end_time': 86_400})}", ".nothing", as_it_is),
        "partial": (thermometer, ".span", as_it_is),
        "stale": (live, "#unreachable:not([hidden])", lambda page: answer(page, None)),
        "refused": (live, "#unreachable:not([hidden])", lambda page: answer(page, 429)),
        "signed-out": (live, "#unreachable:not([hidden])", lambda page: answer(page, 401)),
        "unknown": (f"{bandwidth}?device_uuid=atrium-wfi", ".problem", as_it_is),
        "paused": ("/charts/transactions", "#pause[aria-pressed=true]", lambda page: page.click("#pause")),
    }
    for scheme, viewport in (("light", DESKTOP), ("dark", PHONE)):
        with browser.new_context(viewport=viewport, color_scheme=scheme, **LOOK) as context:  # type: ignore[arg-type]
            for name, (path, sign, bring) in states.items():
                page = context.new_page()
                page.goto(f"{base}{path}")
                bring(page)
                page.wait_for_selector(sign)
                page.locator(sign).scroll_into_view_if_needed()
                page.screenshot(path=directory / f"state-{name}-{scheme}.png")
                page.unroute_all(behavior="ignoreErrors")
                page.close()


def as_it_is(page: Page) -> None:
    """Bring a state that the address alone brings."""


def follow_a_slow_link(page: Page) -> None:
    """Follow a link whose page does not come."""
    page.route("**/charts/**", lambda _: None)
    page.get_by_role("link", name="Previous").click()


def answer(page: Page, status: int | None) -> None:
    """Let all further requests be answered with a status, or not at all."""

    def refuse(route: Route) -> None:
        if status is None:
            route.abort("connectionrefused")
        else:
            route.fulfill(status=status, headers={"Retry-After": "30"}, body="")

    page.route("**/charts/**", refuse)


def main() -> None:
    """Take the pictures."""
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images"
    directory.mkdir(parents=True, exist_ok=True)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with server() as base, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGS)
        context = browser.new_context(viewport={"width": 1200, "height": 900}, color_scheme="light", **LOOK)
        live = {"home": context.new_page(), "transactions-chart": context.new_page()}
        live["home"].goto(base)
        live["transactions-chart"].goto(f"{base}/charts/transactions")
        traffic(base, list(live.values()))
        for name, page in live.items():
            page.screenshot(path=directory / f"{name}.png")
            print(directory / f"{name}.png")
        page = context.new_page()
        pictures = {  # each path with a selector that is present once the page is complete
            "bandwidth-chart": (first_chart(base), "canvas"),
            "datapoints-chart": ("/charts/datapoints?device=thermometer-1", "canvas"),
            "api-docs": ("/api/docs/", ".opblock"),
        }
        for name, (path, sign) in pictures.items():
            page.goto(f"{base}{path}")
            page.wait_for_selector(sign)
            page.screenshot(path=directory / f"{name}.png")
            print(directory / f"{name}.png")
        show_states(browser, base, directory)
        browser.close()


if __name__ == "__main__":
    main()
