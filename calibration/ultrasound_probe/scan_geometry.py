"""The geometry of a scan: which part of an ultrasound image the beams of a probe fill, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from calibration.ultrasound_probe.errors import ProbeInputError
from geometry.points import Bools, Floats, read_only

_LINEAR, _CONVEX = "scan_width_mm", "scan_half_angle_deg"


@dataclass(frozen=True)
class ScanGeometry:
    """Beams side by side (linear), or spread from an apex behind the transducer's face (convex), in an image.

    A place is stated by its beam, `across` from -1 (the first beam, left in the image) to 1, and by its depth along the
    beam from the face. The image's y points away from the transducer.

    Attributes:
        size_px: width and height of the image.
        pixel_mm: width and height of a pixel.
        face_px: middle of the transducer's face, x and y in px; pixels count from their middles.
        depth_mm: depth from the face up to which it is scanned.
        width_mm: of the face of a linear probe; 0 for a convex one.
        radius_mm: of the face of a convex probe; 0 for a linear one.
        half_angle_rad: between the middle beam and the last one of a convex probe; 0 for a linear one.

    Raises:
        ProbeInputError: sizes that are not positive, or a probe that is both linear and convex, or neither.
    """

    size_px: tuple[int, int]
    pixel_mm: tuple[float, float]
    face_px: tuple[float, float]
    depth_mm: float
    width_mm: float = 0.0
    radius_mm: float = 0.0
    half_angle_rad: float = 0.0

    def __post_init__(self) -> None:
        linear = self.width_mm > 0.0 and self.radius_mm == self.half_angle_rad == 0.0
        convex = self.width_mm == 0.0 and self.radius_mm > 0.0 and 0.0 < self.half_angle_rad < 0.5 * np.pi
        sizes = (*self.size_px, *self.pixel_mm, self.depth_mm, *self.face_px)
        if not (linear or convex) or not np.isfinite(sizes).all() or min(sizes[:5]) <= 0.0:
            raise ProbeInputError(
                f"a scan geometry of {self}",
                "positive sizes, and the width of a linear face or the radius and angle of a convex one",
                "state the one that the probe has",
            )

    @classmethod
    def linear(
        cls, size_px: tuple[int, int], pixel_mm: tuple[float, float], width_mm: float, depth_mm: float
    ) -> ScanGeometry:
        """A linear probe whose face is the middle of the image's first row."""
        return cls(size_px, pixel_mm, (0.5 * (size_px[0] - 1), 0.0), depth_mm, width_mm=width_mm)

    @classmethod
    def convex(
        cls,
        size_px: tuple[int, int],
        pixel_mm: tuple[float, float],
        radius_mm: float,
        half_angle_rad: float,
        depth_mm: float,
    ) -> ScanGeometry:
        """A convex probe whose first and last beam begin at the image's first row."""
        lowest_px = radius_mm * (1.0 - np.cos(half_angle_rad)) / pixel_mm[1]
        face_px = 0.5 * (size_px[0] - 1), float(lowest_px)
        return cls(size_px, pixel_mm, face_px, depth_mm, radius_mm=radius_mm, half_angle_rad=half_angle_rad)

    @property
    def is_convex(self) -> bool:
        return self.radius_mm > 0.0

    def points_px(self, across: Floats, deep_mm: Floats) -> Floats:
        """Image points ``(..., 2)`` of places on beams; both arguments are broadcast against each other."""
        across, deep_mm = np.broadcast_arrays(across, deep_mm)
        if self.is_convex:
            angle, reach = across * self.half_angle_rad, deep_mm + self.radius_mm
            x_mm, y_mm = reach * np.sin(angle), reach * np.cos(angle) - self.radius_mm
        else:
            x_mm, y_mm = 0.5 * self.width_mm * across, deep_mm
        points: Floats = np.stack([x_mm, y_mm], axis=-1) / self.pixel_mm + self.face_px
        return points

    def beams(self, points_px: Floats) -> tuple[Floats, Floats]:
        """`across` and depth in mm of image points ``(..., 2)``; beyond -1 to 1 or the depth, outside the scan."""
        x_mm, y_mm = np.moveaxis((np.asarray(points_px, np.float64) - self.face_px) * self.pixel_mm, -1, 0)
        if not self.is_convex:
            return x_mm / (0.5 * self.width_mm), y_mm
        beyond_mm = y_mm + self.radius_mm
        return np.arctan2(x_mm, beyond_mm) / self.half_angle_rad, np.hypot(x_mm, beyond_mm) - self.radius_mm

    def contains(self, points_px: Floats) -> Bools:
        """Which of the image points ``(..., 2)`` are scanned."""
        across, deep_mm = self.beams(points_px)
        inside: Bools = (np.abs(across) <= 1.0) & (deep_mm >= 0.0) & (deep_mm <= self.depth_mm)
        return inside

    @cached_property
    def mask(self) -> Bools:
        """The pixels that are scanned, ``(h, w)``: the crop of the image."""
        width, height = self.size_px
        x, y = np.meshgrid(np.arange(width), np.arange(height))
        return read_only(self.contains(np.stack([x, y], axis=-1)))

    def numbers(self) -> dict[str, float]:
        """What a calibration's result keeps of it, beside the image's size and spacing."""
        shape = {_LINEAR: self.width_mm}
        if self.is_convex:
            shape = {"scan_radius_mm": self.radius_mm, _CONVEX: float(np.rad2deg(self.half_angle_rad))}
        x_px, y_px = self.face_px
        return {"scan_face_x_px": x_px, "scan_face_y_px": y_px, "scan_depth_mm": self.depth_mm, **shape}

    @classmethod
    def of_numbers(cls, numbers: Mapping[str, float]) -> ScanGeometry | None:
        """The geometry that a result's numbers state; None where they state none."""
        if "scan_depth_mm" not in numbers:
            return None
        return cls(
            size_px=(round(numbers["image_width_px"]), round(numbers["image_height_px"])),
            pixel_mm=(numbers["spacing_x_mm"], numbers["spacing_y_mm"]),
            face_px=(numbers["scan_face_x_px"], numbers["scan_face_y_px"]),
            depth_mm=numbers["scan_depth_mm"],
            width_mm=numbers.get(_LINEAR, 0.0),
            radius_mm=numbers.get("scan_radius_mm", 0.0),
            half_angle_rad=float(np.deg2rad(numbers.get(_CONVEX, 0.0))),
        )
