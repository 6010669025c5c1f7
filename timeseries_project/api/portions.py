"""Batches in JSON arrays, NDJSON and CSV, cut into portions that take some milliseconds each.

Portions of ordinary items become columns directly (`batches`); a portion with anything unusual is passed on item by
item. So time and memory are bounded by the size of a body, whatever it contains, and a thread that reads a large
body lets others run between two portions.
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

#: Most bytes of one item: a JSON object, a line or a CSV row. Valid ones have some hundred.
MAX_ITEM = 2**20
#: Most columns of a CSV document, and most bytes of its header.
MAX_COLUMNS, MAX_HEADER = 100, 2**16

#: Rows that the `csv` module reads in one call.
ROWS = 2_000

_BOM = b"\xef\xbb\xbf"
_BLANKS = b" \t\r\n"
_BYTE = re.compile(r"\(byte ([0-9]+)\)")
_decode = msgspec.json.Decoder().decode


def decode_json(text: bytes | str, offset: int = 0) -> object:
    """Parse one JSON document. Numbers are finite, integers exact, and of repeated keys the last counts.

    Raises ParseError for malformed JSON, for nesting beyond the interpreter's limit, and for lone surrogates. `offset`
    is the position of the text in the body, because messages name the byte. O(len(text)).

    >>> decode_json(b'{"a": 1, "a": 2}')
    {'a': 2}
    """
    try:
        return _decode(text)
    except RecursionError:
        raise ParseError("The JSON is nested too deeply.") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        reason = _BYTE.sub(lambda match: f"(byte {int(match[1]) + offset})", str(error))
        raise ParseError(f"This is not valid JSON: {reason}.") from None


class JSONArray(Batch):
    """A JSON array; blanks may precede its opening bracket."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def portions(self, serializer: type[InputSerializer], *, ordinary: bool = True) -> Iterator[Portion]:
        """Yield portions of ordinary items up to the first unusual one; cut the rest at its commas."""
        at = self._body.index(b"[") + 1
        if ordinary and self._body[:1] == b"[":
            for columns, following in self._ordinary(serializer):
                yield columns
                at = following
        if at <= len(self._body):
            yield from self._scanned(serializer, at, ordinary=ordinary)

    def _ordinary(self, serializer: type[InputSerializer]) -> Iterator[tuple[Columns, int]]:
        """Yield portions of ordinary items, each with the position of the next portion, until one is not ordinary.

        A block is cut after its last object. The cut is right if the text before it parses, because a cut inside of a
        string or of an item leaves that open.
        """
        body, at = self._body, 1
        while at <= len(body):
            last = len(body) - at <= BLOCK
            cut = len(body) if last else body.rfind(b"},", at, at + BLOCK) + 1
            whole = b"[" + body[at:cut] + (b"" if last else b"]") if not last or at > 1 else body
            columns = read_json(serializer, whole) if cut else None
            if columns is None or (at > 1 and not columns.length):  # an item must follow a comma
                return
            at = cut + 1
            yield columns, at

    def _scanned(self, serializer: type[InputSerializer], at: int, *, ordinary: bool) -> Iterator[Portion]:
        """Yield the portions from the item that begins at `at`."""
        body, begin, first = self._body, at, at
        for block, ends in enumerate(item_ends(body, at), 1):
            reached = at + block * BLOCK
            if np.diff(ends, prepend=begin, append=min(reached, len(body))).max() > MAX_ITEM:
                raise ParseError(f"An item of the array, after byte {begin}, is longer than {MAX_ITEM:,} bytes.")
            if not len(ends):
                continue
            end = int(ends[-1])
            text, closed = b"[" + body[begin:end] + b"]", body[end] != ord(",")
            columns = read_json(serializer, text) if ordinary else None
            if columns is None or columns.length != len(ends):
                items = decode_json(text, begin - 1)
                assert isinstance(items, list)
                if len(items) != len(ends) and not (closed and begin == first and not items):
                    raise ParseError(f"This is not valid JSON: an item is missing between two commas (byte {begin}).")
                yield items
            else:
                yield columns
            if closed:
                if body[end] != ord("]") or body[end + 1 :].strip(_BLANKS):
                    raise ParseError(f"This is not valid JSON: something follows its end (byte {end}).")
                return
            begin = end + 1
        decode_json(b"[" + body[begin:], begin - 1)  # raises with a better reason unless the text is merely cut off
        raise ParseError("This is not valid JSON: the array is not closed.")


class JSONLines(Batch):
    """Newline-delimited JSON: one document per line; blank lines are ignored."""

    def __init__(self, body: bytes) -> None:
        self._body = body.removeprefix(_BOM)

    def portions(self, serializer: type[InputSerializer], *, ordinary: bool = True) -> Iterator[Portion]:
        """Yield a portion per block of lines."""
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
    """Cut a text into blocks that end at line ends; a block is longer than BLOCK only if one line is."""
    at = 0
    while at < len(text):
        longest = at + BLOCK + MAX_ITEM
        end = text.rfind(b"\n", at, at + BLOCK) + 1 or text.find(b"\n", at + BLOCK, longest) + 1 or len(text)
        if end > longest:
            raise ParseError(f"The line after byte {at} is longer than {MAX_ITEM:,} bytes.")
        yield text[at:end]
        at = end


class CSVTable(Batch):
    """A CSV document with a header that names the columns in any order (RFC 4180)."""

    def __init__(self, body: bytes) -> None:
        self._body = body.removeprefix(_BOM)

    def portions(self, serializer: type[InputSerializer], *, ordinary: bool = True) -> Iterator[Portion]:
        """Yield a portion per block, split at commas and line ends or, if that is not enough, by the `csv` module."""
        header, start = _header(self._body, tuple(serializer.wire_fields()))
        ordinary = ordinary and b'"' not in self._body[:start]
        text, lines, rows = b"", self._body.count(b"\n", 0, start), 0
        for block in _blocks_of_lines(self._body[start:]):
            text += block
            start += len(block)
            columns = _cells(text, len(header)) if ordinary else None
            if columns is None:
                records = _records(text, lines, last=start == len(self._body))
                if records is None:  # a quoted cell continues in the next block
                    if len(text) > MAX_ITEM + BLOCK:
                        raise ParseError(f"A CSV row after line {lines} is longer than {MAX_ITEM:,} bytes.")
                    continue
                columns = _transposed(records, len(header), rows)
            rows += len(columns[0])
            cells = dict(zip(header, columns, strict=True))
            read = read_cells(serializer, cells) if ordinary else None
            yield read or CSVRows(dict(zip(header, row, strict=True)) for row in zip(*columns, strict=True))
            lines += text.count(b"\n")
            text = b""


def _header(body: bytes, names: Sequence[str]) -> tuple[list[str], int]:
    """Return the header of a CSV document, and the position of its first row.

    Raises ParseError unless it names each of these columns once, and at most MAX_COLUMNS columns in all.
    """
    end = len(body) if len(body) <= MAX_HEADER else body.rfind(b"\n", 0, MAX_HEADER) + 1
    if body and not end:
        raise ParseError(f"The CSV header is longer than {MAX_HEADER:,} bytes.")
    lines = [*io.StringIO(_decoded(body[:end], 0), newline="")]
    reader = csv.reader(lines, strict=True)
    try:
        header = next(reader, [])
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


def _cells(block: bytes, width: int) -> list[Sequence[str]] | None:
    """Split CSV rows into columns at commas and line ends, several times as fast as the `csv` module.

    Returns None if that is not enough: for quotes, rows of another width, or what `csv` refuses. Blank lines are not
    rows.
    """
    text = block.replace(b"\r\n", b"\n") + b"\n"
    while b"\n\n" in text:
        text = text.replace(b"\n\n", b"\n")
    text = text.removeprefix(b"\n")
    if b'"' in text or b"\r" in text or text.count(b",") != text.count(b"\n") * (width - 1):
        return None
    characters = np.frombuffer(text, dtype=np.uint8)
    ends = np.flatnonzero((characters == ord(",")) | (characters == ord("\n")))
    line_ends = characters[ends[width - 1 :: width]]
    if (line_ends != ord("\n")).any() or np.diff(ends, prepend=-1).max(initial=0) > csv.field_size_limit():
        return None
    try:
        cells = text.decode().replace("\n", ",").split(",")
    except UnicodeDecodeError:
        return None
    del cells[-1]  # after the last line end
    return [cells[place::width] for place in range(width)]


def _records(block: bytes, lines: int, *, last: bool) -> list[list[str]] | None:
    """Return the CSV rows of a block, or None if it ends inside of a row and is not the last block.

    `lines` is the number of lines before the block. Raises ParseError if the block is malformed.
    """
    unread = iter(io.StringIO(_decoded(block, lines), newline=""))
    reader = csv.reader(unread, strict=True)
    rows: list[list[str]] = []
    try:
        while some := [*islice(reader, ROWS)]:  # a single call would stop all other threads
            rows += filter(None, some)
    except csv.Error as error:
        if not last and next(unread, None) is None:
            return None
        raise ParseError(f"CSV line {lines + reader.line_num} is malformed: {error}.") from None
    return rows


def _transposed(rows: list[list[str]], width: int, before: int) -> list[Sequence[str]]:
    """Return rows as columns; `before` is the number of earlier rows. Raises ParseError for a row of another width."""
    if set(map(len, rows)) - {width}:
        number, cells = next((i, len(row)) for i, row in enumerate(rows, before + 1) if len(row) != width)
        raise ParseError(f"CSV row {number} has {cells} cells, the header {width}.")
    return [*zip(*rows, strict=True)] if rows else [()] * width
