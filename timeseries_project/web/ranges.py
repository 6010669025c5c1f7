"""The ranges of time that chart pages offer: the same on every page, however its address expresses them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

#: The presets: what a link says, and the seconds up to now that it shows.
PRESETS = (
    *(("15 min", 900), ("1 h", 3_600), ("6 h", 21_600), ("24 h", 86_400)),
    *(("7 d", 7 * 86_400), ("30 d", 30 * 86_400)),
)
ALL = "All"
#: How long after its latest datum a device may still be one that reports now and then, in seconds.
QUIET = 900


class Choice(NamedTuple):
    """A link to a range, and whether it is the one shown."""

    text: str
    url: str
    chosen: bool


def choices(url: Callable[[int], str], everything: str, shown: int | None, *, shows_all: bool) -> list[Choice]:
    """Return the links to the presets, and to all there is; at most one of them is the range shown.

    `url` makes the address of the last so many seconds, `everything` is that of all there is, and `shown` are the
    seconds of the range shown if it ends now.

    >>> [choice.text for choice in choices("?range={}s".format, "?", 3_600, shows_all=True) if choice.chosen]
    ['1 h']
    """
    links = [Choice(text, url(seconds), seconds == shown) for text, seconds in PRESETS]
    return [*links, Choice(ALL, everything, shows_all and not any(link.chosen for link in links))]


def goes_on(first: int, last: int, now: int) -> bool:
    """Whether all there is reaches up to now, and not up to the latest datum. Times are in seconds.

    It does not if a chart up to now would be empty for the most part.

    >>> goes_on(0, 6_000, 10_000), goes_on(0, 4_000, 10_000)
    (True, False)
    """
    return now - last <= max(last - first, QUIET)
