"""The memory in which kernels read texts, used again and again: making it anew would take longer than the reading.

It also keeps the keys that were read before, with their strings: most batches are about the same devices and users.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache, partial
from typing import Any, NamedTuple, TypeVar, cast

import msgspec
import numpy as np
from rest_framework.exceptions import ValidationError

from timeseries_project.api import fields
from timeseries_project.api.body_kernels import INTEGER, KEY, LAST_SECOND, NUMBER, SPAN, TIMESTAMP, RowArrays
from timeseries_project.api.key_kernels import FULL, KNOWN, PRESENT, ROOM, TABLES, KeyArrays, KnownKeys
from timeseries_project.api.serializers import Columns, InputSerializer
from timeseries_project.api.string_kernels import number_strings
from timeseries_project.api.value_kernels import Bytes
from timeseries_project.core import timestamps
from timeseries_project.core.arrays import Codes, Keys
from timeseries_project.core.summation import Integers

#: Bytes of a text for which there is room; longer ones are read in memory of their own.
ROOMY = 2**20
#: Keys of a field that are known at most.
MOST_KEYS = 2**15
#: Keys of a field, and bytes of all keys, that are remembered for the next text: what strangers send must not pile up.
REMEMBERED, REMEMBERED_BYTES = 2**13, 2**18
#: Benches of each kind that are kept: as many as there are cores that read at once, commonly.
KEPT = 2
#: Bytes behind a text: its end, and what words reach beyond it.
END = b"\n" + bytes(15)

_KINDS: dict[type, int] = {
    fields.TimestampField: TIMESTAMP,
    fields.NumberField: NUMBER,
    fields.IntegerField: INTEGER,
    fields.EpochField: INTEGER,
    fields.KeyField: KEY,
}
_MOST = 2**63 - 1
#: What is read; views of bytes spare copying them.
Text = bytes | memoryview


class Layout(NamedTuple):
    """What the kernels are told of a serializer's fields."""

    fields: Integers
    names: Bytes
    #: How many of them are keys.
    keys: int
    #: Bytes of a JSON object at least.
    shortest: int


@cache
def layout_of(serializer: type[InputSerializer]) -> Layout:
    """Return the layout of a serializer's fields."""
    wire = serializer.wire_fields()
    spellings = [f'{name}"'.encode() for name in wire]
    names = np.zeros((len(wire), max(map(len, spellings))), dtype=np.uint8)
    rows: list[tuple[int, ...]] = []
    keys = 0
    for place, (spelling, field) in enumerate(zip(spellings, wire.values(), strict=True)):
        names[place, : len(spelling)] = [*spelling]
        least, most = (field.least, field.most) if isinstance(field, fields.IntegerField) else (0, 0)
        rows.append((_KINDS[type(field)], len(spelling), least, _MOST if most is None else most, keys))
        keys += isinstance(field, fields.KeyField)
    shortest = sum(len(spelling) + 4 for spelling in spellings)  # a quote, a colon, a digit, a comma or brace
    return Layout(np.array(rows, dtype=np.int64), names, keys, shortest)


def words_of(text: Bytes) -> Integers:
    """Return the eight bytes from each place of a text on, as integers, in the same memory.

    >>> [f"{word:x}" for word in words_of(np.arange(9, dtype=np.uint8)).tolist()]
    ['706050403020100', '807060504030201']
    """
    return np.ndarray((len(text) - 7,), dtype=np.int64, buffer=text, strides=(1,))


class Bench:
    """Room for a text of so many bytes, and for the keys in it, each of which has at least so many bytes around it."""

    #: Keys of a table that are known at most, and what is remembered for the next text: see above.
    most_keys, remembered, remembered_bytes = MOST_KEYS, REMEMBERED, REMEMBERED_BYTES

    def __init__(self, *, size: int, tables: int, shortest: int) -> None:
        self.size = size
        self._shortest = shortest
        self._buffer = np.empty(size + len(END), dtype=np.uint8)
        self.words = words_of(self._buffer)
        self._keys = _room_for_keys(tables, self.most_keys, 2 * size)
        self.key_arrays = cast(KeyArrays, tuple(self._keys))

    def lay(self, text: Text) -> Bytes:
        """Copy a text to where kernels read it, with its end. Keys are forgotten if more may find no room."""
        length = len(text)
        self._buffer[:length] = np.frombuffer(text, dtype=np.uint8)
        self._buffer[length : length + len(END)] = np.frombuffer(END, dtype=np.uint8)
        counts = self._keys.counts
        too_many = counts[TABLES + KNOWN :: 2].max(initial=0) > self.most_keys - length // self._shortest
        if too_many or len(self._keys.spellings) - counts[ROOM] < length + 8:
            self.forget()
        for table, known in enumerate(counts[TABLES + PRESENT :: 2].tolist()):
            self._keys.numbers[table, self._keys.present[table, :known]] = 0
        counts[TABLES + PRESENT :: 2] = 0
        return self._buffer[: length + 2]

    def forget(self) -> None:
        """Forget the keys that were read before."""
        for array in (self._keys.slots, self._keys.numbers, self._keys.counts):
            array[:] = 0

    @property
    def crowded(self) -> bool:
        """Whether more keys are known than are worth their memory, or than a search can do with."""
        counts = self._keys.counts
        many = counts[TABLES + KNOWN :: 2].max(initial=0) > self.remembered or counts[ROOM] > self.remembered_bytes
        return bool(many or counts[FULL])


class Workbench(Bench):
    """Room for a text of a serializer's items, and for what is read from it."""

    def __init__(self, serializer: type[InputSerializer], *, json: bool, size: int) -> None:
        self._fields = serializer.wire_fields()
        self._json = json
        self.layout = layout = layout_of(serializer)
        self.most_keys = MOST_KEYS
        super().__init__(size=size, tables=layout.keys, shortest=layout.shortest)
        rows = size // (layout.shortest if json else 2 * len(self._fields)) + 2
        self._columns = np.empty((len(self._fields), rows), dtype=np.int64)
        self._numbers = self._columns.view(np.float64)
        self._put_off = np.zeros(self._columns.size + 1, dtype=np.int64)
        self.row_arrays: RowArrays = (layout.fields, self._columns, self._numbers, self._put_off)
        #: followers[table, code]: the key that came last after that key in a column of strings.
        self._followers: Codes = np.zeros((layout.keys, MOST_KEYS), dtype=np.int32)
        self._names: list[list[str]] = [[] for _ in range(layout.keys)]

    def lay(self, text: Text) -> Bytes:
        """Copy a text to where kernels read it, with its end."""
        self._text = text
        self._put_off[0] = 0
        return super().lay(text)

    def forget(self) -> None:
        """Forget the keys that were read before, and their strings."""
        super().forget()
        self._followers[:] = 0
        self._names = [[] for _ in self._names]

    def columns(self, rows: int) -> Columns | None:
        """Return the columns of the rows that were read, None if a key or a number is not ordinary after all."""
        if not self._know_new():
            self.forget()
            return None
        put_off = self._put_off[1 : self._put_off[0] + 1]
        read = Columns()
        for place, (name, field) in enumerate(self._fields.items()):
            if isinstance(field, fields.KeyField):
                names = self._present(int(self.layout.fields[place, -1]))
                read[name] = Keys.numbered(self._columns[place, :rows].astype(np.int32), names)
                continue
            later = put_off[put_off // self._columns.shape[1] == place] % self._columns.shape[1]
            instants = isinstance(field, fields.TimestampField)
            if len(later) and not self._put_in(place, later[later < rows], instants=instants):
                return None
            memory = self._numbers if isinstance(field, fields.NumberField) else self._columns
            read[name] = memory[place, :rows].copy()
        return read

    def numbered(self, name: str, text: Text, offsets: Integers) -> Keys | None:
        """Return the strings that lie between offsets in a text, fewer than MOST_KEYS, as keys of the field `name`.

        The code is -1 where a string is not ordinary: no key, or one for which there is no room. None where one that
        looked ordinary is not.
        """
        rows, table = len(offsets) - 1, int(self.layout.fields[[*self._fields].index(name), -1])
        if any(len(names) > MOST_KEYS - rows for names in self._names):
            self.forget()
        self.lay(text)
        codes: Codes = np.empty(rows, dtype=np.int32)
        number_strings(self._buffer, self.words, offsets, table, codes, self._followers[table], self.key_arrays)
        if not self._know_new():
            self.forget()
            return None
        return Keys.numbered(codes, self._present(table))

    def _know_new(self) -> bool:
        """Take in the strings of the keys that are new; whether all are ordinary."""
        for table, field in enumerate(field for field in self._fields.values() if isinstance(field, fields.KeyField)):
            names, known = self._names[table], int(self._keys.counts[TABLES + 2 * table + KNOWN])
            if known > len(names):
                new = self._spelt(table, len(names), known, field)
                if new is None:
                    return False
                names += new
        return True

    def _present(self, table: int) -> list[str]:
        """Return the keys of a table that occur in the text, in the order of their numbers."""
        present = self._keys.present[table, : self._keys.counts[TABLES + 2 * table + PRESENT]]
        return [*map(self._names[table].__getitem__, present.tolist())]

    def _spelt(self, table: int, first: int, end: int, field: fields.KeyField) -> list[str] | None:
        """Return the keys of these codes of a table, None if one is not ordinary."""
        begins, lengths = self._keys.spans[table, first:end].T.tolist()
        text = self._keys.spellings[begins[0] : begins[-1] + lengths[-1]].tobytes()
        base = begins[0]
        spelt = [text[at - base : at - base + length] for at, length in zip(begins, lengths, strict=True)]
        try:
            if self._json:
                names = msgspec.json.decode(b'["' + b'","'.join(spelt) + b'"]', type=list[str])
            else:
                names = b"\n".join(spelt).decode().split("\n")
            field.check_all(names)
        except (msgspec.MsgspecError, UnicodeDecodeError, ValidationError):
            return None
        return names

    def _put_in(self, place: int, rows: Integers, *, instants: bool) -> bool:
        """Read the numbers that the kernel put off; whether they are ordinary."""
        text, spans = self._text, self._columns[place, rows].tolist()
        numbers = np.array([float(text[span // SPAN : span // SPAN + span % SPAN]) for span in spans], dtype=np.float64)
        if instants:
            if not ((numbers >= 0) & (numbers < LAST_SECOND)).all():
                return False
            self._columns[place, rows] = timestamps.column_from_seconds(numbers)
            return True
        if not (np.abs(numbers) <= fields.MAX_MAGNITUDE).all() or not numbers.all():
            return False
        self._numbers[place, rows] = numbers
        return True


def _room_for_keys(tables: int, most: int, size: int) -> KnownKeys:
    spellings = np.empty(size + 8, dtype=np.uint8)
    return KnownKeys(
        slots=np.zeros((tables, 2 * most), dtype=np.int32),
        spans=np.empty((tables, most, 2), dtype=np.int64),
        spellings=spellings,
        words=words_of(spellings),
        followers=np.zeros((tables, most), dtype=np.int32),
        numbers=np.zeros((tables, most), dtype=np.int32),
        present=np.empty((tables, most), dtype=np.int32),
        counts=np.zeros(TABLES + 2 * tables, dtype=np.int64),
    )


#: Benches that nobody uses, the one that was used last at the end. Appending to a list and popping are atomic.
_idle: dict[Hashable, list[Any]] = {}
_Bench = TypeVar("_Bench", bound=Bench)


def lent(serializer: type[InputSerializer], text: Text, *, json: bool) -> AbstractContextManager[Workbench]:
    """Lend a workbench with room for a text."""
    return borrowed((serializer, json), partial(Workbench, serializer, json=json), text)


@contextmanager
def borrowed(kind: Hashable, make: Callable[..., _Bench], text: Text) -> Iterator[_Bench]:
    """Lend a bench of a kind with room for a text; `make` makes one of a `size`."""
    if len(text) > ROOMY:
        yield make(size=len(text))
        return
    idle = _idle.setdefault(kind, [])
    try:
        bench = idle.pop()
    except IndexError:
        bench = make(size=ROOMY)
    yield bench
    # What an error leaves behind is not used again.
    if bench.crowded:
        bench.forget()
    if len(idle) < KEPT:
        idle.append(bench)
