"""The key that ends what is shown on a terminal, without Enter and without waiting for it."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def quit_key(key: str = "q") -> Iterator[Callable[[], bool]]:
    """While the block runs, the yielded function tells whether `key` was pressed; without a keyboard it never was."""
    if not sys.stdin.isatty():
        yield lambda: False
        return
    import termios
    import tty

    keyboard = sys.stdin.fileno()
    before = termios.tcgetattr(keyboard)
    pressed = False

    def was_pressed() -> bool:
        nonlocal pressed
        while not pressed and select.select([keyboard], [], [], 0.0)[0]:
            typed = os.read(keyboard, 64)
            if not typed:
                break
            pressed = key.encode() in typed.lower()
        return pressed

    try:
        tty.setcbreak(keyboard)
        yield was_pressed
    finally:
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)
