"""The dashboard: a card of live figures per app, which the app registers, and links to all pages and endpoints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from timeseries_project.api.watching import can_be_pushed
from timeseries_project.core import clock, timestamps
from timeseries_project.web.pages import REFRESH, Context, read_only, updated


@dataclass(frozen=True, slots=True)
class Link:
    """A link to an address of an app."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Card:
    """The current content of an app's card: the context of its template, and the sample that its script draws."""

    context: Context
    sample: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Section:
    """An app's part of the dashboard.

    `card` is called with the request and the time in microseconds. Its template is `<app>/card.html` and its script
    `<app>/card.js`. The links are listed below the cards.
    """

    title: str
    card: Callable[[HttpRequest, int], Card]
    charts: list[Link]
    browse: list[Link]


_sections: dict[str, Callable[[], Section]] = {}


def register(app: str, section: Callable[[], Section]) -> None:
    """Add the section of an app after the earlier ones. It is called for each request, as addresses may differ."""
    _sections[app] = section


def navigation(request: HttpRequest) -> Context:
    """Return the links of the header: the dashboard, the first chart of each app by title, and the API."""
    charts = sorted((section.title, section.charts[0].path) for section in (make() for make in _sections.values()))
    links = [("Dashboard", reverse("home")), *charts, ("API", f"{reverse('docs')}/")]
    here = request.path.rstrip("/")
    return {"navigation": [{"text": text, "path": path, "current": path.rstrip("/") == here} for text, path in links]}


@read_only
def home(request: HttpRequest) -> HttpResponse:
    """Show a card of live figures per app or, for an app without data, the command that adds some."""
    now = clock.now()
    sections = {app: section() for app, section in _sections.items()}
    cards = {app: section.card(request, now) for app, section in sections.items()}
    context = {
        "refresh": REFRESH,
        "updated": updated(now),
        "cards": [{"template": f"{app}/card.html", "context": card.context} for app, card in cards.items()],
        "scripts": [f"{app}/card.js" for app in cards],
        "charts": [link for section in sections.values() for link in section.charts],
        "browse": [link for section in sections.values() for link in section.browse],
        "sample": {"time": now / timestamps.MICROSECONDS} | {app: card.sample for app, card in cards.items()},
    }
    can_be_pushed(request, lambda: None)  # its curves move on with time
    return render(request, "dashboard.html", context)
