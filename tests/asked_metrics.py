"""What the files in ops/ ask Prometheus for: the expressions of alerts and panels, and the series in them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

OPS = Path(__file__).resolve().parents[1] / "ops"
#: What Prometheus itself adds: a series, and labels of all series.
UP, ADDED = {"up"}, {"job", "instance"}
WORDS = {"by", "without", "on", "ignoring", "and", "or", "unless", "group_left", "group_right", "offset", "bool"}


def alerts() -> Iterator[str]:
    for group in yaml.safe_load((OPS / "alerts.yml").read_text())["groups"]:
        for rule in group["rules"]:
            yield rule["expr"]


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((OPS / "grafana" / "dashboards" / "service.json").read_text())
    return found


def panels() -> Iterator[str]:
    for panel in dashboard()["panels"]:
        for target in panel["targets"]:
            yield target["expr"].replace("$__rate_interval", "5m").replace("$instance", ".*")


def asked(expression: str) -> Iterator[tuple[str, set[str]]]:
    """Yield the series in an expression, each with the labels that it selects by."""
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', '""', expression)
    bare = re.sub(r"\b(by|without|on|ignoring)\s*\([^)]*\)", "", bare)
    for match in re.finditer(r"([a-zA-Z_:][\w:]*)\s*(\{[^}]*\})?(?!\s*\()(?![\w:])", bare):
        if match[1] not in WORDS and not re.search(r"[\d\[]$", bare[: match.start()]):
            yield match[1], set(re.findall(r"(\w+)\s*[=!]", match[2] or ""))


def asked_names() -> set[str]:
    """Return the names of all series that some alert or panel asks for."""
    return {name for expressions in (alerts(), panels()) for each in expressions for name, _ in asked(each)} - UP
