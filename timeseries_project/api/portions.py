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
from typing import NamedTuple

import msgspec
import numpy as np
from rest_framework.exceptions import ParseError

from timeseries_project.api.batches import read_csv, read_json, read_lines
from timeseries_project.api.scanner import BLOCK, item_ends
from timeseries_project.api.serializers import Batch, Columns, CSVRows, InputSerializer, Lines, Portion

#: Bytes of one item at most: a JSON object, a line, a row of CSV. One that is valid has some hundred.
MAX_ITEM = 2**20
#: Columns of a CSV document at most, and the bytes of its first line.
MAX_COLUMNS, MAX_HEADER = 100, 2**16

BOM = b"\xef\xbb\xbf"
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
    except msgspec.ValidationError:
        raise ParseError(
            "The JSON holds a number that no double can hold, or an integer of thousands of digits."
        ) from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        reason = _BYTE.sub(lambda match: f"(byte {int(match[1]) + offset})", str(error))
        raise ParseError(f"This is not valid JSON: {reason}.") from None


class JSONArray(Batch):
    """A JSON array, from its opening bracket on."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._start = body.index(b"[") + 1

    def portions(self, serializer: type[InputSerializer], *, ordinary: bool = True) -> Iterator[Portion]:
        """Read ordinary items for as long as there are only such, and the rest cut at its commas."""
        at = self._start
        if ordinary and self._body[:1] == b"[":
            for columns, following in self._ordinary(serializer):
                yield columns
                at = following
        if at <= len(self._body):
            yield from self._scanned(serializer, at, ordinary=ordinary)

    def _ordinary(self, serializer: type[InputSerializer]) -> Iterator[tuple[Columns, int]]:
        """Yield portions of ordinary items with the place where the next one begins, until one is not ordinary.

        An item on which a portion ends is read with the next one. These portions are twice as long as others, because
        ordinary items take a tenth of the time.
        """
        at, body = self._start, memoryview(self._body)
        while (read := read_json(serializer, body[at : at + 2 * BLOCK])) is not None:
            at += read.end
            if not read.closed:
                yield read.columns, at
                continue
            if not self._body[at:].strip(_BLANKS):
                yield read.columns, len(self._body) + 1
            return

    def _scanned(self, serializer: type[InputSerializer], at: int, *, ordinary: bool) -> Iterator[Portion]:
        """Yield the portions from the item on that begins at `at`."""
        body, begin = self._body, at
        for block, ends in enumerate(item_ends(body, at), 1):
            reached = at + block * BLOCK
            if np.diff(ends, prepend=begin, append=min(reached, len(body))).max() > MAX_ITEM:
                raise ParseError(f"An item of the array, behind byte {begin}, is longer than {MAX_ITEM:,} bytes.")
            if not len(ends):
                continue
            end = int(ends[-1])
            text, closed = body[begin:end] + b"]", body[end] != ord(",")
            read = read_json(serializer, text) if ordinary else None
            if read is None or read.end != len(text) or not read.closed:
                items = decode_json(b"[" + text, begin - 1)
                assert isinstance(items, list)
                if len(items) != len(ends) and not (closed and begin == self._start and not items):
                    raise ParseError(f"This is not valid JSON: between two commas an item is due (byte {begin}).")
                yield items
            else:
                yield read.columns
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
        self._body = body.removeprefix(BOM)

    def portions(self, serializer: type[InputSerializer], *, ordinary: bool = True) -> Iterator[Portion]:
        """Read line by line."""
        at, counted, number = 0, 0, 1  # number of the first line that is not counted yet
        for block in _blocks_of_lines(self._body):
            if not block.isspace():
                columns = read_lines(serializer, block) if ordinary else None
                if columns is None:
                    number += self._body.count(b"\n", counted, at)
                    counted = at
                    yield self._items(block.split(b"\n"), number)
                else:
                    yield columns
            at += len(block)

    @staticmethod
    def _items(lines: list[bytes], first: int) -> Lines:
        items = Lines([], [])
        for number, line in enumerate(lines, first):
            if not line or line.isspace():
                continue
            if len(line) > MAX_ITEM:
                raise ParseError(f"Line {number} is longer than {MAX_ITEM:,} bytes.")
            try:
                items.append(decode_json(line))
                items.numbers.append(number)
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
        self._body = body.removeprefix(BOM)

    def portions(self, serializer: type[InputSerializer], *, ordinary: bool = True) -> Iterator[Portion]:
        """Read block by block; where a row is not ordinary, its block is cut into cells by the `csv` module."""
        header, start = _header(self._body, tuple(serializer.wire_fields()))
        ordinary = ordinary and b'"' not in self._body[:start]
        text, lines, counted = b"", 0, 0
        for block in _blocks_of_lines(self._body[start:]):
            text += block
            start += len(block)
            columns = read_csv(serializer, text, header) if ordinary else None
            if columns is not None:
                yield columns
            else:
                before = start - len(text)
                lines += self._body.count(b"\n", counted, before)
                counted = before
                records = _records(text, lines, last=start == len(self._body))
                if records is None:  # a quoted cell goes on in the next block
                    if len(text) > MAX_ITEM + BLOCK:
                        raise ParseError(f"A CSV row behind line {lines} is longer than {MAX_ITEM:,} bytes.")
                    continue
                _check_widths(records, len(header))
                yield CSVRows((dict(zip(header, row, strict=True)) for row in records.cells), records.lines)
            text = b""


def _header(body: bytes, names: Sequence[str]) -> tuple[list[str], int]:
    """Return the header of a CSV document, and where its rows begin.

    ParseError unless it names these columns, once each, and not too many others.
    """
    end = len(body) if len(body) <= MAX_HEADER else body.rfind(b"\n", 0, MAX_HEADER) + 1
    if body and not end:
        raise ParseError(f"The CSV header is longer than {MAX_HEADER:,} bytes.")
    lines = [*io.StringIO(_decoded(body[:end], 0), newline="")]
    reader = csv.reader(lines, strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
    except csv.Error as error:
        raise ParseError(f"CSV line {reader.line_num} is malformed: {error}.") from None
    if missing := [name for name in names if name not in header]:
        raise ParseError(f"The CSV header lacks {', '.join(missing)}; it must name {', '.join(names)}.")
    if len(header) > MAX_COLUMNS:
        raise ParseError(f"The CSV header names more than {MAX_COLUMNS} columns.")
    if twice := [name for name in names if header.count(name) > 1]:
        raise ParseError(f"The CSV header names {', '.join(twice)} twice.")
    return header, len("".join(lines[: reader.line_num]).encode())


def _decoded(text: bytes, lines: int) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        line = lines + 1 + text.count(b"\n", 0, error.start)
        raise ParseError(f"The CSV is not UTF-8: line {line}, {error.reason}.") from None


class _Records(NamedTuple):
    """Rows of CSV: the cells of each, and the line on which it begins."""

    cells: list[list[str]]
    lines: list[int]


def _records(block: bytes, lines: int, *, last: bool) -> _Records | None:
    """Return the rows of CSV that a block of it holds, or None if it breaks off inside of one.

    So many lines come before; behind the last block nothing follows. Lines of blanks are no rows. ParseError where it
    is malformed.
    """
    unread = iter(io.StringIO(_decoded(block, lines), newline=""))
    reader = csv.reader(unread, strict=True)
    records = _Records([], [])
    line = lines + 1
    try:
        for cells in reader:
            if len(cells) > 1 or (cells and not cells[0].isspace()):
                records.cells.append(cells)
                records.lines.append(line)
            line = lines + 1 + reader.line_num
    except csv.Error as error:
        if not last and next(unread, None) is None:
            return None
        raise ParseError(f"CSV line {lines + reader.line_num} is malformed: {error}.") from None
    return records


def _check_widths(records: _Records, width: int) -> None:
    """Raise ParseError if a row has not as many cells as the header."""
    if set(map(len, records.cells)) - {width}:
        line, count = next((i, len(row)) for row, i in zip(*records, strict=True) if len(row) != width)
        raise ParseError(f"CSV line {line} has {count} cells, the header {width}.")
