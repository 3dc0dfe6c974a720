"""One key, one step: from a keyboard without Enter, or from a pipe, so that a session can be scripted."""

from __future__ import annotations

import sys
from typing import Protocol, TextIO

import typer


class Keys(Protocol):
    """Where the person's keys come from."""

    def next(self) -> str | None:
        """The next key; None if there are no more."""
        ...

    def line(self) -> str:
        """What is typed up to Enter, such as a number; empty if there is no more."""
        ...


class PipedKeys:
    """From a file or a pipe; white space between keys is skipped."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def next(self) -> str | None:
        while key := self._stream.read(1):
            if not key.isspace():
                return key
        return None

    def line(self) -> str:
        return self._stream.readline().strip()


class Keyboard:
    """From a terminal: a step needs no Enter, a number does."""

    def next(self) -> str | None:
        try:
            return typer.getchar()
        except (EOFError, KeyboardInterrupt):
            return None

    def line(self) -> str:
        try:
            return input("number: ").strip()
        except EOFError:
            return ""


def open_keys() -> Keys:
    """The keyboard if there is one, else whatever standard input is."""
    return Keyboard() if sys.stdin.isatty() else PipedKeys(sys.stdin)
