"""What the tests of stores share."""

from __future__ import annotations

from functools import partial

import pytest

from bandwidth.tests.stores import NewStore, new_in


@pytest.fixture
def new_store(storage_kind: str, request: pytest.FixtureRequest) -> NewStore:
    """What makes a store without entries."""
    storage = None if storage_kind == "memory" else request.getfixturevalue(f"{storage_kind}_storage")
    return partial(new_in, storage)
