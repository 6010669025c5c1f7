"""Compares the service with its peers and its goals, side by side in one run: `python benchmarks/compare.py`.

Every benchmark starts fresh servers on loopback and drives them in turns (A B C, A B C, ...), so that a change in the
machine's speed affects all alike. It prints ratios, with the medians behind them, as rows of a Markdown table. Peers
that are not installed are left out.
"""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

from concurrency import concurrency
from footprint import lines, memory_growth, memory_per_point, memory_per_series, start
from ingest import arrow, disorder, formats, ingest, late, line_protocol, transaction_batches
from live_pages import live_pages
from options import Options
from reads import averages, bandwidth_query, deletion, listing, long_answers
from report import HEADING, Row, machine
from servers import FASTAPI, INFLUX, VICTORIA, installed
from waits import waits


def apart(module: str, function: str) -> Callable[[Options], list[Row]]:
    """Return a benchmark that runs in a process of its own, which imports the service.

    This one must not: libraries that both had loaded would count as shared, and the server's memory as less.
    """

    def run(options: Options) -> list[Row]:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
            return process.submit(_run, module, function, options).result()

    return run


def _run(module: str, function: str, options: Options) -> list[Row]:
    rows: list[Row] = getattr(importlib.import_module(module), function)(options)
    return rows


BENCHMARKS: dict[str, Callable[[Options], list[Row]]] = {
    "ingest": ingest,
    "line-protocol": line_protocol,
    "disorder": disorder,
    "late": late,
    "formats": formats,
    "arrow": arrow,
    "averages": averages,
    "average-parts": apart("stages", "average_parts"),
    "long-answers": long_answers,
    "listing": listing,
    "waits": waits,
    "stages": apart("stages", "batch_parts"),
    "memory-per-point": memory_per_point,
    "memory-per-series": memory_per_series,
    "memory-growth": memory_growth,
    "deletion": deletion,
    "transactions-engine": apart("engines", "transactions_goals"),
    "transaction-batches": transaction_batches,
    "bandwidth": bandwidth_query,
    "concurrency": concurrency,
    "live-pages": live_pages,
    "start": start,
    "lines": lines,
}


def main() -> int:
    """Run the chosen benchmarks; return 1 if one of them failed."""
    parser = argparse.ArgumentParser(description="Compare the service with its peers, as a Markdown table.")
    parser.add_argument("--quick", action="store_true", help="small sizes, under three minutes")
    parser.add_argument("--full", action="store_true", help="all sizes, up to 100 million points; about twenty minutes")
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS, metavar="NAME", help=f"of {', '.join(BENCHMARKS)}")
    arguments = parser.parse_args()
    options = Options(quick=arguments.quick, full=arguments.full)
    # SIGTERM must stop the servers, too, as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)

    print(f"{machine()}; {time.strftime('%Y-%m-%d')}\n")
    absent = [name for name in (INFLUX, VICTORIA, FASTAPI) if not installed(name)]
    if absent:
        print(f"Not installed, and so left out: {', '.join(absent)}.\n")
    print(HEADING)
    failed = 0
    for name in arguments.only or BENCHMARKS:
        begin = time.perf_counter()
        try:
            rows = BENCHMARKS[name](options)
        except Exception as error:  # the other benchmarks still run
            failed += 1
            rows = []
            print(f"{name} failed: {type(error).__name__}: {error}", file=sys.stderr)
        for row in rows:
            print(row, flush=True)
        print(f"{name}: {time.perf_counter() - begin:.0f} s", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
