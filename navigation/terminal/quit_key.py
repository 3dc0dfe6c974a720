"""Keys that are pressed while something is shown on a terminal, without Enter and without waiting for them."""

from __future__ import annotations

import os
import select
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def pressed_keys() -> Iterator[Callable[[], str | None] | None]:
    """While the block runs, the yielded function gives the next key that was pressed, None if there is none.

    Without a keyboard None is yielded instead.
    """
    if not sys.stdin.isatty():
        yield None
        return
    import termios
    import tty

    keyboard = sys.stdin.fileno()
    before = termios.tcgetattr(keyboard)
    typed: deque[str] = deque()

    def next_key() -> str | None:
        while select.select([keyboard], [], [], 0.0)[0]:
            read = os.read(keyboard, 64)
            if not read:
                break
            typed.extend(read.decode("utf-8", "replace").lower())
        return typed.popleft() if typed else None

    try:
        tty.setcbreak(keyboard)
        yield next_key
    finally:
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)


@contextmanager
def quit_key(key: str = "q") -> Iterator[Callable[[], bool]]:
    """While the block runs, the yielded function tells whether `key` was pressed; without a keyboard it never was."""
    pressed = False
    with pressed_keys() as next_key:

        def was_pressed() -> bool:
            nonlocal pressed
            while not pressed and next_key is not None and (typed := next_key()) is not None:
                pressed = typed == key
            return pressed

        yield was_pressed
