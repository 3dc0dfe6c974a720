"""Simulated sweeps over a stylus tip, crossed wires and a wall, with their truth."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from calibration.ultrasound_probe.samples import ProbeSample
from calibration.ultrasound_probe.targets.calibrate import calibrate_from_target
from geometry import Transform
from geometry.points import Floats

SIZE_PX = (640, 480)


@dataclass(frozen=True, eq=False)
class Truth:
    """A probe: ``u, v, o`` as columns in mm, and the image's size."""

    columns_mm: Floats
    size_px: tuple[int, int] = SIZE_PX

    def to_probe(self, pixels: Floats) -> Floats:
        return pixels @ self.columns_mm[:, :2].T + self.columns_mm[:, 2]

    def corner_errors_mm(self, columns_mm: Floats) -> Floats:
        """How far a calibration puts each corner of the image from where it is, ``(4,)``."""
        off = columns_mm - self.columns_mm
        return np.linalg.norm(self.corners_px @ off[:, :2].T + off[:, 2], axis=1)

    @property
    def corners_px(self) -> Floats:
        width, height = self.size_px
        return np.array([[0, 0], [width - 1, 0], [0, height - 1], [width - 1, height - 1]], float)


@dataclass(frozen=True)
class Noise:
    """Standard deviations: of a point in px, of the beam out of the plane, of the tracker in mm and in rad.

    `memory` is the correlation from image to image; with `heavy`, errors have the tails of Student's t with 3 degrees.
    """

    pixel: float = 1.0
    beam_mm: float = 0.5
    tracker_mm: float = 0.15
    tracker_rad: float = 0.0005
    memory: float = 0.0
    heavy: bool = False

    def draw(self, rng: np.random.Generator, n: int, k: int) -> Floats:
        """Errors of unit standard deviation, ``(n, k)``."""
        white = rng.standard_t(3, (n, k)) / np.sqrt(3.0) if self.heavy else rng.standard_normal((n, k))
        for i in range(1, n):
            white[i] = self.memory * white[i - 1] + np.sqrt(1.0 - self.memory**2) * white[i]
        return white


def samples_of(pixels: Floats, poses: Floats) -> list[ProbeSample]:
    """Samples at 20 images a second: of one point each, or of two."""
    return [
        ProbeSample(k, 0.05 * k, np.atleast_2d(pixels[k]), Transform(poses[k], "reference", "probe"))
        for k in range(len(pixels))
    ]


NO_NOISE = Noise(0.0, 0.0, 0.0, 0.0)


def a_probe(rng: np.random.Generator, spacing_mm: tuple[float, float] = (0.1, 0.12), skew_rad: float = 0.0) -> Truth:
    """An image in front of a marker that is turned anyhow against it."""
    turned = Rotation.random(random_state=rng).as_matrix()
    # In axes of the image, the marker is behind the transducer.
    origin = np.array([-30.0, 90.0, 20.0]) + rng.uniform(-10, 10, 3)
    half = skew_rad / 2
    u = spacing_mm[0] * np.array([np.cos(half), np.sin(half), 0.0])
    v = spacing_mm[1] * np.array([np.sin(half), np.cos(half), 0.0])
    return Truth(turned @ np.column_stack([u, v, origin]))


def image_axes(truth: Truth) -> Floats:
    """x, y and out of the plane in the probe, as columns."""
    u, v = truth.columns_mm[:, 0], truth.columns_mm[:, 1]
    z = np.cross(u, v)
    x = u / np.linalg.norm(u)
    z = z / np.linalg.norm(z)
    return np.column_stack([x, np.cross(z, x), z])


def poses_over(truth: Truth, pixels: Floats, points_fixed_mm: Floats, vectors_rad: Floats) -> Floats:
    """Poses that put image points onto points of the fixed frame, turned from upright by rotation vectors.

    Upright, the image's y points along the fixed frame's -z; the vectors are in axes of the image.
    """
    axes = image_axes(truth)
    upright = np.column_stack([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]])
    poses = np.tile(np.eye(4), (len(pixels), 1, 1))
    poses[:, :3, :3] = upright @ Rotation.from_rotvec(vectors_rad).as_matrix() @ axes.T
    seen = truth.to_probe(pixels)
    poses[:, :3, 3] = points_fixed_mm - np.einsum("nij,nj->ni", poses[:, :3, :3], seen)
    return poses


def with_noise(poses: Floats, noise: Noise, rng: np.random.Generator) -> Floats:
    """Poses as a tracker gives them."""
    n = len(poses)
    noisy = poses.copy()
    noisy[:, :3, 3] += noise.tracker_mm * noise.draw(rng, n, 3)
    turns = Rotation.from_rotvec(noise.tracker_rad * noise.draw(rng, n, 3)).as_matrix()
    noisy[:, :3, :3] = noisy[:, :3, :3] @ turns
    return noisy


def smooth(rng: np.random.Generator, n: int, k: int, periods: float = 7.0) -> Floats:
    """Slow motion between -1 and 1, ``(n, k)``: a hand that wanders about."""
    t = np.linspace(0.0, 1.0, n)[:, None]
    return np.sin(2 * np.pi * (periods * rng.uniform(0.5, 1.5, k) * t + rng.uniform(0, 1, k)))


@dataclass(frozen=True)
class Motion:
    """How far a sweep goes: degrees about the image's x, y and z, mm along the wall, and px of the image."""

    tilt_deg: float = 30.0
    turn_deg: float = 60.0
    rock_deg: float = 30.0
    along_mm: float = 60.0
    across: float = 0.4
    deep: float = 0.35

    def without(self, name: str) -> Motion:
        return replace(self, **{name: 0.0})

    def vectors_rad(self, rng: np.random.Generator, n: int) -> Floats:
        return np.deg2rad([self.tilt_deg, self.turn_deg, self.rock_deg]) * smooth(rng, n, 3)

    def pixels(self, truth: Truth, rng: np.random.Generator, n: int) -> Floats:
        return (0.5 + np.array([self.across, self.deep]) * smooth(rng, n, 2, 11.0)) * np.array(truth.size_px)


def point_sweep(
    truth: Truth, n: int, noise: Noise, rng: np.random.Generator, motion: Motion | None = None
) -> tuple[Floats, Floats, Floats]:
    """Image points ``(n, 2)``, poses ``(n, 4, 4)``, and the point in the fixed frame, for crossed wires."""
    motion = motion or Motion()
    pixels, point = motion.pixels(truth, rng, n), np.array([120.0, -40.0, 260.0])
    beam = noise.beam_mm * noise.draw(rng, n, 1) * image_axes(truth)[:, 2]
    poses = poses_over(truth, pixels, np.tile(point, (n, 1)), motion.vectors_rad(rng, n))
    poses[:, :3, 3] += np.einsum("nij,nj->ni", poses[:, :3, :3], beam)
    return pixels + noise.pixel * noise.draw(rng, n, 2), with_noise(poses, noise, rng), point


def wall_sweep(
    truth: Truth, n: int, noise: Noise, rng: np.random.Generator, motion: Motion | None = None
) -> tuple[Floats, Floats]:
    """Two points of the wall's line in each image, ``(n, 2, 2)``, and poses; the wall is z = 200 mm."""
    motion = motion or Motion()
    middle = motion.pixels(truth, rng, n)
    middle[:, 0] = truth.size_px[0] / 2
    places = np.column_stack([motion.along_mm * smooth(rng, n, 2, 3.0), np.full(n, 200.0)])
    poses = poses_over(truth, middle, places, motion.vectors_rad(rng, n))
    normals = np.einsum("nji,j->ni", poses[:, :3, :3], [0.0, 0.0, 1.0])
    slopes = -(normals @ truth.columns_mm[:, 0]) / (normals @ truth.columns_mm[:, 1])
    ends = np.array([0.2, 0.8]) * truth.size_px[0]
    depths = middle[:, 1:] + slopes[:, None] * (ends - middle[:, :1])
    lines = np.stack([np.tile(ends, (n, 1)), depths + noise.pixel * noise.draw(rng, n, 2)], axis=2)
    return lines, with_noise(poses, noise, rng)


METHODS = ("stylus", "cross", "wall")


def sweep(method: str, truth: Truth, n: int, noise: Noise, rng: np.random.Generator, motion: Motion | None = None):
    """What one of the three methods takes, by name: pixels, poses, and the tips of a stylus or None."""
    if method == "wall":
        return *wall_sweep(truth, n, noise, rng, motion), None
    pixels, poses, point = point_sweep(truth, n, noise, rng, motion)
    return pixels, poses, np.tile(point, (n, 1)) if method == "stylus" else None


def calibrate(method: str, pixels: Floats, poses: Floats, tips: Floats | None, image, settings=None):
    """The calibration of a sweep by one of the three methods."""
    return calibrate_from_target(method, samples_of(pixels, poses), image, tips_fixed_mm=tips, settings=settings)
