"""`manage.py dump FILE`: take what a running server stores out into a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from timeseries_project.client import dump_file
from timeseries_project.client.counting import count_items
from timeseries_project.client.dump_file import DumpFile
from timeseries_project.client.listing_reader import ListingReader
from timeseries_project.client.sender import ClientError
from timeseries_project.client.target import Listing, targets
from timeseries_project.management.base import ClientCommand, whole

FILTERS = ("device", "user", "start", "end")


class Command(ClientCommand):
    """Follows the listing of an app along its cursor; a later run goes on where one was interrupted."""

    help = (
        "Write the datapoints or the bandwidth entries of a running server to a file, from which `load` sends them to "
        "this or another server: .arrow (Arrow IPC, also known as Feather), .ndjson or .csv. A dump that ends early "
        "leaves FILE.part and FILE.part.json; --resume goes on there. Each row comes once; what is written behind the "
        "place that the dump has reached is not in it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the file, and the options that choose what goes into it."""
        parser.add_argument("file", type=Path, metavar="FILE", help=".arrow, .ndjson or .csv")
        apps = [name for name, target in targets().items() if target.listing]
        parser.add_argument("--app", choices=apps, required=True, help="whose data")
        parser.add_argument("--device", metavar="KEY", help="only of this device")
        parser.add_argument("--user", metavar="KEY", help="only of this user; datapoints have them")
        parser.add_argument("--start", metavar="TIME", help="only from this time on, as the API takes it")
        parser.add_argument("--end", metavar="TIME", help="only before this time")
        parser.add_argument("--resume", action="store_true", help="go on with an unfinished dump, if there is one")
        parser.add_argument("--force", action="store_true", help="replace FILE if it exists, and what is unfinished")
        parser.add_argument(
            "--batch-size", type=whole(1, 10_000), default=10_000, metavar="N", help="rows in one request (%(default)s)"
        )
        super().add_arguments(parser)

    def run(self, options: dict[str, Any]) -> None:
        """Write the listing part by part."""
        self.dumped: DumpFile | None = None
        target = targets()[options["app"]]
        listing = target.listing
        assert listing is not None
        query = _query(listing, options)
        question = {"app": options["app"], "url": self.client.url, **query}
        path: Path = options["file"]
        with dump_file.opened(path, target, question, resume=options["resume"], force=options["force"]) as file:
            self.client.greet()
            total = count_items(self.client, listing, options)
            self.dumped = file
            with self.progress(f"Dumping {path.name}", total, done=file.before, verb="dumped") as progress:
                reader = ListingReader(self.client, target, file.format, {**query, "limit": str(options["batch_size"])})
                file.begin()
                while not file.state.complete:
                    file.add(*reader.part(file.state.cursor))
                    progress.update(file.state.rows, file.state.rows)
                    self.stop.check()
            file.finish()

    def summary(self, seconds: float) -> Iterator[str]:
        """Yield the one line of the summary; none if nothing was fetched."""
        if self.dumped is None or not (self.succeeded or self.client.retries or self.dumped.state.rows):
            return
        rows, before = self.dumped.state.rows, self.dumped.before
        earlier = f"{before:,} of them earlier, " if before else ""
        rate = (rows - before) / max(seconds, 1e-3)
        speed = f"{seconds:.1f} s, {rate:,.0f} per second, {self.client.retries:,} retries"
        yield f"in all: {rows:,} dumped, {earlier}in {speed}"

    def hint(self, options: dict[str, Any], *, failed: bool, stopped: bool) -> str | None:
        """Return how to go on with a dump that ended early."""
        if self.dumped is None or not (failed or stopped):
            return None
        return f"{options['file']} is not there yet: what was fetched is in {options['file']}.part; to go on: --resume"


def _query(listing: Listing, options: dict[str, Any]) -> dict[str, str]:
    """Return the parameters of the listing that the options choose. ClientError for one that it does not have."""
    chosen = {name: options[name] for name in FILTERS if options[name] is not None}
    if unknown := chosen.keys() - listing.filters.keys():
        raise ClientError(f"{options['app']} cannot be chosen by --{', --'.join(sorted(unknown))}.")
    return {listing.filters[name]: value for name, value in chosen.items()}
