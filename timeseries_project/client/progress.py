"""The progress of a command: a bar on a terminal, else a plain line every ten seconds."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Self, TextIO

from timeseries_project.core import clock

LINE_SECONDS = 10.0


class Progress:
    """Shows how many items were sent, how fast, and the time left if the total is known.

    `total` is what `update` counts up to, in any unit. Items `sent` before do not count for the rate; `verb` says what
    was done with them. The bar is drawn
    on `terminal`; without one, `say` gets a line every ten seconds.
    """

    def __init__(
        self,
        title: str,
        *,
        total: float | None,
        say: Callable[[str], object],
        sent: int = 0,
        verb: str = "sent",
        terminal: TextIO | None = None,
    ) -> None:
        self._title = title
        self._total = total
        self._say = say
        self._sent = sent
        self._verb = verb
        self._terminal = terminal
        self._begin = self._said = clock.elapsed()
        self._bar = None
        if terminal is not None:
            from tqdm import tqdm  # loaded only for a terminal

            tqdm.monitor_interval = 0  # no monitor thread
            end = " |{bar}| {percentage:.0f}%, {remaining} left" if total else ", {elapsed}"
            self._bar = tqdm(
                total=total,
                file=terminal,
                desc=title,
                dynamic_ncols=True,
                leave=False,
                bar_format=f"{{desc}}{end}",
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def update(self, done: float, items: int) -> None:
        """Show how much of the total is done and how many items were sent."""
        now = clock.elapsed()
        text = f"{items:,} {self._verb}, {(items - self._sent) / max(now - self._begin, 1e-3):,.0f}/s"
        if self._bar is not None:
            self._bar.set_description_str(f"{self._title}: {text}", refresh=False)
            self._bar.update(done - self._bar.n)
        elif now - self._said >= LINE_SECONDS:
            self._said = now
            share = f" {done / self._total:.0%}," if self._total else ""
            self._say(f"{self._title}:{share} {text}")

    def note(self, text: str) -> None:
        """Print a text on a separate line."""
        if self._bar is None:
            self._say(text)
        else:
            self._bar.write(text, file=self._terminal)
