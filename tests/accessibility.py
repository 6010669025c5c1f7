"""What axe finds on a page, and the widths and colour schemes that pages are looked at in."""

from __future__ import annotations

import itertools
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

WIDTHS = {"phone": {"width": 360, "height": 740}, "desktop": {"width": 1280, "height": 900}}
SCHEMES = ["light", "dark"]
LOOKS = [{"viewport": size, "color_scheme": scheme} for size, scheme in itertools.product(WIDTHS.values(), SCHEMES)]


def findings(page: Page) -> list[tuple[str, list[str]]]:
    """Return what axe finds serious or critical: the rule, and the elements that break it."""
    violations: list[dict[str, Any]] = Axe().run(page).response["violations"]
    return [
        (violation["id"], [node["html"] for node in violation["nodes"]])
        for violation in violations
        if violation["impact"] in ("serious", "critical")
    ]
