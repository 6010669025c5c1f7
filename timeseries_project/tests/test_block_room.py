"""The room that is made before keys are added to blocks: always enough, and not much too much."""

from __future__ import annotations

import random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from timeseries_project.core.block_kernels import SPARE, USED
from timeseries_project.core.blocks import Blocks
from timeseries_project.core.summation import Integers
from timeseries_project.tests.block_rows import leaves_of
from timeseries_project.tests.drawn import drawn


def used(blocks: Blocks) -> int:
    state = blocks.arrays[-1]
    return int(state[USED] - state[SPARE])


def add(blocks: Blocks, keys: Integers) -> tuple[int, int]:
    """Add keys to series 0; return how many blocks were thought to be needed, and how many it took."""
    series, before = np.zeros(len(keys), dtype=np.int64), used(blocks)
    leaves = leaves_of(blocks, series, keys)
    needed = blocks.needed(series, leaves)
    blocks.make_room(needed)
    blocks.commit_add(series, keys, np.zeros((len(keys), 1), dtype=np.int64), leaves)
    return needed, used(blocks) - before


@drawn(300)
@given(seed=st.integers(0, 2**32), width=st.sampled_from([4, 5, 8, 24]))
def test_it_is_enough_whatever_comes(seed: int, width: int) -> None:
    """In order, late, in one place and everywhere, and after deletes, which leave blocks of any fill."""
    rng, blocks = random.Random(seed), Blocks(width=width, parts=1)
    blocks.reserve(1)
    for _ in range(rng.randrange(1, 8)):
        first, span = rng.randrange(2_000), rng.choice([1, 30, 2_000])
        keys = np.sort([first + rng.randrange(span) for _ in range(rng.choice([1, 3, 40, 400]))])
        needed, taken = add(blocks, keys)
        assert taken <= needed
        start = rng.randrange(2_000)
        blocks.commit_remove(np.array([0]), start, start + rng.choice([0, 10, 500]))
    blocks._check()


def test_many_late_keys_need_about_a_block_each_and_not_one_on_each_level() -> None:
    """A tree of four levels, all full: nearly each of the keys goes to a leaf of its own, which is divided."""
    blocks, late = Blocks(width=24, parts=1), 16_384
    blocks.reserve(1)
    add(blocks, np.arange(500_000) * 100)
    keys = np.linspace(0, 49_000_000, late).astype(np.int64)
    add(blocks, keys + 1)  # into the places that leaves keep for late keys
    needed, taken = add(blocks, keys + 2)
    assert late <= taken <= needed <= 1.4 * late
