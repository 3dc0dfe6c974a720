"""Handles Ctrl-C and SIGTERM: as a request to stop, which the program polls, or as the end of its work."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.console import Console

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
def stoppable(where: Callable[[], str], left: Callable[[], str], console: Console) -> Iterator[None]:
    """Within the block Ctrl-C or SIGTERM stops the work; then it is said where it was, and what is left of it.

    Signals within `HURRY_S` after the first are ignored: people press Ctrl-C more than once, and what the block clears
    up on its way out must not be cut short.

    Args:
        where: what was being done.
        left: what the work leaves behind, once the block has cleared up.

    Raises:
        typer.Exit: with 128 and the signal's number, as shells expect.
    """
    stopped: list[tuple[int, float]] = []

    def stop(number: int, frame: FrameType | None) -> None:
        if not stopped or time.monotonic() - stopped[-1][1] > HURRY_S:
            stopped.append((number, time.monotonic()))
            raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except KeyboardInterrupt:
        number = stopped[0][0] if stopped else signal.SIGINT
        by = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
        console.print(f"stopped by {by} at {where()}: {left()}", style="yellow", markup=False, highlight=False)
        raise typer.Exit(128 + number) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
