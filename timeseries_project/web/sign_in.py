"""Signing in with a token, for browsers: a form that sets a cookie, and a button that deletes it."""

from __future__ import annotations

from typing import IO, cast
from urllib.parse import quote, unquote

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from rest_framework.exceptions import AuthenticationFailed, NotFound, PermissionDenied, UnsupportedMediaType
from rest_framework.request import Request

from timeseries_project.api import access, sessions, throttling
from timeseries_project.api.errors import NotAllowed
from timeseries_project.api.headers import header_parameters
from timeseries_project.api.negotiation import prefers_html
from timeseries_project.api.parsers import read_body
from timeseries_project.core.errors import shown

#: Most bytes of a form, and so of what a client without a token may send.
MAX_FORM = 8_192
#: Most characters of the address to return to; a longer one is replaced by that of the dashboard.
MAX_TARGET = 2_000
_FORM = "application/x-www-form-urlencoded"


def context(request: HttpRequest | Request) -> dict[str, object]:
    """Return the template context for the sign-in link of every page; empty if no tokens are configured."""
    if not settings.API_TOKENS:
        return {}
    url = reverse("sign-in")
    if request.path not in (url, reverse("home")):
        target = request.get_full_path()
        url = f"{url}?next={quote(target)}" if len(target) <= MAX_TARGET else url
    signed_in, private = access.is_signed_in(request.META), settings.API_TOKENS_FOR_READS
    return {"access": {"signed_in": signed_in, "url": url, "private": private}}


def sign_in(request: HttpRequest) -> HttpResponse:
    """Show the form; for a valid token, set the cookie and redirect to the page that needed it."""
    _check(request, "GET, HEAD, POST")
    form = _form(request) if request.method == "POST" else request.GET
    target = _target(form.get("next", ""))
    if request.method != "POST":
        return _page(request, target, 200)
    given = access.digest(form.get("token", "").strip())
    if access.is_known(given):
        back = HttpResponseRedirect(target, status=303)
        back.set_cookie(
            sessions.cookie_name(request.META),
            sessions.issue(given),
            max_age=sessions.lifetime(),
            httponly=True,
            secure=request.is_secure(),
            samesite="Strict",
            path=sessions.cookie_path(request.META),
        )
        return back
    if not prefers_html(request):
        raise AuthenticationFailed(access.WRONG)
    response = _page(request, target, 401)
    response.headers["WWW-Authenticate"] = access.challenge(wrong=True)
    return response


def sign_out(request: HttpRequest) -> HttpResponse:
    """Delete the cookie, and make it invalid."""
    _check(request, "POST")
    _form(request)
    if (text := sessions.cookie(request.META)) is not None:
        sessions.sign_out(text, access.known())
    response = HttpResponseRedirect(reverse("sign-in"), status=303)
    name, path = sessions.cookie_name(request.META), sessions.cookie_path(request.META)
    response.delete_cookie(name, path=path, samesite="Strict")
    return response


def _check(request: HttpRequest, methods: str) -> None:
    """Refuse requests if no tokens are configured, other methods, and too many requests, as guesses of tokens are."""
    if not settings.API_TOKENS:
        raise NotFound
    if request.method not in methods.split(", "):
        raise NotAllowed(request.method, methods)
    throttling.require(request)


def _form(request: HttpRequest) -> QueryDict:
    """Return the fields of the form. Raises PermissionDenied if a page of another site sent it.

    Otherwise a foreign page could sign its visitors in with a token of its own, or out.
    """
    if access.is_foreign(request.META):
        raise PermissionDenied("This form was sent by a page of another site.")
    if header_parameters(request.content_type or "")[0] != _FORM:
        raise UnsupportedMediaType(shown(request.content_type or ""))
    return QueryDict(read_body(cast(IO[bytes], request), request.META, MAX_FORM), encoding="utf-8")


def _page(request: HttpRequest, target: str, status: int) -> HttpResponse:
    response = render(request, "sign_in.html", {"next": target, "wrong": status == 401}, status=status)
    response.headers["Cache-Control"] = "no-store"
    return response


def _target(path: str) -> str:
    """Return the path to go to after signing in: the given one if it is of this service, else the dashboard."""
    home = reverse("home")
    # Beside a prefix there are other services, to which `..` would lead, too.
    leaves = any(unquote(part) == ".." for part in path.partition("?")[0].split("/"))
    if not path.startswith(home) or leaves or len(path) > MAX_TARGET:
        return home
    return path if url_has_allowed_host_and_scheme(path, allowed_hosts=None) else home
