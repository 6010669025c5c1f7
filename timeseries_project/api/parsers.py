"""Bodies in: JSON, newline-delimited JSON and CSV, read whole under one limit, always UTF-8."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from rest_framework.exceptions import ParseError, UnsupportedMediaType
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from timeseries_project.api.encodings import GZIP, gunzip
from timeseries_project.api.errors import BodyTooLarge, UnknownEncoding
from timeseries_project.api.headers import header_parameters
from timeseries_project.api.portions import MAX_ITEM, CSVTable, JSONArray, JSONLines, decode_json
from timeseries_project.api.serializers import Batch
from timeseries_project.faults import shown

_PLAIN = frozenset({"", "identity"})
_UTF8 = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})
_BLANKS = b" \t\r\n"


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
        return self.parse_body(body)

    @abstractmethod
    def parse_body(self, body: bytes) -> object:
        """Return what the body says: a JSON value, or a batch that is parsed as it is read."""


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


def parse_json(body: bytes) -> object:
    """Parse one JSON document; an array is a batch, to be read in portions. ParseError if it is malformed."""
    start = body.lstrip(_BLANKS)
    if not start:
        raise ParseError("The body is empty; a JSON document is due.")
    if start[:1] == b"[":
        return JSONArray(body)
    if len(body) > MAX_ITEM:
        raise ParseError(f"An item may have {MAX_ITEM:,} bytes at most; send a batch as an array.")
    return decode_json(body)


class JSONParser(BodyParser):
    """`application/json`: one document (RFC 8259)."""

    media_type = "application/json"

    def parse_body(self, body: bytes) -> object:
        """Parse one document."""
        return parse_json(body)


class NDJSONParser(BodyParser):
    """`application/x-ndjson`: a batch, one JSON document per line; blank lines are passed over."""

    media_type = "application/x-ndjson"

    def parse_body(self, body: bytes) -> Batch:
        """Return the batch, to be read in portions."""
        return JSONLines(body)


class CSVParser(BodyParser):
    """`text/csv`: a batch, with a header that names the columns in any order (RFC 4180)."""

    media_type = "text/csv"

    def parse_body(self, body: bytes) -> Batch:
        """Return the batch, to be read in portions."""
        return CSVTable(body)
