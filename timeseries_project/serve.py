"""The production server of `make serve`: WORKERS processes that answer, and one that supervises them.

HOST=127.0.0.1 PORT=8000 python -m timeseries_project.serve
"""

from __future__ import annotations

import os
import secrets
import socket
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from django.conf import settings
from granian.constants import HTTPModes, Interfaces, Loops
from granian.log import LogLevels
from granian.server import Server

from timeseries_project import env
from timeseries_project.ops import logs
from timeseries_project.web import collecting

#: Seconds that a stop waits for accepted requests; those that are not finished by then are cut off.
STOP_SECONDS = 10
#: Most requests in progress, stalled ones included; further ones wait.
MAX_CONCURRENT = 100_000


def main() -> None:
    """Check the settings, load the listing, and serve until SIGTERM or SIGINT."""
    host, port = env.address()
    workers = env.integer("WORKERS", 1, least=1, most=64)
    if workers > 1 and env.storage("STORAGE_URL") is None:
        reason = "each process would answer from its own share of the data in memory"
        env.refuse("WORKERS", f"must be 1 with STORAGE_URL=memory://: {reason}. Share it in Redis: redis://host:port.")

    _require_free(host, port)

    os.environ.setdefault("LOG_FORMAT", "json")
    _name_static_files()
    with ExitStack() as stack:
        if workers > 1:
            # The folder of the counts that /metrics adds up; set before any module with metrics is imported.
            counts = stack.enter_context(TemporaryDirectory(prefix="timeseries-metrics-"))
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = counts
            # All processes need the same key, because each must accept what the others have signed.
            os.environ["DJANGO_SECRET_KEY"] = env.text("DJANGO_SECRET_KEY", secrets.token_urlsafe(50))
        _serve(host, port, workers)


def _serve(host: str, port: int, workers: int) -> None:
    collecting.collect(Path(os.environ["STATIC_ROOT"]))  # before the application looks for them
    # Imported here, not in the worker: a bad setting or listing stops the start with its one line.
    from timeseries_project.api import hosts
    from timeseries_project.asgi import application

    line = {"()": logs.FORMATTERS[settings.LOG_FORMAT]}  # the log lines of the server look like ours
    server = Server(
        "timeseries_project.asgi:application",
        address=host,
        port=port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        websockets=False,
        loop=Loops.uvloop,
        workers=workers,
        workers_kill_timeout=STOP_SECONDS,
        backlog=4_096,
        backpressure=MAX_CONCURRENT,
        log_level=LogLevels.warning,
        log_dictconfig={"formatters": {"generic": line, "access": line}},
    )
    print(f"Serving at {env.server_url()}/", flush=True)  # noqa: T201 - for the person who starts it
    if notice := hosts.notice(host):
        print(notice, flush=True)  # noqa: T201 - the same
    server.serve(target_loader=lambda *_: application)


def _name_static_files() -> None:
    """Name the folder of the collected static files, unless STATIC_ROOT names one, which must have them then."""
    if not (given := os.environ.get("STATIC_ROOT")):
        os.environ["STATIC_ROOT"] = str(collecting.folder())
    elif not collecting.is_complete(Path(given)):
        env.refuse("STATIC_ROOT", f"{given} holds no files of `manage.py collectstatic`; run that, or leave it unset.")


def _require_free(host: str, port: int) -> None:
    """Stop the start if the address is not available: otherwise the server would share the port of a running one."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # ended connections do not block the port
            probe.bind(address)
    except socket.gaierror as error:
        env.refuse("HOST", f"{host!r} is not an address of this machine: {error.strerror}.")
    except OSError as error:
        env.refuse("PORT", f"{port} at {host} is unavailable: {error.strerror}.")


if __name__ == "__main__":
    main()
