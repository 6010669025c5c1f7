"""Measures what open pages cost the server that pushes them their news."""

from __future__ import annotations

import os
import selectors
import socket
import threading
import time
from pathlib import Path

from client import Connection, request
from options import Options
from report import Row, limit
from servers import OURS, Server, running

#: Open pages, and the share of one processor that they may take.
PAGES, GOAL = 500, 0.10
#: How the pages are spread: all on one address, or each on its own.
ADDRESSES = {"on one address": 1, "on 500 addresses": PAGES}
ACCEPT = "text/event-stream, text/html;q=0.9"


def live_pages(options: Options) -> list[Row]:
    """Measure the processor's share that 500 open pages add while datapoints are written twenty times a second."""
    seconds = options.choose(20, 40, 60)
    return [_measured(name, addresses, seconds) for name, addresses in ADDRESSES.items()]


def _measured(name: str, addresses: int, seconds: int) -> Row:
    with running(OURS) as servers:
        server = servers[OURS]
        with Writer(server.port, addresses):
            time.sleep(2)
            without = _share(server, seconds / 2)
            threads = _threads(server)
            readers = Readers(server.port, addresses)
            while readers.events < PAGES:  # all are open, and have had their first news
                readers.read(1)
            before = readers.events
            share = _share(server, seconds, readers) - without
            added = _threads(server) - threads
            news = readers.events - before
    what = f"{PAGES} open pages {name}, pushed while 20 datapoints a second are written: processor's share"
    behind = f"{without:.1%} of one processor without them; {news:,} events in {seconds} s; {added} threads more"
    return limit(what, share, GOAL, lambda value: f"{value:.1%}", behind)


class Writer:
    """Writes a datapoint every 50 ms, of one of so many devices after the other, from a thread."""

    def __init__(self, port: int, devices: int) -> None:
        self._devices = devices
        self._connection = Connection(port)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._write)

    def __enter__(self) -> None:
        """Begin, with one point of each device."""
        first = [(f"device-{number}", time.time() - 60, 1.0) for number in range(PAGES)]
        self._post(*first)
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._connection.close()

    def _write(self) -> None:
        number = 0
        while not self._over.wait(0.05):
            self._post((f"device-{number % self._devices}", time.time(), 20.5))
            number += 1

    def _post(self, *points: tuple[str, float, float]) -> None:
        rows = ",".join(
            f'{{"timestamp":{moment},"value":{value},"device":"{device}","user":"ada"}}'
            for device, moment, value in points
        )
        self._connection.send(request("POST", "/datapoints?on_duplicate=skip", f"[{rows}]".encode()))


class Readers:
    """Open streams, read by one thread; counts their events."""

    def __init__(self, port: int, addresses: int) -> None:
        self.events = 0
        self._selector = selectors.DefaultSelector()
        for number in range(PAGES):
            path = f"/charts/datapoints?device=device-{number % addresses}&bucket=1m"
            stream = socket.create_connection(("127.0.0.1", port))
            stream.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: {ACCEPT}\r\n\r\n".encode())
            stream.setblocking(False)
            self._selector.register(stream, selectors.EVENT_READ)

    def read(self, seconds: float) -> None:
        """Read what comes for so many seconds."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            for key, _ in self._selector.select(left):
                piece = key.fileobj.recv(1 << 18)  # type: ignore[union-attr]  # these are sockets
                if not piece:
                    raise RuntimeError("a stream has ended")
                self.events += piece.count(b"data: <title>")


def _share(server: Server, seconds: float, readers: Readers | None = None) -> float:
    """Return the share of one processor that a server takes in the next seconds."""
    begin, used = time.monotonic(), _used(server)
    if readers:
        readers.read(seconds)
    else:
        time.sleep(seconds)
    return (_used(server) - used) / (time.monotonic() - begin)


def _used(server: Server) -> float:
    """Return the processor time that a server's processes have taken, in seconds."""
    ticks = 0
    for pid in server.pids():
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _threads(server: Server) -> int:
    return sum(len(os.listdir(f"/proc/{pid}/task")) for pid in server.pids())
