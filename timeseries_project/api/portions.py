"""Batches as they come in, cut into portions of some milliseconds' work: JSON arrays, NDJSON and CSV.

Ordinary items become columns at once (`batches`); a portion in which anything is out of the ordinary is handed on
item by item. So what a body costs, in time and in memory, follows from its bytes alone, whatever they are; and a
thread that reads a large one lets others have their turn between two portions.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from itertools import islice

import msgspec
import numpy as np
from rest_framework.exceptions import ParseError

from timeseries_project.api.batches import read_cells, read_json, read_lines
from timeseries_project.api.scanner import BLOCK, item_ends
from timeseries_project.api.serializers import Batch, Columns, CSVRows, InputSerializer, Portion

#: Bytes of one item at most: a JSON object, a line, a row of CSV. One that is valid has some hundred.
MAX_ITEM = 2**20
#: Columns of a CSV document at most, and the bytes of its first line.
MAX_COLUMNS, MAX_HEADER = 100, 2**16
#: Rows of CSV in a portion, where they are not simply cut at commas and line ends.
ROWS = 2_000

_BOM = b"\xef\xbb\xbf"
_BLANKS = b" \t\r\n"
_BYTE = re.compile(r"\(byte ([0-9]+)\)")
_decode = msgspec.json.Decoder().decode


def decode_json(text: bytes | str, offset: int = 0) -> object:
    """Parse one JSON document. Numbers are finite, integers exact, the last of repeated keys counts.

    ParseError for anything malformed, for nesting beyond the interpreter's limit, and for lone surrogates.
    `offset` is where the text begins in what was sent: errors name the byte.
    """
    try:
        return _decode(text)
    except RecursionError:
        raise ParseError("The JSON is nested too deeply.") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        reason = _BYTE.sub(lambda match: f"(byte {int(match[1]) + offset})", str(error))
        raise ParseError(f"This is not valid JSON: {reason}.") from None


class JSONArray(Batch):
    """A JSON array, from its opening bracket on."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def portions(self, serializer: type[InputSerializer], *, ordinary: bool = True) -> Iterator[Portion]:
        """Read ordinary items for as long as there are only such, and the rest cut at its commas."""
        at = self._body.index(b"[") + 1
        if ordinary and self._body[:1] == b"[":
            for columns, following in self._ordinary(serializer):
                yield columns
                at = following
        if at <= len(self._body):
            yield from self._scanned(serializer, at, ordinary=ordinary)

    def _ordinary(self, serializer: type[InputSerializer]) -> Iterator[tuple[Columns, int]]:
        """Yield portions of ordinary items with the place where the next one begins, until one is not ordinary.

        Cut behind the last object of a block. A cut is right if what lies before it parses: one inside of a string,
        or of another item, leaves that open.
        """
        body, at = self._body, 1
        while at <= len(body):
            last = len(body) - at <= BLOCK
            cut = len(body) if last else body.rfind(b"},", at, at + BLOCK) + 1
            whole = b"[" + body[at:cut] + (b"" if last else b"]") if not last or at > 1 else body
            columns = read_json(serializer, whole) if cut else None
            if columns is None or (at > 1 and not columns.length):  # behind a comma, an item is due
                return
            at = cut + 1
            yield columns, at

    def _scanned(self, serializer: type[InputSerializer], at: int, *, ordinary: bool) -> Iterator[Portion]:
        """Yield the portions from the item on that begins at `at`."""
        body, begin, first = self._body, at, at
        for block, ends in enumerate(item_ends(body, at), 1):
            reached = at + block * BLOCK
            if np.diff(ends, prepend=begin, append=min(reached, len(body))).max() > MAX_ITEM:
                raise ParseError(f"An item of the array, behind byte {begin}, is longer than {MAX_ITEM:,} bytes.")
            if not len(ends):
                continue
            end = int(ends[-1])
            text, closed = b"[" + body[begin:end] + b"]", body[end] != ord(",")
            columns = read_json(serializer, text) if ordinary else None
            if columns is None or columns.length != len(ends):
                items = decode_json(text, begin - 1)
                assert isinstance(items, list)
                if len(items) != len(ends) and not (closed and begin == first and not items):
                    raise ParseError(f"This is not valid JSON: between two commas an item is due (byte {begin}).")
                yield items
            else:
                yield columns
            if closed:
                if body[end] != ord("]") or body[end + 1 :].strip(_BLANKS):
                    raise ParseError(f"This is not valid JSON: something follows its end (byte {end}).")
                return
            begin = end + 1
        decode_json(b"[" + body[begin:], begin - 1)  # has a reason of its own where the text is more than cut off
        raise ParseError("This is not valid JSON: the array is not closed.")


class JSONLines(Batch):
    """Newline-delimited JSON: one document per line; blank lines are passed over."""

    def __init__(self, body: bytes) -> None:
        self._body = body.removeprefix(_BOM)

    def portions(self, serializer: type[InputSerializer], *, ordinary: bool = True) -> Iterator[Portion]:
        """Read line by line."""
        number = 1  # of the first line of the block
        for block in _blocks_of_lines(self._body):
            lines = block.split(b"\n")
            if not block.isspace():
                columns = None
                if ordinary:
                    columns = read_lines(serializer, (line for line in lines if line and not line.isspace()))
                yield self._items(lines, number) if columns is None else columns
            number += len(lines) - 1

    @staticmethod
    def _items(lines: list[bytes], first: int) -> list[object]:
        items: list[object] = []
        for number, line in enumerate(lines, first):
            if not line or line.isspace():
                continue
            if len(line) > MAX_ITEM:
                raise ParseError(f"Line {number} is longer than {MAX_ITEM:,} bytes.")
            try:
                items.append(decode_json(line))
            except ParseError as error:
                raise ParseError(f"Line {number}: {error.detail}") from None
        return items


def _blocks_of_lines(text: bytes) -> Iterator[bytes]:
    """Cut a text behind its line ends, into blocks no longer than need be where a line is longer than one."""
    at = 0
    while at < len(text):
        longest = at + BLOCK + MAX_ITEM
        end = text.rfind(b"\n", at, at + BLOCK) + 1 or text.find(b"\n", at + BLOCK, longest) + 1 or len(text)
        if end > longest:
            raise ParseError(f"The line behind byte {at} is longer than {MAX_ITEM:,} bytes.")
        yield text[at:end]
        at = end


class CSVTable(Batch):
    """A CSV document with a header that names the columns in any order (RFC 4180)."""

    def __init__(self, body: bytes) -> None:
        self._body = body.removeprefix(_BOM)

    def portions(self, serializer: type[InputSerializer], *, ordinary: bool = True) -> Iterator[Portion]:
        """Cut rows at their commas and line ends for as long as there is no more to it, and read the rest as CSV."""
        body, names = self._body, tuple(serializer.wire_fields())
        header: list[str] | None = None
        at = rows = 0
        first_line = body[: body.find(b"\n", 0, MAX_HEADER) + 1]
        if ordinary and first_line and b'"' not in first_line:
            header, at = _header(_Records(first_line), names), len(first_line)
            for block in _blocks_of_lines(body[at:]):
                cells = _cells(block, len(header))
                columns = read_cells(serializer, dict(zip(header, cells, strict=True))) if cells else None
                if columns is None:
                    break
                yield columns
                at += len(block)
                rows += columns.length
        if header is None or at < len(body):
            records = _Records(body[at:], body.count(b"\n", 0, at))
            header = header or _header(records, names)
            yield from self._read(serializer, records, header, rows, ordinary=ordinary)

    @staticmethod
    def _read(
        serializer: type[InputSerializer], records: _Records, header: list[str], done: int, *, ordinary: bool
    ) -> Iterator[Portion]:
        """Yield the portions of rows as the `csv` module reads them; so many have been read before."""
        while portion := list(islice(records, ROWS)):
            rows = list(filter(None, portion))
            if set(map(len, rows)) - {len(header)}:
                number, cells = next((i, len(row)) for i, row in enumerate(rows, done + 1) if len(row) != len(header))
                raise ParseError(f"CSV row {number} has {cells} cells, the header {len(header)}.")
            done += len(rows)
            if rows:
                cells_of = dict(zip(header, zip(*rows, strict=True), strict=True))
                columns = read_cells(serializer, cells_of) if ordinary else None
                yield columns or CSVRows(dict(zip(header, row, strict=True)) for row in rows)


class _Records:
    """The records of a CSV document one by one, blank lines as empty ones; ParseError for what is malformed."""

    def __init__(self, body: bytes, lines_before: int = 0) -> None:
        self._room = MAX_HEADER  # for what is left of the record
        self._before = lines_before
        self._reader = csv.reader(self._lines(body), strict=True)

    def __iter__(self) -> Iterator[list[str]]:
        return self

    def __next__(self) -> list[str]:
        try:
            record = next(self._reader)
        except csv.Error as error:
            raise ParseError(f"CSV line {self._line} is malformed: {error}.") from None
        except UnicodeDecodeError as error:
            raise ParseError(f"The CSV is not UTF-8, behind line {self._line}: {error.reason}.") from None
        self._room = MAX_ITEM
        return record

    def _lines(self, body: bytes) -> Iterator[str]:
        for line in io.TextIOWrapper(io.BytesIO(body), encoding="utf-8", newline=""):
            self._room -= len(line)
            if self._room < 0:
                raise ParseError(f"CSV line {self._line} or its row is too long: a row has at most {MAX_ITEM:,} bytes.")
            yield line

    @property
    def _line(self) -> int:
        return self._before + self._reader.line_num


def _header(records: _Records, names: Sequence[str]) -> list[str]:
    """Return the header of a CSV document. ParseError unless it names these columns, once each."""
    header = next(records, [])
    if missing := [name for name in names if name not in header]:
        raise ParseError(f"The CSV header lacks {', '.join(missing)}; it must name {', '.join(names)}.")
    if len(header) > MAX_COLUMNS:
        raise ParseError(f"The CSV header names {len(header):,} columns; there may be {MAX_COLUMNS}.")
    if twice := [name for name in names if header.count(name) > 1]:
        raise ParseError(f"The CSV header names {', '.join(twice)} twice.")
    return header


def _cells(block: bytes, width: int) -> list[Sequence[str]] | None:
    """Split rows of CSV at their commas and line ends into columns, several times as fast as `csv` does.

    None where there is more to it: quotes, blank lines, rows of another length, what `csv` refuses.
    """
    text = block.replace(b"\r\n", b"\n").removesuffix(b"\n") + b"\n"
    if b'"' in text or b"\r" in text or text.count(b",") != text.count(b"\n") * (width - 1):
        return None
    characters = np.frombuffer(text, dtype=np.uint8)
    ends = np.flatnonzero((characters == ord(",")) | (characters == ord("\n")))
    if (characters[ends[width - 1 :: width]] != ord("\n")).any() or np.diff(ends).max() > csv.field_size_limit():
        return None
    try:
        cells = text[:-1].decode().replace("\n", ",").split(",")
    except UnicodeDecodeError:
        return None
    return [cells[place::width] for place in range(width)]
