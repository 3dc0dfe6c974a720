"""The key that ends a live table, on a terminal of its own."""

from __future__ import annotations

import os
import termios
from pathlib import Path

import pytest

from navigation.terminal.quit_key import quit_key


def test_q_is_heard_without_enter_and_the_terminal_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    keyboard, terminal = os.openpty()
    with os.fdopen(terminal) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        before = termios.tcgetattr(terminal)
        with quit_key() as pressed:
            assert not pressed()
            os.write(keyboard, b"x y")
            assert not pressed()
            os.write(keyboard, b"Q")
            assert pressed()
            assert pressed(), "once is for good"
        assert termios.tcgetattr(terminal) == before
    os.close(keyboard)


def test_without_a_keyboard_it_is_never_pressed(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path(os.devnull).open() as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        with quit_key() as pressed:
            assert not pressed()
