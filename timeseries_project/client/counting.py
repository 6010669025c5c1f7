"""How many items a server has, for the progress of a dump."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from timeseries_project.client.sender import Client, RefusedError
from timeseries_project.client.target import Listing

#: Devices in one request.
DEVICES = 10_000


class _Device(msgspec.Struct):
    count: int


def count_items(client: Client, listing: Listing, chosen: dict[str, Any]) -> int | None:
    """Return how many items the devices have together, or the chosen one; None if it cannot be known beforehand."""
    if any(chosen[name] is not None for name in ("user", "start", "end")):
        return None
    try:
        if chosen["device"] is not None:
            path = f"{listing.counts}/{quote(chosen['device'], safe='')}"
            return msgspec.json.decode(client.part(path).body, type=_Device).count
        total, query = 0, {"limit": str(DEVICES)}
        while True:
            part = client.part(f"{listing.counts}?{urlencode(query)}")
            total += sum(device.count for device in msgspec.json.decode(part.body, type=list[_Device]))
            if part.next is None or part.next == query.get("cursor"):
                return total
            query["cursor"] = part.next
    except (RefusedError, msgspec.MsgspecError, UnicodeDecodeError):
        return None  # an older server, or one without this device; the listing will tell
