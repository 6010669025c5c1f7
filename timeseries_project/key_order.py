"""Keys in order of their code points, worked out when somebody asks for it; knows no framework.

A million keys take a second to sort, and a single call of `list.sort` would stop every other thread for as long. So
they are sorted in blocks, and what is new since then is put in its place a few hundred keys at a time.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from random import sample
from threading import Lock
from typing import Any

from timeseries_project.offload import give_way, leave_loop

#: Keys in a block, about; one of twice as many is divided.
BLOCK = 1024
#: New keys that are put in their place while the lock is held.
PLACED_AT_ONCE = 512
#: Keys that are new before the order is given up, whatever it holds.
NEW_AT_LEAST = 16384


class KeyOrder:
    """The keys of a store in order, some of which may be gone: whoever reads them knows which.

    The store's lock guards it, and is held for some hundred keys at a time. Before anybody asks, and when too much has
    changed since, nothing is kept: the order is then built from all keys. Where a step fails it is built anew.
    """

    def __init__(self, lock: Lock, keys: Callable[[], Iterable[Sequence[str]]]) -> None:
        """Take the store's lock, and what yields all its keys in portions; the lock is not held when it is called."""
        self._lock = lock
        self._keys = keys
        self._building = Lock()  # taken before the store's
        self._blocks: list[list[str]] | None = None
        #: The first key of each block but the first one.
        self._bounds: list[str] = []
        self._length = 0
        self._new: list[str] | None = None

    def note(self, key: str) -> None:
        """Tell of a key that may be new; the lock is held. O(1)."""
        if self._new is None:
            return
        if len(self._new) > max(NEW_AT_LEAST, self._length // 2):
            self.commit_forget()
        else:
            self._new.append(key)

    def commit_forget(self) -> None:
        """Give the order up: it will be built when it is asked for. The lock is held."""
        self._blocks = self._new = None

    def after(self, key: str | None, count: int, known: Collection[str]) -> tuple[list[str], str | None]:
        """Return up to `count` keys beyond a key, or the first ones; and the last looked at, None if there are no more.

        `known` are the keys that the store has, and is looked at with the lock held; others are left out. O(count +
        log n), and what it takes to put what is new in its place: for many keys that is done outside of the event loop.
        """
        while True:
            self._build(known)
            with self._lock:
                try:
                    self._forget_the_gone(known)
                    if self._blocks is not None and not self._place_new():
                        return self._read(key, count, known)
                except BaseException:
                    self.commit_forget()
                    raise
            leave_loop()
            give_way()

    def _build(self, known: Collection[str]) -> None:
        """Sort all keys, if there is no order yet. O(n log n)."""
        if self._is_built():
            return
        if len(known) > 2 * BLOCK:
            leave_loop()
        with self._building:
            if self._is_built():  # by who was quicker
                return
            with self._lock:
                self._new, self._length = [], len(known)
            blocks = blocks_of(self._keys())
            with self._lock:
                if self._new is not None:  # else more came meanwhile than there were
                    self._bounds = [block[0] for block in blocks[1:]]
                    self._length = sum(map(len, blocks))
                    self._blocks = blocks

    def _is_built(self) -> bool:
        return self._blocks is not None

    def _forget_the_gone(self, known: Collection[str]) -> None:
        """Give the order up where most of it is not known any more; the lock is held."""
        if self._blocks is None:
            return
        if self._length > 2 * len(known) + NEW_AT_LEAST or len(self._blocks) > 8 * (len(known) // BLOCK) + 64:
            self.commit_forget()

    def _place_new(self) -> bool:
        """Put some of the keys in their place that are new; return whether there are more. The lock is held."""
        assert self._blocks is not None
        assert self._new is not None
        for key in self._new[-PLACED_AT_ONCE:]:
            at = bisect_right(self._bounds, key)
            block = self._blocks[at]
            place = bisect_right(block, key)
            if place and block[place - 1] == key:
                continue
            block.insert(place, key)
            self._length += 1
            if len(block) > 2 * BLOCK:
                self._blocks.insert(at + 1, block[BLOCK:])
                self._bounds.insert(at, block[BLOCK])
                del block[BLOCK:]
        del self._new[-PLACED_AT_ONCE:]
        return bool(self._new)

    def _read(self, key: str | None, count: int, known: Collection[str]) -> tuple[list[str], str | None]:
        assert self._blocks is not None
        at = 0 if key is None else bisect_right(self._bounds, key)
        found: list[str] = []
        while at < len(self._blocks) and len(found) < count:
            block = self._blocks[at]
            place = 0 if key is None else bisect_right(block, key)
            some = block[place : place + count - len(found)]
            if not some:
                at += 1
                continue
            key = some[-1]
            here = [one for one in some if one in known]
            if len(here) < len(some):
                block[place : place + len(some)] = here
                self._length -= len(some) - len(here)
            found += here
        return found, key if at < len(self._blocks) else None


def blocks_of(portions: Iterable[Sequence[str]]) -> list[list[str]]:
    """Return keys in order, each once, in blocks of about a thousand, one at least. No step takes long."""
    keys = [key for portion in portions for key in portion]
    if len(keys) <= BLOCK:
        return [sorted(set(keys))]
    leave_loop()
    bounds = _bounds_of(keys)
    blocks: list[list[str]] = [[] for _ in range(len(bounds) + 1)]
    for key in keys:
        blocks[bisect_right(bounds, key)].append(key)
    release(keys)
    return [part for block in blocks if block for part in _divided(sorted(set(block)))]


def _divided(keys: list[str]) -> Iterator[list[str]]:
    for at in range(0, len(keys), BLOCK):
        yield keys[at : at + BLOCK]


def in_order(keys: Iterable[str]) -> list[str]:
    """Return distinct keys in order, as `sorted` does, in steps of which none takes long. O(n log n)."""
    return [key for block in blocks_of([list(keys)]) for key in block]


def places_in_order(keys: Sequence[str]) -> Iterator[list[int]]:
    """Yield the places of keys in their order, some hundred at a time, in the same way."""
    bounds = _bounds_of(keys)
    blocks: list[list[int]] = [[] for _ in range(len(bounds) + 1)]
    for place, key in enumerate(keys):
        blocks[bisect_right(bounds, key)].append(place)
    blocks.reverse()
    while blocks:
        yield sorted(blocks.pop(), key=keys.__getitem__)


def _bounds_of(keys: Sequence[str]) -> list[str]:
    """Return keys that divide keys into blocks of about a thousand. Chance makes some ten times as large as others.

    They are chosen by chance, so that nobody who chooses the keys can make a block large.
    """
    return sorted(set(sample(keys, len(keys) // BLOCK)))


def release(items: list[Any]) -> None:
    """Empty a list: a long one is let go of in portions, for to touch a million objects is one long step."""
    while items:
        del items[-BLOCK:]
