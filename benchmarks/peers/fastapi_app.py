"""The same endpoints on FastAPI: what a careful author who knows the framework would write instead.

    python -m uvicorn benchmarks.peers.fastapi_app:app --loop uvloop --http httptools --no-access-log

The data are in this project's own engines, so the comparison is between frameworks and not data structures. Validation
is the same as in the service: it accepts the same numbers, keys and times, and answers the same faults with the same
statuses as problem details. Everything runs in the event loop: a request takes microseconds, and handing it to a
thread pool would cost more.

Bodies are declared as pydantic models, the usual reason to choose FastAPI. Reading the raw body in the endpoint and
calling `model_validate_json` would gain a sixth on POST and lose the documented schema.
"""

from __future__ import annotations

import json
import math
import time
import unicodedata
from typing import Annotated, Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, BeforeValidator, Field, PlainSerializer, PlainValidator
from pydantic_core import PydanticCustomError

from datapoints.memory.store import SeriesStore
from timeseries_project.core import timestamps
from transactions.memory.sliding_window import SlidingWindow

SKEW_SECONDS = 5
MAX_MAGNITUDE = 1e150
MAX_KEY_LENGTH = 255

store = SeriesStore()
window = SlidingWindow(length_ms=60_000, ahead_ms=SKEW_SECONDS * 1_000)
app = FastAPI(title="Time-series statistics on FastAPI")


def _refuse(message: str) -> PydanticCustomError:
    return PydanticCustomError("invalid", "{message}", {"message": message})


def _read_timestamp(value: object) -> int:
    """Read ISO 8601 or epoch seconds as microseconds since 1970."""
    if isinstance(value, str):
        try:
            timestamp = timestamps.parse(value)
        except ValueError as error:
            raise _refuse(str(error)) from None
    elif isinstance(value, bool) or not isinstance(value, int | float):
        raise _refuse("must be an ISO 8601 string or a number of epoch seconds.")
    elif isinstance(value, float) and not math.isfinite(value):
        raise _refuse("must be finite.")
    else:
        timestamp = timestamps.from_seconds(value)
    if timestamp < 0:
        raise _refuse("lies before 1970.")
    return timestamp


def _read_key(value: object) -> str:
    """Accept any text of 1 to 255 characters that is not blank and holds no control characters, and integers."""
    if isinstance(value, int) and not isinstance(value, bool):
        key = str(value) if abs(value) < 10**MAX_KEY_LENGTH else "9" * (MAX_KEY_LENGTH + 1)
    elif isinstance(value, str):
        key = value
    else:
        raise _refuse("must be a string or an integer.")
    if len(key) > MAX_KEY_LENGTH:
        raise _refuse(f"must have at most {MAX_KEY_LENGTH} characters.")
    if not key.strip():
        raise _refuse("must not be blank.")
    if not key.isprintable() and any(unicodedata.category(c) in {"Cc", "Cs"} for c in key):
        raise _refuse("must hold no control characters and no surrogates.")
    return key


def _read_whole(value: object) -> int:
    """Read a number without fraction."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _refuse("must be a whole number.")
    return value


# One plain function per field is faster than a union of types and a validator after it.
Timestamp = Annotated[
    int,
    PlainValidator(_read_timestamp, json_schema_input_type=float | str),
    PlainSerializer(timestamps.render, return_type=str),
]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=-MAX_MAGNITUDE, le=MAX_MAGNITUDE)]
Key = Annotated[str, PlainValidator(_read_key, json_schema_input_type=str | int)]
Milliseconds = Annotated[int, BeforeValidator(_read_whole, json_schema_input_type=float), Field(ge=0)]


class Datapoint(BaseModel):
    """One measured value; timestamp, device and user together are unique."""

    timestamp: Timestamp
    value: Number
    device: Key
    user: Key


class Transaction(BaseModel):
    """One payment, or one refund if the amount is negative."""

    amount: Number
    timestamp: Milliseconds


class Statistics(BaseModel):
    """The transactions of the last 60 seconds."""

    sum: float
    avg: float
    max: float
    min: float
    count: int


class Problem(Exception):
    """An error that is answered as problem details (RFC 9457)."""

    def __init__(self, status: int, title: str, detail: str, errors: list[dict[str, Any]] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.content = {"type": "about:blank", "title": title, "status": status, "detail": detail}
        if errors:
            self.content["errors"] = errors


@app.exception_handler(Problem)
async def answer_problem(_: Request, problem: Problem) -> Response:
    """Answer an error as problem details."""
    return Response(json.dumps(problem.content), problem.status, media_type="application/problem+json")


@app.exception_handler(RequestValidationError)
async def answer_invalid(request: Request, invalid: RequestValidationError) -> Response:
    """Answer a request that pydantic refused, field by field."""
    faults = {e["loc"][1]: e["msg"] for e in invalid.errors()[:100] if len(e["loc"]) > 1}
    errors = [{"field": name, "message": message} for name, message in faults.items() if isinstance(name, str)]
    return await answer_problem(request, Problem(400, "Bad Request", "The request is not valid.", errors))


def _refuse_future(timestamp: int, now: int, ticks: int) -> None:
    if timestamp > now + SKEW_SECONDS * ticks:
        raise Problem(422, "Unprocessable Content", "timestamp lies in the future.")


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    """Answer that the process is alive."""
    return {"status": "ok"}


@app.post("/datapoints", status_code=201)
async def datapoint_create(datapoint: Datapoint) -> Datapoint:
    """Store a datapoint once."""
    _refuse_future(datapoint.timestamp, time.time_ns() // 1_000, 1_000_000)
    if not store.add(datapoint.timestamp, datapoint.value, datapoint.device, datapoint.user):
        raise Problem(409, "Conflict", "A datapoint of this timestamp, device and user exists already.")
    return datapoint


@app.post("/api/transactions", status_code=201, response_class=Response)
async def transaction_create(transaction: Transaction) -> Response:
    """Count a transaction if it is at most 60 s old."""
    now = time.time_ns() // 1_000_000
    _refuse_future(transaction.timestamp, now, 1_000)
    counted = window.add(transaction.timestamp, transaction.amount, now=now)
    return Response(status_code=201 if counted else 204)


@app.get("/api/statistics")
async def statistics() -> Statistics:
    """Answer the statistics of the last 60 seconds."""
    return Statistics(**window.summary(now=time.time_ns() // 1_000_000)._asdict())
