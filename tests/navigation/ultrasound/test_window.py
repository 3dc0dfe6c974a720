"""The window on a real X server without a screen (Xvfb), with keys pressed as a person presses them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from navigation.ultrasound.window import has_screen
from tests.conftest import IN_CI

MISSING = [name for name in ("Xvfb", "xdotool") if shutil.which(name) is None]


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    """A virtual screen of its own; the number is the first free one."""
    if MISSING:
        reason = f"no {' and '.join(MISSING)}: make setup-tests"
        pytest.fail(reason) if IN_CI else pytest.skip(reason)
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "800x600x24", "-nolisten", "tcp", "-noreset"],
        pass_fds=[write],
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    with os.fdopen(read) as said:
        number = said.readline().strip()
    yield f":{number}"
    server.terminate()
    server.wait()


def xdotool(display: str, *words: str) -> str:
    environment = {**os.environ, "DISPLAY": display}
    return subprocess.run(["xdotool", *words], env=environment, capture_output=True, text=True, check=False).stdout


def is_pictured(display: str) -> bool:
    from PIL import ImageGrab

    pixels = np.asarray(ImageGrab.grab(xdisplay=display))
    return bool((pixels == (80, 160, 40)).all(axis=2).sum() > 50_000)


def soon(happens: Callable[[], object]) -> None:
    for _ in range(300):
        if happens():
            return
        time.sleep(0.1)
    raise AssertionError("it did not happen within half a minute")


def test_the_picture_is_on_the_screen_and_keys_are_understood(display: str) -> None:
    program = subprocess.Popen(
        [sys.executable, "-m", "tests.navigation.ultrasound.window_program"],
        env={**os.environ, "DISPLAY": display},
        stdout=subprocess.PIPE,
        text=True,
    )
    with program:
        soon(lambda: is_pictured(display))
        window = xdotool(display, "search", "--name", "SurgNav ultrasound").split()[0]
        assert program.stdout is not None
        for pressed, meant in (("g", "ACCEPT_GEOMETRY"), ("s", "SAVE"), ("Escape", "QUIT")):
            xdotool(display, "windowfocus", window)  # a window manager would give it the keyboard; there is none here
            xdotool(display, "key", pressed)
            assert program.stdout.readline().strip() == meant
    assert program.returncode == 0


def test_a_screen_is_asked_for_before_a_window_is_opened(display: str) -> None:
    assert has_screen({"DISPLAY": display})
    assert not has_screen({"DISPLAY": ":9999"})
    assert not has_screen({})
