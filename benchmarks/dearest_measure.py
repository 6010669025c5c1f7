"""Measures the cost of a case: its time, the waits of others, and the server's memory and processor time."""

from __future__ import annotations

import math
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from client import Answer, BrokenAnswerError, Connection, Sample, bystander, request
from dearest_cases import Case, Scale
from report import percentile
from servers import Server

#: The request of the other client, and its pause in seconds between answer and next request.
HEALTH, PAUSE = request("GET", "/healthz"), 0.001
#: Seconds before and after a case in which the other client is alone.
ALONE = 0.3
#: Seconds for which answers are left unread: longer than the server's patience.
UNREAD_SECONDS = 35.0
#: How often a cheap request is sent to measure its processor time.
COSTED = 5


@dataclass
class Found:
    """The cost of a case. Times are in seconds, memory is in bytes; what did not end in time is infinite."""

    sent: int  # bytes of the largest request
    requests: int
    statuses: Counter[str]
    answered: int  # bytes of all answers
    took: float
    longest: float  # wait of the other client
    p99: float
    grew: int  # resident memory, at its peak
    stays: int  # resident memory, afterwards
    spent: float  # processor time of the server, including the other client's requests
    processor: float  # the same, or that of a single request if it needs no token
    idle: list[float]  # waits of the other client before the case


class Line(Connection):
    """A connection that is closed at a deadline, even while an answer trickles in."""

    def __init__(self, port: int, deadline: float) -> None:
        super().__init__(port, timeout=max(deadline - time.perf_counter(), 0.01))
        self._deadline = deadline

    def ask(self, message: bytes) -> tuple[str, int]:
        """Return the status, or what happened instead, and the size of the answer."""
        if time.perf_counter() >= self._deadline:
            return "late", 0
        try:
            answer: Answer = self.exchange(message)
        except TimeoutError:
            self.close()
            return "late", 0
        except (OSError, BrokenAnswerError, ValueError):
            self.close()
            return "cut", 0
        return str(answer.status), answer.size

    def _pieces(self, status: int, headers: dict[bytes, bytes]) -> Iterator[bytes]:
        for piece in super()._pieces(status, headers):
            if time.perf_counter() >= self._deadline:
                raise TimeoutError
            yield piece


def measure(server: Server, case: Case, scale: Scale, timeout: float) -> Found:
    """Send the requests of a case while another client keeps asking for something small."""
    messages = case.build(scale)
    before, size = resident(server), max(map(len, messages))
    with bystander(server.port, HEALTH, PAUSE, timeout) as finish, ExitStack() as unread:
        time.sleep(ALONE)
        server.forget_peak()
        spent, begin = processor_seconds(server), time.perf_counter()
        if case.unread:
            statuses, answered = _leave_unread(server.port, messages, unread)
        else:
            statuses, answered = _ask(server.port, case, messages, begin + timeout)
        end, spent = time.perf_counter(), processor_seconds(server) - spent
        # While the unread answers are still pending.
        peak, after = resident(server, peak=True), resident(server)
        time.sleep(ALONE)
        samples = _samples(finish)
    if not case.unread:
        peak, after = max(peak, resident(server, peak=True)), resident(server)
    took = math.inf if statuses["late"] else end - begin
    idle, waits = _waits(samples, begin, end)
    cost = spent
    if case.stranger:
        cost = spent / len(messages) if took / len(messages) > 0.5 else _cost(server, case, scale)
    longest, p99 = (max(waits), percentile(waits, 99)) if samples is not None else (math.inf, math.inf)
    sizes = (size, len(messages), statuses, answered)
    return Found(*sizes, took, longest, p99, peak - before, after - before, spent, cost, idle)


def _samples(finish: Callable[[], list[Sample]]) -> list[Sample] | None:
    """Return the other client's samples; None if a request was refused or not answered in time."""
    try:
        return finish()
    except EOFError:
        return None


def _waits(samples: list[Sample] | None, begin: float, end: float) -> tuple[list[float], list[float]]:
    """Return the waits before `begin`, and those until `end`.

    A client that comes during a wait waits for the rest of it: a wait of a second counts as one of 0.999 s, too, and so
    on. Otherwise a server that stops for a minute would seem slow for only one request among thousands.
    """
    idle, waits = [], [0.0]
    for sample in samples or ():
        if sample.begin + sample.seconds <= begin:
            idle.append(sample.seconds)
        elif sample.begin < end or len(waits) == 1:  # at least the next one
            times = int(sample.seconds / PAUSE) + 1
            waits += (sample.seconds - n * PAUSE for n in range(times))
    return idle[1:], waits  # the first one also opened the connection


def _ask(port: int, case: Case, messages: list[bytes], deadline: float) -> tuple[Counter[str], int]:
    found: list[tuple[str, int]] = []
    if not case.together:
        line = Line(port, deadline)
        found += map(line.ask, messages)
        line.close()
    else:

        def work(message: bytes) -> None:
            line = Line(port, deadline)
            found.append(line.ask(message))
            line.close()

        threads = [threading.Thread(target=work, args=(message,)) for message in messages]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return Counter(status for status, _ in found), sum(size for _, size in found)


def _leave_unread(port: int, messages: list[bytes], until: ExitStack) -> tuple[Counter[str], int]:
    """Send requests and read nothing for a time; the exit stack closes the connections."""
    for message in messages:
        one = until.enter_context(socket.socket())
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        one.connect(("127.0.0.1", port))
        one.sendall(message)
    time.sleep(UNREAD_SECONDS)
    return Counter({"unread": len(messages)}), 0


def _cost(server: Server, case: Case, scale: Scale) -> float:
    """Return the processor time of one request while there is no other client."""
    line, costs = Line(server.port, time.perf_counter() + 10), []
    for _ in range(COSTED):
        messages = case.build(scale)[:COSTED]  # new ones: the server may have cached those sent before
        spent = processor_seconds(server)
        for message in messages:
            line.ask(message)
        costs.append((processor_seconds(server) - spent) / len(messages))
    line.close()
    return min(costs)


def resident(server: Server, *, peak: bool = False) -> int:
    """Return the resident bytes of all processes of a server: now, or at their peaks since `forget_peak`."""
    row = "VmHWM" if peak else "VmRSS"
    sizes = (re.search(rf"{row}:\s*(\d+) kB", text) for text in _read(server, "status"))
    return sum(int(found[1]) * 1024 for found in sizes if found)


def processor_seconds(server: Server) -> float:
    """Return the processor time of all living threads of a server; that of ended ones is lost."""
    return sum(int(text.split()[0]) for text in _read(server, "task/*/schedstat")) / 1e9


def _read(server: Server, files: str) -> Iterator[str]:
    for pid in server.pids():
        for path in Path(f"/proc/{pid}").glob(files):
            try:
                yield path.read_text()
            except OSError:  # the thread has just ended
                continue
