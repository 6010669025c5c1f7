"""Keys sorted by their code points, on demand. Knows no framework.

Sorting a million keys takes a second, and a single call of `list.sort` would stop every other thread for as long. So
keys are sorted in blocks, and keys added later are inserted a few hundred at a time.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from random import sample
from threading import Lock
from typing import Any

from timeseries_project.core.offload import give_way, leave_loop

#: Approximate number of keys in a block; a block of more than twice as many is divided.
BLOCK = 1024
#: Most new keys that are inserted while the lock is held.
PLACED_AT_ONCE = 512
#: New keys that are kept before the order is discarded, however small the order is.
NEW_AT_LEAST = 16384


class KeyOrder:
    """The keys of a store in sorted order; it may still hold deleted keys, which reading leaves out.

    The store's lock guards it, and is held for a few hundred keys at a time. Nothing is kept before the first read,
    after too many changes, or after a step that failed; the next read then builds the order from all keys.

    >>> known = {"b", "a", "c"}
    >>> order = KeyOrder(Lock(), lambda: [list(known)])
    >>> order.after(None, 2, known)
    (['a', 'b'], 'b')
    >>> known.remove("b")
    >>> known.add("d")
    >>> order.note("d")
    >>> order.after("a", 2, known)
    (['c', 'd'], 'd')
    >>> order.after("d", 2, known)
    ([], None)
    """

    def __init__(self, lock: Lock, keys: Callable[[], Iterable[Sequence[str]]]) -> None:
        """Take the store's lock, and a function that yields all keys in portions and is called without the lock."""
        self._lock = lock
        self._keys = keys
        self._building = Lock()  # acquired before the store's
        self._blocks: list[list[str]] | None = None
        #: The first key of every block except the first block.
        self._bounds: list[str] = []
        self._length = 0
        self._new: list[str] | None = None

    def note(self, key: str) -> None:
        """Record a key that may be new. The caller holds the lock. O(1)."""
        if self._new is None:
            return
        if len(self._new) > max(NEW_AT_LEAST, self._length // 2):
            self.commit_forget()
        else:
            self._new.append(key)

    def commit_forget(self) -> None:
        """Discard the order; the next read builds it again. The caller holds the lock."""
        self._blocks = self._new = None

    def after(self, key: str | None, count: int, known: Collection[str]) -> tuple[list[str], str | None]:
        """Return up to `count` keys after a key (the first ones for None), and the last key read: None at the end.

        `known` holds the store's keys; it is read under the lock, and other keys are left out. O(count + log n), plus
        the insertion of new keys, which for many keys happens outside of the event loop.
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
        """Sort all keys if there is no order yet. O(n log n)."""
        if self._is_built():
            return
        if len(known) > 2 * BLOCK:
            leave_loop()
        with self._building:
            if self._is_built():  # meanwhile, by another thread
                return
            with self._lock:
                self._new, self._length = [], len(known)
            blocks = blocks_of(self._keys())
            with self._lock:
                if self._new is not None:  # else too many new keys came meanwhile, and the order was discarded
                    self._bounds = [block[0] for block in blocks[1:]]
                    self._length = sum(map(len, blocks))
                    self._blocks = blocks

    def _is_built(self) -> bool:
        return self._blocks is not None

    def _forget_the_gone(self, known: Collection[str]) -> None:
        """Discard the order if most of its keys are deleted. The caller holds the lock."""
        if self._blocks is None:
            return
        if self._length > 2 * len(known) + NEW_AT_LEAST or len(self._blocks) > 8 * (len(known) // BLOCK) + 64:
            self.commit_forget()

    def _place_new(self) -> bool:
        """Insert some of the new keys; return whether there are more. The caller holds the lock."""
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
    """Return the distinct keys in sorted order, in blocks of about a thousand; there is at least one block.

    No single step takes long. O(n log n).

    >>> blocks_of([["b", "a"], ["b"]])
    [['a', 'b']]
    >>> max(map(len, blocks_of([[str(number) for number in range(5_000)]]))) <= BLOCK
    True
    """
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
    """Return the distinct keys in sorted order; unlike `sorted`, no single step takes long. O(n log n).

    >>> in_order(["b", "a", "b"])
    ['a', 'b']
    """
    return [key for block in blocks_of([list(keys)]) for key in block]


def places_in_order(keys: Sequence[str]) -> Iterator[list[int]]:
    """Yield the indices that sort the keys, about a thousand at a time; no single step takes long. O(n log n).

    >>> list(places_in_order(["b", "c", "a"]))
    [[2, 0, 1]]
    """
    bounds = _bounds_of(keys)
    blocks: list[list[int]] = [[] for _ in range(len(bounds) + 1)]
    for place, key in enumerate(keys):
        blocks[bisect_right(bounds, key)].append(place)
    blocks.reverse()
    while blocks:
        yield sorted(blocks.pop(), key=keys.__getitem__)


def _bounds_of(keys: Sequence[str]) -> list[str]:
    """Return keys that divide the keys into blocks of about a thousand; some blocks are ten times as large as others.

    They are drawn at random, so that clients cannot choose keys that make one block large.
    """
    return sorted(set(sample(keys, len(keys) // BLOCK)))


def release(items: list[Any]) -> None:
    """Empty a list in portions, because releasing a million objects at once is one long step. O(n).

    >>> items = [1, 2, 3]
    >>> release(items)
    >>> items
    []
    """
    while items:
        del items[-BLOCK:]
