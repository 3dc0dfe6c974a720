"""A simulated sweep of a tracked probe over PLUS's fCal phantom, with the truth beside it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from calibration.ultrasound_probe.image_map import columns_of
from calibration.ultrasound_probe.motion import ProbeMotion
from calibration.ultrasound_probe.samples import ProbeSample
from calibration.ultrasound_probe.wires.crossings import WirePoints, crossings
from calibration.ultrasound_probe.wires.phantom import NWirePhantom, Wire, n_wire_phantom
from geometry import Transform

SIZE_PX = (820, 616)
# Image x along -y of the marker and depth along +x, nearly: as in PLUS's recordings.
T_PROBE_IMAGE = Transform.from_rotation(
    Rotation.from_matrix([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    * Rotation.from_rotvec([0.1, -0.05, 0.08]),
    [11.0, 46.0, -7.0],
    "probe",
    "image",
)
TRUE_COLUMNS_MM = columns_of(T_PROBE_IMAGE, 0.078, 0.074)
T_REFERENCE_PHANTOM = Transform.from_rotation(
    Rotation.from_rotvec([0.3, 1.0, -0.4]), [10.0, 36.0, 88.0], "reference", "phantom"
)
# Image x along -x of the phantom, depth along -z: how the fCal phantom is looked at.
_LOOK = Rotation.from_matrix(np.column_stack([[-1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, -1.0, 0.0]]))


def fcal_phantom() -> NWirePhantom:
    """PLUS's fCal 1.2 with three Ns."""
    fronts_x = ((20, 40, 45), (20, 25, 50), (20, 45, 50))
    backs_x = ((20, 25, 45), (20, 45, 50), (20, 25, 50))
    return n_wire_phantom(
        [
            [
                Wire(f"{3 * k + j + 1}", (float(fronts_x[k][j]), 0.0, z), (float(backs_x[k][j]), 40.0, z))
                for j in range(3)
            ]
            for k, z in enumerate((10.0, 5.0, 0.0))
        ]
    )


@dataclass(frozen=True, kw_only=True)
class Noise:
    """What a sweep is disturbed by.

    Attributes:
        pixel_px: of each wire point, normal.
        pose_mm, pose_rad: of the tracker, normal, seen from the probe.
        correlation: of the tracker's error from image to image.
        lag_s: an image at t shows the probe at t + lag_s.
        tilt_deg: amplitude about each of three axes.
    """

    pixel_px: float = 0.0
    pose_mm: float = 0.0
    pose_rad: float = 0.0
    correlation: float = 0.0
    lag_s: float = 0.0
    tilt_deg: float = 8.0


def sweep(rng: np.random.Generator, n: int = 100, noise: Noise | None = None) -> tuple[list[ProbeSample], ProbeMotion]:
    """`n` images 80 ms apart, and the motion in steps of 20 ms, which begins before them and ends after them."""
    noise = noise or Noise()
    phantom, step_s, spare = fcal_phantom(), 0.02, 60
    fine_s = (np.arange(4 * n + 2 * spare) - spare) * step_s
    phases, rates_hz = rng.uniform(0.0, 6.28, 7), rng.uniform(0.1, 0.35, 7)
    time_s = np.arange(n) * 4 * step_s
    seen = _poses(time_s + noise.lag_s, phases, rates_hz, noise.tilt_deg)
    image = np.repeat(np.arange(n), 9)
    points = WirePoints(image, np.tile(np.arange(9), n), np.zeros((9 * n, 2)))
    T_probe_phantom = np.linalg.inv(seen) @ T_REFERENCE_PHANTOM.matrix
    points_px = -crossings(TRUE_COLUMNS_MM, points, phantom, T_probe_phantom).residuals_px
    points_px = (points_px + rng.normal(0.0, noise.pixel_px, points_px.shape)).reshape(n, 9, 2)
    measured = _poses(fine_s, phases, rates_hz, noise.tilt_deg) @ _tracker_errors(rng, len(fine_s), noise)
    at_images = measured[spare : spare + 4 * n : 4]
    samples = [
        ProbeSample(k, float(time_s[k]), points_px[k], Transform(at_images[k], "reference", "probe"), phantom.names)
        for k in range(n)
    ]
    return samples, ProbeMotion(fine_s, measured)


def _poses(time_s: np.ndarray, phases: np.ndarray, rates_hz: np.ndarray, tilt_deg: float) -> np.ndarray:
    """``T_reference_probe``, ``(n, 4, 4)``."""
    waves = np.sin(2.0 * np.pi * np.outer(time_s, rates_hz) + phases)
    middle_mm = np.array([410.0 * 0.078, 330.0 * 0.074, 0.0])
    turned = _LOOK * Rotation.from_rotvec(np.deg2rad(tilt_deg) * waves[:, :3])
    centres = np.column_stack([36.0 + 2.0 * waves[:, 3], 20.0 + 14.0 * waves[:, 4], 5.0 + 2.0 * waves[:, 5]])
    poses = np.tile(np.eye(4), (len(time_s), 1, 1))
    poses[:, :3, :3] = turned.as_matrix()
    poses[:, :3, 3] = centres - turned.apply(middle_mm)
    whole = T_REFERENCE_PHANTOM.matrix @ poses @ T_PROBE_IMAGE.inverse().matrix
    # The product's last digits may leave a rotation; Transform allows for them.
    return np.asarray(whole)


def _tracker_errors(rng: np.random.Generator, n: int, noise: Noise) -> np.ndarray:
    correlation = noise.correlation**0.25 if noise.correlation else 0.0  # four steps from image to image
    errors = rng.normal(size=(n, 6))
    for k in range(1, n):
        errors[k] = correlation * errors[k - 1] + np.sqrt(1.0 - correlation**2) * errors[k]
    poses = np.tile(np.eye(4), (n, 1, 1))
    poses[:, :3, :3] = Rotation.from_rotvec(noise.pose_rad * errors[:, :3]).as_matrix()
    poses[:, :3, 3] = noise.pose_mm * errors[:, 3:]
    return poses
