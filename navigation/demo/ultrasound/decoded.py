"""What the headset of the ultrasound demo writes down; a module of its own, which the program and its reader import."""

from __future__ import annotations

from dataclasses import dataclass

from geometry.points import Floats


@dataclass(frozen=True)
class DecodedDistance:
    """A distance of one of a frame's contours, as it was sent.

    Attributes:
        contour: number of the contour in its frame.
        to: name of the structure.
        distance_mm, p95_mm: None where there is none.
        is_least: whether it is only the least that is possible.
    """

    contour: int
    to: str
    distance_mm: float | None
    p95_mm: float | None
    is_least: bool


@dataclass(frozen=True, eq=False)
class DecodedFrame:
    """One frame at the headset.

    Attributes:
        decoded_ns: when its contours were there, on the clock of this machine.
        shows_ns: the instant that the image shows.
        validity, reason: what the display was to make of it, by its placing and its age.
        to_frame: that it is placed in; empty without a place.
        image_px_to_mm: ``(4, 4)`` from ``(x px, y px, 0, 1)``; None without a place beyond doubt.
        expected_p95_mm: as it was sent.
        contours_px: points of bone ``(n, 2)`` each.
        distances: of these contours.
    """

    decoded_ns: int
    shows_ns: int
    validity: str
    reason: str
    to_frame: str
    image_px_to_mm: Floats | None
    expected_p95_mm: float | None
    contours_px: tuple[Floats, ...]
    distances: tuple[DecodedDistance, ...] = ()
