"""The loops over blocks: a B+ tree of small blocks for each of many series, all in one pool.

A block holds up to `width` keys in order, and beside each key a row of cells:

    keys[block, place]          ascending integers
    cells[block, place, part]   what belongs to the key: integers, or doubles by their 64 bits
    links[block, LINK]          how many keys it has, its level, its parent, and its neighbours of the same level
    totals[block, part]         what all keys below it add up to, where that is asked for
    heads[series, HEAD]         root and last leaf of a series; the number, first and last of its keys; and how often it
                                was changed other than at its end
    state[STATE]                the blocks that are free

Leaves, of level 0, hold the keys of the series. A block of a higher level holds children: the first cell of each is the
child's number, and its key is a bound: no key below the child is less, and none of a child before it is greater. The
first bound of each level is below every key.

What arrives in order fills leaf after leaf up to a limit, which leaves some places for late keys. A full block that is
to take one more is divided. After a delete, neighbours below one parent are merged if both together fill no more than
half a block, so few keys never keep many blocks. See D. Comer, "The ubiquitous B-tree", ACM Computing Surveys 11
(1979), and T. Johnson and D. Shasha, "B-trees with inserts and deletes: why free-at-empty is better than
merge-at-half", J. Computer and System Sciences 47 (1993).

The functions here find and change single keys; `block_add_kernels.py` and `block_range_kernels.py` have those for many.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from timeseries_project.core.kernels import routine
from timeseries_project.core.summation import Integers

FILL, LEVEL, PARENT, NEXT, PREVIOUS = range(5)
LINKS = 5
ROOT, TAIL, BLOCKS, COUNT, FIRST, LAST, LATE = range(7)
HEADS = 7
#: The chain of freed blocks and their number; how many blocks were ever used, all below that number; and how many of
#: the free ones are promised to a change that is being written.
FREED, SPARE, USED, PROMISED = range(4)
STATES = 4

NONE = -1
#: A bound below all keys, and a key beyond all others.
BELOW = -(2**63)
BEYOND = 2**63 - 1

#: Totals keep an integer in two parts, its upper bits and its lower ones, whose sums need no carry.
LOWER_BITS = 32
LOWER = 2**LOWER_BITS - 1


class Pool(NamedTuple):
    """The arrays of a pool, as told above."""

    keys: Integers
    cells: Integers
    links: NDArray[np.int32]
    heads: Integers
    totals: Integers
    state: Integers


#: The same as they are passed to a kernel, which costs a fifth of passing them with their names; and their types there.
Arrays = tuple[Integers, Integers, NDArray[np.int32], Integers, Integers, Integers]
ARRAYS = "Tuple((int64[:, ::1], int64[:, :, ::1], int32[:, ::1], int64[:, ::1], int64[:, ::1], int64[::1]))"
# A column that is only read, whoever may write it; and the cells of rows.
COLUMN = "Array(int64, 1, 'C', readonly=True)"
ROWS = "Array(int64, 2, 'C', readonly=True)"


@routine()
def double_of(bits: int) -> float:
    """Return the double that a cell holds.

    >>> double_of(bits_of(1.5))
    1.5
    """
    return float(np.int64(bits).view(np.float64))


@routine()
def bits_of(number: float) -> int:
    """Return a double as a cell holds it.

    >>> int(bits_of(0.0))
    0
    """
    return int(np.float64(number).view(np.int64))


@routine()
def free_blocks(pool: Pool) -> int:
    """Return how many blocks are free and not promised."""
    state = pool.state
    return int(pool.keys.shape[0] - state[USED] + state[SPARE] - state[PROMISED])


@routine()
def take_block(pool: Pool, series: int, level: int) -> int:
    """Take a free block for a series; it is empty and has no neighbours. There must be one."""
    state, links = pool.state, pool.links
    block: int = state[FREED]
    if block == NONE:
        block = state[USED]
        state[USED] += 1
    else:
        state[FREED] = links[block, NEXT]
        state[SPARE] -= 1
    links[block, FILL] = 0
    links[block, LEVEL] = level
    links[block, PARENT] = NONE
    links[block, NEXT] = NONE
    links[block, PREVIOUS] = NONE
    for part in range(pool.totals.shape[1]):
        pool.totals[block, part] = 0
    pool.heads[series, BLOCKS] += 1
    return block


@routine()
def free_block(pool: Pool, series: int, block: int) -> None:
    """Give back a block that nothing refers to any more."""
    pool.links[block, NEXT] = pool.state[FREED]
    pool.state[FREED] = block
    pool.state[SPARE] += 1
    pool.heads[series, BLOCKS] -= 1


@routine()
def places_up_to(pool: Pool, block: int, key: int) -> int:
    """Return how many keys of a block are at most `key`. Comparing all is faster than to search: nothing is guessed."""
    places = 0
    for place in range(pool.links[block, FILL]):
        places += pool.keys[block, place] <= key
    return places


@routine()
def find_leaf(pool: Pool, series: int, key: int) -> tuple[int, int]:
    """Return the leaf where a key belongs, and the bound of the next leaf. The series has keys. O(log n)."""
    block = pool.heads[series, ROOT]
    bound = BEYOND
    while pool.links[block, LEVEL] > 0:
        place = places_up_to(pool, block, key)
        if place < pool.links[block, FILL]:
            bound = pool.keys[block, place]
        block = pool.cells[block, place - 1, 0]
    return block, bound


@routine()
def find_after(pool: Pool, series: int, key: int) -> tuple[int, int]:
    """Return leaf and place just after the keys of a series up to `key`. The series has keys. O(log n)."""
    block, _ = find_leaf(pool, series, key)
    return block, places_up_to(pool, block, key)


@routine()
def leaf_has(pool: Pool, leaf: int, key: int) -> bool:
    """Return whether a leaf has a key."""
    place = places_up_to(pool, leaf, key)
    return place > 0 and pool.keys[leaf, place - 1] == key


@routine()
def has_key(pool: Pool, series: int, key: int) -> bool:
    """Return whether a series has a key. O(log n)."""
    if key > pool.heads[series, LAST]:
        return False
    leaf, _ = find_leaf(pool, series, key)
    return leaf_has(pool, leaf, key)


@routine()
def move_row(pool: Pool, block: int, place: int, to_block: int, to_place: int) -> None:
    """Copy a key with its cells to another place."""
    pool.keys[to_block, to_place] = pool.keys[block, place]
    for part in range(pool.cells.shape[2]):
        pool.cells[to_block, to_place, part] = pool.cells[block, place, part]


@routine()
def insert_key(pool: Pool, block: int, place: int, key: int) -> None:
    """Insert a key into a block that has room, before the one at `place`; its cells are still to be written."""
    fill = pool.links[block, FILL]
    for i in range(fill, place, -1):
        move_row(pool, block, i - 1, block, i)
    pool.keys[block, place] = key
    pool.links[block, FILL] = fill + 1


@routine()
def remove_keys(pool: Pool, block: int, start: int, stop: int) -> None:
    """Remove the keys at start <= place < stop from a block."""
    fill = pool.links[block, FILL]
    for i in range(stop, fill):
        move_row(pool, block, i, block, i - (stop - start))
    pool.links[block, FILL] = fill - (stop - start)


@routine()
def add_row_to_totals(pool: Pool, block: int, leaf: int, place: int, sign: int) -> None:
    """Add a row of a leaf to the totals of a block, or take it away (sign -1)."""
    totals = pool.totals
    totals[block, 0] += sign
    for part in range(pool.cells.shape[2]):
        value = pool.cells[leaf, place, part]
        totals[block, 1 + 2 * part] += sign * (value >> LOWER_BITS)
        totals[block, 2 + 2 * part] += sign * (value & LOWER)


@routine()
def count_row(pool: Pool, leaf: int, place: int, sign: int) -> None:
    """Add a row of a leaf to the totals of the leaf and all above it, or take it away (sign -1). O(log n)."""
    if pool.totals.shape[1] > 0:
        block = leaf
        while block != NONE:
            add_row_to_totals(pool, block, leaf, place, sign)
            block = pool.links[block, PARENT]


@routine()
def add_totals(pool: Pool, block: int, other: int, sign: int) -> None:
    """Add the totals of another block to those of a block, or take them away (sign -1)."""
    for part in range(pool.totals.shape[1]):
        pool.totals[block, part] += sign * pool.totals[other, part]


@routine()
def link_behind(pool: Pool, series: int, block: int, new: int) -> None:
    """Make a new block the next neighbour of one of the same level."""
    links = pool.links
    following = links[block, NEXT]
    links[new, PREVIOUS] = block
    links[new, NEXT] = following
    links[block, NEXT] = new
    if following != NONE:
        links[following, PREVIOUS] = new
    elif links[block, LEVEL] == 0:
        pool.heads[series, TAIL] = new


@routine()
def set_child(pool: Pool, parent: int, place: int, bound: int, child: int) -> None:
    """Write a child and its bound into a place of its parent."""
    pool.keys[parent, place] = bound
    pool.cells[parent, place, 0] = child
    pool.links[child, PARENT] = parent


@routine()
def place_of_child(pool: Pool, parent: int, child: int) -> int:
    """Return the place of a child in its parent."""
    place = 0
    while pool.cells[parent, place, 0] != child:
        place += 1
    return place


@routine()
def enter_child(pool: Pool, series: int, block: int, new: int, bound: int) -> None:
    """Enter a new block into the parent of its neighbour, which has room; a root gets a parent first."""
    parent = pool.links[block, PARENT]
    if parent == NONE:
        parent = take_block(pool, series, pool.links[block, LEVEL] + 1)
        set_child(pool, parent, 0, BELOW, block)
        pool.links[parent, FILL] = 1
        add_totals(pool, parent, block, 1)
        add_totals(pool, parent, new, 1)
        pool.heads[series, ROOT] = parent
    place = place_of_child(pool, parent, block) + 1
    insert_key(pool, parent, place, bound)
    set_child(pool, parent, place, bound, new)


@routine()
def divide(pool: Pool, series: int, block: int) -> None:
    """Move the upper half of a full block into a new one behind it. Its parent is not full."""
    links, totals = pool.links, pool.totals
    width = pool.keys.shape[1]
    new = take_block(pool, series, links[block, LEVEL])
    half = width // 2
    for place in range(half, width):
        move_row(pool, block, place, new, place - half)
        if links[block, LEVEL] > 0:
            child = pool.cells[block, place, 0]
            links[child, PARENT] = new
            add_totals(pool, new, child, 1)
        elif totals.shape[1] > 0:
            add_row_to_totals(pool, new, block, place, 1)
    links[new, FILL] = width - half
    links[block, FILL] = half
    add_totals(pool, block, new, -1)
    link_behind(pool, series, block, new)
    enter_child(pool, series, block, new, pool.keys[new, 0])


@routine()
def divide_full(pool: Pool, series: int, block: int) -> None:
    """Divide a full block, and before it those above it that are full, from the top down."""
    links = pool.links
    width = pool.keys.shape[1]
    while links[block, FILL] == width:
        top = block
        while links[top, PARENT] != NONE and links[links[top, PARENT], FILL] == width:
            top = links[top, PARENT]
        divide(pool, series, top)


@routine()
def append_leaf(pool: Pool, series: int, bound: int) -> int:
    """Return a new leaf behind the last one, for keys from `bound` on; blocks above it that are full stay so."""
    links = pool.links
    width = pool.keys.shape[1]
    block = pool.heads[series, TAIL]
    leaf = take_block(pool, series, 0)
    link_behind(pool, series, block, leaf)
    new = leaf
    while links[block, PARENT] != NONE and links[links[block, PARENT], FILL] == width:
        block = links[block, PARENT]
        above = take_block(pool, series, links[block, LEVEL])
        set_child(pool, above, 0, bound, new)
        links[above, FILL] = 1
        link_behind(pool, series, block, above)
        new = above
    enter_child(pool, series, block, new, bound)
    return leaf


@routine()
def leaf_to_append(pool: Pool, series: int, key: int) -> int:
    """Return the last leaf of a series, which has room for a key behind all others; a new one if need be."""
    heads = pool.heads
    width = pool.keys.shape[1]
    leaf: int = heads[series, TAIL]
    if leaf == NONE:
        leaf = take_block(pool, series, 0)
        heads[series, ROOT] = leaf
        heads[series, TAIL] = leaf
        heads[series, FIRST] = key
    elif pool.links[leaf, FILL] >= width - width // 16:
        leaf = append_leaf(pool, series, key)
    return leaf


@routine()
def open_place(pool: Pool, series: int, key: int) -> tuple[int, int]:
    """Insert a key behind those equal to it; return leaf and place, where its cells are still to be written.

    O(1) for the last key of a series, else O(log n).
    """
    heads, links = pool.heads, pool.links
    if key >= heads[series, LAST]:
        leaf = leaf_to_append(pool, series, key)
        heads[series, LAST] = key
    else:
        leaf, _ = find_leaf(pool, series, key)
        if links[leaf, FILL] == pool.keys.shape[1]:
            divide_full(pool, series, leaf)
            leaf, _ = find_leaf(pool, series, key)
        heads[series, FIRST] = min(heads[series, FIRST], key)
        heads[series, LATE] += 1
    place = places_up_to(pool, leaf, key)
    insert_key(pool, leaf, place, key)
    heads[series, COUNT] += 1
    return leaf, place
