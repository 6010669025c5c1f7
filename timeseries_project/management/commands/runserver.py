"""`manage.py runserver`: Django's development server, which here answers at once and says which hosts it serves."""

from __future__ import annotations

import atexit
import socket
from typing import Any

from django.conf import settings
from django.core.servers.basehttp import WSGIRequestHandler, WSGIServer
from whitenoise.runserver_nostatic.management.commands.runserver import Command as WhiteNoiseCommand

from timeseries_project.api import hosts
from timeseries_project.management import reloading


class RequestHandler(WSGIRequestHandler):
    """Django's handler of requests, for which a body without a type has none, where the library says `text/plain`."""

    def get_environ(self) -> dict[str, Any]:
        """Return the environment of a request."""
        environ: dict[str, Any] = super().get_environ()
        if "Content-Type" not in self.headers:
            del environ["CONTENT_TYPE"]
        return environ


class PromptServer(WSGIServer):
    """Django's server without Nagle's algorithm (RFC 896).

    An answer is written in several small pieces. With the algorithm, all but the first wait until the client has
    acknowledged that one, and on a kept connection it does so some 40 ms later.
    """

    def __init__(self, address: tuple[str, int], handler: type[WSGIRequestHandler], **options: Any) -> None:
        """Take the place of Django's server, and that of its handler."""
        super().__init__(address, RequestHandler, **options)

    def get_request(self) -> tuple[socket.socket, object]:
        """Accept a connection and set it to send each piece at once."""
        connection, address = super().get_request()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        return connection, address


class Command(WhiteNoiseCommand):  # type: ignore[misc]  # WhiteNoise has no types
    """WhiteNoise's command, which leaves static files to its middleware, with another server class."""

    server_cls = PromptServer

    def run(self, **options: Any) -> None:
        """Serve; where a snapshot is kept, so that the last one is written at the end, however it comes."""
        if settings.SNAPSHOT is None:
            super().run(**options)
        else:
            reloading.run(self.inner_run, options)

    def inner_run(self, *args: Any, **options: Any) -> None:
        """Serve, in the process that answers."""
        if settings.SNAPSHOT is not None:
            from timeseries_project.snapshots import services as snapshots

            atexit.register(snapshots.end)
        super().inner_run(*args, **options)

    def on_bind(self, server_port: int) -> None:
        """Print the address, and which hosts are served if that is not evident."""
        super().on_bind(server_port)
        if notice := hosts.notice(self.addr):
            self.stdout.write(notice)
