"""Sweeps over a body whose grey value is known everywhere, by probes of both kinds, held as hands hold them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from calibration.ultrasound_probe.scan_geometry import ScanGeometry
from reconstruction.freehand.grid import Mask

BALL_CENTRE_MM, BALL_RADIUS_MM = np.array([12.0, -7.0, 31.0]), 9.0
BALL_GREY, AROUND_GREY = 200, 40


@dataclass(frozen=True)
class Sweep:
    """Frames, poses and the pixels that are used."""

    frames: np.ndarray
    T_reference_image_px: np.ndarray
    mask: Mask


def ball_at(points_mm: np.ndarray) -> np.ndarray:
    """The grey value at points ``(..., 3)``: a ball in something darker."""
    inside = np.linalg.norm(points_mm - BALL_CENTRE_MM, axis=-1) <= BALL_RADIUS_MM
    return np.where(inside, BALL_GREY, AROUND_GREY).astype(np.uint8)


def image_map(shape: tuple[int, int], pixel_mm: tuple[float, float], mirrored: bool = False) -> np.ndarray:
    """``T_probe_image_px``: the transducer, in the middle of row 0, is the probe's origin."""
    side = -pixel_mm[1] if mirrored else pixel_mm[1]
    middle_px = (shape[1] - 1) / 2
    return np.array([[side, 0, 0, -side * middle_px], [0, pixel_mm[0], 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])


def sweep(
    probe: str = "linear",
    motion: str = "parallel",
    pixel_mm: tuple[float, float] = (0.5, 0.5),
    mirrored: bool = False,
    step: float = 0.5,
    seed: int = 0,
) -> Sweep:
    """Frames through the ball.

    Args:
        probe: ``linear`` or ``convex``.
        motion: ``parallel``, every `step` mm; or ``fan`` about the transducer, every `step` degrees.
        pixel_mm: height and width.
        mirrored: the image's x runs to the other side: rows, columns and normal form a left-handed triple.
    """
    shape = (round(40.0 / pixel_mm[0]), round(44.0 / pixel_mm[1]))
    px = image_map(shape, pixel_mm, mirrored)
    poses = []
    for number in np.arange(-14.0, 14.0 + 1e-9, step):
        along = np.eye(4)
        if motion == "parallel":
            along[2, 3] = number
        else:
            along[:3, :3] = Rotation.from_euler("x", number * 1.4, degrees=True).as_matrix()
        poses.append(along @ px)
    hand = np.eye(4)
    hand[:3, :3] = Rotation.random(rng=np.random.default_rng(seed)).as_matrix()
    hand[:3, 3] = BALL_CENTRE_MM - hand[:3, :3] @ np.array([0.0, 20.0, 0.0])
    T = hand @ np.array(poses)
    y, x = np.mgrid[: shape[0], : shape[1]]
    pixels = np.stack([x, y, np.zeros_like(x), np.ones_like(x)], axis=-1)
    frames = ball_at(np.einsum("nij,yxj->nyxi", T, pixels)[..., :3])
    mask = convex(shape, pixel_mm).mask if probe == "convex" else np.ones(shape, bool)
    return Sweep(np.where(mask, frames, 255), T, mask)  # what is not used glares


def convex(shape: tuple[int, int], pixel_mm: tuple[float, float] = (0.5, 0.5)) -> ScanGeometry:
    """The geometry of the convex probe, for images of this height and width."""
    face_px = (shape[1] - 1) / 2, 0.0
    return ScanGeometry((shape[1], shape[0]), pixel_mm[::-1], face_px, 38.0, 0.0, 30.0, np.deg2rad(28.0))
