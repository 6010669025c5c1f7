"""Pages left open: do the browser's heap and the number of nodes stay flat?

    python benchmarks/left_open.py [--minutes 10]

Starts the production server, opens the four live pages in Chromium, side by side, and sends simulated traffic all the
while. Prints a line per page and minute, after a garbage collection, and a verdict; exits with 1 unless all are flat:
in the last third of the time a page holds at most a twentieth more than in the one before.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from statistics import median
from typing import NamedTuple

from playwright.sync_api import CDPSession, Page, sync_playwright
from report import machine, size
from servers import OURS, Server, running

PATHS = {
    "dashboard": "/",
    "bandwidth": "/charts/bandwidth?device_uuid=router-1&window_time=5&num_windows=60",
    "datapoints": "/charts/datapoints?device=thermometer-1&bucket=15m",
    "transactions": "/charts/transactions",
}
#: How much more the last third may hold than the one before it.
FLAT = 1.05
#: Refreshes before the first look: until then the browser compiles, and remembers what it has compiled (1 MB or so).
WARM = 800
_REFRESH = """async (count) => {
    for (let i = 0; i < count; i += 1) {
        const shown = new Promise((done) => document.addEventListener("view", done, { once: true }));
        document.dispatchEvent(new Event("visibilitychange"));
        await Promise.race([shown, new Promise((done) => setTimeout(done, 200))]);
    }
}"""
#: Looks per minute.
LOOKS = 4


class Look(NamedTuple):
    """What a page holds after a garbage collection."""

    heap: int
    nodes: int
    listeners: int


class Watched:
    """A page that is left open."""

    def __init__(self, page: Page, url: str) -> None:
        page.goto(url)
        page.evaluate(_REFRESH, WARM)
        self.page = page
        self.looks: list[Look] = []
        self._session: CDPSession = page.context.new_cdp_session(page)
        self._session.send("Performance.enable")
        self._session.send("HeapProfiler.enable")

    def look(self) -> Look:
        """Collect garbage, then count."""
        for _ in range(2):
            self._session.send("HeapProfiler.collectGarbage")
        found = self._session.send("Performance.getMetrics")["metrics"]
        values = {metric["name"]: int(metric["value"]) for metric in found}
        look = Look(values["JSHeapUsedSize"], values["Nodes"], values["JSEventListeners"])
        self.looks.append(look)
        return look

    def growth(self) -> dict[str, float]:
        """Return by how much the last third is more than the one before, for each figure."""
        third = max(len(self.looks) // 3, 1)
        before, last = self.looks[-2 * third : -third] or self.looks[:1], self.looks[-third:]
        return {
            name: median(getattr(look, name) for look in last) / median(getattr(look, name) for look in before)
            for name in Look._fields
        }


def left_open(server: Server, seconds: float) -> bool:
    """Leave the pages open for so many seconds; print what they hold, and return whether it is flat."""
    base = f"http://127.0.0.1:{server.port}"
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    # Longer than the pages are open: it ends with them.
    command = [sys.executable, "manage.py", "simulate", "--url", base, "--duration", str(int(seconds) + 60)]
    with (
        subprocess.Popen([*command, "--verbosity", "0"]) as traffic,
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]) as browser,
    ):
        pages = {name: Watched(browser.new_page(), f"{base}{path}") for name, path in PATHS.items()}
        print("| page | seconds | heap | nodes | listeners |\n| --- | ---: | ---: | ---: | ---: |")
        rounds = max(int(seconds / 60 * LOOKS), 6)
        for number in range(1, rounds + 1):
            for watched in pages.values():  # whichever waits, the events of all are handled
                watched.page.wait_for_timeout(seconds * 1_000 / rounds / len(pages))
            for name, watched in pages.items():
                look = watched.look()
                if number % LOOKS == 0 or number == rounds:
                    at = seconds * number / rounds
                    print(f"| {name} | {at:.0f} | {size(look.heap)} | {look.nodes:,} | {look.listeners} |", flush=True)
        traffic.terminate()
        return verdict(pages)


def verdict(pages: dict[str, Watched]) -> bool:
    """Print and return whether all is flat."""
    flat = True
    for name, watched in pages.items():
        growth = watched.growth()
        grows = [f"{what} × {factor:.3f}" for what, factor in growth.items() if factor > FLAT]
        flat = flat and not grows
        print(f"{name}: {', '.join(grows) + ': it grows' if grows else 'flat'}.")
    return flat


def main() -> None:
    """Leave the pages of a fresh server open."""
    parser = argparse.ArgumentParser(description="Pages left open, and whether what the browser holds stays flat.")
    parser.add_argument("--minutes", type=float, default=10, help="how long (10)")
    arguments = parser.parse_args()
    print(f"{machine()}\n", flush=True)
    with running(OURS) as servers:
        sys.exit(not left_open(servers[OURS], arguments.minutes * 60))


if __name__ == "__main__":
    main()
