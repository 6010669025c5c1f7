"""Reads files of items for the apps, Python listings, JSON, NDJSON and CSV, item by item with their lines.

Items are passed on unchanged: the server decides what is valid. NDJSON and CSV are read line by line, so their size
does not matter; a Python listing and a JSON array are read whole.
"""

from __future__ import annotations

import csv
import json
import math
import os
import re
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

import msgspec

from timeseries_project.client.sender import one_line
from timeseries_project.client.target import Target, targets
from timeseries_project.core.python_literals import literal_list

MAX_LINE = 1 << 20
_BOM = b"\xef\xbb\xbf"
_BETWEEN = re.compile(r"[ \t\n\r]*")
_scan = json.JSONDecoder().raw_decode
_decode = msgspec.json.Decoder().decode


class FileError(Exception):
    """A file cannot be read; the message is one printable line that names it and the line at fault."""

    def __init__(self, path: Path, reason: str, line: int | None = None) -> None:
        super().__init__(one_line(f"{path}{'' if line is None else f', line {line}'}: {reason}"))


class Item(NamedTuple):
    """A JSON object, the line that it begins on, the bytes of the file read so far, and the header of a CSV file."""

    body: bytes
    line: int
    read: int
    header: tuple[str, ...] | None = None


class Items(NamedTuple):
    """The items of a file, the app that they are for (None if unknown, as the file is empty), and the file's size."""

    target: Target | None
    items: Iterator[Item]
    size: int


class _LineError(Exception):
    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.line = line


@contextmanager
def opened(path: Path, app: str | None = None) -> Iterator[Items]:
    """Open a file of items. Without `app`, the fields of the first item tell it. FileError here or while reading."""
    read = _READERS.get(path.suffix.lower())
    if read is None:
        raise FileError(path, f"its name must end in {', '.join(_READERS)} or .arrow.")
    try:
        file = path.open("rb")
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        raise FileError(path, f"{getattr(error, 'strerror', None) or error}.") from None
    with file:
        size = os.fstat(file.fileno()).st_size
        items = _explained(path, read(file, size, None if app is None else targets()[app]))
        first = next(items, None)
        if first is None:
            yield Items(None if app is None else targets()[app], iter(()), size)
            return
        target = _target(path, first) if app is None else targets()[app]
        yield Items(target, _chained(first, items), size)


def _chained(first: Item, others: Iterator[Item]) -> Iterator[Item]:
    yield first
    yield from others


def _explained(path: Path, items: Iterator[Item]) -> Iterator[Item]:
    """Yield the items; raise FileError, which names file and line, where one cannot be read."""
    try:
        yield from items
    except _LineError as error:
        raise FileError(path, str(error), error.line) from None
    except OSError as error:
        raise FileError(path, f"{error.strerror or error}.") from None


def _target(path: Path, item: Item) -> Target:
    fields = _decode(item.body) if item.header is None else item.header
    if not isinstance(fields, dict | tuple):
        raise FileError(path, "an item must be a JSON object.", item.line)
    return target_of(path, fields, item.line)


def target_of(path: Path, fields: Collection[str], line: int | None = None) -> Target:
    """Return the app whose fields an item has, or the columns of a file. FileError if that is not one app."""
    fitting = [target for target in targets().values() if set(fields) >= set(target.fields)]
    if len(fitting) != 1:
        names = ", ".join(fields) or "none"
        which = "no app" if not fitting else "several apps"
        raise FileError(path, f"its fields ({names}) are those of {which}; --app says for which it is.", line)
    return fitting[0]


def _json_object(values: dict[str, Any]) -> bytes:
    """Write a Python literal or a CSV row as JSON. ValueError if JSON has no form for a value."""
    return json.dumps(values, allow_nan=False).encode()


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the lines, the byte order mark removed."""
    number, line = 1, file.readline(MAX_LINE + 1).removeprefix(_BOM)
    while line:
        if len(line) > MAX_LINE:
            raise _LineError(f"it is longer than {MAX_LINE} bytes.", number)
        yield line
        number, line = number + 1, file.readline(MAX_LINE + 1)


def _read_python(file: IO[bytes], size: int, target: Target | None) -> Iterator[Item]:
    # The fields tell which app a file is for; the name of the variable does not.
    variable = next(name for one in targets().values() if (name := one.python_variable))
    try:
        entries = literal_list(file.read(), variable)
    except ValueError as error:
        raise _LineError(str(error)) from None
    for place, (line, entry) in enumerate(entries, 1):
        if not isinstance(entry, dict):
            raise _LineError("an entry must be a dict.", line)
        try:
            yield Item(_json_object(entry), line, size * place // len(entries))
        except (TypeError, ValueError):
            raise _LineError("the entry holds something that JSON has no form for.", line) from None


def _read_json(file: IO[bytes], size: int, target: Target | None) -> Iterator[Item]:
    body = file.read().removeprefix(_BOM)
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise _LineError("it is not UTF-8.", body.count(b"\n", 0, error.start) + 1) from None
    del body  # the text alone is large enough
    yield from _array(text, size)


def _array(text: str, size: int) -> Iterator[Item]:
    """Yield the members of a JSON array exactly as spelt, each with its line; a single object counts as one."""

    def skip_blanks(place: int) -> int:
        match = _BETWEEN.match(text, place)
        return match.end() if match else place

    place, counted, line = skip_blanks(0), 0, 1
    array = text.startswith("[", place)
    place = skip_blanks(place + 1) if array else place
    closed = array and text.startswith("]", place)
    while not closed:
        line, counted = line + text.count("\n", counted, place), place
        try:
            end = _scan(text, place)[1]
            body = text[place:end].encode()
            _decode(body)  # as strict as the server
        except (ValueError, RecursionError) as error:
            reason = getattr(error, "msg", None) or (
                "nested too deeply" if isinstance(error, RecursionError) else error
            )
            at = getattr(error, "lineno", line)
            raise _LineError(f"this is not valid JSON: {reason}.", at) from None
        place = skip_blanks(end)
        yield Item(body, line, size * place // len(text))
        closed = not array or text.startswith("]", place)
        if not closed:
            if not text.startswith(",", place):
                raise _LineError("this is not valid JSON: a comma or ] is due.", text.count("\n", 0, place) + 1)
            place = skip_blanks(place + 1)
    place = skip_blanks(place + array)
    if place != len(text):
        raise _LineError("this is not valid JSON: something follows its end.", text.count("\n", 0, place) + 1)


def _read_lines(file: IO[bytes], size: int, target: Target | None) -> Iterator[Item]:
    read = 0
    for number, line in enumerate(_lines(file), 1):
        read += len(line)
        if body := line.strip():
            try:
                _decode(body)  # must be one document: two would be two items of the batch
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                raise _LineError(f"this is not valid JSON: {error}.", number) from None
            yield Item(body, number, read)


def _read_csv(file: IO[bytes], size: int, target: Target | None) -> Iterator[Item]:
    read = 0

    def texts() -> Iterator[str]:
        nonlocal read
        for number, line in enumerate(_lines(file), 1):
            read += len(line)
            try:
                yield line.decode()
            except UnicodeDecodeError:
                raise _LineError("it is not UTF-8.", number) from None

    rows = csv.reader(texts(), strict=True)
    try:
        header = [name.strip() for name in next(rows, [])]
        columns = _columns(header, target)
        line = rows.line_num + 1
        for row in rows:
            if len(row) > 1 or (row and not row[0].isspace()):
                if len(row) != len(header):
                    raise _LineError(f"the row has {len(row)} cells, the header {len(header)}.", line)
                cells = zip(header, row, strict=True)
                item = {name: _value(cell, columns[name]) for name, cell in cells if cell and name in columns}
                yield Item(_json_object(item), line, read, tuple(header))
            line = rows.line_num + 1
    except csv.Error as error:
        raise _LineError(f"this is not valid CSV: {error}.", rows.line_num) from None


def _value(cell: str, kind: str) -> object:
    """Return a cell's number if it is finite, else its text, which the server refuses where it wants a number."""
    # They define what a number is in CSV, and what is rather a date.
    from timeseries_project.api.fields import BARE_DATE, BLANKS, number_from_text

    if kind == "keys":
        return cell
    text = cell.strip(BLANKS)
    number = None if kind == "dates" and BARE_DATE.fullmatch(text) else number_from_text(text)
    return text if number is None or math.isinf(number) else number


def _columns(header: list[str], target: Target | None) -> dict[str, str]:
    """Return the columns to send and their kinds; the header must name every field of an app once."""
    candidates = list(targets().values()) if target is None else [target]
    fitting = [target for target in candidates if set(header) >= set(target.fields)]
    if not fitting:
        if target is None:
            raise _LineError(f"its columns ({', '.join(header) or 'none'}) are those of no app.", 1)
        raise _LineError(f"the header must name {', '.join(target.fields)}.", 1)
    wanted = {name for target in fitting for name in target.fields}
    if twice := sorted(name for name in wanted if header.count(name) > 1):
        raise _LineError(f"the header names {', '.join(twice)} twice.", 1)
    kinds = dict.fromkeys(wanted, "numbers")
    for target in fitting:
        kinds |= dict.fromkeys(target.keys, "keys") | dict.fromkeys(target.dates, "dates")
    return kinds


Reader = Callable[[IO[bytes], int, Target | None], Iterator[Item]]
_READERS: dict[str, Reader] = {
    ".py": _read_python,
    ".json": _read_json,
    ".ndjson": _read_lines,
    ".jsonl": _read_lines,
    ".csv": _read_csv,
}
