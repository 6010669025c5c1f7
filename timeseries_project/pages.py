"""What all pages have in common: what they refuse, how they write figures, and the commands that add data."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple

from django.conf import settings
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.utils.html import format_html
from rest_framework.exceptions import NotAcceptable

from timeseries_project import timestamps
from timeseries_project.api import access, throttling
from timeseries_project.api.errors import NotAllowed, problem_details
from timeseries_project.api.negotiation import asked_format, prefers_html
from timeseries_project.faults import FaultError, shown

Page = Callable[[HttpRequest], HttpResponse]
Context = dict[str, Any]

#: Devices or users that a page lists at most.
MAX_LISTED = 1_000
#: Keys whose rows take some milliseconds to be written.
MANY_LISTED = 100
#: Seconds until a live page asks anew.
REFRESH = 2
#: Seconds until it is looked again whether an unknown key has data: after a restart it may have some soon.
REFRESH_UNKNOWN = 10

#: Adds one item to each app: path and body, in which the shell writes the time.
COMMANDS = {
    "datapoints": (
        "datapoints",
        """{"timestamp": '$(date +%s)', "value": 20.5, "device": "thermometer-1", "user": "ada"}""",
    ),
    "bandwidth": (
        "api/bandwidth",
        """{"timestamp": '$(date +%s)', "device_id": "router-1", "bytes_ts": 1200, "bytes_fs": 3400}""",
    ),
    "transactions": (
        "api/transactions",
        """{"timestamp": '$(date +%s000)', "amount": 12.3}""",
    ),
}


class Figure(NamedTuple):
    """A named number as a page shows it, and in full."""

    name: str
    text: str
    exact: str


def read_only(page: Page) -> Page:
    """Refuse every method but GET and HEAD, what comes too often or lacks a token, and every format but HTML.

    HTML is answered whatever is accepted. The middleware answers a refusal as problem details.
    """

    @wraps(page)
    def checked(request: HttpRequest) -> HttpResponse:
        if request.method not in ("GET", "HEAD"):
            raise NotAllowed(request.method, "GET, HEAD")
        throttling.require(request)
        access.require(request)
        if (wanted := asked_format(request)) not in (None, "html"):
            raise NotAcceptable(f"There is no format {shown(wanted)!r} here; there is html.")
        return page(request)

    return checked


def given(parameters: QueryDict) -> QueryDict:
    """Return the parameters without the empty ones, which a form sends for controls left empty."""
    kept = QueryDict(mutable=True)
    for name, texts in parameters.lists():
        if filled := [text for text in texts if text]:
            kept.setlist(name, filled)
    return kept


def problem_shown(request: HttpRequest, fault: FaultError) -> Context:
    """Return a fault as a page shows it; for clients that do not prefer HTML it is raised again."""
    if not prefers_html(request):
        raise fault
    return {"problem": problem_details(fault)}


def render_page(request: HttpRequest, template: str, context: Context) -> HttpResponse:
    """Render a page, with the status of the problem that it shows, if any."""
    status = context["problem"]["status"] if "problem" in context else 200
    response = render(request, template, context, status=status)
    response.headers["Vary"] = "Accept"  # faults are problem details for clients that do not prefer HTML
    return response


def utc(seconds: int) -> str:
    """Write epoch seconds as a date and time in UTC or, beyond the year 9999, as they are."""
    try:
        return timestamps.render(seconds * timestamps.MICROSECONDS).replace("T", " ").removesuffix("Z")
    except OverflowError:
        return f"{seconds} s since 1970"


def time_element(seconds: int) -> str:
    """Write epoch seconds as an element that the browser shows in the viewer's zone."""
    text = utc(seconds)
    machine = text.replace(" ", "T") + "Z"
    return format_html('<time datetime="{}">{}</time>', machine, text) if text[4] == "-" else text


def command(request: HttpRequest, app: str) -> str:
    """Write the command that adds one item, timed now, to an app of this server; to be pasted as it is.

    Where a token is needed the shell takes it from a variable: no page shows one.
    """
    path, body = COMMANDS[app]
    url = request.build_absolute_uri(f"/{path}")
    token = ' \\\n  -H "Authorization: Bearer $API_TOKEN"' if settings.API_TOKENS else ""
    return f"curl '{url}'{token} \\\n  -H 'Content-Type: application/json' \\\n  -d '{body}'"


def figure(name: str, value: float | None) -> Figure:
    """Name a number and write it in a dozen characters at most; a dash stands for none."""
    if value is None:
        return Figure(name, "–", "")
    if isinstance(value, int):
        text = f"{value:,}"
    elif 1 <= abs(value) < 1e9:
        text = f"{value:,.2f}" if abs(value) < 1e6 else f"{value:,.0f}"
    else:
        text = f"{value:.4g}"
    return Figure(name, text, repr(value))
