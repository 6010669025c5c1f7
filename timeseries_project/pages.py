"""The home page, and what all pages have in common."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from rest_framework.exceptions import MethodNotAllowed, NotAcceptable

from timeseries_project.api.negotiation import asked_format
from timeseries_project.api.serializers import NoParameters

Page = Callable[[HttpRequest], HttpResponse]

#: Adds one item to each app: path and body, in which the shell writes the time.
COMMANDS = (
    (
        "A datapoint",
        "datapoints",
        """{"timestamp": '$(date +%s)', "value": 20.5, "device": "thermometer-1", "user": "ada"}""",
    ),
    (
        "Bytes of a device",
        "api/bandwidth",
        """{"timestamp": '$(date +%s)', "device_id": "router-1", "bytes_ts": 1200, "bytes_fs": 3400}""",
    ),
    (
        "A transaction",
        "api/transactions",
        """{"timestamp": '$(date +%s000)', "amount": 12.3}""",
    ),
)


def read_only(page: Page) -> Page:
    """Refuse every method but GET and HEAD and every format but HTML, which is answered whatever is accepted.

    The middleware answers the refusal as problem details.
    """

    @wraps(page)
    def checked(request: HttpRequest) -> HttpResponse:
        if request.method not in ("GET", "HEAD"):
            raise MethodNotAllowed(request.method or "")
        if (wanted := asked_format(request)) not in (None, "html"):
            raise NotAcceptable(f"There is no format {wanted!r} here; there is html.")
        return page(request)

    return checked


@read_only
def home(request: HttpRequest) -> HttpResponse:
    """Show what there is: links to everything, and commands that add data."""
    NoParameters.read_query(request.GET)
    base = request.build_absolute_uri("/")
    commands = [
        (name, f"curl '{base}{path}' \\\n  -H 'Content-Type: application/json' \\\n  -d '{body}'")
        for name, path, body in COMMANDS
    ]
    return render(request, "home.html", {"commands": commands})
