"""Several devices or users in one chart: how they are chosen in the form, named in words, and told apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from django.http import QueryDict
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from timeseries_project.api.keys_field import MOST

#: Most that a heading names; of more, it says how many.
MOST_NAMED = 3
#: Most characters of a name beside others; a UUID has 36.
MOST_CHARACTERS = 24
#: The shapes of points, as paths around (16, 6): circle, square, triangle, diamond, triangle upside down, and crosses.
_SHAPES = (
    "M12 6a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",
    "M12.5 2.5h7v7h-7z",
    "M16 1.5l4.5 8h-9z",
    "M16 1l5 5-5 5-5-5z",
    "M16 10.5l4.5-8h-9z",
    "M12.5 2.5l7 7m0-7l-7 7",
    "M16 1.5v9m-4.5-4.5h9",
    "M16 1.5v9m-4.5-4.5h9m-7.7-3.2l6.4 6.4m0-6.4l-6.4 6.4",
)
#: The dashes of lines that no direction tells apart, beside their colours and points.
_DASHES = ("solid",) * 4 + ("long",) * 2 + ("dotted",) * 2


class Look(NamedTuple):
    """How a line is told apart from others: by colour and shape of its points, which have one number, and by dashes."""

    number: int
    dash: str

    @property
    def shape(self) -> str:
        """The shape of its points, as a path."""
        return _SHAPES[self.number]


def look(number: int, dash: str | None = None) -> Look:
    """Return the look of the lines of a device or user, by its place among those chosen.

    >>> look(0).dash, look(7).dash, look(7, "dashed").dash
    ('solid', 'dotted', 'dashed')
    """
    return Look(number, dash or _DASHES[number])


def shortened(name: str, most: int = MOST_CHARACTERS) -> str:
    """Return a name with its middle left out if it is long.

    >>> shortened("router-1"), shortened("123e4567-e89b-12d3-a456-426614174000")
    ('router-1', '123e4567-e89…26614174000')
    """
    if len(name) <= most:
        return name
    return f"{name[: most // 2]}…{name[-(most - most // 2 - 1) :]}"


def _sentence(names: Sequence[str]) -> tuple[list[str], str]:
    """Return the names that a heading has, and what follows them instead of others."""
    if len(names) <= MOST_NAMED:
        return list(names), ""
    return list(names[: MOST_NAMED - 1]), f" and {len(names) - MOST_NAMED + 1} more"


def in_words(names: Sequence[str]) -> str:
    """Name devices or users in a title.

    >>> in_words(["a"]), in_words(["a", "b"]), in_words(["a", "b", "c"]), in_words(["a", "b", "c", "d"])
    ('a', 'a and b', 'a, b and c', 'a, b and 2 more')
    """
    named, more = _sentence([shortened(name) for name in names] if len(names) > 1 else names)
    if more or len(named) == 1:
        return ", ".join(named) + more
    return f"{', '.join(named[:-1])} and {named[-1]}"


def in_heading(names: Sequence[str]) -> SafeString:
    """Name devices or users in a heading, each in an element of its own, which keeps its direction of writing.

    >>> in_heading(["a", "b"])
    '<bdi title="a">a</bdi> and <bdi title="b">b</bdi>'
    """
    named, more = _sentence(names)
    elements = [format_html('<bdi title="{}">{}</bdi>', name, shortened(name)) for name in named]
    if more or len(elements) == 1:
        return format_html("{}{}", format_html_join(", ", "{}", ((each,) for each in elements)), more)
    first = format_html_join(", ", "{}", ((each,) for each in elements[:-1]))
    return format_html("{} and {}", first, elements[-1])


def all_named(names: Sequence[str]) -> str:
    """Name all of several devices or users, in full.

    >>> all_named(["a"]), all_named(["a", "b", "c", "d"])
    ('a', 'a, b, c and d')
    """
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


class Chosen(NamedTuple):
    """A device or user of the chart, as the form shows it: with the address of the page without it."""

    name: str
    short: str
    look: Look
    remove: str


def chosen(path: str, parameters: QueryDict, name: str) -> list[Chosen]:
    """Return what a repeated parameter of a page names, at most `MOST` of them, whether they are known or not."""
    names = list(dict.fromkeys(parameters.getlist(name)))[:MOST]

    def without(place: int) -> str:
        rest = parameters.copy()
        rest.setlist(name, names[:place] + names[place + 1 :])
        return f"{path}?{rest.urlencode()}"

    return [Chosen(each, shortened(each), look(place), without(place)) for place, each in enumerate(names)]


def choice(path: str, parameters: QueryDict, name: str) -> dict[str, Any]:
    """Return what the form needs to add devices or users and to remove them."""
    several = chosen(path, parameters, name)
    return {
        "name": name,
        "chosen": several if len(several) > 1 else [],
        "one": len(several) == 1,
        "full": len(several) == MOST,
        "most": MOST,
    }
