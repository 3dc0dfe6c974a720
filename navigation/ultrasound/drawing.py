"""A frame as a person sees it: contours where they may be shown, and a line that says what state it is in."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from case.colours import rgb, structure_colour
from geometry.extras import from_extra
from navigation.devices.ultrasound.source import GreyPixels
from navigation.ultrasound.shown import Shown
from reconstruction.ultrasound.contours import Contour

Picture = NDArray[np.uint8]
Bgr = tuple[float, float, float]

WIDTH = 640  # of every picture, so that a video has one size; pixels stay square
_LINE, _MARGIN, _LINES = 20, 8, 3
_WHITE, _AMBER, _GREY = (255.0, 255.0, 255.0), (60.0, 190.0, 255.0), (170.0, 170.0, 170.0)
_EMPTY = (480, 640)
_LABEL = (100, 16)  # width and height of a contour's name


@dataclass(frozen=True)
class Caption:
    """What every picture of a run says: the source's and the model's names."""

    source: str
    model: str


def draw(shown: Shown, caption: Caption, height: int) -> Picture:
    """The newest frame ``(height, WIDTH, 3)`` BGR; contours only while `shown` is usable, else the frame is dimmed.

    Args:
        height: of the whole picture, from `picture_height`.
    """
    pixels = None if shown.result is None else shown.result.pixels
    room = height - _LINES * _LINE - _MARGIN
    picture = np.zeros((height, WIDTH, 3), np.uint8)
    if pixels is not None:
        scale, (top, left) = _fit(pixels, room)
        frame = _enlarged(pixels, scale)
        picture[top : top + frame.shape[0], left : left + frame.shape[1]] = frame if shown.is_usable else frame // 3
        if shown.is_usable and shown.result is not None:
            labels: list[tuple[int, int]] = []
            for contour in shown.result.contours:
                highest = _draw_contour(picture, contour, scale, (top, left))
                labels.append(_beside(highest, labels))
                sure = "" if contour.confidence is None else f" {contour.confidence:.2f}"
                _write(picture, contour.structure + sure, labels[-1], _bgr(contour.structure))
    _write_state(picture, shown, caption, room)
    return picture


def picture_height(size: tuple[int, int] | None) -> int:
    """Of the pictures of a run whose first frame has ``(h, w)`` pixels; an even number, as video needs."""
    h, w = size or _EMPTY
    return 2 * round(min(2 * WIDTH, h * WIDTH / w) / 2) + _LINES * _LINE + _MARGIN


def _fit(pixels: GreyPixels, room: int) -> tuple[float, tuple[int, int]]:
    """Scale at which the frame fits ``(room, WIDTH)``, and its first row and column there."""
    h, w = pixels.shape
    scale = min(WIDTH / w, room / h)
    return scale, ((room - round(h * scale)) // 2, (WIDTH - round(w * scale)) // 2)


def _enlarged(pixels: GreyPixels, scale: float) -> Picture:
    with from_extra("ultrasound"):
        import cv2

    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.cvtColor(cv2.resize(pixels, size, interpolation=method), cv2.COLOR_GRAY2BGR), np.uint8)


def _draw_contour(picture: Picture, contour: Contour, scale: float, first: tuple[int, int]) -> tuple[int, int]:
    """Draws one; returns its highest point, x and y in the picture."""
    with from_extra("ultrasound"):
        import cv2

    shift = 4  # binary places of a pixel
    points = (contour.points_px + 0.5) * scale - 0.5 + np.array([first[1], first[0]])
    fixed = np.rint(points * 2**shift).astype(np.int32)
    colour = _bgr(contour.structure)
    cv2.polylines(picture, [fixed], contour.closed, (0, 0, 0), 3, cv2.LINE_AA, shift)
    cv2.polylines(picture, [fixed], contour.closed, colour, 2, cv2.LINE_AA, shift)
    x, y = points[points[:, 1].argmin()]
    return round(x), round(y)


def _beside(highest: tuple[int, int], labels: list[tuple[int, int]]) -> tuple[int, int]:
    """Where a label goes: above its contour's highest point, and clear of the other labels."""
    x, y = min(highest[0], WIDTH - _LABEL[0]), max(_LABEL[1], highest[1] - 6)
    while any(abs(x - other[0]) < _LABEL[0] and abs(y - other[1]) < _LABEL[1] for other in labels):
        y += _LABEL[1]
    return x, y


def _write_state(picture: Picture, shown: Shown, caption: Caption, room: int) -> None:
    age = "" if shown.age_ms is None or not shown.is_usable else f", {shown.age_ms:.0f} ms old"
    state = f"{shown.state}{age}" if shown.is_usable else f"{shown.state}: {shown.reason}"
    lines = textwrap.wrap(state, 84)[: _LINES - 1]
    for number, line in enumerate(lines):
        _write(picture, line, (_MARGIN, room + (number + 1) * _LINE), _WHITE if shown.is_usable else _AMBER)
    about = textwrap.shorten(f"{caption.source} | {caption.model} | research only", 84, placeholder=" ...")
    _write(picture, about, (_MARGIN, room + _LINES * _LINE), _GREY)


def _write(picture: Picture, text: str, at: tuple[int, int], colour: Bgr) -> None:
    with from_extra("ultrasound"):
        import cv2

    plain = text.encode("ascii", "replace").decode()  # OpenCV's font has nothing else
    for thickness, ink in ((3, (0.0, 0.0, 0.0)), (1, colour)):
        cv2.putText(picture, plain, at, cv2.FONT_HERSHEY_SIMPLEX, 0.45, ink, thickness, cv2.LINE_AA)


def _bgr(structure: str) -> Bgr:
    red, green, blue = rgb(structure_colour(structure))
    return 255 * blue, 255 * green, 255 * red
