"""An ultrasound frame with where it lies: in the probe, relative to the reference, and in the CT."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geometry import Transform
from geometry.frames import CT, REFERENCE
from geometry.points import Floats
from navigation.ultrasound.distances.distance import ContourDistance
from navigation.ultrasound.live.place_errors import PlaceErrors
from navigation.ultrasound.pipeline import FrameResult
from unity_bridge.wire.envelope import Validity


@dataclass(frozen=True, kw_only=True, eq=False)
class PlacedFrame:
    """One frame, its contours, and its place at the instant that it shows.

    Attributes:
        result: the frame with its contours, in pixels.
        T_probe_image_px: homogeneous ``(4, 4)`` from ``(x px, y px, 0, 1)`` to the probe in mm.
        shows_ns: the instant that the image shows, on the program's clock: its time of capture and the calibrated lag;
            None for a frame without a time.
        validity: ``valid`` or ``suspect`` with a place, ``lost`` without one.
        reason: why it is not valid; empty if it is.
        T_reference_probe: the probe's pose at that instant; None exactly if lost.
        T_ct_reference: the registration; None where the patient is not registered, or where that may not be shown.
        expected_p95_mm: the error that 95 of 100 such frames keep to, at the worst corner or contour point, against the
            CT where it is registered and against the reference otherwise; None if a part of it is not known.
        errors: of any point of the image, parts as for `expected_p95_mm`; None where that is None.
        errors_reference: the same beside the reference, whether the patient is registered or not.
        distances: of its contours, to structures of the plan and to tips; none before they were measured.
    """

    result: FrameResult
    T_probe_image_px: Floats
    shows_ns: int | None
    validity: Validity
    reason: str
    T_reference_probe: Transform | None = None
    T_ct_reference: Transform | None = None
    expected_p95_mm: float | None = None
    errors: PlaceErrors | None = None
    errors_reference: PlaceErrors | None = None
    distances: tuple[ContourDistance, ...] = ()

    @property
    def is_placed(self) -> bool:
        return self.T_reference_probe is not None

    @property
    def to_frame(self) -> str:
        """``ct`` where the frame is placed in it, else ``reference``."""
        return REFERENCE if self.T_ct_reference is None else CT

    @property
    def T_reference_image_px(self) -> Floats | None:
        """Homogeneous ``(4, 4)`` from ``(x px, y px, 0, 1)`` to ``reference`` in mm; None without a place."""
        if self.T_reference_probe is None:
            return None
        matrix: Floats = self.T_reference_probe.matrix @ self.T_probe_image_px
        return matrix

    @property
    def T_placed_image_px(self) -> Floats | None:
        """Homogeneous ``(4, 4)`` from ``(x px, y px, 0, 1)`` to `to_frame` in mm; None without a place."""
        matrix = self.T_reference_image_px
        return matrix if matrix is None or self.T_ct_reference is None else self.T_ct_reference.matrix @ matrix

    def place_mm(self, points_px: Floats) -> Floats | None:
        """Points ``(n, 2)`` in px, mapped into `to_frame`: ``(n, 3)`` in mm; None without a place."""
        matrix = self.T_placed_image_px
        if matrix is None:
            return None
        placed: Floats = points_px @ matrix[:3, :2].T + matrix[:3, 3]
        return placed


def corners_px(size_px: tuple[int, int]) -> Floats:
    """The middles of the corner pixels of an image of this width and height, ``(4, 2)``."""
    right, bottom = size_px[0] - 1, size_px[1] - 1
    return np.array([[0, 0], [right, 0], [0, bottom], [right, bottom]], np.float64)
