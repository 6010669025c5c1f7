"""A real nginx with the example configuration of ops/, for tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Self

import pytest

from tests.served import Served
from timeseries_project.tests.processes import PATIENCE, ROOT, free_port

EXAMPLE = ROOT / "ops" / "nginx.conf"

#: What Debian's /etc/nginx/nginx.conf has around the files of conf.d, with everything in one folder.
FRAME = """
{user}
daemon off;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/timeseries.conf;
}}
"""

#: How nginx and the service agree on the prefix.
WAYS = {
    "left on, header": (False, {"TRUSTED_PROXIES": "1"}),
    "taken off, header": (True, {"TRUSTED_PROXIES": "1"}),
    "left on, setting": (False, {"TRUSTED_PROXIES": "1", "ROOT_PATH": "/ts"}),
    "taken off, setting": (True, {"TRUSTED_PROXIES": "1", "ROOT_PATH": "/ts"}),
}


def program() -> str:
    """Return the path of nginx; without it the tests are skipped, or fail in CI."""
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if found is None:
        reason = "NO nginx ON THIS MACHINE: its configuration was not tested; install it and run again."
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


class Nginx:
    """nginx with the example, between two ports; `takes_off` makes it take the prefix off, as the example describes."""

    def __init__(self, folder: Path, *, port: int, service: int, takes_off: bool, prefix_header: bool = True) -> None:
        self.port = port
        self._command = [program(), "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"]
        changes = {"listen 80;": f"listen 127.0.0.1:{port};", "127.0.0.1:8000;": f"127.0.0.1:{service};"}
        if takes_off:
            changes["proxy_pass http://timeseries;"] = "proxy_pass http://timeseries/;"
        if not prefix_header:
            changes["proxy_set_header X-Forwarded-Prefix /ts;"] = ""
        text = EXAMPLE.read_text()
        for before, after in changes.items():
            assert text.count(before) == 1, before
            text = text.replace(before, after)
        (folder / "timeseries.conf").write_text(text)
        user = "user root;" if os.geteuid() == 0 else ""  # another one could not enter the folder of the test
        (folder / "nginx.conf").write_text(FRAME.format(user=user, folder=folder))

    def __enter__(self) -> Self:
        """Start it, and wait until it answers."""
        subprocess.run([*self._command, "-t", "-q"], check=True, timeout=PATIENCE)
        self._process = subprocess.Popen(self._command)
        deadline = time.monotonic() + PATIENCE
        while True:
            connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
            try:
                connection.request("GET", "/ts")
                assert connection.getresponse().status == 308
                return self
            except OSError:
                assert self._process.poll() is None, "nginx has ended"
                assert time.monotonic() < deadline, "nginx does not answer"
                time.sleep(0.02)  # leaves the processor to nginx
            finally:
                connection.close()

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(timeout=PATIENCE)


class Site:
    """A service behind nginx."""

    def __init__(self, served: Served, nginx: Nginx) -> None:
        self.served = served
        self.port = nginx.port
        self.url = f"http://127.0.0.1:{nginx.port}/ts"

    def request(self, method: str, path: str, body: str | None = None, **headers: str) -> tuple[int, Any, bytes]:
        """Ask nginx; return the status, the headers and the body of the answer."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)) as connection:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            return response.status, response.headers, response.read()


def site(folder: Path, stack: ExitStack, way: str, **more: str) -> Site:
    """Start a service and nginx in one of the WAYS; they run until the stack is closed."""
    takes_off, settings = WAYS[way]
    served = stack.enter_context(Served(**settings, **more))
    header = "ROOT_PATH" not in settings
    nginx = stack.enter_context(
        Nginx(folder, port=free_port(), service=served.port, takes_off=takes_off, prefix_header=header)
    )
    served.wait()
    return Site(served, nginx)
