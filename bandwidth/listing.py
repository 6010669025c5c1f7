"""Listings of entries in files: Python literals as in the original `bandwidths.py`, JSON, or CSV.

A listing is data: a Python file is parsed as a literal and never executed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from rest_framework.exceptions import ParseError

from bandwidth import services
from bandwidth.serializers import EntrySerializer
from timeseries_project.api.parsers import parse_json
from timeseries_project.api.portions import CSVTable
from timeseries_project.api.serializers import Batch
from timeseries_project.core import clock
from timeseries_project.core.errors import FaultError
from timeseries_project.core.python_literals import literal_list

VARIABLE = "BANDWIDTHS"


class ListingError(Exception):
    """An unreadable listing; the message is one line that names the file, the entry and the reason."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


def read(path: Path) -> dict[str, list[Any]]:
    """Read a listing into one column per field, validated like entries sent to the API. O(entries).

    Raises ListingError for a file that is missing, of an unknown kind, malformed, or has an invalid entry.
    """
    try:
        parse = _PARSERS.get(path.suffix.lower())
        if parse is None:
            raise ValueError(f"its name must end in {', '.join(_PARSERS)}.")
        items = parse(path.read_bytes())
        if not isinstance(items, list | Batch):
            raise ValueError("it must hold a list of entries.")
        return EntrySerializer.read_batch(items)
    except OSError as error:
        reason = f"{error.strerror}."
    except (FaultError, ParseError) as error:
        reason = str(error.detail)
    except ValueError as error:
        reason = str(error)
    raise ListingError(f"{path}: {reason}")


def load(path: str) -> int:
    """Read a listing, store its entries, and return their number. Raises ListingError."""
    columns = read(Path(path))
    try:
        services.listing_add(**columns, now=clock.now_s())
    except FaultError as error:
        raise ListingError(f"{path}: {error.detail}") from None
    return len(columns["timestamp"])


def _parse_python(body: bytes) -> object:
    return [entry for _, entry in literal_list(body, VARIABLE)]


_PARSERS: dict[str, Callable[[bytes], object]] = {
    ".py": _parse_python,
    ".json": parse_json,
    ".csv": CSVTable,
}
