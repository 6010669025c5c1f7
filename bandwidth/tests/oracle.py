"""The oracle of bandwidth stores: a scan of a plain list of all entries."""

from __future__ import annotations

from bandwidth.interface import DeviceSummary, Instant, Window

#: The largest number of bytes, and the largest timestamp, that an entry may have.
MAX_WHOLE = 2**53 - 1

Entry = tuple[str, int, int, int]  # device, timestamp, bytes to and from the server


def scan(stored: list[Entry], device: str, end: int, length: int, count: int) -> list[Window]:
    """Sum the windows entry by entry, as they are defined."""
    answer = []
    for border in (end - length * k for k in reversed(range(count))):
        inside = [e for e in stored if e[0] == device and border - length < e[1] <= border]
        answer.append(Window(border, len(inside), sum(e[2] for e in inside), sum(e[3] for e in inside)))
    return answer


def instants(
    stored: list[Entry],
    device: str | None = None,
    *,
    start: int = 0,
    end: int | None = None,
    after: tuple[str, int] | None = None,
    limit: int = 10**9,
) -> list[Instant]:
    """Add up the entries of each device and instant."""
    places = sorted({e[:2] for e in stored})
    places = [place for place in places if device in (None, place[0]) and start <= place[1]]
    places = [place for place in places if (end is None or place[1] < end) and (after is None or place > after)]
    own = {place: [e for e in stored if e[:2] == place] for place in places[:limit]}
    return [Instant(*place, sum(e[2] for e in some), sum(e[3] for e in some)) for place, some in own.items()]


def summaries(stored: list[Entry]) -> list[DeviceSummary]:
    """Summarise each device, entry by entry."""
    answer = []
    for device in sorted({e[0] for e in stored}):
        own = [e for e in stored if e[0] == device]
        times = [e[1] for e in own]
        totals = sum(e[2] for e in own), sum(e[3] for e in own)
        answer.append(DeviceSummary(device, len(own), min(times), max(times), *totals))
    return answer
