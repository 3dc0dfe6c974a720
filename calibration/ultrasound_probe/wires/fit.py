"""The N-wire calibration's two fits: a closed form by the middle wires, and all wires in the image by least squares."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.ultrasound_probe.motion import ProbeMotion
from calibration.ultrasound_probe.wires.crossings import Crossings, WirePoints, crossings, map_jacobian
from calibration.ultrasound_probe.wires.phantom import NWirePhantom
from calibration.ultrasound_probe.wires.pose_errors import ImageSums, covariance_of, pose_directions
from geometry.points import Bools, Floats

# The median of a 2-D vector's length with unit normal components: sqrt(2 ln 2).
_MEDIAN_NORM = 1.1774
_LAG_STEP_S = 1e-3


@dataclass(frozen=True, eq=False)
class Scene:
    """What is given, as arrays.

    Attributes:
        points: the points of all images.
        phantom: the wires.
        T_fixed_phantom: ``(4, 4)``.
        time_s: of each image.
        T_fixed_probe: of each image, at its own time, ``(m, 4, 4)``.
        motion: of the probe, if the lag is to be found.
    """

    points: WirePoints
    phantom: NWirePhantom
    T_fixed_phantom: Floats
    time_s: Floats
    T_fixed_probe: Floats
    motion: ProbeMotion | None

    def T_probe_phantom(self, lag_s: float) -> tuple[Floats, Bools]:
        """Poses of the phantom seen from the probe, ``(m, 4, 4)``, and which images have one."""
        poses, known = self.T_fixed_probe, np.ones(len(self.time_s), bool)
        if self.motion is not None:
            poses, known = self.motion.at(self.time_s + lag_s)
        seen = np.tile(np.eye(4), (len(poses), 1, 1))
        turned = poses[:, :3, :3].transpose(0, 2, 1)
        seen[:, :3, :3] = turned @ self.T_fixed_phantom[:3, :3]
        seen[:, :3, 3] = np.einsum("nij,nj->ni", turned, self.T_fixed_phantom[:3, 3] - poses[:, :3, 3])
        return seen, known


@dataclass(frozen=True, eq=False)
class Fit:
    """A solution: ``[u, v, origin]`` ``(3, 3)``, the lag, residuals ``(n, 2)`` in mm, and which points were used."""

    columns_mm: Floats
    lag_s: float
    residuals_mm: Floats
    used: Bools


def middle_points(scene: Scene, T_probe_phantom: Floats) -> tuple[Floats, Floats, np.ndarray]:
    """Middle wires by similar triangles: their pixels ``(k, 2)``, places in the probe's frame ``(k, 3)``, images.

    The ratio of an image's distances side to middle and side to side is the same in the phantom (Chen et al.,
    "A simple, fast and accurate freehand 3D ultrasound calibration", 2009).
    """
    points, ends = scene.points, scene.phantom.middles
    count = len(scene.phantom.names)
    table = np.full((len(scene.time_s), count, 2), np.nan)
    table[points.image, points.wire] = points.points_px
    triples = table.reshape(len(table), -1, 3, 2)
    first, middle, second = (triples[:, :, j] for j in range(3))
    whole = np.isfinite(triples).all(axis=(2, 3))
    width = np.linalg.norm(second - first, axis=2)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.linalg.norm(middle - first, axis=2) / width
    image, k = np.nonzero(whole & (width > 0.0))
    share_seen = share[image, k][:, None]
    places = (1.0 - share_seen) * ends[k, 0] + share_seen * ends[k, 1]
    placed = np.einsum("nij,nj->ni", T_probe_phantom[image, :3, :3], places) + T_probe_phantom[image, :3, 3]
    return middle[image, k], placed, image


def closed_form(scene: Scene, lag_s: float) -> tuple[Floats, float]:
    """The map by the middle wires, linear, with L1 weights; and the median of what is left, in mm."""
    T_probe_phantom, known = scene.T_probe_phantom(lag_s)
    pixels, places_mm, image = middle_points(scene, T_probe_phantom)
    pixels, places_mm = pixels[known[image]], places_mm[known[image]]
    rows = np.column_stack([pixels, np.ones(len(pixels))])
    weights = np.ones(len(rows))
    columns, left_mm = np.zeros((3, 3)), np.zeros(len(rows))
    for _ in range(12):
        root = np.sqrt(weights)[:, None]
        columns = np.linalg.lstsq(rows * root, places_mm * root, rcond=None)[0].T
        left_mm = np.linalg.norm(rows @ columns.T - places_mm, axis=1)
        weights = 1.0 / np.maximum(left_mm, max(float(np.median(left_mm)), 1e-9))
    return columns, float(np.median(left_mm))


def first_lag_s(scene: Scene, longest_s: float) -> float:
    """The lag in steps of 50 ms at which the closed form leaves least."""
    if scene.motion is None:
        return 0.0
    steps = np.arange(-round(longest_s / 0.05), round(longest_s / 0.05) + 1) * 0.05
    enough = [lag for lag in steps if scene.T_probe_phantom(float(lag))[1].mean() > 0.5]
    return float(min(enough, key=lambda lag: closed_form(scene, float(lag))[1])) if enough else 0.0


def refine(scene: Scene, columns_mm: Floats, lag_s: float, rectangular: bool, cutoff: float, n_l1: int = 0) -> Fit:
    """Least squares of all wires in the image: L1 weights, then Tukey's, then the points kept, with full weight.

    `n_l1` steps with L1 weights, and as many more with Tukey's, are for a start that outliers have dragged.
    """
    spacing_mm = np.linalg.norm(columns_mm[:, :2], axis=0)
    columns, weights = columns_mm.copy(), np.ones(len(scene.points.image))
    n_robust = 2 * n_l1 + 5
    for iteration in range(n_robust + 2):
        residuals, jacobian, known = _linear(scene, columns, lag_s, spacing_mm)
        norms = np.linalg.norm(residuals, axis=1)
        scale = max(float(np.median(norms[known])) / _MEDIAN_NORM, 1e-9) if known.any() else 1.0
        if iteration < n_l1:
            weights = 1.0 / np.maximum(norms, scale)
        elif iteration < n_robust:
            weights = np.maximum(0.0, 1.0 - (norms / (cutoff * scale)) ** 2) ** 2
        elif iteration == n_robust:
            weights = (weights > 0.0).astype(np.float64)
        columns, lag_s = _step(columns, lag_s, residuals, jacobian, weights * known, rectangular)
    residuals, _, known = _linear(scene, columns, lag_s, spacing_mm)
    return Fit(columns, lag_s, residuals, (weights > 0.0) & known)


def covariance(scene: Scene, fit: Fit, rectangular: bool, phantom_covariance: Floats | None) -> Floats:
    """Of ``(u, v, origin)`` and, where there is motion, the lag: ``(9, 9)`` or ``(10, 10)``.

    `phantom_covariance`, ``(6, 6)`` of rotation vector and translation in axes of the fixed frame, enters as what was
    taken for true: no residual shows it.
    """
    spacing_mm = np.linalg.norm(fit.columns_mm[:, :2], axis=0)
    residuals, jacobian, _ = _linear(scene, fit.columns_mm, fit.lag_s, spacing_mm)
    residuals, jacobian, image = residuals[fit.used], jacobian[fit.used], scene.points.image[fit.used]
    free = _free(fit.columns_mm, jacobian.shape[2], rectangular)
    narrowed = jacobian @ free
    starts = np.flatnonzero(np.diff(image, prepend=-1))
    inverse = np.linalg.pinv(np.einsum("nap,naq->pq", narrowed, narrowed), rcond=1e-14, hermitian=True)
    by_pose = jacobian @ pose_directions(fit.columns_mm, jacobian.shape[2])
    sums = ImageSums(
        inverse=inverse,
        by_pose=np.add.reduceat(np.einsum("nap,nak->npk", narrowed, by_pose), starts, axis=0),
        information=np.add.reduceat(np.einsum("naj,nak->njk", by_pose, by_pose), starts, axis=0),
        pulls=np.add.reduceat(np.einsum("nak,na->nk", by_pose, residuals), starts, axis=0),
        squares=np.add.reduceat(np.sum(residuals**2, axis=1), starts),
        n_residuals=residuals.size,
    )
    spread = covariance_of(sums)
    if phantom_covariance is not None:
        by_phantom = _phantom_jacobian(scene, fit)[fit.used] * spacing_mm[:, None]
        shift = inverse @ np.einsum("nap,naq->pq", narrowed, by_phantom)
        spread = spread + shift @ phantom_covariance @ shift.T
    whole: Floats = free @ spread @ free.T
    return 0.5 * (whole + whole.T)


def _linear(scene: Scene, columns: Floats, lag_s: float, spacing_mm: Floats) -> tuple[Floats, Floats, Bools]:
    """Residuals ``(n, 2)`` in mm, the prediction's derivative ``(n, 2, 9 or 10)``, and which points have a pose."""
    T_probe_phantom, known = scene.T_probe_phantom(lag_s)
    found = crossings(columns, scene.points, scene.phantom, T_probe_phantom)
    jacobian = map_jacobian(found, scene.points.points_px)
    if scene.motion is not None:
        later, _ = scene.T_probe_phantom(lag_s + _LAG_STEP_S)
        speed = ((later - T_probe_phantom) / _LAG_STEP_S)[scene.points.image]
        in_phantom = _in_phantom(found, T_probe_phantom[scene.points.image])
        moved = np.einsum("nij,nj->ni", speed[:, :3, :3], in_phantom) + speed[:, :3, 3]
        jacobian = np.concatenate([jacobian, found.to_px @ moved[:, :, None]], axis=2)
    return found.residuals_px * spacing_mm, jacobian * spacing_mm[:, None], known[scene.points.image]


def _in_phantom(found: Crossings, T_probe_phantom: Floats) -> Floats:
    """The predicted crossings in the phantom's frame, ``(n, 3)`` in mm."""
    inside: Floats = np.einsum("nji,nj->ni", T_probe_phantom[:, :3, :3], found.points_mm - T_probe_phantom[:, :3, 3])
    return inside


def _free(columns: Floats, n_parameters: int, rectangular: bool) -> Floats:
    """Directions in which the parameters may move, as columns: all, or those that keep u and v at a right angle."""
    if not rectangular:
        return np.eye(n_parameters)
    gradient = np.zeros((1, n_parameters))
    gradient[0, :3], gradient[0, 3:6] = columns[:, 1], columns[:, 0]
    return np.linalg.svd(gradient)[2][1:].T


def _step(
    columns: Floats, lag_s: float, residuals: Floats, jacobian: Floats, weights: Floats, rectangular: bool
) -> tuple[Floats, float]:
    if rectangular:
        columns = _made_rectangular(columns)
    free = _free(columns, jacobian.shape[2], rectangular)
    narrowed = jacobian @ free
    weighted = narrowed * weights[:, None, None]
    normal = np.einsum("nap,naq->pq", weighted, narrowed, optimize=True)
    right = np.einsum("nap,na->p", weighted, residuals)
    # The columns of the matrix differ by thousands, pixels against millimetres: scaled before they are solved.
    scale = 1.0 / np.sqrt(np.maximum(np.diag(normal), 1e-30))
    step = free @ (scale * np.linalg.lstsq(normal * np.outer(scale, scale), right * scale, rcond=1e-12)[0])
    moved = columns + step[:9].reshape(3, 3).T
    if rectangular:
        moved = _made_rectangular(moved)
    return moved, lag_s + float(np.clip(step[9], -0.1, 0.1)) if len(step) == 10 else lag_s


def _made_rectangular(columns: Floats) -> Floats:
    """The nearest map with axes at a right angle, which each give way by the same."""
    lengths = np.linalg.norm(columns[:, :2], axis=0)
    u, _, vt = np.linalg.svd(columns[:, :2] / lengths, full_matrices=False)
    return np.column_stack([(u @ vt) * lengths, columns[:, 2]])


def _phantom_jacobian(scene: Scene, fit: Fit) -> Floats:
    """Derivative of the prediction by rotation and translation of the phantom in the fixed frame, ``(n, 2, 6)`` px."""
    T_probe_phantom, _ = scene.T_probe_phantom(fit.lag_s)
    found = crossings(fit.columns_mm, scene.points, scene.phantom, T_probe_phantom)
    seen = T_probe_phantom[scene.points.image]
    in_phantom = _in_phantom(found, seen)
    in_fixed = in_phantom @ scene.T_fixed_phantom[:3, :3].T + scene.T_fixed_phantom[:3, 3]
    to_probe = seen[:, :3, :3] @ scene.T_fixed_phantom[:3, :3].T
    x, y, z = in_fixed.T
    zero = np.zeros_like(x)
    # A small rotation w moves the point p by w x p, which is this matrix times w.
    turning = np.stack([zero, z, -y, -z, zero, x, y, -x, zero], axis=1).reshape(-1, 3, 3)
    moved = np.concatenate([turning, np.tile(np.eye(3), (len(x), 1, 1))], axis=2)
    jacobian: Floats = found.to_px @ (to_probe @ moved)
    return jacobian
