"""What the processes of a server take of the machine's memory, from /proc."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

_FIELD = re.compile(r"(\w+): +(\d+) kB")
_MAPPING = re.compile(r"[0-9a-f]+-[0-9a-f]+ \S+ (\S+ \S+ (\d+))")  # offset, device and inode


def proportional(pids: Iterable[int]) -> int:
    """Return the bytes of processes (PSS): a page that several processes share is divided among them."""
    rollups = (Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in pids)
    return sum(dict(_fields(rollup))["Pss"] for rollup in rollups)


def alone(pids: Iterable[int]) -> int:
    """Return the bytes that processes would take if no other process used the same files.

    That is their PSS on a machine that runs nothing else. Of a file that several of them have mapped, what one has in
    memory is taken to be what the others have, or a part of it.
    """
    private, files = 0, dict[str, int]()
    for pid in pids:
        for place, fields in _mappings(Path(f"/proc/{pid}/smaps").read_text()):
            if place is None:
                private += fields["Pss"]
            else:  # the pages that were written to are copies
                private += fields["Pss_Dirty"]
                files[place] = max(files.get(place, 0), fields["Rss"] - fields["Anonymous"])
    return private + sum(files.values())


def _mappings(text: str) -> Iterator[tuple[str | None, dict[str, int]]]:
    """Yield the place in a file, if any, and the fields of each mapping."""
    begins = [*_MAPPING.finditer(text)]
    ends = [*(match.start() for match in begins[1:]), len(text)]
    for match, end in zip(begins, ends, strict=True):
        yield match[1] if int(match[2]) else None, dict(_fields(text[match.end() : end]))


def _fields(text: str) -> Iterator[tuple[str, int]]:
    return ((name, int(kilobytes) * 1024) for name, kilobytes in _FIELD.findall(text))
