"""Errors in the shapes that clients of InfluxDB read, made from the problem details of any other endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from datapoints.influx.grammar import Precision
from datapoints.influx.reading import Points, summary
from timeseries_project.core.errors import FutureTimestampError, shown

#: What InfluxDB 2 calls a status; any other is `invalid`, or from 500 on `internal error`.
CODES = {
    HTTPStatus.UNAUTHORIZED: "unauthorized",
    HTTPStatus.FORBIDDEN: "forbidden",
    HTTPStatus.NOT_FOUND: "not found",
    HTTPStatus.METHOD_NOT_ALLOWED: "method not allowed",
    HTTPStatus.REQUEST_TIMEOUT: "unavailable",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "request too large",
    HTTPStatus.UNPROCESSABLE_ENTITY: "unprocessable entity",
    HTTPStatus.TOO_MANY_REQUESTS: "too many requests",
    HTTPStatus.SERVICE_UNAVAILABLE: "unavailable",
    HTTPStatus.INSUFFICIENT_STORAGE: "unavailable",
}
#: Most characters of a message in a header.
MOST_IN_HEADER = 500

Shaped = tuple[dict[str, Any], dict[str, str]]


def shape_of_1(problem: Mapping[str, Any]) -> Shaped:
    """Return the body and the headers of an error as InfluxDB 1 answers it.

    >>> shape_of_1({"status": 401, "detail": "This needs a token."})
    ({'error': 'This needs a token.'}, {'X-Influxdb-Error': 'This needs a token.'})
    """
    header = shown(problem["detail"], MOST_IN_HEADER).encode("unicode_escape").decode("ascii")
    return {"error": problem["detail"], **_faults(problem)}, {"X-Influxdb-Error": header}


def shape_of_2(problem: Mapping[str, Any]) -> Shaped:
    """Return the body and the headers of an error as InfluxDB 2 answers it, with the first line that is wrong.

    >>> shape_of_2({"status": 401, "detail": "This needs a token."})
    ({'code': 'unauthorized', 'message': 'This needs a token.'}, {'X-Platform-Error-Code': 'unauthorized'})
    """
    status = HTTPStatus(problem["status"])
    code = CODES.get(status, "invalid" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "internal error")
    faults = _faults(problem)
    lines = [fault["line"] for fault in faults.get("errors", ()) if "line" in fault]
    line = {"line": lines[0]} if lines else {}
    return {"code": code, "message": problem["detail"], **line, **faults}, {"X-Platform-Error-Code": code}


def _faults(problem: Mapping[str, Any]) -> dict[str, Any]:
    return {"errors": problem["errors"]} if "errors" in problem else {}


def in_the_future(error: FutureTimestampError, points: Points, precision: Precision) -> FutureTimestampError:
    """Return an error of the service, which knows the places of datapoints, with their lines."""
    message = f"has a time in the future; the precision of the request is {precision}."
    errors = [
        replace(fault, message=message, index=None, line=points.line_of(fault.index))
        for fault in error.errors
        if fault.index is not None
    ]
    return FutureTimestampError(summary(errors), errors)
