"""What a recording of a point or a wall tells, and what other views of the same target would."""

from __future__ import annotations

import numpy as np

from calibration.ultrasound_probe.targets.judging import ProbeImage, TargetSettings
from calibration.ultrasound_probe.targets.motions import (
    FOR_A_WALL,
    FOR_KNOWN_POINTS,
    FOR_ONE_POINT,
    Design,
    Views,
    repaired,
)
from calibration.ultrasound_probe.targets.point_model import PointModel
from calibration.ultrasound_probe.targets.robust_fit import Fit, TargetModel
from calibration.ultrasound_probe.targets.wall_model import WallModel
from geometry.points import Floats


def design_of_points(
    fit: Fit,
    pixels: Floats,
    poses: Floats,
    tips_fixed_mm: Floats | None,
    spacing_mm: Floats,
    image: ProbeImage,
    settings: TargetSettings,
) -> Design:
    """Of one point that stands still, or of tips that are known in each image ``(n, 3)``."""
    pixels, poses = pixels[fit.used], poses[fit.used]
    tips = None if tips_fixed_mm is None else tips_fixed_mm[fit.used]
    state = _placed(fit.state, pixels, poses, tips)
    columns = state[:9].reshape(3, 3).T
    places = np.tile(state[9:], (len(pixels), 1)) if tips is None else tips
    model = PointModel(pixels, poses, tips, spacing_mm)
    noise_mm = np.clip(fit.scales_mm, settings.least_noise_mm, settings.maximum_residual_rms_mm)

    def information_of(views: Views) -> Floats:
        known = None if tips is None else views.places_mm
        seen = PointModel(views.pixels, views.poses(columns), known, spacing_mm, model.extent_px)
        return _information(seen, state, noise_mm)

    return Design(
        information=_information(model, state, noise_mm),
        information_of=information_of,
        step_scale=model.scale[:9],
        views=Views(pixels, poses[:, :3, :3], places),
        columns_mm=columns,
        size_px=image.size_px,
        motions=FOR_ONE_POINT if tips_fixed_mm is None else FOR_KNOWN_POINTS,
        across=np.zeros((2, 3)),
    )


def design_of_wall(
    fit: Fit, lines_px: Floats, poses: Floats, spacing_mm: float, image: ProbeImage, settings: TargetSettings
) -> Design:
    """Of a wall, seen in each image as a line through two points, ``(n, 2, 2)``."""
    lines, poses = lines_px[fit.used], poses[fit.used]
    state = _faced(fit.state, lines, poses)
    columns = state[:9].reshape(3, 3).T
    model = WallModel(lines, poses, spacing_mm)
    noise_mm = np.clip(fit.scales_mm, settings.least_noise_mm, settings.maximum_residual_rms_mm)
    ends_px = np.median(lines[:, :, 0], axis=0)

    def information_of(views: Views) -> Floats:
        normals = np.einsum("nji,j->ni", views.rotations, state[9:12])
        slopes = -(normals @ columns[:, 0]) / np.where(np.abs(steep := normals @ columns[:, 1]) < 1e-6, 1e-6, steep)
        depths = views.pixels[:, 1:] + slopes[:, None] * (ends_px - views.pixels[:, :1])
        seen = np.stack([np.broadcast_to(ends_px, depths.shape), depths], axis=2)
        return _information(WallModel(seen, views.poses(columns), spacing_mm, model.extent_px), state, noise_mm)

    middles = lines.mean(axis=1)
    in_probe = middles @ columns[:, :2].T + columns[:, 2]
    places = np.einsum("nij,nj->ni", poses[:, :3, :3], in_probe) + poses[:, :3, 3]
    return Design(
        information=_information(model, state, noise_mm),
        information_of=information_of,
        step_scale=model.scale[:9],
        views=Views(middles, poses[:, :3, :3], places),
        columns_mm=columns,
        size_px=image.size_px,
        motions=FOR_A_WALL,
        across=np.linalg.svd(state[None, 9:12])[2][1:],
    )


def _placed(state: Floats, pixels: Floats, poses: Floats, tips_fixed_mm: Floats | None) -> Floats:
    """A state with axes of an image; where they had to be repaired, the point is put where it is seen with them."""
    columns = repaired(state[:9].reshape(3, 3).T)
    if np.array_equal(columns, state[:9].reshape(3, 3).T):
        return state
    rotations, seen = poses[:, :3, :3], pixels @ columns[:, :2].T
    if tips_fixed_mm is not None:
        in_probe = np.einsum("nji,nj->ni", rotations, tips_fixed_mm - poses[:, :3, 3])
        return np.concatenate([columns[:, 0], columns[:, 1], np.median(in_probe - seen, axis=0)])
    rows = np.concatenate([rotations, np.broadcast_to(-np.eye(3), rotations.shape)], axis=2).reshape(-1, 6)
    wanted = -(np.einsum("nij,nj->ni", rotations, seen) + poses[:, :3, 3]).reshape(-1)
    return np.concatenate([columns[:, 0], columns[:, 1], np.linalg.lstsq(rows, wanted, rcond=1e-3)[0]])


def _faced(state: Floats, lines_px: Floats, poses: Floats) -> Floats:
    """A state with axes of an image; where they had to be repaired, the image faces the wall that it was held over."""
    columns = repaired(state[:9].reshape(3, 3).T)
    if np.array_equal(columns, state[:9].reshape(3, 3).T):
        return state
    normals = np.einsum("nji,j->ni", poses[:, :3, :3], state[9:12])
    down = normals.mean(axis=0) / np.linalg.norm(normals.mean(axis=0))
    down *= np.copysign(1.0, down @ columns[:, 1])
    along = columns[:, 0] - down * (down @ columns[:, 0])
    if np.linalg.norm(along) < 1e-3 * np.linalg.norm(columns[:, 0]):
        along = np.cross(down, np.eye(3)[np.argmin(np.abs(down))])
    u = along * (np.linalg.norm(columns[:, 0]) / np.linalg.norm(along))
    v = down * np.linalg.norm(columns[:, 1])
    points = lines_px @ np.stack([u, v]) + columns[:, 2]
    depths = np.einsum("ni,nki->nk", normals, points) + (poses[:, :3, 3] @ state[9:12])[:, None]
    return np.concatenate([u, v, columns[:, 2], state[9:12], [float(np.median(depths))]])


def _information(model: TargetModel, state: Floats, noise_mm: Floats) -> Floats:
    jacobian = model.jacobian(state) / noise_mm[:, None]
    flat = jacobian.reshape(-1, jacobian.shape[2])
    return flat.T @ flat
