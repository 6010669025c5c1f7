"""The files for Grafana: checkers accept them, and every address of a panel is one that the service answers.

No Grafana runs here. What it does with an address is done as its documentation and that of the Infinity plugin say.
"""

from __future__ import annotations

import csv
import io
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
import yaml

from tests.deployed import OPS, compose, run, tool
from tests.served import Served
from timeseries_project.core.timestamps import parse

GRAFANA = OPS / "grafana"
DATA = GRAFANA / "dashboards" / "data.json"
SCHEMAS = Path(__file__).parent / "schemas"
TOKEN = "0123456789abcdef"
DEVICE, USER = "hall 1/2 & ü?", "ada+b"
CHECKED = [
    ("grafana-datasources.json", GRAFANA / "provisioning" / "datasources" / "timeseries.yml", "bearerToken:"),
    ("grafana-providers.json", GRAFANA / "provisioning" / "dashboards" / "timeseries.yml", "path:"),
    ("grafana-infinity.json", DATA, '"parser":'),
]


def board() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(DATA.read_text())
    return found


def targets() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield all queries of the dashboard, each with what it is for."""
    for panel in board()["panels"]:
        for target in panel["targets"]:
            yield f"{panel['title']} {target['refId']}", target
    for variable in board()["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["name"], variable["query"]["infinityQuery"]


TARGETS = dict(targets())


def values(now: int) -> dict[str, str]:
    """Return what Grafana puts in the place of variables, for the six hours before a time in epoch seconds."""
    begin = now - 6 * 3_600

    def iso(seconds: int) -> str:
        return time.strftime("%Y-%m-%dT%H:%M:%S.123Z", time.gmtime(seconds))

    return {
        "${__from:date:iso}": iso(begin),
        "${__to:date:iso}": iso(now),
        "${__to:date:seconds}": str(now),
        "${__interval}": "30s",
        "${device}": DEVICE,
        "${device:percentencode}": quote(DEVICE, safe=""),
        "${user:percentencode}": quote(USER, safe=""),
        "${network_device}": DEVICE,
        "$window": "60",
    }


def filled(text: str, now: int) -> str:
    for name, value in values(now).items():
        text = text.replace(name, value)
    assert "$" not in text
    return text


def address(target: dict[str, Any], now: int) -> str:
    """Return the address as Infinity makes it: parameters are encoded as in a form."""
    params = [(param["key"], filled(param["value"], now)) for param in target["url_options"]["params"]]
    return filled(target["url"], now) + (f"?{urlencode(params)}" if params else "")


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """A server that wants a token for reads, with data of the last hours."""
    with Served(API_TOKENS=TOKEN, API_TOKENS_FOR_READS="true") as server:
        server.wait()
        now = int(time.time())
        points = [{"timestamp": now - 60 * i, "value": i, "device": DEVICE, "user": USER} for i in range(200)]
        entries = [{"device_id": DEVICE, "timestamp": now - 60 * i, "bytes_ts": i, "bytes_fs": 1} for i in range(50)]
        payments = [{"timestamp": now * 1_000 - i, "amount": i} for i in range(10)]
        for path, items in (("/datapoints", points), ("/api/bandwidth", entries), ("/api/transactions", payments)):
            status, _, content = ask(server, path, json.dumps(items))
            assert status == 201, content
        yield server


def ask(served: Served, path: str, body: str | None = None) -> tuple[int, str, str]:
    headers = {"Authorization": f"Bearer {TOKEN}"} | ({"Content_Type": "application/json"} if body else {})
    status, response, content = served.request("POST" if body else "GET", path, body, **headers)
    return status, response.headers["Content-Type"], content.decode()


def rows(target: dict[str, Any], content: str) -> list[dict[str, Any]]:
    """Return the rows that Infinity finds in an answer."""
    if target["type"] == "csv":
        return list(csv.DictReader(io.StringIO(content), delimiter=target["csv_options"]["delimiter"]))
    found = json.loads(content)
    for name in filter(None, target["root_selector"].split(".")):
        found = found[name]
    return found if isinstance(found, list) else [found]


def suits(kind: str, value: Any) -> bool:
    """Whether a cell is what its column says; an empty one of CSV and a null of JSON are gaps."""
    if value in (None, ""):
        return kind == "number"
    match kind:
        case "number":
            return type(value) in (int, float) or (type(value) is str and bool(re.fullmatch(r"-?[\d.e+-]+", value)))
        case "timestamp":
            return isinstance(value, str) and value.endswith("Z") and parse(value) > 0
        case "timestamp_epoch_s":
            return isinstance(value, int) and value < 10**10
    return isinstance(value, str)


@pytest.mark.parametrize("name", TARGETS)
def test_what_a_panel_asks_for_is_answered_with_its_columns(served: Served, name: str) -> None:
    target = TARGETS[name]
    status, kind, content = ask(served, address(target, int(time.time())))
    assert status == 200, content
    assert kind.split(";")[0] == {"json": "application/json", "csv": "text/csv"}[target["type"]]
    found = rows(target, content)
    assert found
    for column in target["columns"]:
        cells = [row[column["selector"]] for row in found]
        assert all(suits(column["type"], cell) for cell in cells), (column, cells[:5])
        assert any(cell not in (None, "") for cell in cells)


def test_a_panel_would_be_refused_what_it_must_not_ask(served: Served) -> None:
    """Of a time in milliseconds, which is what `${__from}` alone is, and of an interval below a second."""
    path = f"/statistics/devices/{quote(DEVICE, safe='')}/avg"
    assert ask(served, f"{path}?start={int(time.time() * 1_000)}")[0] == 400
    assert ask(served, f"{path}?bucket=200ms")[0] == 400
    for panel in board()["panels"]:
        if any("bucket" in param["key"] for target in panel["targets"] for param in target["url_options"]["params"]):
            assert panel["interval"] == "1s"


@pytest.mark.parametrize("interval", ["1s", "5s", "10m", "12h", "1d", "7d", "30d", "1y"])
def test_every_interval_of_grafana_is_a_bucket(served: Served, interval: str) -> None:
    path = f"/statistics/devices/{quote(DEVICE, safe='')}/avg?bucket={interval}&start={int(time.time()) - 600}"
    assert ask(served, path)[0] == 200


def test_columns_of_one_panel_have_different_names() -> None:
    for panel in board()["panels"]:
        names = [
            column["text"] for target in panel["targets"] for column in target["columns"] if column["text"] != "time"
        ]
        assert len(set(names)) == len(names)


def test_every_variable_that_is_used_exists_and_panels_do_not_overlap() -> None:
    text = DATA.read_text()
    used = set(re.findall(r"\$\{?([a-z][a-z_]+)", text))
    assert used == {variable["name"] for variable in board()["templating"]["list"]}
    places = [panel["gridPos"] for panel in board()["panels"]]
    cells = [(p["x"] + i, p["y"] + j) for p in places for i in range(p["w"]) for j in range(p["h"])]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


@pytest.mark.parametrize(("schema", "file", "needed"), CHECKED, ids=[schema for schema, _, _ in CHECKED])
def test_a_file_is_of_the_form_that_grafana_reads(schema: str, file: Path, needed: str, tmp_path: Path) -> None:
    check = [tool("check-jsonschema"), "--schemafile", SCHEMAS / schema]
    assert run(*check, file)[0] == 0
    bad = tmp_path / file.name
    bad.write_text(file.read_text().replace(needed, needed.replace(":", "s:").replace('"s:', 's":')))
    assert run(*check, bad)[0] == 1


def test_the_schemas_are_schemas() -> None:
    assert run(tool("check-jsonschema"), "--check-metaschema", *SCHEMAS.glob("*.json"))[0] == 0


def test_compose_gives_grafana_what_the_files_want() -> None:
    services, sources = compose()["services"], CHECKED[0][1].read_text()
    grafana = services["grafana"]
    assert set(re.findall(r"\$\{(\w+)\}", sources)) <= grafana["environment"].keys()
    assert grafana["environment"]["TIMESERIES_URL"] == "http://service:8000"
    assert "service" in services["service"]["environment"]["DJANGO_ALLOWED_HOSTS"]
    plugin = grafana["environment"]["GF_PLUGINS_PREINSTALL_SYNC"]
    assert plugin in [source["type"] for source in yaml.safe_load(sources)["datasources"]]
    [provider] = yaml.safe_load(CHECKED[1][1].read_text())["providers"]
    mounted = dict(volume.split(":")[:2] for volume in grafana["volumes"])
    assert mounted["./grafana/dashboards"] == provider["options"]["path"]
    assert all((OPS / path).exists() for path in mounted if path.startswith("."))
    for name in ("grafana", "prometheus"):
        assert services[name]["profiles"] == ["monitoring"]
        assert re.search(r":v?\d+\.\d+\.\d+$", services[name]["image"])


def test_a_token_is_no_fault_where_none_is_wanted() -> None:
    """Infinity refuses to be without one."""
    with Served() as server:
        server.wait()
        assert ask(server, "/devices")[0] == 200


def test_the_plugin_is_a_known_one_of_the_dashboard() -> None:
    [source] = [each for each in board()["templating"]["list"] if each["type"] == "datasource"]
    assert source["query"] == "yesoreyeram-infinity-datasource"
    for panel in board()["panels"]:
        assert panel["datasource"] == {"type": source["query"], "uid": "${datasource}"}
        assert all(target["datasource"] == panel["datasource"] for target in panel["targets"])
