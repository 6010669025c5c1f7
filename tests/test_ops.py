"""The files in ops/: promtool accepts them, and they use only series and labels that /metrics has."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from rest_framework.test import APIClient

from tests.asked_metrics import ADDED, OPS, UP, alerts, asked, dashboard, panels
from timeseries_project.tests.exposition import Samples

ROOT = OPS.parent


@pytest.fixture(scope="module")
def promtool() -> Callable[..., str]:
    """A function that runs promtool in ops/; without promtool the tests are skipped, or fail in CI."""
    found = shutil.which("promtool")
    if found is None:
        reason = "NO PROMTOOL ON THIS MACHINE: ops/ was not checked; install it (Debian: prometheus) and run again."
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)

    def run(*arguments: str, text: str | None = None) -> str:
        done = subprocess.run(
            [found, *arguments], cwd=OPS, input=text, capture_output=True, text=True, timeout=60, check=False
        )
        said = done.stdout + done.stderr
        assert done.returncode == 0, said
        return said

    return run


@pytest.fixture
def exposed(api: APIClient) -> str:
    """The text of /metrics after some traffic: reads, writes, refusals."""
    point = {"timestamp": 1, "value": 1, "device": "d", "user": "u"}
    for path in ("/devices", "/nope", "/", "/statistics/devices/d/avg"):
        api.get(path)
    for _ in range(2):
        api.post("/datapoints", json.dumps(point), content_type="application/json")
    return api.get("/metrics").content.decode()


def grouped(expression: str) -> set[str]:
    """Return the labels that an expression groups by."""
    groups = re.findall(r"\bby\s*\(([^)]*)\)", expression)
    return {label.strip() for group in groups for label in group.split(",")}


def test_the_configuration_and_the_rules_are_valid(promtool: Callable[..., str]) -> None:
    promtool("check", "config", "prometheus.yml")
    promtool("check", "rules", "alerts.yml")


def test_each_alert_fires_when_it_should_and_only_then(promtool: Callable[..., str]) -> None:
    promtool("test", "rules", "alerts_test.yml")
    names = re.findall(r"alert: (\w+)", (OPS / "alerts.yml").read_text())
    tests = (OPS / "alerts_test.yml").read_text()
    for name in names:
        assert f"alertname: {name}\n" in tests, f"nothing tests that {name} fires"
        assert re.search(rf"alertname: {name}, .*exp_alerts: \[\]", tests), f"nothing tests that {name} stays quiet"


def test_the_metrics_are_well_formed_and_well_named(promtool: Callable[..., str], exposed: str) -> None:
    assert promtool("check", "metrics", text=exposed) == ""


def test_the_dashboard_asks_in_valid_expressions(promtool: Callable[..., str], tmp_path: Path) -> None:
    rules = [{"record": f"panel:{i}", "expr": expression} for i, expression in enumerate(panels())]
    file = tmp_path / "panels.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    promtool("check", "rules", str(file))


@pytest.mark.parametrize("expressions", [alerts, panels])
def test_what_is_asked_for_exists(expressions: Callable[[], Iterator[str]], exposed: str) -> None:
    labels = Samples.parse(exposed).labels()
    found = list(expressions())
    assert found
    for expression in found:
        series = list(asked(expression))
        assert series, expression
        known = set(ADDED)
        for name, chosen in series:
            assert name in labels.keys() | UP, (name, expression)
            known |= labels.get(name, set())
            assert chosen <= labels.get(name, set()) | ADDED, (chosen, expression)
        assert grouped(expression) <= known, expression


def test_what_an_expression_asks_for_is_found() -> None:
    expression = 'sum by (le, x) (rate(a_total{b="c{d}", e!~"f"}[5m])) / on (y) g > 0.5 or h:i == 1e3'
    assert list(asked(expression)) == [("a_total", {"b", "e"}), ("g", set()), ("h:i", set())]
    assert grouped(expression) == {"le", "x"}


def test_the_dashboard_is_whole() -> None:
    found = dashboard()
    ids = [panel["id"] for panel in found["panels"]]
    assert len(set(ids)) == len(ids) >= 10
    places = [tuple(panel["gridPos"][side] for side in "xywh") for panel in found["panels"]]
    cells = [(x + i, y + j) for x, y, w, h in places for i in range(w) for j in range(h)]
    assert len(set(cells)) == len(cells), "panels overlap"
    assert max(x for x, _ in cells) < 24
    for panel in found["panels"]:
        assert panel["title"]
        assert panel["description"]
        assert panel["datasource"]["uid"] == "${datasource}"
        for target in panel["targets"]:
            for label in re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]):
                assert label in grouped(target["expr"]) or "by" not in target["expr"].split()


def test_prometheus_asks_where_the_service_answers(api: APIClient) -> None:
    [job] = yaml.safe_load((OPS / "prometheus.yml").read_text())["scrape_configs"]
    assert api.get(job["metrics_path"]).status_code == 200
    assert f'job="{job["job_name"]}"' in "".join(alerts())


def test_every_metric_is_in_the_documentation(exposed: str) -> None:
    """The table in docs/operations.md and /metrics name the same metrics, with the same labels."""
    text = (ROOT / "docs" / "operations.md").read_text()
    rows = re.findall(r"^\| `([a-z_]+)` \|([^|]*)\|[^|]+\|$", text, re.MULTILINE)
    documented = {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in rows}
    types = dict(re.findall(r"^# TYPE (\w+) (\w+)$", exposed, re.MULTILINE))
    ours = {name for name in types if name.startswith(("timeseries_", "http_"))}
    assert ours == documented.keys()
    labels = Samples.parse(exposed).labels()
    for name, found in documented.items():
        series = f"{name}_bucket" if types[name] == "histogram" else name
        assert labels[series] - {"le"} == found, name
