"""The cells of a window as columns, and back, whatever the sizes of the rings. Plain NumPy; knows no framework.

Sums are kept at three widths, and those of a wide cell are not those of the narrow ones below it to the last bit. So
all cells in use are told, and a window that takes them back answers the same to the last bit.
"""

from __future__ import annotations

import numpy as np

from timeseries_project.core.summation import Floats, Integers
from transactions.interface import CellColumns
from transactions.memory.window_kernels import BLOCK_MS, BLOCKS, COUNT, NEVER, PARTS, SECOND_MS, rings

#: A cell with nothing in it: its sum, count and extremes.
EMPTY = (0.0, 0.0, 0.0, np.inf, -np.inf)


def cells_in_use(history: int, stamps: Integers, cells: Floats) -> CellColumns:
    """Return the seconds, blocks and points in which something was counted. O(cells)."""
    numbers, owners, seconds, blocks, points = rings(history, stamps, cells)
    places = np.flatnonzero(numbers != NEVER)
    turns = np.flatnonzero((owners != NEVER) & (numbers[owners % len(numbers)] == owners))
    block = (turns[:, np.newaxis] * BLOCKS + np.arange(BLOCKS)).ravel()
    block = block[blocks[block, COUNT] > 0]
    point = (block[:, np.newaxis] * BLOCK_MS + np.arange(BLOCK_MS)).ravel()
    point = point[points[point, COUNT] > 0]
    starts = (
        numbers[places] * SECOND_MS,
        owners[block // BLOCKS] * SECOND_MS + block % BLOCKS * BLOCK_MS,
        owners[point // SECOND_MS] * SECOND_MS + point % SECOND_MS,
    )
    widths = np.repeat([SECOND_MS, BLOCK_MS, 1], [len(column) for column in starts])
    parts = np.concatenate((seconds[places], blocks[block], points[point])).T
    highs, lows, counts, least, most = np.ascontiguousarray(parts)
    return CellColumns(np.concatenate(starts), widths, counts.astype(np.int64), highs, lows, least, most)


def use_cells(columns: CellColumns, latest: int, history: int, stamps: Integers, cells: Floats) -> None:
    """Write cells into empty rings. O(cells).

    Where rings have room for one of several seconds, it is the last one, of those up to `latest` if there are any.
    """
    numbers, owners, seconds, blocks, points = rings(history, stamps, cells)
    starts, widths, counts, highs, lows, least, most = columns
    parts = np.stack((highs, lows, counts.astype(np.float64), least, most), axis=1)
    owner, within = np.divmod(starts, SECOND_MS)
    # The seconds, which must have their places before what is inside them.
    row = np.flatnonzero(widths == SECOND_MS)
    row = row[_kept(owner[row], history, latest)]
    numbers[owner[row] % history] = owner[row]
    seconds[owner[row] % history] = parts[row]
    # The blocks of each, and then the points of each block.
    row = np.flatnonzero((widths == BLOCK_MS) & (numbers[owner % history] == owner))
    turns = len(owners)
    inside = np.unique(owner[row])
    inside = inside[_kept(inside, turns, latest)]
    owners[inside % turns] = inside
    blocks.reshape(turns, BLOCKS, PARTS)[inside % turns] = EMPTY
    row = row[owners[owner[row] % turns] == owner[row]]
    block = owner[row] % turns * BLOCKS + within[row] // BLOCK_MS
    blocks[block] = parts[row]
    points.reshape(turns * BLOCKS, BLOCK_MS, PARTS)[block] = EMPTY
    row = np.flatnonzero((widths == 1) & (owners[owner % turns] == owner))
    points[owner[row] % turns * SECOND_MS + within[row]] = parts[row]


def _kept(seconds: Integers, size: int, latest: int) -> Integers:
    """Return the indices of the seconds that get their places in a ring of so many."""
    order = np.lexsort((seconds, seconds <= latest))[::-1]
    _, first = np.unique(seconds[order] % size, return_index=True)
    return order[first]
