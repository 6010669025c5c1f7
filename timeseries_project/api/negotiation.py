"""Content negotiation: the parser for a body and the renderer for an answer (RFC 9110 section 12)."""

from __future__ import annotations

from collections.abc import Iterable

from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest
from rest_framework.exceptions import NotAcceptable, UnsupportedMediaType
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer, BrowsableAPIRenderer
from rest_framework.request import Request

from timeseries_project.api.headers import MAX_VALUE, header_parameters, parse_parameters, split_list
from timeseries_project.core.caches import bounded_cache
from timeseries_project.core.errors import shown

#: (type, subtype, quality); a wildcard is "*".
MediaRange = tuple[str, str, float]

_ANYTHING: tuple[MediaRange, ...] = (("*", "*", 1.0),)
#: Longest Accept header that is cached; browsers send some 150 characters, Prometheus 340.
_LONGEST = 512


@bounded_cache(entries=256, longest=_LONGEST)
def media_ranges(accept: str) -> tuple[MediaRange, ...]:
    """Parse an Accept header into media ranges, ignoring invalid ones.

    A header without any valid range, or longer than MAX_VALUE, accepts anything.

    >>> media_ranges("text/csv;q=0.5, application/json, nonsense")
    (('text', 'csv', 0.5), ('application', 'json', 1.0))
    >>> media_ranges("")
    (('*', '*', 1.0),)
    """
    if len(accept) > MAX_VALUE:
        return _ANYTHING
    ranges: list[MediaRange] = []
    for part in split_list(accept, ","):
        if "/" not in part:
            continue
        name, parameters = parse_parameters(part)
        kind, slash, subtype = name.partition("/")
        try:
            quality = float(parameters.get("q", "1"))
        except ValueError:
            continue
        if slash and kind and subtype and 0 <= quality <= 1:
            ranges.append((kind, subtype, quality))
    return tuple(ranges) or _ANYTHING


def _quality(media_type: str, ranges: Iterable[MediaRange]) -> tuple[float, int]:
    """Return the quality and the specificity of the most specific range that matches a media type."""
    kind, _, subtype = media_type.partition(";")[0].strip().partition("/")
    specificity, quality = max(
        (
            ((range_kind != "*") + (range_subtype != "*"), quality)
            for range_kind, range_subtype, quality in ranges
            if range_kind in (kind, "*") and range_subtype in (subtype, "*")
        ),
        default=(0, 0.0),
    )
    return quality, specificity


def prefers_html(request: HttpRequest | Request) -> bool:
    """Whether a client prefers HTML to JSON, as browsers do, and requests no other format."""
    ranges = media_ranges(request.META.get("HTTP_ACCEPT", ""))
    html = _quality("text/html", ranges)
    if html[0] == 0 or html <= _quality("application/json", ranges):
        return False
    try:
        return asked_format(request) in (None, "api")
    except SuspiciousOperation:  # an unreadable query requests no format
        return True


def asked_format(request: HttpRequest | Request) -> str | None:
    """Return the value of `?format=`, None without one. Raises SuspiciousOperation for an unreadable query."""
    return request.GET.get("format") if request.META.get("QUERY_STRING") else None


class ContentNegotiation(BaseContentNegotiation):
    """Negotiation by `?format=` or, without it, by the Accept header; of equals the first renderer wins."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser:
        """Return the parser of the body's media type; raises UnsupportedMediaType, which names the accepted ones."""
        media_type = header_parameters(request.content_type or "")[0]
        parsers = list(parsers)
        for parser in parsers:
            if media_type == parser.media_type or media_type in getattr(parser, "synonyms", ()):
                return parser
        known = " or ".join(f"Content-Type: {parser.media_type}" for parser in parsers)
        raise UnsupportedMediaType(media_type, f"Media type {shown(media_type)!r} is not accepted; send {known}.")

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """Return (renderer, its media type); raises NotAcceptable, which names the available types."""
        wanted = asked_format(request)
        renderers = list(renderers)
        if wanted is not None:
            for renderer in renderers:
                if renderer.format == wanted:
                    return _fresh(renderer), _media_type(renderer)
            formats = ", ".join(str(renderer.format) for renderer in renderers)
            raise NotAcceptable(f"The format {shown(wanted)!r} is not available here; available are {formats}.")
        types = tuple([str(renderer.media_type) for renderer in renderers])
        place = _choice(request.META.get("HTTP_ACCEPT", ""), types)
        if place is None:
            known = ", ".join(types)
            raise NotAcceptable(f"None of the accepted media types can be produced; available are {known}.")
        return _fresh(renderers[place]), types[place]


@bounded_cache(entries=512, longest=_LONGEST)
def _choice(accept: str, types: tuple[str, ...]) -> int | None:
    """Return the index of the media type that an Accept header prefers, of equals the first; None if none fits."""
    ranges = media_ranges(accept)
    (quality, _), place = max((_quality(media_type, ranges), -i) for i, media_type in enumerate(types))
    return -place if quality else None


def _fresh(renderer: BaseRenderer) -> BaseRenderer:
    """Return a renderer that can be used: a new one if it keeps state, as the browsable one does."""
    return type(renderer)() if isinstance(renderer, BrowsableAPIRenderer) else renderer


def _media_type(renderer: BaseRenderer) -> str:
    return str(renderer.media_type)
