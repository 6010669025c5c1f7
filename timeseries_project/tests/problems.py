"""Assertions about errors."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse

PROBLEM = "application/problem+json"


def problem(response: Any, status: int) -> dict[str, Any]:
    """Assert that an answer is the documented problem with this status; return its members."""
    assert isinstance(response, HttpResponse)
    assert response.status_code == status, response.content
    assert response["Content-Type"] == PROBLEM
    return members(response.json(), status)


def members(body: dict[str, Any], status: int) -> dict[str, Any]:
    """Assert that a body has the members of a problem with this status; return them."""
    assert set(body) - {"errors"} == {"type", "title", "status", "detail"}
    assert body["status"] == status
    assert all(isinstance(body[member], str) and body[member] for member in ("type", "title", "detail"))
    for error in body.get("errors", []):
        assert set(error) - {"index", "line"} == {"field", "message"}
        assert error["message"]
    return body


def refused(response: Any, *, wrong: bool) -> None:
    """Assert that an answer is the refusal of a request without a token, or with a wrong one."""
    problem(response, 401)
    assert response["WWW-Authenticate"] == 'Bearer realm="timeseries"' + (', error="invalid_token"' if wrong else "")


def fields(body: dict[str, Any]) -> list[str]:
    """Return the names of the invalid fields."""
    return [error["field"] for error in body["errors"]]
