"""The pose of a rigid body of markers from what one or several cameras see of it, its covariance, and its rival.

What is seen are distances of known points of the body from lines in the pictures, in pairs with a covariance: the two
ends of a printed side from the line that was found, or an inner corner of a board from the two axes of a picture. The
pose makes the sum of their squares least (Levenberg, Marquardt). Together with it one number is found that is no part
of it: by how much all sides lie farther out than they should, since ink spreads, bright light swells, and the camera's
gamma is not known. It is known to `SWELLING_PX` beforehand; without it a swollen marker would look near.

A flat thing far away looks the same when it is mirrored in depth: its tilt to one side and to the other differ by
perspective alone (Oberkampf, DeMenthon and Davis, CVIU 63(3), 1996). So the mirrored pose is always tried, from each
camera's place, and where it explains the pictures nearly as well there is no pose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.transform import Rotation

from geometry.extras import from_extra
from geometry.points import Floats

if TYPE_CHECKING:
    from calibration.camera.camera_file import CameraCalibration
    from geometry import Transform

_STEPS = 12
SWELLING_PX = 0.1
_CONVERGED = 1e-10
# Two answers nearer together than this, in standard deviations of the pose, are one.
_SAME = 1.0
_NEAREST_MM = 1.0


@dataclass(frozen=True, kw_only=True)
class Sighting:
    """What one camera sees of one body: ``m`` pairs of distances.

    Attributes:
        camera: its calibration; pixels are those of its lens without distortion.
        T_camera_tracker: where it is.
        points_tool_mm: ``(m, 2, 3)`` the points of the body.
        normals: ``(m, 2, 2)`` directions in the picture in which they are measured.
        offsets_px: ``(m, 2)`` where they were found along these.
        covariance_px2: ``(m, 2, 2)`` of each pair.
        swells: 1 where the normals lead out of a dark square, whose sides swell; 0 where nothing does.
        corners_tool_mm, corners_px: ``(n, 3)``, ``(n, 2)`` whole points, for a first guess.
    """

    camera: CameraCalibration
    T_camera_tracker: Transform
    points_tool_mm: Floats
    normals: Floats
    offsets_px: Floats
    covariance_px2: Floats
    swells: float
    corners_tool_mm: Floats
    corners_px: Floats


@dataclass(frozen=True)
class Fit:
    """A pose that makes the squares least.

    Attributes:
        rotation: ``(3, 3)`` of ``T_tracker_tool``.
        translation_mm: ``(3,)`` of it.
        squares: sum of the squared distances, each in its standard deviations.
        freedom: distances minus the six of a pose.
        information: ``(6, 6)``, the inverse of the covariance of (rotation vector in rad, translation in mm) along the
            axes of ``tracker``, if the standard deviations are right.
        rival: squares of the mirrored pose; infinite if that leads to the same one.
        rms_px: of the distances.
    """

    rotation: Floats
    translation_mm: Floats
    squares: float
    freedom: int
    information: Floats
    rival: float
    rms_px: float


def fit_pose(sightings: Sequence[Sighting]) -> Fit | None:
    """The pose of a body that all `sightings` are of; None if they do not determine one in front of the cameras."""
    pairs = _Pairs(sightings)
    first = max(sightings, key=lambda each: len(each.corners_px))
    guess = _first_guess(first)
    if guess is None:
        return None
    found = pairs.refined([guess])[0]
    if not np.isfinite(found.squares):
        return None
    others = pairs.refined([_mirrored(found, each) for each in sightings])
    best = min([found, *others], key=lambda each: each.squares)
    if best is not found:
        others = [found, *pairs.refined([_mirrored(best, each) for each in sightings])]
    rivals = [other.squares for other in others if other is not best and not _is_same(best, other)]
    return Fit(
        best.rotation,
        best.translation_mm,
        best.squares,
        pairs.count - 6,
        best.information,
        min(rivals, default=np.inf),
        best.rms_px,
    )


@dataclass(frozen=True)
class _Answer:
    rotation: Floats
    translation_mm: Floats
    squares: float
    information: Floats
    rms_px: float


class _Pairs:
    """All pairs of all cameras, side by side."""

    def __init__(self, sightings: Sequence[Sighting]) -> None:
        counts = [len(each.offsets_px) for each in sightings]
        self.count = 2 * sum(counts)
        self._points = np.concatenate([each.points_tool_mm for each in sightings]).reshape(-1, 3)
        self._normals = np.concatenate([each.normals for each in sightings]).reshape(-1, 2)
        self._offsets = np.concatenate([each.offsets_px for each in sightings]).reshape(-1)
        self._whitening = np.linalg.inv(np.linalg.cholesky(np.concatenate([each.covariance_px2 for each in sightings])))
        twice = 2 * np.array(counts)
        places = [each.T_camera_tracker for each in sightings]
        cameras = [each.camera for each in sightings]
        self._rotations = np.repeat([place.rotation_matrix for place in places], twice, axis=0)
        self._shifts = np.repeat([place.translation_mm for place in places], twice, axis=0)
        self._swells = np.repeat([each.swells for each in sightings], twice)
        self._focal = np.repeat([[each.fx_px, each.fy_px] for each in cameras], twice, axis=0)
        self._centre = np.repeat([[each.cx_px, each.cy_px] for each in cameras], twice, axis=0)

    def refined(self, guesses: Sequence[tuple[Floats, Floats]]) -> list[_Answer]:
        """From each guess (rotation, translation) to the nearest least squares."""
        return [self._refined(rotation, translation) for rotation, translation in guesses]

    def _refined(self, rotation: Floats, translation_mm: Floats) -> _Answer:
        damping, swelling_px = 1e-4, 0.0
        residuals, jacobian = self._linear(rotation, translation_mm, swelling_px)
        squares = float(residuals @ residuals)
        if not np.isfinite(squares):
            return _Answer(rotation, translation_mm, np.inf, np.zeros((6, 6)), np.inf)
        for _ in range(_STEPS):
            normal, gradient = jacobian.T @ jacobian, jacobian.T @ residuals
            step = _solved(normal + damping * np.diag(np.diag(normal)), -gradient)
            turned = Rotation.from_rotvec(step[:3]).as_matrix() @ rotation
            tried = turned, translation_mm + step[3:6], swelling_px + step[6]
            new_residuals, new_jacobian = self._linear(*tried)
            new_squares = float(new_residuals @ new_residuals)
            if new_squares > squares or not np.isfinite(new_squares):
                damping *= 10.0
                if damping > 1e6:
                    break
                continue
            is_done = squares - new_squares < _CONVERGED * max(squares, 1.0)
            rotation, translation_mm, swelling_px = tried
            residuals, jacobian, squares, damping = new_residuals, new_jacobian, new_squares, damping * 0.1
            if is_done:
                break
        distances = self._distances(rotation, translation_mm, swelling_px)[0]
        normal = jacobian.T @ jacobian
        information = normal[:6, :6] - np.outer(normal[:6, 6], normal[6, :6]) / normal[6, 6]
        return _Answer(rotation, translation_mm, squares, information, float(np.sqrt(np.mean(distances**2))))

    def _distances(
        self, rotation: Floats, translation_mm: Floats, swelling_px: float
    ) -> tuple[Floats, Floats, Floats, Floats]:
        turned = self._points @ rotation.T
        seen = np.einsum("nij,nj->ni", self._rotations, turned + translation_mm) + self._shifts
        depth = np.where(seen[:, 2] > _NEAREST_MM, seen[:, 2], np.nan)
        flat = seen[:, :2] / depth[:, None]
        pixels = flat * self._focal + self._centre
        expected = np.einsum("ni,ni->n", self._normals, pixels) + self._swells * swelling_px
        return expected - self._offsets, turned, flat, depth

    def _linear(self, rotation: Floats, translation_mm: Floats, swelling_px: float) -> tuple[Floats, Floats]:
        """Whitened distances ``(n + 1,)``, the swelling last, and their derivatives ``(n + 1, 7)``; infinite behind a
        camera.
        """
        distances, turned, flat, depth = self._distances(rotation, translation_mm, swelling_px)
        if not np.isfinite(distances).all():
            return np.full(self.count + 1, np.inf), np.zeros((self.count + 1, 7))
        scaled = self._normals * self._focal / depth[:, None]
        by_camera = np.concatenate([scaled, -np.sum(scaled * flat, axis=1, keepdims=True)], axis=1)
        by_place = np.einsum("ni,nij->nj", by_camera, self._rotations)
        parts = [np.cross(turned, by_place), by_place, self._swells[:, None], distances[:, None]]
        both = (self._whitening @ np.concatenate(parts, axis=1).reshape(-1, 2, 8)).reshape(-1, 8)
        known = np.array([[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, swelling_px]]) / SWELLING_PX
        both = np.concatenate([both, known])
        return both[:, 7], both[:, :7]


def _solved(matrix: Floats, right: Floats) -> Floats:
    try:
        step = np.linalg.solve(matrix, right)
    except np.linalg.LinAlgError:
        step = np.linalg.lstsq(matrix, right, rcond=None)[0]
    return np.asarray(step, dtype=np.float64)


def _first_guess(sighting: Sighting) -> tuple[Floats, Floats] | None:
    """A pose in ``tracker`` from the corners that one camera sees."""
    with from_extra("markers"):
        import cv2

    if len(sighting.corners_px) < 4:
        return None
    is_found, turn, shift = cv2.solvePnP(
        sighting.corners_tool_mm, sighting.corners_px, sighting.camera.matrix, None, flags=cv2.SOLVEPNP_SQPNP
    )
    if not is_found or not np.isfinite(turn).all() or not np.isfinite(shift).all():
        return None
    place = sighting.T_camera_tracker.inverse()
    rotation = place.rotation_matrix @ Rotation.from_rotvec(turn.ravel()).as_matrix()
    return rotation, place.apply(shift.ravel())


def _mirrored(found: _Answer, sighting: Sighting) -> tuple[Floats, Floats]:
    """The pose that looks the same without perspective: mirrored in depth, with the body mirrored in its own plane."""
    corners = sighting.corners_tool_mm
    centre = corners.mean(axis=0)
    normal = np.linalg.svd(corners - centre)[2][2]
    centre_tracker = found.rotation @ centre + found.translation_mm
    sight = centre_tracker - sighting.T_camera_tracker.inverse().translation_mm
    sight = sight / np.linalg.norm(sight)
    mirror, own = np.eye(3) - 2.0 * np.outer(sight, sight), np.eye(3) - 2.0 * np.outer(normal, normal)
    rotation = mirror @ found.rotation @ own
    return rotation, centre_tracker - rotation @ centre


def _is_same(best: _Answer, other: _Answer) -> bool:
    turn = Rotation.from_matrix(other.rotation @ best.rotation.T).as_rotvec()
    difference = np.concatenate([turn, other.translation_mm - best.translation_mm])
    return bool(difference @ best.information @ difference < _SAME**2)
