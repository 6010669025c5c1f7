"""The names of files that pages offer: what they show, of whom, of which range, in which unit."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from timeseries_project.core import timestamps

#: Most bytes of a part of a name; file systems allow 255 for all of it.
MOST_BYTES = 48
#: Most devices or users that a name has; of more, it says how many.
MOST_NAMED = 2
_UNITS = (("D", 86_400), ("H", 3_600), ("M", 60), ("S", 1))


def file_name(what: str, keys: Sequence[str], end: int, seconds: int, *units: str) -> str:
    """Return a name without an ending: what is shown, devices or users, the end of a range, its length, and units.

    Letters and digits of any script stay, all else becomes hyphens, so no name leaves its folder or hides.

    >>> file_name("bandwidth", ["router-1"], 1_767_227_400, 600, "bytes")
    'bandwidth-router-1-20260101T0030Z-PT10M-bytes'
    >>> file_name("bandwidth", ["../a", "b", "c", "d"], 1_767_227_401, 90_061, "Mbit/s")
    'bandwidth-a-b-and-2-more-20260101T003001Z-P1DT1H1M1S-Mbit-s'
    """
    more = len(keys) - MOST_NAMED
    named = [*keys[:MOST_NAMED], *([f"and-{more}-more"] if more > 0 else [])]
    return "-".join(filter(None, map(_safe, (what, *named, _moment(end), duration(seconds), *units))))


def _safe(part: str) -> str:
    normal = unicodedata.normalize("NFC", part)
    words = "".join(letter if letter.isalnum() or letter in "_." else " " for letter in normal).split()
    cut = "-".join(words).encode()[:MOST_BYTES].decode(errors="ignore")
    return cut.strip("-.")


def _moment(seconds: int) -> str:
    """Write epoch seconds as a name has them: without colons, and without seconds if there are none."""
    try:
        text = timestamps.render(seconds * timestamps.MICROSECONDS)
    except OverflowError:
        return f"{seconds}s"
    compact = text.replace("-", "").replace(":", "")
    return compact.replace("00Z", "Z") if compact.endswith("00Z") else compact


def duration(seconds: int) -> str:
    """Write a length of time as ISO 8601 does.

    >>> duration(600), duration(86_400), duration(0)
    ('PT10M', 'P1D', 'PT0S')
    """
    parts: dict[str, int] = {}
    for unit, size in _UNITS:
        parts[unit], seconds = divmod(seconds, size)
    days = f"{parts.pop('D')}D" if parts["D"] else ""
    time = "".join(f"{count}{unit}" for unit, count in parts.items() if count)
    return f"P{days}{'T' if time else ''}{time}" if days or time else "PT0S"
