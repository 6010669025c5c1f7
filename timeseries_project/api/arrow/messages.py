"""The messages of an Arrow IPC stream, surveyed before anything in them is decoded.

A stream is a row of messages: a schema, then dictionaries and record batches, then a marker of its end. Each is

    ff ff ff ff     a marker
    4 bytes         the length of the metadata, a multiple of 8; 0 at the end of the stream
    metadata        a flatbuffer: the kind of the message, and the length of its body
    body            the buffers of the columns

The survey finds out what the stream would cost, and refuses what is not taken: so what follows works on a body whose
messages are whole, not compressed, and not more than their bytes suggest. Every offset is checked before it is used.
Plain Python; knows no fields.
"""

from __future__ import annotations

import struct
from typing import NamedTuple, NoReturn

from rest_framework.exceptions import ParseError

#: Messages of a stream at most: each costs some 30 microseconds, however few rows it has.
MAX_MESSAGES = 10_000
#: Bytes of the metadata of one message at most.
MAX_METADATA = 2**20
#: Bytes of the body that a row takes at least: with fewer, a small body could ask for a lot of memory.
LEAST_ROW = 8

_CONTINUATION = 0xFFFF_FFFF
_SCHEMA, _DICTIONARY, _RECORD_BATCH = 1, 2, 3
_KINDS = {0: "of no kind", 4: "a tensor", 5: "a sparse tensor"}
#: Versions of the metadata as they are numbered there: V4 and V5. Only V5 says in its own place whether it is packed.
_V4, _V5 = 3, 4
_FOREIGN = {
    b"ARROW1": "This is an Arrow file; the stream format is expected, as pyarrow.ipc.new_stream writes it.",
    b"FEA1": "This is a Feather file; an Arrow IPC stream is expected, as pyarrow.ipc.new_stream writes it.",
    b"PAR1": "This is a Parquet file; an Arrow IPC stream is expected.",
}


class Survey(NamedTuple):
    """What the messages of a stream say of themselves."""

    #: Where the stream's first message ends: that of the schema.
    schema_end: int
    #: Rows of all record batches.
    rows: int
    #: Record batches that have rows.
    batches: int


def survey(body: bytes) -> Survey:
    """Look at each message of a stream. O(messages).

    ParseError for what is no stream, is cut off or goes on behind its end, for kinds of messages that are not taken,
    compressed ones, and more messages or rows than the body's size suggests.
    """
    if not body:
        raise ParseError("The body is empty; an Arrow IPC stream is expected.")
    for magic, reason in _FOREIGN.items():
        if body.startswith(magic):
            raise ParseError(reason)
    text = memoryview(body)
    at = schema_end = rows = batches = number = 0
    growth = _Growth(4 * len(body) + 2**20)
    while (length := _length(text, at, number)) != 0:
        metadata = text[at + 8 : at + 8 + length]
        message = _message(metadata, number)
        at += 8 + length + message.size
        if at > len(text):
            _cut_off(number)
        if (message.kind == _SCHEMA) is not (number == 0):
            raise ParseError("The schema must be the first message of an Arrow stream, and the only one.")
        number += 1
        if number > MAX_MESSAGES:
            raise ParseError(f"The stream has more than {MAX_MESSAGES:,} messages; send larger record batches.")
        if message.kind == _SCHEMA:
            schema_end = at
        elif message.kind == _DICTIONARY:
            growth.add(message)
        else:
            rows += message.rows
            batches += message.rows > 0
    if at + 8 != len(text):
        raise ParseError(f"Something follows the end of the Arrow stream (byte {at + 8}).")
    if not schema_end:
        raise ParseError("The Arrow stream has no schema.")
    if rows * LEAST_ROW > len(text):
        raise ParseError(f"The stream says it has {rows:,} rows, but a row takes {LEAST_ROW} bytes at least.")
    return Survey(schema_end, rows, batches)


class _Message(NamedTuple):
    """What a message says of itself: its kind, the bytes of its body, its rows, and of a dictionary which it is."""

    kind: int
    size: int
    rows: int = 0
    dictionary: int = 0
    is_delta: bool = False


class _Growth:
    """What dictionaries that grow cost: with each delta, the whole of one is written anew."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._sizes: dict[int, int] = {}

    def add(self, message: _Message) -> None:
        """Count one more message of a dictionary."""
        before = self._sizes.get(message.dictionary, 0) if message.is_delta else 0
        self._sizes[message.dictionary] = before + message.size
        self._most -= before
        if self._most < 0:
            raise ParseError("The stream's dictionaries grow in too many small steps; send them whole.")


def _length(text: memoryview, at: int, number: int) -> int:
    """Return the length of the metadata of the message that begins at a place, 0 at the end of the stream."""
    if at + 8 > len(text):
        _cut_off(number)
    marker, length = struct.unpack_from("<Ii", text, at)
    if marker != _CONTINUATION:
        if number:
            raise ParseError(f"The Arrow stream is malformed: no message begins at byte {at}.")
        raise ParseError("This is not an Arrow IPC stream: it does not begin with a message.")
    if not 0 <= length <= MAX_METADATA or length % 8:
        raise ParseError(f"Message {number} of the Arrow stream is malformed: its metadata have {length} bytes.")
    if at + 8 + length > len(text):
        _cut_off(number)
    return int(length)


def _cut_off(number: int) -> NoReturn:
    raise ParseError(
        f"The Arrow stream is cut off in message {number}, or behind it: the marker of its end is missing."
    )


class _DamagedError(Exception):
    """A flatbuffer that points beyond its end."""


class _Table:
    """A table of a flatbuffer: a place, and an index of where its fields are."""

    def __init__(self, text: memoryview, at: int) -> None:
        self._text = text
        self._at = at
        self._index = at - self._read("<i", at)
        self._size = self._read("<H", self._index)

    def _read(self, form: str, at: int) -> int:
        if not 0 <= at <= len(self._text) - struct.calcsize(form):
            raise _DamagedError
        [value] = struct.unpack_from(form, self._text, at)
        return int(value)

    def _place(self, field: int) -> int:
        """Return where a field is, 0 if it is left out."""
        entry = 4 + 2 * field
        offset = self._read("<H", self._index + entry) if entry + 2 <= self._size else 0
        return self._at + offset if offset else 0

    def number(self, field: int, form: str) -> int:
        """Return a number, 0 if it is left out."""
        place = self._place(field)
        return self._read(form, place) if place else 0

    def has(self, field: int) -> bool:
        """Return whether a field is there."""
        return bool(self._place(field))

    def table(self, field: int) -> _Table:
        """Return a table that this one refers to."""
        place = self._place(field)
        if not place:
            raise _DamagedError
        return _Table(self._text, place + self._read("<I", place))

    @classmethod
    def root(cls, text: memoryview) -> _Table:
        """Return the table of a whole flatbuffer."""
        if len(text) < 8:
            raise _DamagedError
        return cls(text, struct.unpack_from("<I", text)[0])


def _message(metadata: memoryview, number: int) -> _Message:
    """Read the metadata of a message. ParseError if they are damaged, or say what is not taken.

    The fields are numbered as in Arrow's Message.fbs and Schema.fbs.
    """
    try:
        message = _Table.root(metadata)
        version, kind, size = message.number(0, "<h"), message.number(1, "<B"), message.number(3, "<q")
        if version not in (_V4, _V5):
            raise ParseError(f"Message {number} of the Arrow stream is of a version of the format that is not taken.")
        if kind not in (_SCHEMA, _DICTIONARY, _RECORD_BATCH):
            what = _KINDS.get(kind, "of an unknown kind")
            raise ParseError(f"Message {number} of the Arrow stream is {what}; only tables are taken.")
        if size < 0 or size % 8 or (kind == _SCHEMA and size):
            raise ParseError(f"Message {number} of the Arrow stream is malformed: its body has {size} bytes.")
        header = message.table(2)
        if kind == _SCHEMA:
            if header.number(0, "<h"):
                raise ParseError("The Arrow stream is big-endian; only little-endian ones are taken.")
            return _Message(kind, size)
        batch = header.table(1) if kind == _DICTIONARY else header
        if batch.has(3) or (version == _V4 and message.has(4)):
            raise ParseError("The Arrow stream has compressed buffers; send them as they are, the whole body in gzip.")
        rows = batch.number(0, "<q")
        if rows < 0:
            raise ParseError(f"Message {number} of the Arrow stream is malformed: it has {rows} rows.")
        if kind == _RECORD_BATCH:
            return _Message(kind, size, rows)
        return _Message(kind, size, rows, header.number(0, "<q"), bool(header.number(2, "<B")))
    except _DamagedError:
        raise ParseError(f"The metadata of message {number} of the Arrow stream are damaged.") from None
