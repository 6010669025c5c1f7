"""The targets of the fuzzer, and the properties that must hold for any bytes. Independent of the fuzzer (fuzz/run.py).

Each target accepts any bytes and raises if a property is broken: an undocumented error, a difference between the batch
reader and the item-by-item reader, data that do not come back as they were sent.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from rest_framework.exceptions import ParseError, ValidationError

from bandwidth import listing
from bandwidth import services as bandwidth
from bandwidth.serializers import EntrySerializer
from datapoints import services as datapoints
from datapoints.influx.grammar import Precision
from datapoints.influx.reading import Points, read_points
from datapoints.serializers import DatapointSerializer
from timeseries_project.api.fields import KeyField, TimestampField, number_from_text
from timeseries_project.api.parsers import ArrowParser, BodyParser, CSVParser, JSONParser, NDJSONParser
from timeseries_project.api.serializers import Batch, InputSerializer, Portion, is_batch
from timeseries_project.core import clock, timestamps
from timeseries_project.core.arrays import Keys
from timeseries_project.core.errors import FaultError, InvalidInputError
from timeseries_project.wsgi import application
from transactions.serializers import TransactionSerializer

_SUFFIXES = (".py", ".json", ".csv")
_SERIALIZERS: tuple[type[InputSerializer], ...] = (DatapointSerializer, EntrySerializer, TransactionSerializer)
_PARSERS: tuple[BodyParser, ...] = (JSONParser(), NDJSONParser(), CSVParser())
#: The paths that query strings are sent to; their keys have data.
_PATHS = (
    "/datapoints",
    "/devices",
    "/statistics/devices/d/avg",
    "/statistics/devices/d/median",
    "/statistics/users/u/moving_avg",
    "/api/bandwidth",
    "/api/bandwidth/devices",
    "/charts/datapoints",
    "/charts/bandwidth",
    "/",
)


def read_listing(data: bytes) -> None:
    """A listing is read, or refused in one line; the first byte selects its format."""
    suffix = _SUFFIXES[data[0] % len(_SUFFIXES)] if data else ".py"
    path = Path(tempfile.gettempdir(), f"fuzzed-listing{suffix}")
    path.write_bytes(data[1:])
    try:
        columns = listing.read(path)
    except listing.ListingError as error:
        if len(str(error).splitlines()) != 1:
            raise
    else:
        assert set(columns) == {"device_id", "timestamp", "bytes_ts", "bytes_fs"}
        assert len(set(map(len, map(_plain, columns.values())))) == 1
    finally:
        path.unlink()


def read_body(data: bytes) -> None:
    """A body means the same read the fast way and item by item; the first byte selects its format and app."""
    kind, body = data[0] if data else 0, data[1:]
    serializer, parser = _SERIALIZERS[kind % 3], _PARSERS[kind // 3 % 3]
    fast, slow = (_outcome(parser, body, serializer, ordinary=ordinary) for ordinary in (True, False))
    assert fast == slow, (fast, slow)


def read_arrow(data: bytes) -> None:
    """An Arrow stream means the same read by columns and item by item; the first byte selects the app."""
    kind, body = data[0] if data else 0, data[1:]
    serializer, parser = _SERIALIZERS[kind % 3], ArrowParser()
    fast, slow = (_outcome(parser, body, serializer, ordinary=ordinary) for ordinary in (True, False))
    assert fast == slow, (fast, slow)


class _Slowly(Batch):
    """A batch that is always read item by item."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch

    def portions(self, serializer: type[InputSerializer], *, ordinary: bool = True) -> Iterator[Portion]:
        """Yield the items in portions that are read item by item."""
        return self._batch.portions(serializer, ordinary=False)


def _outcome(parser: BodyParser, body: bytes, serializer: type[InputSerializer], *, ordinary: bool) -> Any:
    """Return the columns of a body, or why it is refused."""
    try:
        data = parser.parse_body(body)
        if is_batch(data):
            assert isinstance(data, Batch)
            read = serializer.read_batch(data if ordinary else _Slowly(data))
        else:
            read = serializer.read(data)
    except ParseError as error:
        return "malformed" if isinstance(parser, JSONParser | ArrowParser) else str(error.detail)
    except FaultError as error:
        return error.detail, error.errors
    return {name: repr(_plain(column)) for name, column in read.items()}


def _plain(column: Any) -> Any:
    """Return a column as a list, a single value unchanged."""
    if isinstance(column, Keys):
        return [column.names[code] for code in column.codes.tolist()]
    return column.tolist() if isinstance(column, np.ndarray) else column


def ask(data: bytes) -> None:
    """A query is answered, or refused with problem details; the first byte selects the path."""
    if not datapoints.totals_get().points:
        for hours in (0, 1, 10):  # recent, since otherwise each answer would have a million buckets
            datapoints.store.add(clock.now() - hours * 3_600 * timestamps.MICROSECONDS, 1.0, "d", "u")
        bandwidth.store.add("d", 1, 2, 3)
    path = _PATHS[data[0] % len(_PATHS)] if data else "/"
    status, content = _request("GET", path, data[1:].decode("latin-1"))
    assert status in (200, 400, 404, 406), (status, content)
    if status >= 400:
        assert json.loads(content)["status"] == status


def _request(method: str, path: str, query: str = "") -> tuple[int, bytes]:
    statuses: list[str] = []
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": io.StringIO(),
    }
    chunks = application(environ, lambda status, headers: statuses.append(status))
    content = b"".join(chunks)
    return int(statuses[0].split()[0]), content


def read_timestamp(data: bytes) -> None:
    """A timestamp comes back unchanged when written."""
    text = data.decode(errors="surrogateescape")
    with contextlib.suppress(ValidationError):
        moment = TimestampField().from_text(text)
        if moment < timestamps.parse("9999-12-31"):
            assert timestamps.parse(timestamps.render(moment)) == moment
    number = number_from_text(text)
    if isinstance(number, float) and math.isfinite(number) and 0 <= number < 2**33:
        moment = timestamps.from_seconds(number)
        assert timestamps.column_from_seconds(np.array([number])).tolist() == [moment]
        assert abs(moment - number * 1e6) <= 2


def name(data: bytes) -> None:
    """A key is accepted or refused the same alone and in a column; an accepted one names exactly its data."""
    key = data.decode(errors="surrogatepass") if data.isascii() else data.decode("utf-8", "surrogateescape")
    field = KeyField()
    try:
        taken = field.to_internal_value(key)
    except ValidationError:
        taken = None
    try:
        field.check_all([key, "other"])
    except ValidationError:
        assert taken is None
        return
    assert taken == key
    datapoints.store.clear()
    datapoints.store.add(1, 1.0, key, "u")
    datapoints.store.add(1, 1.0, "another key", "u")
    path = key.encode().decode("latin-1")
    status, content = _request("GET", f"/statistics/devices/{path}/avg", "end=1970-01-02")
    assert (status, json.loads(content)[0]["count"]) == (200, 1)
    _, content = _request("GET", "/datapoints", f"device={quote(key, safe='')}")
    assert [point["device"] for point in json.loads(content)["results"]] == [key]
    assert _request("DELETE", f"/devices/{path}/datapoints")[0] == 204
    assert {summary.key for summary in datapoints.keys_list(axis="device")} == {"another key"} - {key}
    datapoints.store.clear()


def read_influx(data: bytes) -> None:
    """Line protocol means the same read by the kernel and in plain Python; the first byte selects the precision."""
    precision = [*Precision][data[0] % len(Precision)] if data else Precision.NANOSECONDS
    outcomes: list[object] = []
    for ordinary in (True, False):
        try:
            outcomes.append(rows_of_lines(read_points(data[1:], precision, 1_700_000_000_123_456, ordinary=ordinary)))
        except InvalidInputError as error:
            outcomes.append((error.detail, error.errors))
    assert outcomes[0] == outcomes[1], outcomes


def rows_of_lines(points: Points) -> list[tuple[int, float, str, str, int]]:
    """Return the datapoints of a body of lines, each with its line."""
    columns = points.columns()
    rows = zip(*map(_plain, columns.values()), strict=True)
    return [(*row, points.line_of(place)) for place, row in enumerate(rows)]


TARGETS: dict[str, Callable[[bytes], None]] = {
    "listing": read_listing,
    "body": read_body,
    "arrow": read_arrow,
    "query": ask,
    "timestamp": read_timestamp,
    "key": name,
    "line": read_influx,
}
