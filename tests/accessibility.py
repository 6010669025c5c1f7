"""The findings of axe on a page, and the widths and colour schemes in which pages are checked."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from timeseries_project.tests.drawn import THOROUGH

WIDTHS = {"phone": {"width": 360, "height": 740}, "desktop": {"width": 1280, "height": 900}}
SCHEMES = ["light", "dark"]
#: The short form of the suite checks each width and each scheme once, the thorough one all combinations.
LOOKS = [
    pytest.param({"viewport": WIDTHS[width], "color_scheme": scheme}, id=f"{width}-{scheme}")
    for width, scheme in (itertools.product(WIDTHS, SCHEMES) if THOROUGH else zip(WIDTHS, SCHEMES, strict=True))
]


def findings(page: Page) -> list[tuple[str, list[str]]]:
    """Return axe's serious and critical findings: the rule, and the elements that break it."""
    violations: list[dict[str, Any]] = Axe().run(page).response["violations"]
    return [
        (violation["id"], [node["html"] for node in violation["nodes"]])
        for violation in violations
        if violation["impact"] in ("serious", "critical")
    ]
