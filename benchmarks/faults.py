"""One fault after the other while all apps are written to and read at a steady rate: what is lost, or there twice?

    python benchmarks/faults.py --seconds 600
    python benchmarks/faults.py --only takeover link --min-replicas 0

Starts a cluster of three masters with replicas, and the service with four workers. Each fault has a quiet time
before and after it. Then the load stops, and all that is stored is compared with what was acknowledged, at the end by a
service that has just started, too. The table has for each fault the seconds in which a request failed, and the latency
of writes, which counts from when they were due.

The promise is strict if there is an append-only file and a master without replicas refuses writes (`--appendonly
everysec --min-replicas 1`, the default): then every acknowledged write must be there. Without, writes that are lost
when a replica takes over are counted, and are no failure. In either case nothing may be there twice or in part, and
nothing that was never sent. The service does not `WAIT` for replicas.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from faults_cluster import FAULTS, ROOT, Cluster, Fault, UnsettledError, service
from faults_ledger import (
    ACKNOWLEDGED,
    CUT,
    HANGS,
    UNKNOWN,
    Bandwidth,
    Changes,
    Connection,
    Datapoints,
    Load,
    Payments,
    Reader,
    Sample,
    Writer,
)
from report import machine
from servers import Server

SHORT = ("takeover", "workers")
SHORT_SECONDS = 20.0
HEADING = """\
| fault | lasted | seconds with failures: datapoints, bandwidth, payments, reads | p50 / p99 before | during | after \
| acknowledged | unknown | lost | twice |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"""


class Trial:
    """The faults, and what has come of them."""

    def __init__(self, cluster: Cluster, server: Server, *, rate: float, quiet: float, strict: bool) -> None:
        self.cluster, self.server, self.quiet, self.strict = cluster, server, quiet, strict
        self.writers: list[Writer] = [Datapoints(rate), Bandwidth(rate), Payments(rate)]
        self.reader = Reader(rate)
        self.faults: list[str] = []
        self.notes: list[str] = []  # what follows from writes that were lost and might be

    def run(self, name: str, fault: Fault) -> None:
        """Make one fault under load, and print its row."""
        before = self._counts()
        everyone: list[Writer | Reader] = [*self.writers, self.reader]
        for one in everyone:
            one.samples = []
        load = Load(self.server.port, everyone)
        try:
            time.sleep(self.quiet)
            begin = time.monotonic()
            fault.act(self.cluster, self.server)
            self.cluster.settle()
            end = time.monotonic()
            time.sleep(self.quiet)
        finally:
            load.stop()
        changes = [writer.compare(writer.stored(Connection(self.server.port))) for writer in self.writers]
        lost, twice = sum(change.lost for change in changes), sum(change.twice for change in changes)
        self._judge(name, changes, self.strict or not fault.may_lose)
        counts = self._counts() - before
        failed = ", ".join(str(len(self._failed(one, begin))) for one in everyone)
        samples = [sample for writer in self.writers for sample in writer.samples]
        spans = [(load.begin, begin), (begin, end), (end, float("inf"))]
        latencies = " | ".join(latency([s for s in samples if low <= s.due < high]) for low, high in spans)
        row = f"{fault.title} (`{name}`) | {end - begin:.1f} s | {failed} | {latencies}"
        print(f"| {row} | {counts[ACKNOWLEDGED]:,} | {counts[UNKNOWN]:,} | {lost:,} | {twice:,} |", flush=True)
        for one in everyone:
            told = Counter(spelt(sample.status) for sample in one.samples)
            print(f"  {name}, {one.name}: {dict(told)}", file=sys.stderr, flush=True)

    def end(self, again: Server) -> None:
        """Compare everything once more, by a service that has just started."""
        again.start()
        changes = [writer.compare(writer.stored(Connection(again.port))) for writer in self.writers]
        lost, twice = sum(change.lost for change in changes), sum(change.twice for change in changes)
        self._judge("a service that has just started", changes, True)
        print(f"\nA service that has just started: {lost:,} more are lost, {twice:,} more are there twice.")

    def _judge(self, name: str, changes: list[Changes], is_held: bool) -> None:
        for writer, change in zip(self.writers, changes, strict=True):
            (self.faults if is_held else self.notes).extend(f"{name}: {what}" for what in change.differing)
            if change.lost and is_held:
                self.faults.append(f"{name}: {change.lost:,} acknowledged items of {writer.name} are lost")
            if change.twice:
                self.faults.append(f"{name}: {change.twice:,} items of {writer.name} are there twice")
            self.faults += [f"{name}: {fault}" for fault in change.faults]
        for one in [*self.writers, self.reader]:
            self.faults += [f"{name}: {error}" for error in sorted(set(one.errors))[:5]]
            one.errors.clear()

    def _failed(self, client: Writer | Reader, begin: float) -> set[int]:
        """Return the seconds since the fault began in which requests were due that failed."""
        good = range(200, 300) if client is not self.reader else (200, 404)
        return {int(s.due - begin) for s in client.samples if s.due >= begin - 1 and s.status not in good}

    def _counts(self) -> Counter[str]:
        return Counter(
            {state: sum(writer.count(state) for writer in self.writers) for state in (ACKNOWLEDGED, UNKNOWN)}
        )


def latency(samples: list[Sample]) -> str:
    """Return the median and p99 of some requests."""
    if not samples:
        return ""
    times = sorted(sample.seconds * 1_000 for sample in samples)
    return f"{times[len(times) // 2]:,.0f} / {times[len(times) * 99 // 100]:,.0f} ms"


def spelt(status: int) -> str:
    return {CUT: "cut", HANGS: "no answer"}.get(status, str(status))


def arguments() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=["redis", "valkey"], default="redis", help="the servers of the cluster")
    parser.add_argument("--appendonly", choices=["no", "everysec", "always"], default="everysec")
    parser.add_argument("--min-replicas", type=int, choices=[0, 1], default=1, help="min-replicas-to-write")
    parser.add_argument("--replicas", type=int, choices=[1, 2], default=1, help="of each master")
    parser.add_argument("--node-timeout", type=int, default=2_000, help="cluster-node-timeout, in milliseconds")
    parser.add_argument("--seconds", type=float, default=600, help="of quiet time, shared among the faults")
    parser.add_argument("--rate", type=float, default=10, help="requests a second, to each app and of readers")
    parser.add_argument("--only", nargs="+", choices=FAULTS, metavar="FAULT", help=f"of {', '.join(FAULTS)}")
    parser.add_argument("--short", action="store_true", help="two faults in less than a minute")
    parser.add_argument("--seed", type=int, default=1, help="chooses the servers that fail")
    options = parser.parse_args()
    if options.short:
        options.only, options.seconds = options.only or SHORT, min(options.seconds, SHORT_SECONDS)
    return options


def configuration(options: argparse.Namespace) -> list[str]:
    """Return the options of the storage's servers."""
    chosen = {
        "--appendonly": "no" if options.appendonly == "no" else "yes",
        "--appendfsync": "everysec" if options.appendonly == "no" else options.appendonly,
        "--min-replicas-to-write": str(options.min_replicas),
        "--cluster-node-timeout": str(options.node_timeout),
        "--cluster-require-full-coverage": "no",
    }
    return [word for pair in chosen.items() for word in pair]


def main() -> int:
    """Make the faults and print the table; return 1 if anything is not as it must be."""
    options = arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the servers are to be stopped, too
    names = [name for name in options.only or FAULTS if name != "restart" or options.appendonly != "no"]
    strict = options.appendonly != "no" and options.min_replicas > 0
    print(f"{machine()}\n\n{options.kind}, replicas of each master: {options.replicas}, appendonly", end=" ")
    print(f"{options.appendonly}, min-replicas-to-write {options.min_replicas}.", end=" ")
    print("Nothing may be lost" if strict else "A takeover may lose writes", end="; ")
    print(f"{options.rate:g} requests a second to each app.\n\n{HEADING}", flush=True)
    cluster = Cluster(options.kind, configuration(options), options.replicas, random.Random(options.seed))
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        logs = [Path(folder, name) for name in ("first", "again")]
        for path in logs:
            path.mkdir()
        server, again = (service(cluster.first, path) for path in logs)
        quiet = options.seconds / (2 * len(names))
        trial = Trial(cluster, server, rate=options.rate, quiet=quiet, strict=strict)
        try:
            cluster.settle()
            subprocess.run([sys.executable, "manage.py", "compile"], cwd=ROOT, check=True, capture_output=True)
            server.start()
            for name in names:
                trial.run(name, FAULTS[name])
            trial.end(again)
        except UnsettledError as error:
            trial.faults.append(str(error))
        finally:
            server.stop()
            again.stop()
            cluster.stop()
        if trial.faults:
            print("".join((path / "log").read_text()[-3_000:] for path in logs[:1]), file=sys.stderr)
    print("".join(f"Because writes were lost: {note}\n" for note in trial.notes), end="")
    print("\n".join(trial.faults) or "No fault.")
    return bool(trial.faults)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
