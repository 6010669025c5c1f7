"""The version of this app's layout in a shared storage: that of its library, in each stripe."""

from __future__ import annotations

from datapoints.redis.layout import stripe_bases
from datapoints.redis.library import LIBRARY
from timeseries_project.storage.layouts import Versioned

VERSIONED = Versioned(LIBRARY, stripe_bases)
