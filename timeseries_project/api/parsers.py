"""Bodies in: JSON, newline-delimited JSON and CSV, read whole under one limit, always UTF-8."""

from __future__ import annotations

import csv
import io
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import IO, Any

import msgspec
import numpy as np
from django.conf import settings
from rest_framework.exceptions import ParseError, UnsupportedMediaType
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from timeseries_project.api.batches import read_cells, read_json, read_lines
from timeseries_project.api.encodings import GZIP, gunzip
from timeseries_project.api.errors import BodyTooLarge, UnknownEncoding
from timeseries_project.api.headers import header_parameters
from timeseries_project.api.serializers import CSVRows, InputSerializer
from timeseries_project.faults import shown

_PLAIN = frozenset({"", "identity"})
_UTF8 = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})
_decode = msgspec.json.Decoder().decode


class BodyParser(BaseParser, ABC):
    """Reads the body under MAX_BODY_BYTES and leaves the rest to `parse_body`."""

    def parse(  # type: ignore[override]  # a body may be any JSON value, not only an object
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> object:
        """Return the parsed body. ParseError (400), UnsupportedMediaType or BodyTooLarge otherwise."""
        assert parser_context is not None
        request: Request = parser_context["request"]
        _require_utf8(media_type or "")
        body = read_body(stream, request.META, settings.MAX_BODY_BYTES)
        return self.parse_body(body, getattr(parser_context["view"], "item_serializer", None))

    @abstractmethod
    def parse_body(self, body: bytes, item: type[InputSerializer] | None) -> object:
        """Parse the whole body, whose items the serializer will read."""


def read_body(stream: IO[bytes], meta: Mapping[str, str], limit: int) -> bytes:
    """Read and decode a request's body.

    UnknownEncoding (415) for others than gzip; BodyTooLarge for more than the limit, as sent or as decoded;
    ParseError where it is cut or damaged.
    """
    encoding = meta.get("HTTP_CONTENT_ENCODING", "").strip().lower()
    if encoding not in _PLAIN and encoding not in GZIP:
        reason = f"Content encoding {shown(encoding)!r} is not accepted; send gzip, or it as it is."
        raise UnknownEncoding(encoding, reason)
    coding = meta.get("HTTP_TRANSFER_ENCODING", "chunked")
    if coding.strip().lower() != "chunked":
        raise ParseError(f"The transfer coding {shown(coding)!r} is not accepted; there is chunked.")
    declared = meta.get("CONTENT_LENGTH") or "0"
    if "HTTP_TRANSFER_ENCODING" in meta and not meta.get("CONTENT_LENGTH"):
        raise ParseError("A body without a Content-Length cannot be read here.")
    if not (declared.isascii() and declared.isdigit()):
        raise ParseError(f"The Content-Length {shown(declared)!r} is no number of bytes.")
    if len(declared) > 20 or int(declared) > limit:
        raise BodyTooLarge(limit)
    body: bytes = stream.read(limit + 1)
    if len(body) > limit:
        raise BodyTooLarge(limit)
    if len(body) < int(declared):
        # What was cut off may still be well-formed, as NDJSON and CSV are line by line: half a batch.
        raise ParseError(f"The body ends after {len(body)} of {declared} bytes.")
    return body if encoding in _PLAIN else gunzip(body, limit)


def _require_utf8(media_type: str) -> None:
    parameters = header_parameters(media_type)[1]
    charset = parameters.get("charset*") or parameters.get("charset", "utf-8")  # the former names no encoding at all
    if charset.lower() not in _UTF8:
        raise UnsupportedMediaType(media_type, f"Charset {shown(charset)!r} is not accepted; bodies are UTF-8.")


def decode_json(text: bytes | str) -> object:
    """Parse one JSON document. Numbers are finite, integers exact, the last of repeated keys counts.

    ParseError for anything malformed, for nesting beyond the interpreter's limit, and for lone surrogates.
    """
    try:
        return _decode(text)
    except RecursionError:
        raise ParseError("The JSON is nested too deeply.") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ParseError(f"This is not valid JSON: {error}.") from None


class JSONParser(BodyParser):
    """`application/json`: one document (RFC 8259)."""

    media_type = "application/json"

    def parse_body(self, body: bytes, item: type[InputSerializer] | None) -> object:
        """Parse one document; an array of ordinary items into columns at once."""
        if not body.strip():
            raise ParseError("The body is empty; a JSON document is due.")
        columns = read_json(item, body) if item and body[:1] == b"[" else None
        return decode_json(body) if columns is None else columns


class NDJSONParser(BodyParser):
    """`application/x-ndjson`: a batch, one JSON document per line; blank lines are passed over."""

    media_type = "application/x-ndjson"

    def parse_body(self, body: bytes, item: type[InputSerializer] | None) -> object:
        """Parse the lines; ordinary items into columns at once."""
        lines = body.removeprefix(b"\xef\xbb\xbf").split(b"\n")
        columns = read_lines(item, (line for line in lines if line and not line.isspace())) if item else None
        if columns is not None:
            return columns
        items: list[object] = []
        for number, line in enumerate(lines, 1):
            if line.strip():
                try:
                    items.append(decode_json(line))
                except ParseError as error:
                    raise ParseError(f"Line {number}: {error.detail}") from None
        return items


class CSVParser(BodyParser):
    """`text/csv`: a batch, with a header that names the columns in any order (RFC 4180)."""

    media_type = "text/csv"

    def parse_body(self, body: bytes, item: type[InputSerializer] | None) -> object:
        """Parse header and rows; ordinary ones into columns at once."""
        assert item is not None, "a view that takes CSV names the serializer of its items"
        names = tuple(item.wire_fields())
        plain = _plain_columns(body)
        columns = read_cells(item, plain) if plain and plain.keys() >= set(names) else None
        if columns is not None:
            return columns
        header, rows = parse_csv(body, names)
        if rows and not plain:
            columns = read_cells(item, dict(zip(header, zip(*rows, strict=True), strict=True)))
        return csv_rows(header, rows) if columns is None else columns


def _plain_columns(body: bytes) -> dict[str, Sequence[str]] | None:
    """Split a CSV document at its commas and line ends into columns, several times as fast as `csv` does.

    None where there is more to it: quotes, blank lines, lines of another length than the first, names that are
    given twice, what `csv` refuses.
    """
    text = body.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").removesuffix(b"\n") + b"\n"
    width = text.count(b",", 0, text.index(b"\n")) + 1
    if b'"' in text or b"\r" in text or text.count(b",") != text.count(b"\n") * (width - 1):
        return None
    characters = np.frombuffer(text, dtype=np.uint8)
    ends = np.flatnonzero((characters == ord(",")) | (characters == ord("\n")))
    if (characters[ends[width - 1 :: width]] != ord("\n")).any() or np.diff(ends).max(
        initial=0
    ) > csv.field_size_limit():
        return None
    try:
        cells = text[:-1].decode().replace("\n", ",").split(",")
    except UnicodeDecodeError:
        return None
    columns: dict[str, Sequence[str]] = {
        name: cells[width + place :: width] for place, name in enumerate(cells[:width])
    }
    return columns if len(columns) == width else None


def csv_rows(header: list[str], rows: list[list[str]]) -> CSVRows:
    """Return rows as items."""
    return CSVRows(dict(zip(header, row, strict=True)) for row in rows)


def parse_csv(body: bytes, columns: tuple[str, ...]) -> tuple[list[str], list[list[str]]]:
    """Parse a CSV document into its header, which must name the columns, and rows as long as it. ParseError if not."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ParseError(f"The CSV is not UTF-8: {error}.") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(reader, [])
        if missing := [name for name in columns if name not in header]:
            raise ParseError(f"The CSV header lacks {', '.join(missing)}; it must name {', '.join(columns)}.")
        if twice := [name for name in columns if header.count(name) > 1]:
            raise ParseError(f"The CSV header names {', '.join(twice)} twice.")
        rows = list(filter(None, reader))
        if set(map(len, rows)) - {len(header)}:
            number, cells = next((i, len(row)) for i, row in enumerate(rows, 1) if len(row) != len(header))
            raise ParseError(f"CSV row {number} has {cells} cells, the header {len(header)}.")
    except csv.Error as error:
        raise ParseError(f"CSV line {reader.line_num} is malformed: {error}.") from None
    return header, rows
