"""The WSGI application, for runserver and other WSGI servers."""

from __future__ import annotations

import logging
import os
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from timeseries_project import env
from timeseries_project.api import prefix
from timeseries_project.api.configuration import configuration
from timeseries_project.api.framework import LeanHandler, Utf8Request
from timeseries_project.api.headers import FAULT, MAX_BLOCK
from timeseries_project.serving import role

if TYPE_CHECKING:
    from wsgiref.types import StartResponse

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "timeseries_project.settings")


class PunctualHandler(LeanHandler):
    """A handler that limits all storage calls of a request to STORAGE_TIMEOUT_SECONDS after its arrival."""

    def get_response(self, request: HttpRequest) -> HttpResponseBase:
        """Answer a request; the time limit counts from `request.arrived` (`clock.elapsed`), if that is set."""
        if configuration().storage is None:
            return super().get_response(request)
        with _limited(request):
            return super().get_response(request)

    def repeat(self, request: HttpRequest) -> HttpResponseBase:
        """Answer a request again, within the same limit."""
        if configuration().storage is None:
            return super().repeat(request)
        with _limited(request):
            return super().repeat(request)


def _limited(request: HttpRequest) -> AbstractContextManager[None]:
    from timeseries_project.storage.nodes import deadline

    return deadline(settings.STORAGE_TIMEOUT_SECONDS, begun=getattr(request, "arrived", None))


class Handler(PunctualHandler, WSGIHandler):
    """Django's WSGI handler with `Utf8Request`."""

    request_class = Utf8Request

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> HttpResponseBase:
        """Answer one request; if its headers are too large, it is refused without reading them."""
        headers = {name for name in environ if name.startswith(("HTTP_", "CONTENT_"))}
        if sum(len(name) + len(str(environ[name])) for name in headers) > MAX_BLOCK:
            from timeseries_project.api.errors import HeadersTooLarge

            environ = {name: value for name, value in environ.items() if name not in headers}
            environ[FAULT] = HeadersTooLarge()
        prefix.place(environ)
        return super().__call__(environ, start_response)


django.setup(set_prefix=False)
if any(len(token) < env.SHORT_TOKEN for token in settings.API_TOKENS):
    logging.getLogger(__name__).warning(
        "API_TOKENS holds a token of fewer than %d characters, easy to guess; make one with openssl rand -hex 32.",
        env.SHORT_TOKEN,
    )
if settings.SNAPSHOT and not role.serves():
    logging.getLogger(__name__).warning("SNAPSHOT is obeyed by `make serve` and `manage.py runserver` only.")
application = Handler()
