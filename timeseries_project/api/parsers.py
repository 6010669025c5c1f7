"""The parsers of request bodies, up to MAX_BODY_BYTES: JSON, NDJSON and CSV, always in UTF-8, and Arrow."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import IO, Any

from django.http import HttpRequest
from rest_framework.exceptions import ParseError, UnsupportedMediaType
from rest_framework.parsers import BaseParser

from timeseries_project.api.arrow.reading import ArrowStream
from timeseries_project.api.configuration import configuration
from timeseries_project.api.encodings import GZIP, gunzip
from timeseries_project.api.errors import BodyTooLarge, UnknownEncoding
from timeseries_project.api.headers import header_parameters
from timeseries_project.api.portions import BOM, MAX_ITEM, CSVTable, JSONArray, JSONLines, decode_json
from timeseries_project.api.serializers import Batch
from timeseries_project.core.errors import shown

_PLAIN = frozenset({"", "identity"})
_UTF8 = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})
_BLANKS = b" \t\r\n"


class BodyParser(BaseParser, ABC):
    """A parser that reads up to MAX_BODY_BYTES and passes them to `parse_body`."""

    #: Media types that are read like `media_type`.
    synonyms: tuple[str, ...] = ()

    def parse(  # type: ignore[override]  # the stream is the request; a body may be any JSON value, not only an object
        self, stream: HttpRequest, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> object:
        """Return the parsed body. Raises ParseError (400), UnsupportedMediaType (415) or BodyTooLarge (413)."""
        _require_utf8(media_type or "")
        body = read_body(stream, stream.META, configuration().max_body_bytes)
        return self.parse_body(body)

    @abstractmethod
    def parse_body(self, body: bytes) -> object:
        """Return the content of the body: a JSON value, or a batch that is parsed while it is read."""


def read_body(stream: HttpRequest | IO[bytes], meta: Mapping[str, str], limit: int) -> bytes:
    """Read and decode a request's body.

    Raises UnknownEncoding (415) for encodings other than gzip; BodyTooLarge for more than `limit` bytes, encoded or
    decoded; ParseError if the body is cut off or damaged.
    """
    encoding = meta.get("HTTP_CONTENT_ENCODING", "").strip().lower()
    if encoding not in _PLAIN and encoding not in GZIP:
        reason = f"Content encoding {shown(encoding)!r} is not accepted; send gzip, or no encoding."
        raise UnknownEncoding(encoding, reason)
    coding = meta.get("HTTP_TRANSFER_ENCODING", "chunked")
    if coding.strip().lower() != "chunked":
        raise ParseError(f"The transfer coding {shown(coding)!r} is not accepted; only chunked is.")
    declared = meta.get("CONTENT_LENGTH") or "0"
    if "HTTP_TRANSFER_ENCODING" in meta and not meta.get("CONTENT_LENGTH"):
        raise ParseError("A body without a Content-Length cannot be read here.")
    if not (declared.isascii() and declared.isdigit()):
        raise ParseError(f"The Content-Length {shown(declared)!r} is not a number of bytes.")
    if len(declared) > 20 or int(declared) > limit:
        raise BodyTooLarge(limit)
    body: bytes = stream.read(limit + 1)
    if len(body) > limit:
        raise BodyTooLarge(limit)
    if len(body) < int(declared):
        # A truncated body may still be well-formed: NDJSON and CSV cut at a line end are half a batch.
        raise ParseError(f"The body ends after {len(body)} of {declared} bytes.")
    return body if encoding in _PLAIN else gunzip(body, limit)


def _require_utf8(media_type: str) -> None:
    parameters = header_parameters(media_type)[1]
    charset = parameters.get("charset*") or parameters.get("charset", "utf-8")  # `charset*` is never a valid charset
    if charset.lower() not in _UTF8:
        raise UnsupportedMediaType(media_type, f"Charset {shown(charset)!r} is not accepted; bodies are UTF-8.")


def parse_json(body: bytes) -> object:
    """Parse one JSON document; an array becomes a batch that is read in portions. Raises ParseError if malformed.

    A byte order mark before it is passed over (RFC 8259 section 8.1 allows that).
    """
    body = body.removeprefix(BOM)
    start = body.lstrip(_BLANKS)
    if not start:
        raise ParseError("The body is empty; a JSON document is expected.")
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
    """`application/x-ndjson`: a batch, one JSON document per line; blank lines are ignored."""

    media_type = "application/x-ndjson"
    #: Other names of the same, none of which is registered.
    synonyms = ("application/ndjson", "application/jsonl", "application/x-jsonlines")

    def parse_body(self, body: bytes) -> Batch:
        """Return the batch, to be read in portions."""
        return JSONLines(body)


class CSVParser(BodyParser):
    """`text/csv`: a batch, with a header that names the columns in any order (RFC 4180)."""

    media_type = "text/csv"

    def parse_body(self, body: bytes) -> Batch:
        """Return the batch, to be read in portions."""
        return CSVTable(body)


class ArrowParser(BodyParser):
    """`application/vnd.apache.arrow.stream`: a batch, a table in the stream format of Arrow's IPC."""

    media_type = "application/vnd.apache.arrow.stream"

    def parse_body(self, body: bytes) -> Batch:
        """Return the batch, to be read in portions."""
        return ArrowStream(body)
