"""The version of this app's layout in a shared storage: that of its library, in each stripe."""

from __future__ import annotations

from bandwidth.redis.layout import stripes
from bandwidth.redis.library import LIBRARY
from bandwidth.redis.store import STRIPES
from timeseries_project.storage.layouts import Versioned


def _registries(one_node: bool) -> list[bytes]:
    return [stripe.registry for stripe in stripes(b"bw", 1 if one_node else STRIPES)]


VERSIONED = Versioned(LIBRARY, _registries)
