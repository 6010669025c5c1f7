"""Commands in separate processes, and servers in this process that can be stopped, held up and started again."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import SHUT_RDWR
from typing import Any

from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler

from timeseries_project.wsgi import application

ROOT = Path(__file__).resolve().parents[2]
#: Seconds after which a test gives up waiting: many, because the machine may be busy; what never comes still fails.
PATIENCE = 120


def free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def environment(**variables: str) -> dict[str, str]:
    """Return the environment, with only the given ones of the service's settings."""
    ours = ("DJANGO_", "BANDWIDTHS_", "API_TOKEN", "HOST", "PORT")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)} | variables


@contextmanager
def started(*arguments: object, stdout: int = subprocess.PIPE, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """Run manage.py in a separate process, at most to the end of the block."""
    with subprocess.Popen(
        [sys.executable, "manage.py", *map(str, arguments)],
        cwd=ROOT,
        env=environment(**variables),
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def run(*arguments: object, **variables: str) -> tuple[int, str, str]:
    """Run manage.py; return its exit status and output."""
    with started(*arguments, **variables) as process:
        out, err = process.communicate(timeout=PATIENCE)
        return process.returncode, out, err


def run_uncompiled(*arguments: object) -> tuple[int, str]:
    """Run Python with kernels that are plain Python; return its exit status and all its output."""
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def run_alone(module: str, function: str) -> None:
    """Call a function of a module of tests in a process of its own: it may fork there, and has no other threads."""
    program = f"import django; django.setup(); from {module} import {function}; {function}()"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "timeseries_project.settings"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr


class _Handler(WSGIRequestHandler):
    def get_environ(self) -> dict[str, Any]:
        return {**super().get_environ(), "connection": self.connection}

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""


class Server:
    """The project behind a socket. It uses the stores of this process, which survive its stops.

    POST requests are counted from 1. `hold` is the number of the one whose answer waits for `go_on`; `lose` those that
    are carried out but whose answers are lost; `fall` the one whose answer the server goes down with.
    """

    def __init__(self, *, hold: int = 0, lose: Iterable[int] = (), fall: int = 0) -> None:
        self.hold, self.lose, self.fall = hold, set(lose), fall
        self.posts = 0
        self.held, self.go_on = threading.Event(), threading.Event()
        self._port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        self._server = ThreadedWSGIServer(("127.0.0.1", self._port), _Handler)
        self._port = self._server.server_address[1]
        self._server.set_app(self._application)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _application(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        answer = application(environ, start_response)
        if environ["REQUEST_METHOD"] == "POST":
            self.posts += 1
            if self.posts == self.hold:
                self.held.set()
                assert self.go_on.wait(PATIENCE)
            if self.posts == self.fall:
                self.stop()
            if self.posts == self.fall or self.posts in self.lose:
                environ["connection"].shutdown(SHUT_RDWR)
        return answer


@contextmanager
def serving(**troubles: Any) -> Iterator[Server]:
    """Serve the project, with the given troubles."""
    server = Server(**troubles)
    try:
        yield server
    finally:
        server.go_on.set()
        server.stop()


class Request(BaseHTTPRequestHandler):
    """A request to a foreign server, answered by the server's function."""

    protocol_version = "HTTP/1.1"
    answer: Callable[[Request], tuple[int, dict[str, str], bytes]]

    def do_GET(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, headers, body = type(self).answer(self)
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""


@contextmanager
def answering(answer: Callable[[Request], tuple[int, dict[str, str], bytes]]) -> Iterator[str]:
    """Run a foreign server: a function answers each request with status, headers and body."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Answering", (Request,), {"answer": staticmethod(answer)}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
