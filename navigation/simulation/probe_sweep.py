"""A probe that is moved over a target beside the reference, and what its images show of it, with the truth of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.spatial.transform import Rotation

from geometry import Transform
from geometry.frames import PROBE, REFERENCE
from geometry.points import Floats
from navigation.devices.ultrasound.plus.phantom import read_plus_phantom
from navigation.devices.ultrasound.source import GreyPixels
from navigation.errors import DeviceError

Target = Literal["tank", "wall", "cross", "stylus", "wires"]

SIZE_PX = 400, 320
# The image in the axes of the probe's marker: x, y (depth) and the first pixel, each a column in mm; 45 by 36 mm.
_TURNED = Rotation.from_rotvec([0.06, -0.09, 0.05])
TRUE_COLUMNS_MM: Floats = np.column_stack(
    [
        0.113 * _TURNED.apply([1.0, 0.0, 0.0]),
        0.1125 * _TURNED.apply([0.0, -1.0, 0.0]),
        _TURNED.apply([-22.0, -95.0, 6.0]),
    ]
)
# Where a point, the wall or the tank's bottom is.
TARGET_REFERENCE_MM: Floats = np.array([160.0, -90.0, 20.0])
_SPOT_PX, _ECHO_PX = 2.2, 3.0
_SPECKLE, _BRIGHT = 14.0, 190.0


@dataclass(frozen=True)
class Wires:
    """Straight wires in ``reference``: points and unit vectors along them, ``(n, 3)`` each, and their middle."""

    points_mm: Floats
    directions: Floats
    middle_mm: Floats


class ProbeSweep:
    """The probe's motion and its images, at any time in s; the same at the same time.

    Args:
        target: a tank's bottom, over which the probe goes up and down only; a wall, a point or the tip of the stylus,
            which it is moved about in all ways; or wires, which it is moved along.
        wires: where they are; for ``wires`` alone.
    """

    def __init__(self, target: Target, wires: Wires | None = None) -> None:
        self._target, self._wires = target, wires

    def T_reference_probe(self, t_s: float) -> Transform:
        """The true pose."""
        x, y, z = _wandering(t_s, 0.0)
        across, deep, _ = _wandering(t_s, 11.0)
        turn_rad, pixel, place_mm = self._posture(np.array([x, y, z]), across, deep, t_s)
        rotation = Rotation.from_rotvec(_TURNED.apply(turn_rad)).as_matrix()
        seen_mm = TRUE_COLUMNS_MM @ np.append(pixel, 1.0)
        matrix = np.eye(4)
        matrix[:3, :3], matrix[:3, 3] = rotation, place_mm - rotation @ seen_mm
        return Transform(matrix, REFERENCE, PROBE)

    def _posture(self, waves: Floats, across: float, deep: float, t_s: float) -> tuple[Floats, Floats, Floats]:
        """Turn in rad about the image's axes, and the pixel ``(2,)`` that lies at a place ``(3,)`` in ``reference``."""
        width, height = SIZE_PX
        if self._target == "tank":
            # Strokes of different lengths and speeds: a motion that repeats itself fits at several lags.
            stroke = 0.6 * np.sin(2 * np.pi * 0.31 * t_s) + 0.4 * np.sin(2 * np.pi * 0.47 * t_s + 1.0)
            return np.zeros(3), np.array([0.5 * width, (0.5 + 0.3 * stroke) * height]), TARGET_REFERENCE_MM
        if self._target == "wires" and self._wires is not None:
            shift_mm = np.array([1.5, 1.5, 12.0]) * [across, deep, waves[1]]
            return np.deg2rad(15.0) * waves, 0.5 * np.array([width, height]), self._wires.middle_mm + shift_mm
        if self._target == "wall":
            place_mm = TARGET_REFERENCE_MM + [15.0 * waves[0], 0.0, 15.0 * waves[2]]
            return np.deg2rad([24.0, 30.0, 18.0]) * waves, np.array([0.5, 0.55 + 0.25 * deep]) * SIZE_PX, place_mm
        pixel = (0.5 + np.array([0.38, 0.35]) * [across, deep]) * SIZE_PX
        return np.deg2rad([24.0, 30.0, 24.0]) * waves, pixel, TARGET_REFERENCE_MM

    def image(self, t_s: float) -> GreyPixels:
        """What is seen then, the transducer at row 0."""
        width, height = SIZE_PX
        rng = np.random.default_rng(round(t_s * 1e6) % 2**32)
        grey = _SPECKLE * gaussian_filter(rng.exponential(size=(height, width)), (0.6, 1.2))
        T_probe_reference = self.T_reference_probe(t_s).inverse()
        if self._target in ("tank", "wall"):
            grey += self._line(T_probe_reference)
        else:
            for pixel in self._points(T_probe_reference):
                grey += _spot(pixel)
        return np.clip(grey, 0, 255).astype(np.uint8)

    def _points(self, T_probe_reference: Transform) -> Sequence[Floats]:
        """Pixels ``(2,)`` of the point, or of where the wires go through the plane of the image."""
        u, v, origin = TRUE_COLUMNS_MM.T
        if self._target != "wires" or self._wires is None:
            at = T_probe_reference.apply(TARGET_REFERENCE_MM)
            return [np.linalg.lstsq(TRUE_COLUMNS_MM[:, :2], at - origin, rcond=None)[0]]
        found = []
        for point, along in zip(self._wires.points_mm, self._wires.directions, strict=True):
            plane = np.column_stack([u, v, -T_probe_reference.rotate(along)])
            found.append(np.linalg.solve(plane, T_probe_reference.apply(point) - origin)[:2])
        return found

    def _line(self, T_probe_reference: Transform) -> Floats:
        """The echo of the plane through the target, whose normal is the y of ``reference``."""
        width, height = SIZE_PX
        normal = T_probe_reference.rotate(np.array([0.0, 1.0, 0.0]))
        left = normal @ (T_probe_reference.apply(TARGET_REFERENCE_MM) - TRUE_COLUMNS_MM[:, 2])
        depths = (left - np.arange(width) * (normal @ TRUE_COLUMNS_MM[:, 0])) / (normal @ TRUE_COLUMNS_MM[:, 1])
        behind = np.arange(height)[:, None] - depths
        echo: Floats = _BRIGHT * np.clip(behind / 2.0 + 0.5, 0.0, 1.0) * np.exp(-np.maximum(behind, 0.0) / _ECHO_PX)
        return echo


def sweep_over(target: Target, phantom: Path | None) -> ProbeSweep:
    """The sweep over a target; over wires, as the configuration of PLUS `phantom` has them.

    Raises:
        DeviceError: wires without a phantom that is registered to the reference.
    """
    if target != "wires":
        return ProbeSweep(target)
    read = None if phantom is None else read_plus_phantom(phantom)
    if read is None or read.T_fixed_phantom is None or read.T_fixed_phantom.to_frame != REFERENCE:
        raise DeviceError(
            "ultrasound = 'wires' without a phantom that is registered to the reference",
            "phantom = a configuration of PLUS with its wires and PhantomToReference",
            "name it, or choose another target",
        )
    wires, placed = read.wires, read.T_fixed_phantom
    middles = wires.starts_mm + 0.5 * wires.lengths_mm[:, None] * wires.directions
    points = placed.apply(wires.starts_mm)
    return ProbeSweep(target, Wires(points, placed.rotate(wires.directions), placed.apply(middles).mean(axis=0)))


def _spot(pixel: Floats) -> Floats:
    width, height = SIZE_PX
    x = np.exp(-0.5 * ((np.arange(width) - pixel[0]) / (1.6 * _SPOT_PX)) ** 2)
    y = np.exp(-0.5 * ((np.arange(height) - pixel[1]) / _SPOT_PX) ** 2)
    spot: Floats = _BRIGHT * y[:, None] * x
    return spot


def _wandering(t_s: float, phase: float) -> Floats:
    """A hand's slow wandering along three axes, each between -1 and 1."""
    rates_hz, phases = np.array([[0.13, 0.17, 0.11], [0.29, 0.23, 0.31]]), np.array([[0.0, 2.0, 4.0], [1.0, 3.0, 5.0]])
    waves: Floats = (np.sin(2 * np.pi * rates_hz * t_s + phases + phase) * [[0.65], [0.35]]).sum(axis=0)
    return waves
