"""The common parts of all pages: checks of requests, formatting of figures, and commands that add data."""

from __future__ import annotations

from collections.abc import Callable, Container
from datetime import datetime
from functools import wraps
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.utils.html import format_html, format_html_join
from rest_framework.exceptions import NotAcceptable

from timeseries_project.api import access, throttling
from timeseries_project.api.errors import NotAllowed, problem_details
from timeseries_project.api.negotiation import asked_format, prefers_html
from timeseries_project.api.prefix import address
from timeseries_project.api.serializers import InputSerializer
from timeseries_project.api.watching import PART
from timeseries_project.core import clock, timestamps, zones
from timeseries_project.core.errors import FaultError, shown

Page = Callable[[HttpRequest], HttpResponse]
Context = dict[str, Any]

#: Most devices or users that a page lists.
MAX_LISTED = 1_000
#: Number of keys whose rows take some milliseconds to render.
MANY_LISTED = 100
#: Seconds between two updates of a live page.
REFRESH = 2
#: Seconds between two checks whether an unknown key has data by now, as it may soon after a restart.
REFRESH_UNKNOWN = 10


class Figure(NamedTuple):
    """A named number, as a page shows it and in full."""

    name: str
    text: str
    exact: str


def read_only(page: Page) -> Page:
    """Make a page refuse methods except GET and HEAD, formats except HTML, missing tokens and too many requests.

    The page is HTML whatever the Accept header says. The middleware answers a refusal with problem details.
    """

    @wraps(page)
    def checked(request: HttpRequest) -> HttpResponse:
        if request.method not in ("GET", "HEAD"):
            raise NotAllowed(request.method, "GET, HEAD")
        throttling.require(request)
        access.require(request)
        if (wanted := asked_format(request)) not in (None, "html"):
            raise NotAcceptable(f"The format {shown(wanted)!r} is not available here; only html is.")
        return page(request)

    return checked


def given(parameters: QueryDict, serializer: type[InputSerializer]) -> QueryDict:
    """Return the parameters that a page knows, without empty ones, which a form sends for empty controls.

    Unknown ones are passed over, unlike in the API: links that people share have all sorts, `utm_source` for one.
    """
    known = serializer.wire_fields()
    kept = QueryDict(mutable=True)
    for name, texts in parameters.lists():
        if name in known and (filled := [text for text in texts if text]):
            kept.setlist(name, filled)
    return kept


def base(request: HttpRequest) -> Context:
    """Return the template that pages extend: the one of whole pages, or that of the part that changes."""
    return {"base": "part.html" if PART in request.META else "base.html"}


def problem_shown(request: HttpRequest, fault: FaultError, exact: Container[str] = ()) -> Context:
    """Return the context in which a page shows a fault; for clients that do not prefer HTML, raise it again.

    The part of the form with the parameters `exact` is open if one of them is wrong.
    """
    if not prefers_html(request):
        raise fault
    problem = problem_details(fault)
    return {"problem": problem, "exact": any(error["field"] in exact for error in problem.get("errors", ()))}


def render_page(request: HttpRequest, template: str, context: Context) -> HttpResponse:
    """Render a page; if it shows a problem, with the status of that."""
    status = context["problem"]["status"] if "problem" in context else 200
    response = render(request, template, {"updated": updated(clock.now())} | context, status=status)
    response.headers["Vary"] = "Accept"  # faults are problem details for clients that do not prefer HTML
    return response


def updated(now: int) -> str:
    """Return the time of an update, in microseconds since the epoch, as a page has it: whole seconds, in UTC."""
    return timestamps.render(now // timestamps.MICROSECONDS * timestamps.MICROSECONDS)


def utc(seconds: int) -> str:
    """Write epoch seconds as a date and time in UTC or, beyond the year 9999, as seconds.

    >>> utc(0), utc(10**12)
    ('1970-01-01 00:00:00', '1000000000000 s since 1970')
    """
    try:
        return timestamps.render(seconds * timestamps.MICROSECONDS).replace("T", " ").removesuffix("Z")
    except OverflowError:
        return f"{seconds} s since 1970"


def zoned(seconds: int, zone: ZoneInfo) -> str:
    """Write epoch seconds as a date and time in a zone with its distance from UTC or, beyond the calendar, as seconds.

    >>> zoned(0, ZoneInfo("Asia/Kolkata"))
    '1970-01-01 05:30:00+05:30'
    """
    try:
        return datetime.fromtimestamp(seconds, zone).isoformat(" ")
    except (OverflowError, ValueError):
        return utc(seconds)


def time_element(seconds: int, zone: ZoneInfo | None = None, *, form: str | None = None) -> str:
    """Write epoch seconds as a `<time>` element, which the browser shows in the reader's words.

    It is written in UTC, and shown in the zone that the reader has chosen in the header. With a zone, it is written and
    shown in that one, whatever the header says. In the form `day`, the date is shown and the time is its title.
    """
    text = utc(seconds)
    if text[4] != "-":
        return text  # beyond the calendar
    machine = text.replace(" ", "T") + "Z"
    if form == "day":
        return format_html('<time datetime="{}" data-day>{}</time>', machine, text[:10])
    if zone is None:
        return format_html('<time datetime="{}">{}</time>', machine, text)
    offset = zones.offset_at(seconds, zone)
    return format_html('<time datetime="{}" data-offset="{}">{}</time>', machine, offset, zoned(seconds, zone))


def clock_element(seconds: int) -> str:
    """Write the time of day of epoch seconds as a `<time>` element."""
    text = utc(seconds)
    return format_html('<time datetime="{}" data-clock>{}</time>', text.replace(" ", "T") + "Z", text[11:])


def day_element(seconds: int, now: int, zone: ZoneInfo | None = None) -> str:
    """Write epoch seconds as a `<time>` element for a sentence: the date in words or, if it is of today, the time.

    Zones are those of `time_element`; the title has date and time.

    >>> print(day_element(0, 90))
    <time datetime="1970-01-01T00:00:00Z" data-day="words">00:00 today</time>
    >>> print(day_element(0, 90_000))
    <time datetime="1970-01-01T00:00:00Z" data-day="words">1970-01-01</time>
    """
    text, today = utc(seconds), utc(now)
    if text[4] != "-":
        return text  # beyond the calendar
    attributes = [("datetime", text.replace(" ", "T") + "Z"), ("data-day", "words")]
    if zone is not None:
        text, today = zoned(seconds, zone), zoned(now, zone)
        attributes.append(("data-offset", str(zones.offset_at(seconds, zone))))
    shown = f"{text[11:16]} today" if today[:10] == text[:10] else text[:10]
    return format_html("<time{}>{}</time>", format_html_join("", ' {}="{}"', attributes), shown)


def ago_element(seconds: int, now: int) -> str:
    """Write epoch seconds as a `<time>` element that the browser shows as the time since then, at most 0 s.

    >>> print(ago_element(0, 90))
    <time datetime="1970-01-01T00:00:00Z" data-ago="90">1970-01-01 00:00:00</time>
    """
    text = utc(seconds)
    if text[4] != "-":
        return text  # beyond the calendar
    age = max(now - seconds, 0)
    return format_html('<time datetime="{}Z" data-ago="{}">{}</time>', text.replace(" ", "T"), age, text)


def command(request: HttpRequest, path: str, body: str) -> str:
    """Return the shell command that posts a body to a path of this server; the shell fills in what is in `$(...)`.

    If a token is needed, the shell takes it from a variable: pages never show tokens.
    """
    url = request.build_absolute_uri(address(path))
    token = ' \\\n  -H "Authorization: Bearer $API_TOKEN"' if settings.API_TOKENS else ""
    return f"curl '{url}'{token} \\\n  -H 'Content-Type: application/json' \\\n  -d '{body}'"


def figure(name: str, value: float | None) -> Figure:
    """Return a named number, written in at most a dozen characters; None is a dash.

    >>> figure("sum", 1234.5), figure("avg", None)
    (Figure(name='sum', text='1,234.50', exact='1234.5'), Figure(name='avg', text='–', exact=''))
    >>> figure("rate", -0.0)
    Figure(name='rate', text='0', exact='0.0')
    """
    if value is None:
        return Figure(name, "–", "")
    value += 0  # there is no -0
    if isinstance(value, int):
        text = f"{value:,}"
    elif 1 <= abs(value) < 1e9:
        text = f"{value:,.2f}" if abs(value) < 1e6 else f"{value:,.0f}"
    else:
        text = f"{value:.4g}"
    return Figure(name, text, repr(value))
