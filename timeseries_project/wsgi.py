"""The WSGI application, for runserver and any WSGI server."""

import os
from typing import Any

import django
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.utils.http import parse_header_parameters

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "timeseries_project.settings")


class Utf8Request(WSGIRequest):
    """A request that does not decode its query in the charset of its body.

    Django would: a charset that is a codec but no text encoding, such as hex, then fails before any view.
    """

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        self.content_type, self.content_params = parse_header_parameters(meta.get("CONTENT_TYPE", ""))


class Handler(WSGIHandler):
    """Django's handler, with our request."""

    request_class = Utf8Request


django.setup(set_prefix=False)
application = Handler()
