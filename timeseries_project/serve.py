"""`make serve`: the production server, one process that answers and one that watches over it.

HOST=127.0.0.1 PORT=8000 python -m timeseries_project.serve
"""

from __future__ import annotations

from granian.constants import HTTPModes, Interfaces, Loops
from granian.log import LogLevels
from granian.server import Server

from timeseries_project import env

#: Seconds that a stop waits for requests that were accepted; then those that stall are cut.
STOP_SECONDS = 10
#: Requests begun at once, stalled ones included; one more waits.
MAX_CONCURRENT = 100_000


def main() -> None:
    """Check the settings, load the listing, and serve until SIGTERM or SIGINT."""
    host = env.text("HOST", "127.0.0.1")
    port = env.integer("PORT", 8000, least=1, most=65_535)
    workers = env.integer("WORKERS", 1, least=1, most=64)
    if workers > 1:
        env.refuse("WORKERS", "must be 1: each process would answer from its own share of the data in memory.")

    # Here, not in the worker: a bad setting or listing stops the start with its one line.
    from timeseries_project.asgi import application

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
    )
    print(f"Serving at http://{host}:{port}/", flush=True)  # noqa: T201 - what a person who starts it wants to know
    server.serve(target_loader=lambda *_: application)


if __name__ == "__main__":
    main()
