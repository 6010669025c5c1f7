"""The production server of `make serve`: one process that answers, or WORKERS of them and one that supervises them.

HOST=127.0.0.1 PORT=8000 python -m timeseries_project.serve
"""

from __future__ import annotations

import gc
import logging
import os
import secrets
import shutil
import socket
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from timeseries_project import env
from timeseries_project.serving import handover, role
from timeseries_project.serving.handover import Handover
from timeseries_project.serving.stopping import Stopping
from timeseries_project.web import collecting

if TYPE_CHECKING:
    from timeseries_project.storage.starting import Membership


def main() -> None:
    """Check the settings, load the listing, and serve until SIGTERM or SIGINT, which are obeyed from here on."""
    stopping = Stopping()
    given = handover.take()
    role.serve_here()
    host, port = env.address()
    workers = env.integer("WORKERS", 1, least=1, most=64)
    if workers > 1 and env.storage("STORAGE_URL") is None:
        reason = "each process would answer from its own share of the data in memory"
        env.refuse("WORKERS", f"must be 1 with STORAGE_URL=memory://: {reason}. Share it in Redis: redis://host:port.")
    if given and given.is_trial:
        _name_static_files(stopping.cleanup, given.static)
        _load(stopping, given)
        stopping.end()
    listeners = given.sockets() if given else _bind(host, port, workers)

    os.environ.setdefault("LOG_FORMAT", "json")
    static = _name_static_files(stopping.cleanup, given.static if given else "")
    if given:
        stopping.cleanup.callback(shutil.rmtree, os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)
    elif workers > 1:
        # The folder of the counts that /metrics adds up; set before any module with metrics is imported.
        counts = stopping.cleanup.enter_context(TemporaryDirectory(prefix="timeseries-metrics-"))
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = counts
        # All processes need the same key, because each must accept what the others have signed.
        os.environ["DJANGO_SECRET_KEY"] = env.text("DJANGO_SECRET_KEY", secrets.token_urlsafe(50))
    given = given or Handover(secrets.token_hex(8), listeners=tuple(listener.fileno() for listener in listeners))
    stopping.end(_serve(host, port, listeners, stopping, given._replace(static=static)))


def _load(stopping: Stopping, given: Handover) -> tuple[Any, Membership]:
    """Load everything; return the application, and the server's part among those on its storage.

    It is imported here: a signal ends the imports, which take seconds where the kernels must be compiled, and a bad
    setting or listing stops the start with its one line before any worker is there.
    """
    collecting.collect(Path(os.environ["STATIC_ROOT"]), stopping.cleanup)  # before the application looks for them
    from timeseries_project.asgi import application

    # isort: split
    from timeseries_project import urls  # noqa: F401 - the views, which Django would load with the first request
    from timeseries_project.storage.starting import Membership

    membership = Membership(given.name)
    membership.begin(is_trial=given.is_trial)
    return application, membership


def _serve(host: str, port: int, listeners: list[socket.socket], stopping: Stopping, given: Handover) -> int:
    application, membership = _load(stopping, given)
    from timeseries_project.api import hosts
    from timeseries_project.serving.process import BACKLOG, Process
    from timeseries_project.serving.workers import Workers
    from timeseries_project.snapshots import services as snapshots

    gc.collect()
    gc.freeze()  # what the start made stays: a full collection would look through it for 50 ms
    stopping.cleanup.callback(membership.end)
    if given.workers:
        return Workers(application, listeners, stopping, given, begin=membership.keep).supervise()
    try:
        for listener in listeners:
            listener.listen(BACKLOG)
    except OSError as error:  # another server was bound at the same time and was faster to listen
        env.refuse("PORT", f"{port} at {host} is unavailable: {error.strerror}.")
    print(f"Serving at {env.server_url()}/", flush=True)  # noqa: T201 - for the person who starts it
    if notice := hosts.notice(host):
        print(notice, flush=True)  # noqa: T201 - the same
    if len(listeners) > 1:
        return Workers(application, listeners, stopping, given, begin=membership.keep).supervise()
    process = Process(application, listeners[0], membership.keep)
    stopping.asks(process.stop, lambda: process.soon(_say_that_nothing_is_loaded))
    process.serve_until_stopped()
    return 0 if snapshots.end() else 1


def _say_that_nothing_is_loaded() -> None:
    reason = "one process serves, and what it holds would be lost or out of reach meanwhile"
    logging.getLogger(__name__).warning("SIGHUP loads nothing anew without several WORKERS: %s.", reason)


def _name_static_files(later: ExitStack, chosen: str) -> str:
    """Name the folder of the collected static files, unless STATIC_ROOT names one, which must have them then.

    Return it if it was chosen here, else nothing. The program before had `chosen` another one.
    """
    if chosen:
        os.environ["STATIC_ROOT"] = str(collecting.succeeding(Path(chosen), later))
        return os.environ["STATIC_ROOT"]
    if not (given := os.environ.get("STATIC_ROOT")):
        os.environ["STATIC_ROOT"] = str(collecting.folder(later))
        return os.environ["STATIC_ROOT"]
    if not collecting.is_complete(Path(given)):
        env.refuse("STATIC_ROOT", f"{given} holds no files of `manage.py collectstatic`; run that, or leave it unset.")
    return ""


def _bind(host: str, port: int, workers: int) -> list[socket.socket]:
    """Return a bound socket for each worker; stop the start if the address is not available.

    No one can connect before they listen, which is when everything is loaded.
    """
    listeners = []
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        for number in range(workers):
            listeners.append(listener := socket.socket(family, kind, protocol))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # ended connections do not block the port
            if number == 0:
                listener.bind(address)  # alone: otherwise the server would share the port of a running one
            if workers > 1:
                # The system distributes connections over sockets, and evenly, while processes that share one socket
                # would race for them. The option counts at the first one from here on.
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if number > 0:
                listener.bind(address)
    except socket.gaierror as error:
        env.refuse("HOST", f"{host!r} is not an address of this machine: {error.strerror}.")
    except OSError as error:
        env.refuse("PORT", f"{port} at {host} is unavailable: {error.strerror}.")
    return listeners


if __name__ == "__main__":
    main()
