"""Where a frame lies, as the wire has it: the first pixel and the steps along x and y, in Unity's convention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometry.points import Floats
from unity_bridge.wire.convention import directions_to_unity, points_from_unity, points_to_unity
from unity_bridge.wire.envelope import malformed
from unity_bridge.wire.generated.constants import Validity
from unity_bridge.wire.messages import UltrasoundContour, UltrasoundDistance, UltrasoundFrame

_MM_PER_M = 1000.0
Point = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class PlacedImage:
    """Where pixels lie.

    Attributes:
        to_frame: the frame that they lie in, such as ``ct``.
        image_px_to_mm: ``(4, 4)``, maps (x px, y px, 0, 1) to mm there.
        expected_p95_mm: at the worst corner; None where not known.
    """

    to_frame: str
    image_px_to_mm: Floats
    expected_p95_mm: float | None


def placing_fields(placed: PlacedImage, placing: Validity = Validity.VALID) -> dict[str, Any]:
    """The fields of an `UltrasoundFrame` that say where it lies, beyond doubt or as far as is known."""
    matrix = placed.image_px_to_mm
    steps = directions_to_unity(matrix[:3, :2].T) / _MM_PER_M
    return {
        "placing": placing,
        "to_frame": placed.to_frame,
        "first_pixel_m": _three(points_to_unity(matrix[:3, 3])),
        "along_x_m": _three(steps[0]),
        "along_y_m": _three(steps[1]),
        "expected_p95_mm": placed.expected_p95_mm,
    }


def placed_image(frame: UltrasoundFrame) -> PlacedImage | None:
    """The inverse of `placing_fields`; None for a frame that is not placed."""
    if frame.first_pixel_m is None or frame.along_x_m is None or frame.along_y_m is None:
        return None
    matrix = np.eye(4)
    matrix[:3, 3] = points_from_unity(np.array(frame.first_pixel_m))
    matrix[:3, 0], matrix[:3, 1] = (points_from_unity(np.array(step)) for step in (frame.along_x_m, frame.along_y_m))
    matrix[:3, 2] = np.cross(matrix[:3, 0], matrix[:3, 1])
    return PlacedImage(frame.to_frame, matrix, frame.expected_p95_mm)


def contour(
    structure: str, points_px: Floats, *, closed: bool = False, confidence: float | None = None
) -> UltrasoundContour:
    """A contour of points ``(n, 2)``: x along the transducer, y down the depth, in px."""
    points = np.asarray(points_px, "<f4").reshape(-1, 2)
    return UltrasoundContour(structure=structure, closed=closed, confidence=confidence, points_px=points.tobytes())


def contour_points_px(one: UltrasoundContour) -> NDArray[np.float32]:
    """Its points ``(n, 2)`` in px."""
    return np.frombuffer(one.points_px, "<f4").reshape(-1, 2)


def check_frame(frame: UltrasoundFrame) -> None:
    """Raises `MalformedMessageError` for a frame that contradicts itself: no place though valid or one though lost,
    contours though not usable, points that are none, distances from contours that are not there."""
    place = (frame.first_pixel_m, frame.along_x_m, frame.along_y_m)
    has_place = all(each is not None for each in place)
    may_have = frame.placing in (Validity.VALID, Validity.SUSPECT)
    if (
        (has_place and not may_have)
        or (frame.placing is Validity.VALID and not has_place)
        or has_place > bool(frame.to_frame)
    ):
        raise malformed(
            f"an ultrasound frame placed {frame.placing.value}, with {sum(each is not None for each in place)} of 3",
            "a place where it is valid, perhaps one where it is suspect, none otherwise",
        )
    if frame.contours and frame.reason:
        raise malformed(f"contours in a frame that is '{frame.state[:40]}'", "contours of usable frames only")
    if not (0 < frame.width_px <= MOST_PIXELS and 0 < frame.height_px <= MOST_PIXELS):
        raise malformed(f"a frame of {frame.width_px} x {frame.height_px} px", f"1 to {MOST_PIXELS}")
    for each in frame.contours:
        _check_points(each.points_px)
    for distance in frame.distances:
        _check_distance(distance, frame)


MOST_PIXELS = 8192


def _check_points(points_px: bytes) -> None:
    if len(points_px) % 8:
        raise malformed(f"a contour of {len(points_px)} bytes", "8 for each point")
    if not np.isfinite(np.frombuffer(points_px, "<f4")).all():
        raise malformed("a contour with a point that is no number", "finite pixels")


def _check_distance(distance: UltrasoundDistance, frame: UltrasoundFrame) -> None:
    if frame.placing is not Validity.VALID or distance.contour >= len(frame.contours):
        raise malformed("a distance from a contour that is not there", "distances from contours of a placed frame")
    is_valid, p95_mm = distance.validity is Validity.VALID, distance.p95_mm
    more = p95_mm is not None or distance.nearest_px is not None
    if is_valid != (distance.distance_mm is not None) or (more and not is_valid) or (p95_mm or 0.0) < 0.0:
        came = f"a distance from a contour that is {distance.validity.value}, with other numbers than that"
        raise malformed(came, "one exactly where it is valid")


def _three(values: Sequence[float] | Floats) -> Point:
    x, y, z = (float(each) for each in values)
    return x, y, z
