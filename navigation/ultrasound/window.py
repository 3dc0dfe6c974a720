"""A window on the screen of this machine, if it has one."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping
from enum import Enum

from geometry.extras import from_extra
from navigation.ultrasound.drawing import Picture

TITLE = "SurgNav ultrasound: q ends, g accepts a new size or depth, s saves a picture"


class Key(Enum):
    """What the person at the window asks for."""

    QUIT = "q"
    ACCEPT_GEOMETRY = "g"
    SAVE = "s"


def has_screen(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether a window can be opened. Where it cannot, Qt would end the whole program, so X is asked first."""
    if not environment.get("DISPLAY"):
        return False
    try:
        x11 = ctypes.CDLL("libX11.so.6")
    except OSError:
        return False
    x11.XOpenDisplay.restype = ctypes.c_void_p
    display = x11.XOpenDisplay(environment["DISPLAY"].encode())
    if not display:
        return False
    x11.XCloseDisplay.argtypes = [ctypes.c_void_p]
    x11.XCloseDisplay(display)
    return True


class Window:
    """Shows pictures until it is closed."""

    def __init__(self) -> None:
        with from_extra("ultrasound"):
            import cv2

        self._cv2 = cv2
        cv2.namedWindow(TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
        self._sized = False

    def show(self, picture: Picture) -> Key | None:
        """Shows a picture; returns what the person asked for since the last one. Closing the window is `Key.QUIT`."""
        if not self._sized:
            self._cv2.resizeWindow(TITLE, picture.shape[1], picture.shape[0])
            self._sized = True
        self._cv2.imshow(TITLE, picture)
        pressed = self._cv2.pollKey()
        if self._cv2.getWindowProperty(TITLE, self._cv2.WND_PROP_VISIBLE) < 1:
            return Key.QUIT
        letter = chr(pressed & 0xFF).lower() if pressed >= 0 else ""
        if letter == "\x1b":
            return Key.QUIT
        return next((key for key in Key if key.value == letter), None)

    def close(self) -> None:
        """Closes it."""
        self._cv2.destroyAllWindows()
