"""Progress of a long command: a bar on a terminal; a line every few seconds elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.markup import escape

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

LINE_EVERY_S = 5.0


class ProgressLine:
    """Shows the progress of one stage after the other; a finished stage leaves a line with a tick."""

    def __init__(self, console: Console, line_every_s: float = LINE_EVERY_S) -> None:
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        self._console, self._line_every_s = console, line_every_s
        self._said, self._said_s = "", time.monotonic()
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        self._bar: Progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._bar.add_task("starting", total=None)
        self._stage, self._share, self._began_s = "", 0.0, time.monotonic()

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Shows the bar while the block runs."""
        with self._bar:
            yield

    def __call__(self, stage: str, share: float) -> None:
        """Shows that `share`, from 0 to 1, of `stage` is done."""
        if stage != self._stage:
            self._stage, self._began_s = stage, time.monotonic()
            self._bar.reset(self._task, description=escape(stage))
        self._share = share
        self._bar.update(self._task, completed=share, total=1.0 if share > 0.0 else None)
        if share == 1.0:
            self._console.print(f"[green]✓[/] {escape(stage)}", highlight=False)
        elif share > 0.0 and not self._console.is_terminal:
            self._say_now_and_then(f"  {stage} {share:.0%}, about {self._remaining_s():.0f} s left")

    @property
    def where(self) -> str:
        """The stage, and how much of it is done."""
        return f"{self._stage or 'the start'}, {self._share:.0%} of it done"

    def _remaining_s(self) -> float:
        """Of the stage, if it goes on at its pace so far."""
        return (time.monotonic() - self._began_s) * (1.0 - self._share) / self._share

    def _say_now_and_then(self, line: str) -> None:
        now_s = time.monotonic()
        if line == self._said or now_s - self._said_s < self._line_every_s:
            return
        self._said, self._said_s = line, now_s
        self._console.print(line, highlight=False, markup=False)
