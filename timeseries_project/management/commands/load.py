"""`manage.py load FILE`: send a file of items to a running server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from timeseries_project.client.item_files import FileError, Item, opened
from timeseries_project.client.progress import Progress
from timeseries_project.client.sender import ClientError, RefusedError
from timeseries_project.client.target import Target, targets
from timeseries_project.management.base import ClientCommand, whole

#: Items in one request.
BATCH, ARROW_BATCH = 5_000, 50_000
ARROW_SUFFIXES = (".arrow", ".arrows", ".feather")


class Command(ClientCommand):
    """Sends a file in batches; a later run can skip the items that were confirmed."""

    help = (
        "Send a file to a running server: a bandwidths.py (read as a literal, never run), JSON, NDJSON (.ndjson, "
        ".jsonl), CSV or Arrow (.arrow, .arrows, .feather). NDJSON, CSV and Arrow are read bit by bit and may have any "
        "size. Datapoints that exist are "
        "skipped, so loading them again is safe. Bandwidth entries and transactions are added: loaded again, they "
        "count twice. A load that ends early prints how many items were confirmed; --skip continues there."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the file and the options of sending it."""
        parser.add_argument("file", type=Path, metavar="FILE", help=".py, .json, .ndjson, .jsonl, .csv or .arrow")
        parser.add_argument("--app", choices=list(targets()), help="the items' app; by default found by their fields")
        parser.add_argument(
            "--batch-size",
            type=whole(1, 1_000_000),
            metavar="N",
            help=f"items in one request ({BATCH}; of Arrow {ARROW_BATCH})",
        )
        parser.add_argument(
            "--skip",
            type=whole(0, 10**15),
            default=0,
            metavar="N",
            help="skip the first N items, which an earlier load has confirmed",
        )
        super().add_arguments(parser)

    def run(self, options: dict[str, Any]) -> None:
        """Send the file batch by batch."""
        path: Path = options["file"]
        if path.suffix.lower() in ARROW_SUFFIXES:
            self._run_arrow(path, options)
            return
        size = options["batch_size"] or BATCH
        with opened(path, options["app"]) as found:
            self.client.greet()
            with self.progress(f"Loading {path.name}", found.size) as progress:
                batch: list[Item] = []
                for number, item in enumerate(found.items):
                    if number < options["skip"]:
                        continue
                    batch.append(item)
                    if len(batch) == size:
                        self._send(path, found.target, batch, progress)
                        batch = []
                self._send(path, found.target, batch, progress)

    def hint(self, options: dict[str, Any], *, failed: bool, stopped: bool) -> str | None:
        """Return how to continue a load that ended early."""
        if not (failed or stopped):
            return None
        confirmed = options["skip"] + self.sent
        return f"{confirmed:,} items of {options['file']} are confirmed; to continue: --skip {confirmed}"

    def _send(self, path: Path, target: Target | None, batch: list[Item], progress: Progress) -> None:
        self.stop.check()
        if not batch or target is None:
            return
        try:
            self.send(target, [item.body for item in batch])
        except RefusedError as error:
            if error.index is not None and 0 <= error.index < len(batch):
                raise FileError(path, str(error), batch[error.index].line) from None
            lines = f"lines {batch[0].line} to {batch[-1].line}"
            raise ClientError(f"{path}, {lines}: {error}") from None
        progress.update(batch[-1].read, self.sent)

    def _run_arrow(self, path: Path, options: dict[str, Any]) -> None:
        """Send a file of Arrow in slices."""
        # They load pyarrow, which takes a while.
        from timeseries_project.client import arrow_files
        from timeseries_project.client.arrow_sender import ArrowSender

        most = options["batch_size"] or ARROW_BATCH
        with arrow_files.opened(path, options["app"], skip=options["skip"], most=most) as found:
            self.client.greet()
            sender = ArrowSender(self.client, path, found.target)
            with self.progress(f"Loading {path.name}", found.size) as progress:
                for part in found.slices:
                    for sent, outcome in sender.send(part):
                        self.count(found.target, outcome)
                        progress.update(sent.read, self.sent)
                        self.stop.check()
