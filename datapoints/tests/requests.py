"""Requests that the tests of the datapoints API send."""

from __future__ import annotations

import json
from typing import Any

from rest_framework.test import APIClient

NOON = "2026-01-31T12:00:00Z"
POINT = {"timestamp": "2026-01-31T11:00:00Z", "value": 20.5, "device": "d", "user": "u"}
BATCH = [POINT | {"timestamp": f"2026-01-31T10:{i:02}:00Z", "value": float(i)} for i in range(60)]


def post(api: APIClient, body: object, query: str = "") -> Any:
    """Send anything as JSON."""
    return api.post(f"/datapoints{query}", json.dumps(body), content_type="application/json")


def post_raw(api: APIClient, body: bytes | str, media_type: str = "application/json", query: str = "") -> Any:
    """Send a body as it is."""
    return api.generic("POST", f"/datapoints{query}", body, content_type=media_type)


def stored(api: APIClient) -> list[dict[str, Any]]:
    """Return all datapoints that are stored."""
    results: list[dict[str, Any]] = api.get("/datapoints").json()["results"]
    return results
