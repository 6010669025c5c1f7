"""The common base of the client commands, which speak to a running server."""

from __future__ import annotations

import math
import os
import signal
import sys
import threading
from abc import ABC, abstractmethod
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Any, NoReturn, Self

from django.core.management.base import BaseCommand, CommandError, CommandParser

from timeseries_project import env
from timeseries_project.client.item_files import FileError
from timeseries_project.client.progress import Progress
from timeseries_project.client.sender import Client, ClientError, Outcome
from timeseries_project.client.target import Target, targets
from timeseries_project.core import clock

STOPPED = 130


class Interrupts:
    """Handles Ctrl-C and SIGTERM: the request under way is still answered, so what was sent is known exactly.

    The first signal raises KeyboardInterrupt at once only while the program waits, a second one anywhere.
    """

    def __init__(self) -> None:
        self.asked = False
        self._waiting = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():  # others get no signals
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def check(self) -> None:
        """Raise KeyboardInterrupt if the command was asked to stop."""
        if self.asked:
            raise KeyboardInterrupt

    def wait(self, seconds: float) -> None:
        """Wait, but raise KeyboardInterrupt once the command was asked to stop."""
        self._waiting = True
        try:
            self.check()
            if seconds > 0:
                clock.sleep(seconds)
        finally:
            self._waiting = False

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._waiting or self.asked:
            self.asked = True
            raise KeyboardInterrupt
        self.asked = True


@dataclass(slots=True)
class SendCounts:
    """The outcomes of all items sent to one app."""

    sent: int = 0
    created: int = 0
    skipped: int = 0
    expired: int = 0

    def add(self, outcome: Outcome) -> None:
        """Count a batch."""
        self.sent += sum(outcome)
        self.created += outcome.created
        self.skipped += outcome.skipped
        self.expired += outcome.expired

    def __str__(self) -> str:
        return (
            f"{self.sent:,} sent, {self.created:,} created, {self.skipped:,} skipped as known, {self.expired:,} expired"
        )


class ClientCommand(BaseCommand, ABC):
    """A command that speaks to a server and always ends with a summary.

    An error is one line on standard error. A subclass does its work in `run`; its `stopped_status` is the exit status
    after Ctrl-C.
    """

    requires_system_checks = ()
    stopped_status = STOPPED

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Return a parser that reports an invalid option in one line."""
        parser = super().create_parser(prog_name, subcommand, **kwargs)

        def error(message: str) -> NoReturn:
            if not parser.called_from_command_line:
                raise CommandError(f"Error: {message}")
            parser.exit(2, f"{parser.prog}: {message}; see --help.\n")

        parser.error = error  # type: ignore[method-assign]  # argparse has no other way to leave out the usage
        return parser

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options of all client commands."""
        parser.add_argument(
            "--url", help="URL of the server; by default from the variables HOST and PORT, else http://127.0.0.1:8000"
        )
        parser.add_argument("--token", help="an API token, if the server needs one; by default the variable API_TOKEN")
        parser.add_argument("--gzip", action="store_true", help="bodies and answers as gzip, for a slow network")
        parser.add_argument(
            "--patience",
            type=number(0),
            default=60.0,
            metavar="SECONDS",
            help="how many seconds to repeat a request while the server is away (%(default)g)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Send, then print the summary; an error is the last line, on standard error."""
        self.totals: dict[str, SendCounts] = {}
        self.stop = Interrupts()
        self._progress: Progress | None = None
        self._quiet = options["verbosity"] == 0
        failure: Exception | None = None
        stopped = False
        try:
            with self.stop:
                token = options["token"] if options["token"] is not None else env.text("API_TOKEN", "")
                self.client = Client(
                    env.server_url() if options["url"] is None else options["url"],
                    token=token,
                    packed=options["gzip"],
                    patience=options["patience"],
                    wait=self.stop.wait,
                    on_wait=self._on_wait,
                )
                begin = clock.elapsed()
                try:
                    self.run(options)
                except KeyboardInterrupt:
                    stopped = True
                except (ClientError, FileError) as error:
                    failure = error
                self._sum_up(clock.elapsed() - begin, options, failed=failure is not None, stopped=stopped)
        except ClientError as error:
            failure = error
        except BrokenPipeError:
            # Nobody reads the output any more. The buffered rest must not fail again when the interpreter ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(1) from None
        if failure is not None:
            raise CommandError(str(failure)) from None
        if stopped and self.stopped_status:
            raise SystemExit(self.stopped_status)

    @abstractmethod
    def run(self, options: dict[str, Any]) -> None:
        """Send or fetch everything. ClientError, FileError or KeyboardInterrupt end it."""

    def hint(self, options: dict[str, Any], *, failed: bool, stopped: bool) -> str | None:
        """Return the last line of the summary, if there is one."""
        return None

    def send(self, target: Target, items: list[bytes]) -> None:
        """Send a batch and count its outcome."""
        self.count(target, self.client.post(target, items))

    def count(self, target: Target, outcome: Outcome) -> None:
        """Count the outcome of a batch."""
        name = next(name for name, known in targets().items() if known is target)
        self.totals.setdefault(name, SendCounts()).add(outcome)

    @property
    def sent(self) -> int:
        """The number of items that the server has confirmed."""
        return sum(totals.sent for totals in self.totals.values())

    def progress(self, title: str, total: float | None, *, done: int | None = None, verb: str = "sent") -> Progress:
        """Return the progress display: a bar if standard output is a terminal. `done` items are done already."""
        terminal = sys.stdout if self.stdout.isatty() and not self._quiet else None
        before = self.sent if done is None else done
        self._progress = Progress(title, total=total, say=self._say, sent=before, verb=verb, terminal=terminal)
        return self._progress

    def summary(self, seconds: float) -> Iterator[str]:
        """Yield the lines of the summary; none if nothing was done."""
        if not (self.totals or self.client.retries or self.succeeded):
            return
        for name, totals in self.totals.items():
            yield f"{name}: {totals}"
        rate = self.sent / max(seconds, 1e-3)
        yield f"in all: {self.sent:,} sent in {seconds:.1f} s, {rate:,.0f} per second, {self.client.retries:,} retries"
        if self.client.doubtful:
            yield f"{self.client.doubtful:,} of them were sent again after a connection broke, and may count twice."

    def _say(self, text: str) -> None:
        if not self._quiet:
            self.stdout.write(text)
            self.stdout.flush()

    def _on_wait(self, reason: str) -> None:
        if self._progress is not None:
            self._progress.note(f"The server is away ({reason}); trying again.")

    def _sum_up(self, seconds: float, options: dict[str, Any], *, failed: bool, stopped: bool) -> None:
        self.succeeded = not failed
        lines = list(self.summary(seconds))
        if not lines:
            return  # nothing was done, and the one line of the error says why
        for line in lines:
            self.stdout.write(line)
        if hint := self.hint(options, failed=failed, stopped=stopped):
            self.stdout.write(hint)
        self.stdout.flush()


def number(least: float, *, above: bool = False) -> Callable[[str], float]:
    """Return a reader for argparse of finite numbers, at least `least`, or greater where `above` is set."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or value < least or (above and value == least):
            raise ArgumentTypeError(f"must be a number {'above' if above else 'from'} {least:g}, not {text!r}")
        return value

    return read


def whole(least: int, most: int) -> Callable[[str], int]:
    """Return a reader for argparse of whole numbers from `least` to `most`."""

    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) < 19 and least <= int(text) <= most):
            raise ArgumentTypeError(f"must be a whole number from {least} to {most}, not {text!r}")
        return int(text)

    return read
