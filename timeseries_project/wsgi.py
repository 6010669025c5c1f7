"""The WSGI application, for runserver and other WSGI servers."""

from __future__ import annotations

import logging
import os
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

import django
from django.conf import settings
from django.core.handlers.base import BaseHandler
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from timeseries_project import env
from timeseries_project.api import prefix
from timeseries_project.api.headers import FAULT, MAX_BLOCK, header_parameters

if TYPE_CHECKING:
    from wsgiref.types import StartResponse

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "timeseries_project.settings")


class Utf8Request(WSGIRequest):
    """A request whose path and query are read as UTF-8, whatever the charset of its body.

    Django decodes the query in the charset of the body; a charset that is a codec but not a text encoding, such as
    hex, would then fail before any view. Django also escapes again the bytes of a path that are not UTF-8, so that
    /devices/%FF/datapoints would name the device "%FF", and replaces such bytes in a query. `is_utf8` is worked out
    before these bytes are lost, and the middleware refuses the request where it is false.

    A request target in absolute form (RFC 9112 section 3.2.2) is reduced to its path.
    """

    #: Time of arrival (`clock.elapsed`), if the request may have waited since.
    arrived: float | None = None

    def __init__(self, environ: dict[str, Any]) -> None:
        environ["PATH_INFO"] = path = prefix.path_of(environ)
        try:
            path.encode("latin-1").decode()
            unquote_to_bytes(environ.get("QUERY_STRING", "")).decode()
            self.is_utf8 = True
        except UnicodeError:
            self.is_utf8 = False
        super().__init__(environ)

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        """Do nothing: the content type is parsed on demand, because most requests are answered without it."""

    @cached_property
    def content_type(self) -> str:  # type: ignore[override]  # Django sets it at once
        """The media type of the body, in lower case."""
        return header_parameters(self.META.get("CONTENT_TYPE", ""))[0]

    @cached_property
    def content_params(self) -> dict[str, str]:  # type: ignore[override]  # the same
        """The parameters of the media type."""
        return dict(header_parameters(self.META.get("CONTENT_TYPE", ""))[1])


class PunctualHandler(BaseHandler):
    """A handler that limits all storage calls of a request to STORAGE_TIMEOUT_SECONDS after its arrival."""

    def get_response(self, request: HttpRequest) -> HttpResponseBase:
        """Answer a request; the time limit counts from `request.arrived` (`clock.elapsed`), if that is set."""
        if settings.STORAGE is None:
            return super().get_response(request)
        from timeseries_project.storage.nodes import deadline

        with deadline(settings.STORAGE_TIMEOUT_SECONDS, begun=getattr(request, "arrived", None)):
            return super().get_response(request)


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
application = Handler()
