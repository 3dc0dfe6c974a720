"""Handles Ctrl-C and SIGTERM: as a request to stop, which the program polls, or as the end of its work."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from navigation.terminal.progress import ProgressLine

HURRY_S = 3.0


@contextmanager
def stop_requested() -> Iterator[Callable[[], bool]]:
    """While the block runs, the first signal only makes the yielded function return True.

    Raises:
        KeyboardInterrupt: at a second signal.
    """
    asked = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def stoppable(
    progress: ProgressLine, left: Callable[[], str], console: Console
) -> Iterator[Callable[[str, float], None]]:
    """Gives work its progress, by which Ctrl-C or SIGTERM stops it; says where it was, and what is left of it.

    The work stops where it next shows progress. An exception at any moment is unsafe: in the import of a library in C++
    it ends in a crash. Who asks again after `HURRY_S` gets that none the less; sooner, it is the same hand on the keys.
    Once the work is stopping, nothing cuts short what it clears up.

    Args:
        left: what the work leaves behind, once the block has cleared up.

    Raises:
        typer.Exit: with 128 and the signal's number, as shells expect.
    """
    asked: list[tuple[int, float]] = []
    stopping = False

    def stop() -> None:
        nonlocal stopping
        stopping = True
        raise KeyboardInterrupt

    def note(number: int, frame: FrameType | None) -> None:
        if not asked:
            asked.append((number, time.monotonic()))
            os.write(2, b"\nstopping after this step\n")  # a handler may interrupt a print
        elif not stopping and time.monotonic() - asked[0][1] > HURRY_S:
            stop()

    def watched(stage: str, share: float) -> None:
        if asked and not stopping:
            stop()
        progress(stage, share)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield watched
    except KeyboardInterrupt:
        number = asked[0][0] if asked else signal.SIGINT
        by = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
        said = f"stopped by {by} at {progress.where}: {left()}"
        console.print(said, style="yellow", markup=False, highlight=False)
        raise typer.Exit(128 + number) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
