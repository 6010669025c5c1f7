"""The OpenAPI schema is complete and valid, and describes what the service does."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.test import APIClient

from timeseries_project.api.views import FaultView

#: The addresses of single keys.
ONE_KEY = ("/devices/{device}", "/users/{user}", "/api/bandwidth/devices/{device_id}")
#: The operation that takes no body and answers 404 if a setting is missing.
SNAPSHOT = "/api/snapshot"
OPERATIONS = {
    ("get", "/healthz"),
    ("get", "/readyz"),
    ("get", "/metrics"),
    ("get", "/datapoints"),
    ("post", "/datapoints"),
    ("delete", "/datapoints"),
    ("get", "/devices"),
    ("get", "/users"),
    *(("get", path) for path in ONE_KEY),
    ("delete", "/devices/{device}/datapoints"),
    ("delete", "/users/{user}/datapoints"),
    ("get", "/statistics/devices/{device}/{aggregate}"),
    ("get", "/statistics/devices/{device}/percentile"),
    ("get", "/statistics/devices/{device}/moving_avg"),
    ("get", "/statistics/users/{user}/{aggregate}"),
    ("get", "/statistics/users/{user}/percentile"),
    ("get", "/statistics/users/{user}/moving_avg"),
    ("get", "/api/bandwidth"),
    ("post", "/api/bandwidth"),
    ("get", "/api/bandwidth/entries"),
    ("get", "/api/bandwidth/devices"),
    ("delete", "/api/bandwidth/devices/{device_id}"),
    ("post", "/api/transactions"),
    ("delete", "/api/transactions"),
    ("get", "/api/statistics"),
    ("get", "/api/statistics/history"),
    ("post", SNAPSHOT),
    ("get", "/ping"),
    ("get", "/query"),
    ("post", "/query"),
    ("post", "/write"),
    ("post", "/api/v2/write"),
}
#: Those whose errors have the shapes of InfluxDB, and whose bodies are no JSON.
INFLUX = ("/query", "/write", "/api/v2/write")


@pytest.fixture
def schema(api: APIClient) -> dict[str, Any]:
    """The schema that a client gets."""
    response = api.get("/api/schema/?format=json")
    assert response.status_code == 200
    document: dict[str, Any] = json.loads(response.content)
    return document


def operations(schema: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(method, path): op for path, item in schema["paths"].items() for method, op in item.items()}


def test_every_operation_is_described(schema: dict[str, Any]) -> None:
    assert set(operations(schema)) == OPERATIONS


def test_every_operation_has_its_own_name_a_description_and_its_errors(schema: dict[str, Any]) -> None:
    found = operations(schema)
    assert len({op["operationId"] for op in found.values()}) == len(found)
    for (method, path), op in found.items():
        assert op["description"], path
        if path == "/healthz":
            continue
        statuses = set(op["responses"])
        assert {"400", "406"} <= statuses, path
        may_be_unknown = method == "get" and (
            path.startswith("/statistics") or path in ONE_KEY or path == "/api/bandwidth"
        )
        assert ("404" in statuses) == (may_be_unknown or path == SNAPSHOT)
        of_bodies = {"413", "415"} if path == "/query" else {"413", "415", "422"}
        takes_items = method == "post" and path != SNAPSHOT
        assert ("requestBody" in op) == takes_items == (of_bodies <= statuses)
        assert ("409" in statuses) == ((method, path) == ("post", "/datapoints"))
        stores = method == "post" and path in ("/datapoints", "/api/bandwidth", "/write", "/api/v2/write", SNAPSHOT)
        assert ("507" in statuses) == stores
        for status, response in op["responses"].items():
            if status[0] in "45":
                kind = "application/json" if path in INFLUX else "application/problem+json"
                assert list(response["content"]) == [kind]
                assert response["content"][kind]["examples"]


def test_every_operation_has_a_short_summary_of_its_own(schema: dict[str, Any]) -> None:
    summaries = {key: op.get("summary", "") for key, op in operations(schema).items()}
    for key, summary in summaries.items():
        assert re.fullmatch(r"[A-Z][^.]{5,48}[^. ]", summary), (key, summary)
    assert len(set(summaries.values())) == len(summaries)


def test_answers_come_as_pages_and_rows_in_csv_and_arrow_too(schema: dict[str, Any]) -> None:
    for (method, path), op in operations(schema).items():
        if method == "get" and path != "/metrics":
            rows = path not in ("/healthz", "/readyz", "/ping", "/query", "/api/statistics", *ONE_KEY)
            types = {
                "application/json",
                "text/html",
                *(["text/csv", "application/vnd.apache.arrow.stream"] if rows else []),
            }
            assert set(op["responses"]["200"]["content"]) == types, path


def test_links_lead_to_operations_and_parameters_that_there_are(schema: dict[str, Any]) -> None:
    """The answer to a new datapoint links to its statistics, and no link leads to a missing operation."""
    found = {op["operationId"]: op for op in operations(schema).values()}
    links = [
        (operation, link)
        for operation, op in found.items()
        for response in op["responses"].values()
        for link in response.get("links", {}).values()
    ]
    for operation, link in links:
        target = found[link["operationId"]]
        assert set(link["parameters"]) <= {p["name"] for p in target["parameters"]}, operation
    targets = {target["operationId"] for _, target in links}
    alone = {"healthz", "readyz", "metrics", "influx_ping", "influx_query", "snapshot_create"}
    assert {name for name, op in found.items() if "requestBody" not in op} - targets == alone


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("2026-01-31", True),
        ("2026-01-31T12", True),
        ("2026-01-31T12:00:00,5+01:00", True),
        ("12e5", False),
        ("2026-W05", False),
        ("2026-13-01", False),
        ("1969-12-31", False),
        ("2026-01-31T24:00", False),
        ("2026-01-31\n", False),
    ],
)
def test_the_pattern_of_times_is_that_of_the_reader(schema: dict[str, Any], text: str, valid: bool) -> None:
    parts = schema["components"]["schemas"]
    [body] = [s for s in parts["DatapointRequest"]["properties"]["timestamp"]["anyOf"] if "pattern" in s]
    [query] = [p for p in operations(schema)["get", "/datapoints"]["parameters"] if p["name"] == "start"]
    assert bool(re.fullmatch(body["pattern"], text)) == valid
    assert bool(re.fullmatch(query["schema"]["anyOf"][1]["pattern"], text)) == (valid or text == "12e5")


def test_examples_are_there_and_can_be_sent(schema: dict[str, Any], api: APIClient) -> None:
    for (method, path), op in operations(schema).items():
        if method != "post" or path in (*INFLUX, SNAPSHOT):
            continue
        examples = op["requestBody"]["content"]["application/json"]["examples"]
        assert len(examples) == 2, path
        for example in examples.values():
            body = json.dumps(example["value"])
            query = "?on_duplicate=skip" if path == "/datapoints" else ""
            response = api.post(path + query, body, content_type="application/json")
            assert response.status_code in (201, 204), (path, response.content)


def test_parameters_are_those_that_are_read(schema: dict[str, Any]) -> None:
    found = operations(schema)
    names = {p["name"]: p for p in found["get", "/statistics/users/{user}/moving_avg"]["parameters"]}
    assert set(names) == {
        *("user", "bucket", "tz", "offset", "fill", "start", "end", "window_size", "min_periods", "format")
    }
    assert [name for name, p in names.items() if p.get("required")] == ["user", "window_size"]
    assert names["window_size"]["schema"] == {
        "type": "integer",
        "format": "int64",
        "minimum": 1,
        "maximum": 2**31 - 1,
    }
    assert names["fill"]["schema"]["enum"] == ["null", "zero", "previous", "linear", "none"]


def test_timestamps_come_as_text_or_number_and_go_as_text(schema: dict[str, Any]) -> None:
    parts = schema["components"]["schemas"]
    taken = parts["DatapointRequest"]["properties"]["timestamp"]["anyOf"]
    assert [(s["type"], s.get("format")) for s in taken] == [
        ("string", "date-time"),
        ("string", None),
        ("number", None),
    ]
    assert parts["Datapoint"]["properties"]["timestamp"]["format"] == "date-time"


def test_no_route_is_left_out(schema: dict[str, Any]) -> None:
    """Every route of an endpoint is in the schema, except pages and the schema itself."""

    def count(patterns: list[URLPattern | URLResolver]) -> int:
        total = 0
        for pattern in patterns:
            if isinstance(pattern, URLResolver):
                total += count(pattern.url_patterns)
            elif hasattr(pattern.callback, "cls") and not issubclass(pattern.callback.cls, FaultView):
                total += 1
        return total

    excluded = 2  # the schema and its documentation
    assert count(get_resolver().url_patterns) - excluded == len(schema["paths"])
