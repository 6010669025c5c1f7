"""Starts, measures and stops the servers that are compared.

They listen on loopback only. Each runs in a session of its own, so that all its processes can be found and ended.
"""

from __future__ import annotations

import importlib.util
import itertools
import os
import random
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from client import BrokenAnswerError, Connection, UnexpectedStatusError, request

ROOT = Path(__file__).resolve().parent.parent

#: Ports of the servers.
PORTS = range(8400, 8500)

START_SECONDS = 60.0
STOP_SECONDS = 5.0

OURS, FASTAPI, INFLUX, VICTORIA = "this service", "FastAPI", "InfluxDB", "VictoriaMetrics"


class ServerError(RuntimeError):
    """A server did not start."""


@dataclass
class Server:
    """A server, and the directory that it may fill."""

    name: str
    port: int
    command: list[str]
    health: str
    directory: Path
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> float:
        """Start the server and wait for its first answer; return the seconds that this took."""
        begin = time.perf_counter()
        with (self.directory / "log").open("wb") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=ROOT,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        while not self._answers():
            if self.process.poll() is not None or time.perf_counter() - begin > START_SECONDS:
                raise ServerError(f"{self.name} did not start ({shlex.join(self.command)}):\n{self._log_tail()}")
            time.sleep(0.002)
        return time.perf_counter() - begin

    def stop(self) -> None:
        """Stop the server with all its processes, forcibly if necessary."""
        if self.process is None:
            return
        self._signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while self.pids() and time.monotonic() < deadline:
            self.process.poll()
            time.sleep(0.01)
        self._signal(signal.SIGKILL)
        self.process.wait()

    def pids(self) -> list[int]:
        """Return the living processes of this server's session."""
        return [pid for pid, session in _sessions() if self.process is not None and session == self.process.pid]

    def memory(self, *, peak: bool = False) -> int:
        """Return the resident bytes of all processes, now or at the peak; what they share counts in each."""
        row = "VmHWM:" if peak else "VmRSS:"
        size = 0
        for pid in self.pids():
            try:
                status = Path(f"/proc/{pid}/status").read_text().split()
            except OSError:  # the process has just ended
                continue
            if row in status:
                size += int(status[status.index(row) + 1]) * 1024
        return size

    def forget_peak(self) -> None:
        """Reset the peak of the memory to what is resident now."""
        for pid in self.pids():
            Path(f"/proc/{pid}/clear_refs").write_text("5")

    def blame(self, error: Exception) -> None:
        """Raise ServerError with the end of the log if the server does not answer any more."""
        if not self._answers():
            raise ServerError(f"{self.name} does not answer any more:\n{self._log_tail()}") from error

    def _answers(self) -> bool:
        connection = Connection(self.port, timeout=1)
        try:
            connection.send(request("GET", self.health))
        except (OSError, BrokenAnswerError, UnexpectedStatusError):
            return False
        finally:
            connection.close()
        return True

    def _signal(self, number: int) -> None:
        # To the whole session: `make` passes no signals on, and a worker may outlive its parent.
        for pid in self.pids():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue

    def _log_tail(self) -> str:
        return (self.directory / "log").read_text(errors="replace")[-2_000:]


def _sessions() -> Iterator[tuple[int, int]]:
    """Yield (process, session) of every process that is not a zombie."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name, in parentheses, may hold anything; after it come state, parent, group and session.
            state, _, _, session = path.read_text().rpartition(")")[2].split()[:4]
        except OSError:
            continue
        if state != "Z":
            yield int(path.parent.name), int(session)


def _ours(port: int, directory: Path) -> Server:
    # BENCH_SERVE replaces `make serve`, for instance by "python manage.py runserver --noreload {port}".
    command = os.environ.get("BENCH_SERVE", "make --no-print-directory serve HOST=127.0.0.1 PORT={port}")
    return Server(OURS, port, shlex.split(command.format(port=port)), "/healthz", directory)


def _fastapi(port: int, directory: Path) -> Server:
    command = f"{sys.executable} -m uvicorn benchmarks.peers.fastapi_app:app --host 127.0.0.1 --port {port}"
    command += " --loop uvloop --http httptools --no-access-log --log-level warning"
    return Server(FASTAPI, port, shlex.split(command), "/healthz", directory)


def _influx(port: int, directory: Path) -> Server:
    # Default storage settings; only addresses and directories are set, and the request logs are off.
    (directory / "influxdb.conf").write_text(
        f"""
        reporting-disabled = true
        bind-address = "127.0.0.1:{_free_port()}"
        [meta]
          dir = "{directory}/meta"
        [data]
          dir = "{directory}/data"
          wal-dir = "{directory}/wal"
          query-log-enabled = false
        [monitor]
          store-enabled = false
        [http]
          bind-address = "127.0.0.1:{port}"
          log-enabled = false
        """
    )
    return Server(INFLUX, port, ["influxd", "run", "-config", f"{directory}/influxdb.conf"], "/ping", directory)


def _victoria(port: int, directory: Path) -> Server:
    # The default retention of a month would drop older points unread.
    command = ["victoria-metrics", f"-storageDataPath={directory}/data", f"-httpListenAddr=127.0.0.1:{port}"]
    return Server(VICTORIA, port, [*command, "-retentionPeriod=100y"], "/health", directory)


_MAKERS: dict[str, Callable[[int, Path], Server]] = {
    OURS: _ours,
    FASTAPI: _fastapi,
    INFLUX: _influx,
    VICTORIA: _victoria,
}


def installed(name: str) -> bool:
    """Return whether a server can be run on this machine."""
    if name == FASTAPI:
        return all(importlib.util.find_spec(module) for module in ("fastapi", "uvicorn", "uvloop", "httptools"))
    program = {OURS: "make", INFLUX: "influxd", VICTORIA: "victoria-metrics"}[name]
    return shutil.which(program) is not None


@contextmanager
def prepared(name: str) -> Iterator[Server]:
    """Yield a server with a port and a directory, not yet started; stop it at the end."""
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as directory:
        server = _MAKERS[name](_free_port(), Path(directory))
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def running(*names: str, environment: dict[str, str] | None = None) -> Iterator[dict[str, Server]]:
    """Start fresh servers of these names, as far as installed, and stop them at the end."""
    with ExitStack() as stack:
        servers = {}
        for name in filter(installed, names):
            server = servers[name] = stack.enter_context(prepared(name))
            server.environment.update(environment or {})
            server.start()
            if name == INFLUX:
                Connection(server.port).send(request("POST", "/query?q=CREATE+DATABASE+bench"))
        try:
            yield servers
        except Exception as error:
            for server in servers.values():
                server.blame(error)
            raise


# In random order, so that two simultaneous runs rarely collide.
_ports = itertools.cycle(random.sample(PORTS, len(PORTS)))


def _free_port() -> int:
    """Return the next free port; a port is tried again only after all others."""
    for port in itertools.islice(_ports, len(PORTS)):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port
    raise ServerError(f"no free port from {PORTS.start} to {PORTS.stop - 1}")
