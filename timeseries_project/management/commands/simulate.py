"""`manage.py simulate`: believable traffic for a running server, so that there is something to look at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from random import Random
from typing import Any
from urllib.parse import urlencode

import msgspec
from django.core.management.base import CommandParser

from timeseries_project.client.progress import Progress
from timeseries_project.client.sender import ClientError
from timeseries_project.client.target import targets
from timeseries_project.client.traffic import ENTRY_STEP, ENTRY_STEPS, SECOND, Traffic
from timeseries_project.core import clock
from timeseries_project.management.base import ClientCommand, number, whole

TICK_SECONDS = 1.0
BATCH = 5_000
#: Limits, in seconds and items, of the backlog that is sent after an outage or at a rate that cannot be reached.
BACKLOG_SECONDS, BACKLOG = 60.0, 100_000


class Command(ClientCommand):
    """Feeds all three apps until the duration is over or Ctrl-C is pressed."""

    stopped_status = 0  # being stopped is the normal end of a simulation
    help = (
        "Send believable traffic to the three apps of a running server: users' devices with a daily rhythm, network "
        "devices with bursts, payments. Some items come late or out of order. A server without datapoints first gets "
        "24 hours of them, and an hour of bandwidth if none was reported lately."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options that say how much to send."""
        parser.add_argument(
            "--devices",
            type=whole(1, 100_000),
            default=20,
            metavar="N",
            help="sensors and network devices (%(default)s)",
        )
        parser.add_argument("--users", type=whole(1, 100_000), default=5, metavar="N", help="users (%(default)s)")
        parser.add_argument(
            "--rate",
            type=number(0, above=True),
            default=100.0,
            metavar="N",
            help="items per second, in all three apps together (%(default)g)",
        )
        parser.add_argument(
            "--duration", type=number(0, above=True), metavar="SECONDS", help="how long; by default until Ctrl-C"
        )
        parser.add_argument("--no-history", action="store_true", help="do not send past data to an empty server")
        super().add_arguments(parser)

    def run(self, options: dict[str, Any]) -> None:
        """Send past data to an empty server, then live traffic."""
        traffic = Traffic(devices=options["devices"], users=options["users"], random=Random())  # noqa: S311 - no secret
        self.client.greet()
        if not options["no_history"]:
            self._send_past(traffic)
        with self.progress("Simulating", options["duration"]) as progress:
            self._send_live(traffic, options["rate"], options["duration"], progress)

    def _send_past(self, traffic: Traffic) -> None:
        now = clock.now()
        first = self.client.get("/datapoints?limit=1")
        if not isinstance(first, dict) or not isinstance(first.get("results"), list):
            raise ClientError(f"{self.client.url} is not this service: /datapoints answers something else.")
        with self.progress("The past", None) as progress:
            if not first["results"]:
                self._send("datapoints", traffic.past_datapoints(now), progress)
            if not self._reported_lately(traffic.network_devices[0], now // SECOND):
                self._send("bandwidth", traffic.past_entries(now), progress)

    def _reported_lately(self, device: str, now: int) -> bool:
        """Return whether a device has reported any bytes in the hour that the past data would fill."""
        length = ENTRY_STEPS * ENTRY_STEP // SECOND
        query = {"device_uuid": device, "end_time": now, "window_time": length, "num_windows": 1}
        answer = self.client.get(f"/api/bandwidth?{urlencode(query)}")
        if answer is None:
            return False
        try:
            return any(window["bytes_ts"] or window["bytes_fs"] for window in answer["data"])
        except (TypeError, KeyError):
            raise ClientError(
                f"{self.client.url} is not this service: /api/bandwidth answers something else."
            ) from None

    def _send_live(self, traffic: Traffic, rate: float, duration: float | None, progress: Progress) -> None:
        start = before = clock.elapsed()
        begin = clock.now()
        ticks = 0
        while duration is None or before < start + duration:
            ticks = max(ticks + 1, int((before - start) / TICK_SECONDS) + 1)
            due = start + ticks * TICK_SECONDS
            self.stop.wait((due if duration is None else min(due, start + duration)) - clock.elapsed())
            self.stop.check()
            passed = clock.elapsed() if duration is None else min(clock.elapsed(), start + duration)
            end = clock.now()
            if end > begin:  # unless the clock was set back
                tick = traffic.tick(begin, end, min(rate * min(passed - before, BACKLOG_SECONDS), BACKLOG))
                for name, items in tick._asdict().items():
                    self._send(name, items, progress, passed - start)
                begin = end
            before = passed
        self._send("datapoints", traffic.late(), progress, before - start)

    def _send(
        self, name: str, items: Iterable[Mapping[str, object]], progress: Progress, done: float | None = None
    ) -> None:
        rest = map(msgspec.json.encode, items)
        while batch := list(islice(rest, BATCH)):
            self.stop.check()
            self.send(targets()[name], batch)
            progress.update(done or 0.0, self.sent)
