"""The windows under test, of each kind."""

from __future__ import annotations

import pytest

from transactions.interface import Window
from transactions.memory.sliding_window import SlidingWindow
from transactions.redis.window import RedisWindow
from transactions.tests.oracle import AHEAD, LENGTH, NewWindow


@pytest.fixture
def new_window(storage_kind: str, request: pytest.FixtureRequest) -> NewWindow:
    """A function that makes an empty window on the caller's clock; of shared windows only the newest is in use."""
    if storage_kind == "memory":
        return SlidingWindow
    storage = request.getfixturevalue(f"{storage_kind}_storage")

    def new(*, length_ms: int, ahead_ms: int) -> Window:
        window = RedisWindow(storage, length_ms=length_ms, ahead_ms=ahead_ms, server_clock=False)
        window.clear()
        return window

    return new


@pytest.fixture
def window(new_window: NewWindow) -> Window:
    return new_window(length_ms=LENGTH, ahead_ms=AHEAD)
