"""The version of this app's layout in a shared storage: that of its library, in each stripe."""

from __future__ import annotations

from timeseries_project.storage.layouts import Versioned
from transactions.redis.library import LIBRARY
from transactions.redis.window import TAGS


def _stripes(one_node: bool) -> list[bytes]:
    return [b"tx:{%s}" % tag.encode() for tag in TAGS[: 1 if one_node else None]]


VERSIONED = Versioned(LIBRARY, _stripes)
