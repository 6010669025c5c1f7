"""The production server as `make serve` runs it, for tests: a separate process, used over sockets."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any, Self

from timeseries_project.tests.processes import PATIENCE, ROOT
from timeseries_project.web import collecting

LINE = '{"timestamp":%d,"value":1,"device":"%s","user":"u"}\n'
LIMIT = 100_000


class Served:
    """A running server; at the end of a `with` block nothing of it runs any more, whatever has failed in the block."""

    command: tuple[str, ...] = ("-m", "timeseries_project.serve")
    #: Where it is reached.
    address = "127.0.0.1"

    def __init__(self, **environment: str) -> None:
        if not environment.keys() & {"XDG_CACHE_HOME", "STATIC_ROOT"}:
            collect_once()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.process = subprocess.Popen(
            [sys.executable, *(word.format(port=self.port) for word in self.command)],
            cwd=ROOT,
            env=os.environ | {"PORT": str(self.port), "MAX_BODY_BYTES": str(LIMIT)} | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,  # so that its children can be ended with it
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Kill what still runs; nothing does if the server was stopped."""
        assert self.process.stdout is not None
        if not self.process.stdout.closed:  # as `communicate` leaves it when the server and its children have ended
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.communicate(timeout=PATIENCE)

    def connect(self) -> socket.socket:
        return socket.create_connection((self.address, self.port), timeout=PATIENCE)

    def wait(self) -> None:
        """Wait until it answers."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                assert self.request("GET", "/healthz")[0] == 200
                return
            except OSError:
                assert time.monotonic() < deadline, "the server does not answer"
                assert self.process.poll() is None, self.process.communicate()
                time.sleep(0.02)  # leaves the processor to the server

    def logged(self, text: str) -> str:
        """Return the next line of the log that holds a text, or "" if none comes."""
        assert self.process.stderr is not None
        # Without a line there is no other end of waiting for one.
        patience = threading.Timer(PATIENCE, os.killpg, (self.process.pid, signal.SIGKILL))
        patience.start()
        try:
            return next((line for line in iter(self.process.stderr.readline, "") if text in line), "")
        finally:
            patience.cancel()

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, HTTPResponse, bytes]:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        with closing(HTTPConnection(self.address, self.port, timeout=PATIENCE)) as connection:
            connection.request(method, path, body, sent, encode_chunked=sent.get("Transfer-Encoding") == "chunked")
            response = connection.getresponse()
            return response.status, response, response.read()

    def raw(self, text: bytes) -> bytes:
        """Send bytes; return everything received until the server closes, which it may do before it has read all."""
        answer = b""
        with self.connect() as stream, suppress(ConnectionError):
            stream.sendall(text)
            while part := stream.recv(65_536):
                answer += part
        return answer

    def stop(self) -> int:
        """Stop it; return its exit status."""
        return self.stopped()[0]

    def stopped(self) -> tuple[int, str, str]:
        """Stop it; return its exit status, output and log."""
        self.process.send_signal(signal.SIGTERM)
        return self.ended()

    def ended(self) -> tuple[int, str, str]:
        """Wait until it has ended; return its exit status, output and log."""
        out, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, out, err


class Developed(Served):
    """A development server with the autoreloader, which runs the program twice."""

    command = ("manage.py", "runserver", "{port}")

    def stopped(self) -> tuple[int, str, str]:
        """Stop both processes; return exit status, output and log."""
        os.killpg(self.process.pid, signal.SIGTERM)
        return self.ended()


def collect_once() -> None:
    """Collect the static files beforehand, so that no server of the tests says that it does."""
    with ExitStack() as later:
        if not collecting.is_complete(collecting.folder(later)):
            command = [sys.executable, "manage.py", "compile"]
            subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=PATIENCE)


def eventually(holds: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "what is waited for does not come"
        time.sleep(0.02)


def post(media_type: str, length: int) -> bytes:
    """Return the head of a request that announces a body."""
    return (
        f"POST /datapoints HTTP/1.1\r\nHost: localhost\r\nContent-Type: {media_type}\r\n"
        f"Content-Length: {length}\r\n\r\n"
    ).encode()


def memory(served: Served) -> int:
    """Return the resident memory of the server's processes in bytes."""
    total = 0
    for process in (served.process.pid, *children(served.process.pid)):
        found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
        total += int(found[1]) * 1024 if found else 0
    return total


def children(process: int) -> list[int]:
    """Return the processes that a process started."""
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
