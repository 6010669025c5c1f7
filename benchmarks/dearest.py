"""Measures the most expensive requests of each kind: what each costs the service and its other clients.

    python benchmarks/dearest.py [--quick] [--series 750000] [--only TEXT]
    python benchmarks/dearest.py --project DIRECTORY | --then FILE [--now FILE]

Starts the production server and sends one request after the other: large and malformed ones, questions about all stored
data, answers of millions of rows. Meanwhile another client asks for `/healthz` every millisecond. Prints a row for each
request, and exits with 1 unless every row meets these goals:

- a request of less than 1 MB holds up others for 50 ms at most and takes 100 MB at most,
- any other, and many at once, hold up 99 of 100 for 50 ms at most and take 256 MB at most (eight bodies),
- a request that needs no token takes 5 ms of processor time at most and leaves at most 10 MB of memory behind,
- every request is answered within a minute, with no 5xx but 503 and 507.

On a busy machine clients also wait for the machine. So a wait counts only as far as the server was working meanwhile,
and a wait that seems too long is measured again. `--then FILE` shows an earlier output, for instance of another version
(`--project`), beside the present one. With `--now FILE` nothing is measured, and both outputs are earlier ones.
"""

from __future__ import annotations

import argparse
import math
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from client import Connection, request
from dearest_bodies import bodies
from dearest_cases import SMALL, Case, Scale, Setting, answers, questions, stored
from dearest_heads import heads
from dearest_measure import Found, Line, measure, resident
from report import duration, machine, percentile, size
from servers import OURS, ROOT, Server, prepared

WAIT, MEMORY, MEMORY_OF_MANY, PROCESSOR, LEFT = 0.050, 100e6, 256e6, 0.005, 10e6
#: A server that has kept more bytes than this, or more than a part of its memory, is replaced by a fresh one: memory
#: that it reuses would hide what a request takes.
KEPT, KEPT_PART = 20e6, 0.05
#: A case is measured again if others waited too long, unless the server worked for so long that it is to blame.
TO_BLAME = 4 * WAIT
#: How several measurements are combined.
SHORTEST, LARGEST = ("took", "longest", "p99", "spent"), ("grew", "stays")

SETTINGS = {"BANDWIDTHS_FILE": "", "HOST": "127.0.0.1"}
COLUMNS = (
    *("request", "sent", "status", "answer", "took", "longest wait", "p99 wait", "memory", "stays", "processor"),
    "missed",
)
COMPARED = ("request", "sent", "then", "now", "missed")
WARMING = ("/", "/datapoints", "/devices?format=api", "/charts/datapoints", "/metrics", "/nowhere", "/sign-in")


class Bench:
    """The measurements, and the server they run on: one at a time."""

    def __init__(self, arguments: argparse.Namespace, scale: Scale, stack: ExitStack) -> None:
        self._project: Path = arguments.project
        self._timeout: float = arguments.timeout
        self._attempts: int = arguments.attempts
        self._scale = scale
        self._stack = stack
        self._server: Server | None = None
        self._setting: Setting | None = None
        self._warm = False
        self._loaded = 0  # resident bytes of the server when it was ready

    def measure(self, case: Case) -> Found:
        """Measure a case, again if others waited long; keep the least of the waits and the most of all else."""
        found = self._once(case)
        for _ in range(self._attempts - 1):
            if found.longest <= WAIT or not WAIT < found.spent < TO_BLAME or case.unread:
                break
            again = self._once(case)
            least = {
                name: min(getattr(found, name), getattr(again, name)) for name in ("took", "longest", "p99", "spent")
            }
            most = {name: max(getattr(found, name), getattr(again, name)) for name in ("grew", "stays")}
            found = replace(found, **least, **most)
        return found

    def _once(self, case: Case) -> Found:
        server = self._prepare(case)
        found = measure(server, case, replace(self._scale, port=server.port), self._timeout)
        changed = case.writes and not set(found.statuses) <= {"400", "401", "409", "413", "415", "422"}
        kept = found.stays > max(KEPT, KEPT_PART * self._loaded)
        if changed or kept or not math.isfinite(found.took + found.longest) or case.unread:
            self.close()
        return found

    def _prepare(self, case: Case) -> Server:
        """Return a server with the case's setting; start one if there is none."""
        if self._setting is not case.setting or (case.cold and self._warm):
            self.close()
        if self._server is None:
            server = self._stack.enter_context(prepared(OURS))
            server.command = ["env", "-C", str(self._project), sys.executable, "-m", "timeseries_project.serve"]
            server.environment |= {**SETTINGS, "PORT": str(server.port), **case.setting.environment}
            server.start()
            self._server, self._setting, self._warm = server, case.setting, False
            connection = Connection(server.port)
            for message in stored(case.setting, self._scale) if not case.cold else ():
                connection.send(message)
            connection.close()
        if not case.cold and not self._warm:
            self._warm_up(self._server, case.setting)
            self._loaded = resident(self._server)
        self._warm = True
        return self._server

    def _warm_up(self, server: Server, setting: Setting) -> None:
        # The first request also pays for what is loaded once. Questions about all stored data would take too long here.
        line = Line(server.port, time.perf_counter() + self._timeout)
        for path in WARMING if setting is not Setting.FULL else ("/charts/transactions", "/nowhere", "/sign-in"):
            line.ask(request("GET", path))
        line.ask(request("POST", "/datapoints", b"[0]"))
        line.close()

    def close(self) -> None:
        """End the server."""
        self._stack.close()
        self._server = self._setting = None


def cases(scale: Scale) -> list[Case]:
    """Return all cases, grouped by setting."""
    order = [*Setting]
    return sorted([*heads(), *bodies(), *questions(), *answers()], key=lambda case: order.index(case.setting))


def misses(case: Case, found: Found) -> list[str]:
    """Return which goals a case misses."""
    single = found.requests == 1 and found.sent < SMALL
    wait, memory = (found.longest, MEMORY) if single else (found.p99, MEMORY_OF_MANY)
    failures = [status for status in found.statuses if status[0] in "5c" and status not in ("503", "507")]
    faults = {
        "wait": min(wait, found.spent) > WAIT,
        "memory": found.grew > memory,
        "processor": case.stranger and found.processor > PROCESSOR,
        "stays": case.stranger and found.stays > LEFT,
        "late": not math.isfinite(found.took),
        "failure": bool(failures),  # or the connection was cut
    }
    return [name for name, missed in faults.items() if missed]


def cells(case: Case, found: Found, timeout: float) -> dict[str, str]:
    """Return a row of the table, by column."""

    def seconds(value: float) -> str:
        return duration(value) if math.isfinite(value) else f"> {timeout:g} s"

    times = f"{found.requests:,} × " if found.requests > 1 else ""
    statuses = (f"{status} × {count:,}" if count > 1 else status for status, count in found.statuses.items())
    shown = (
        f"{case.group}: {case.name}",
        times + size(found.sent),
        ", ".join(statuses),
        size(found.answered),
        seconds(found.took),
        seconds(found.longest),
        seconds(found.p99),
        size(max(found.grew, 0)),
        size(max(found.stays, 0)),
        duration(found.processor),
        ", ".join(misses(case, found)) or "none",
    )
    return dict(zip(COLUMNS, shown, strict=True))


def table(path: Path) -> dict[str, dict[str, str]]:
    """Return the rows of a table printed by this script, by their first cell."""
    lines = [line.strip("| ").split(" | ") for line in path.read_text().splitlines() if line.startswith("| ")]
    rows = [cells for cells in lines if len(cells) == len(COLUMNS) and cells[0] not in (COLUMNS[0], "---")]
    return {cells[0]: dict(zip(COLUMNS, cells, strict=True)) for cells in rows}


def compared(now: dict[str, str], then: dict[str, str] | None) -> dict[str, str]:
    """Return a row with the earlier and the present costs of a request."""

    def cost(row: dict[str, str] | None) -> str:
        if row is None:
            return ""
        words = "{status} in {took}, others wait {longest wait}, {memory}, {processor} of processor time"
        return words.format_map(row)

    return {**now, "then": cost(then), "now": cost(now)}


def run(arguments: argparse.Namespace) -> bool:
    """Measure the chosen cases and print the table; return whether every goal is met."""
    scale = Scale(arguments.series, arguments.body)
    columns = COMPARED if arguments.then else COLUMNS
    then = table(arguments.then) if arguments.then else {}
    if not arguments.now:
        print(f"{machine()}; {scale.series:,} series, bodies of {scale.body:,} bytes\n")
    print(f"| {' | '.join(columns)} |\n|{' --- |' * len(columns)}", flush=True)
    idle: list[float] = []
    missed = count = 0
    for row in table(arguments.now).values() if arguments.now else measured(arguments, scale, idle):
        shown = compared(row, then.get(row["request"]))
        print(f"| {' | '.join(map(shown.__getitem__, columns))} |", flush=True)
        missed += row["missed"] != "none"
        count += 1
    if idle:
        alone = f"p99 {duration(percentile(idle, 99))}, longest {duration(max(idle))}"
        print(f"\nThe other client's wait while nothing else is asked: {alone}.")
    print(f"\n{count - missed} of {count} rows meet every goal.")
    return not missed


def measured(arguments: argparse.Namespace, scale: Scale, idle: list[float]) -> Iterator[dict[str, str]]:
    """Measure the chosen cases; collect the waits of the other client while it is alone."""
    with ExitStack() as stack:
        bench = Bench(arguments, scale, stack)
        for case in chosen(arguments, scale):
            found = bench.measure(case)
            idle += found.idle
            yield cells(case, found, arguments.timeout)


def chosen(arguments: argparse.Namespace, scale: Scale) -> Iterator[Case]:
    """Yield the cases that the command line asks for."""
    for case in cases(scale):
        text = f"{case.group}: {case.name}"
        if (case.quick or not arguments.quick) and (not arguments.only or any(part in text for part in arguments.only)):
            yield case


def main() -> None:
    """Read the command line, and measure or compare."""
    parser = argparse.ArgumentParser(description="Measure the most expensive requests of each kind.")
    parser.add_argument("--quick", action="store_true", help="a few of each kind, smaller; two minutes")
    parser.add_argument("--series", type=int, help="number of series of the user who has all devices (750,000)")
    parser.add_argument("--body", type=int, help="bytes of a decoded body (those of MAX_BODY_BYTES)")
    parser.add_argument("--only", nargs="*", help="only rows whose name contains one of these texts")
    parser.add_argument("--project", type=Path, default=ROOT, help="the directory of the version to measure (this one)")
    parser.add_argument("--then", type=Path, help="an earlier output to show beside the present one")
    parser.add_argument("--now", type=Path, help="an output to show instead of measuring")
    parser.add_argument("--timeout", type=float, help="seconds until a request is abandoned (60)")
    parser.add_argument("--attempts", type=int, default=3, help="times to measure if others wait too long (3)")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the server is stopped, too
    arguments.timeout = arguments.timeout or (10 if arguments.quick else 60)
    arguments.series = arguments.series or (50_000 if arguments.quick else 750_000)
    arguments.body = arguments.body or (4 * 2**20 if arguments.quick else 32 * 2**20)
    arguments.project = arguments.project.resolve()
    sys.exit(not run(arguments))


if __name__ == "__main__":
    main()
