"""The WSGI application, for runserver and any WSGI server."""

import os
from typing import Any

import django
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.utils.http import parse_header_parameters

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "timeseries_project.settings")


class Utf8Request(WSGIRequest):
    """A request whose path and query are UTF-8, whatever the charset of its body.

    Django decodes the query in that charset: one that is a codec but no text encoding, such as hex, then fails
    before any view. And it re-escapes bytes of a path that are not UTF-8, so that /devices/%FF/datapoints would
    name the device "%FF": `path_is_utf8` tells, before the bytes are lost, and the middleware refuses.
    """

    def __init__(self, environ: dict[str, Any]) -> None:
        try:
            environ.get("PATH_INFO", "").encode("latin-1").decode()
        except UnicodeError:
            self.path_is_utf8 = False
        super().__init__(environ)

    path_is_utf8 = True

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        self.content_type, self.content_params = parse_header_parameters(meta.get("CONTENT_TYPE", ""))


class Handler(WSGIHandler):
    """Django's handler, with our request."""

    request_class = Utf8Request


django.setup(set_prefix=False)
application = Handler()
