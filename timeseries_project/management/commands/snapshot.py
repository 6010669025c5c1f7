"""`manage.py snapshot`: have a running server write what it holds to its file."""

from __future__ import annotations

from typing import Any

from timeseries_project.client.sender import ClientError
from timeseries_project.management.base import ClientCommand

#: Seconds to wait for the answer, which comes when the file is complete and on the disk.
ANSWER_SECONDS = 3_600.0


class Command(ClientCommand):
    """Asks for a snapshot and prints what was written."""

    help = (
        "Have a running server write what is in its memory to the file that its setting SNAPSHOT names. When the "
        "command ends with 0, the file is complete and holds everything that the server had acknowledged before."
    )

    def run(self, options: dict[str, Any]) -> None:
        """Ask once; while the server is away, again."""
        self.client.greet()
        answer = self.client.order("/api/snapshot", seconds=ANSWER_SECONDS)
        try:
            moment, size, seconds = str(answer.pop("timestamp")), int(answer.pop("bytes")), float(answer.pop("seconds"))
            rows = ", ".join(f"{name} {int(count):,}" for name, count in answer.items())
        except (AttributeError, KeyError, TypeError, ValueError):
            raise ClientError(f"{self.client.url} is not this service: its answer has an unexpected form.") from None
        self.stdout.write(f"Snapshot of {moment}: {size:,} bytes in {seconds:.1f} s; rows: {rows or 'none'}")

    def _sum_up(self, seconds: float, options: dict[str, Any], *, failed: bool, stopped: bool) -> None:
        """Add nothing: nothing was sent."""
