"""There is one zero: whatever is sent, and whatever is worked out of it, no answer shows -0."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.test import APIClient

from timeseries_project.tests.drawn import drawn
from transactions import services

pytestmark = pytest.mark.storages("redis", "cluster")

NEGATIVE_ZERO = re.compile(r"(?<![0-9T])-0(?:\.0*)?(?:[eE][-+]?[0-9]+)?(?![.0-9])")
#: The smallest doubles, whose means are rounded to zero, from either side.
TINY = (-0.0, 0.0, -5e-324, 5e-324, -1e-323, 1e-320, -1e-320, 1.0, -1.0)


@drawn(60)
@given(st.lists(st.tuples(st.integers(0, 60_000), st.sampled_from(TINY)), min_size=1, max_size=8), st.booleans())
def test_no_negative_zero_is_answered(
    api: APIClient, now: int, transactions: list[tuple[int, float]], batch: bool
) -> None:
    services.window.clear()
    items = [{"amount": amount, "timestamp": now * 1_000 - age} for age, amount in transactions]
    for body in [items] if batch else items:
        assert api.post("/api/transactions", json.dumps(body), content_type="application/json").status_code == 201
    for path in ("", "?window=1", "?window=30", "/history", "/history?format=csv"):
        text = api.get(f"/api/statistics{path}").content.decode()
        assert not NEGATIVE_ZERO.search(text), (path, NEGATIVE_ZERO.search(text))
