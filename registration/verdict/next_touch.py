"""Chooses the next touch: the one that reduces the expected error at the worst target most.

A touch on the surface constrains the pose along the surface's normal only, a landmark in all directions. How much one
more of either would reduce the error follows from the covariance alone. A greedy choice as in the constraint analysis
of Simon, Hebert and Kanade, "Real-time 3-D pose estimation using a high-speed range sensor" (ICRA 1994), but for the
error at the targets instead of the pose's parameters.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from geometry import Transform
from geometry.points import Floats, read_only
from registration.distance.closest_point import DistanceField
from registration.surface.refine import SurfaceFitSettings
from registration.uncertainty.expected_error import PoseUncertainty, length_quantile_mm
from registration.uncertainty.localisation_error import isotropic_mm2
from registration.uncertainty.perturbation import JOINT, joint_jacobian

PROBABILITY = 0.95
# Words for the positive and the negative direction along each axis of ct, which is LPS.
PATIENT_WAYS = (
    ("to the left", "to the right"),
    ("to the back", "to the front"),
    ("towards the head", "towards the feet"),
)
# Components of the way shorter than this are not mentioned. A landmark with a measured point nearer than this counts as
# touched.
MENTIONED_ABOVE_MM = 8.0


@dataclass(frozen=True, kw_only=True)
class NextTouchSettings:
    """Which spots may be proposed, and how much one more sweep is worth.

    Attributes:
        points: number of points swept at the spot, within one patch of `correlation_length_mm`.
        reach_mm: largest distance of a spot from everything measured so far.
        least_facing: smallest cosine between the spot's normal and the mean normal of the measured points: below it,
            the spot may be out of reach, such as on the side the patient lies on.
    """

    points: int = 20
    reach_mm: float = 150.0
    least_facing: float = -0.2


@dataclass(frozen=True, eq=False)
class NextTouch:
    """The most useful next touch.

    Attributes:
        kind: ``surface``: a short sweep at the spot; ``landmark``: the planned landmark `name`.
        name: name of the landmark; empty for a spot on the surface.
        point_ct_mm: the spot, ``(3,)`` in ct.
        outward_ct: unit normal of the surface there, ``(3,)``; None for a landmark.
        target: the target with the largest expected error now.
        p95_now_mm: its expected 95 % error.
        p95_then_mm: the largest expected 95 % error of all targets after the touch.
        words: the spot in words: the way from the nearest planned landmark along the patient's axes.
    """

    kind: Literal["surface", "landmark"]
    name: str
    point_ct_mm: Floats
    outward_ct: Floats | None
    target: str
    p95_now_mm: float
    p95_then_mm: float
    words: str


def next_touch(
    T_reference_ct: Transform,
    uncertainty: PoseUncertainty,
    targets_ct: Mapping[str, Floats],
    measured_reference_mm: Floats,
    field_ct: DistanceField,
    landmarks_ct: Mapping[str, Floats],
    assumed: SurfaceFitSettings,
    settings: NextTouchSettings | None = None,
    *,
    surface_on_skin: bool = False,
    landmarks_on_skin: Collection[str] = (),
) -> NextTouch | None:
    """The most useful of all spots within reach; None without targets, without measurements, or without such a spot.

    Args:
        T_reference_ct: the estimated pose.
        uncertainty: its covariance.
        targets_ct: name -> ``(3,)`` in ct, in mm.
        measured_reference_mm: everything touched and swept so far, ``(n, 3)``.
        field_ct: distance to the surface that may be touched.
        landmarks_ct: planned landmarks, name -> ``(3,)`` in ct; those not touched yet are candidates.
        assumed: the errors of points and surface. The offset that all points share counts in full as an error of the
            new spot, although the sweep may have determined part of it: the predicted gain is conservative.
        surface_on_skin, landmarks_on_skin: what moves with the skin. No touch of the skin reduces the error from a
            motion of all skin.
    """
    if not targets_ct or not len(measured_reference_mm):
        return None
    settings, measured_ct = settings or NextTouchSettings(), T_reference_ct.inverse().apply(measured_reference_mm)
    feet_ct, normals_ct = _within_reach(field_ct, measured_ct, settings)
    free = {name: point for name, point in landmarks_ct.items() if _untouched(point, measured_ct)}
    spots_ct = np.vstack([feet_ct, np.array(list(free.values())).reshape(-1, 3)])
    if not len(spots_ct):
        return None
    look_mm2 = _look_variance_mm2(assumed, settings)
    looks = _after_surface(uncertainty, T_reference_ct, feet_ct, normals_ct, look_mm2, surface_on_skin)
    touches = _after_landmark(uncertainty, T_reference_ct, free, assumed, landmarks_on_skin)
    targets = T_reference_ct.apply(np.array(list(targets_ct.values())))
    now_mm = _p95_mm(uncertainty.joint[None], targets, uncertainty.pivot_reference_mm)[0]
    then_mm = _p95_mm(np.vstack([looks, touches]), targets, uncertainty.pivot_reference_mm).max(axis=1)
    best = int(then_mm.argmin())
    name = ([""] * len(feet_ct) + list(free))[best]
    return NextTouch(
        kind="landmark" if name else "surface",
        name=name,
        point_ct_mm=read_only(spots_ct[best]),
        outward_ct=None if name else read_only(normals_ct[best]),
        target=list(targets_ct)[int(now_mm.argmax())],
        p95_now_mm=float(now_mm.max()),
        p95_then_mm=float(then_mm[best]),
        words=f"'{name}'" if name else way_from_nearest(spots_ct[best], landmarks_ct),
    )


def way_from_nearest(point_ct_mm: Floats, landmarks_ct: Mapping[str, Floats]) -> str:
    """Describes a point ``(3,)`` in ct, such as ``40 mm to the left and 25 mm towards the feet of 'marker_2'``."""
    x, y, z = point_ct_mm
    if not landmarks_ct:
        return f"({x:.0f}, {y:.0f}, {z:.0f}) mm in ct"
    nearest = min(landmarks_ct, key=lambda name: float(np.linalg.norm(landmarks_ct[name] - point_ct_mm)))
    way_mm = point_ct_mm - landmarks_ct[nearest]
    parts = [
        f"{abs(way_mm[axis]):.0f} mm {PATIENT_WAYS[axis][0 if way_mm[axis] > 0 else 1]}"
        for axis in np.argsort(-np.abs(way_mm))
        if abs(way_mm[axis]) > MENTIONED_ABOVE_MM
    ]
    return f"{' and '.join(parts)} of '{nearest}'" if parts else f"beside '{nearest}'"


def _within_reach(field_ct: DistanceField, measured_ct: Floats, settings: NextTouchSettings) -> tuple[Floats, Floats]:
    """Spots ``(k, 3)`` and their unit normals ``(k, 3)`` on the surface that fulfil the settings."""
    sites_ct, normals_ct = field_ct.sites()
    outward = field_ct.distance(measured_ct).gradient.mean(axis=0)
    outward = outward / max(float(np.linalg.norm(outward)), 1e-12)
    distances_mm = np.linalg.norm(sites_ct[:, None, :] - _thinned(measured_ct)[None, :, :], axis=2).min(axis=1)
    possible = (normals_ct @ outward > settings.least_facing) & (distances_mm < settings.reach_mm)
    return sites_ct[possible], normals_ct[possible]


def _look_variance_mm2(assumed: SurfaceFitSettings, settings: NextTouchSettings) -> float:
    """Variance of the mean distance of the points swept at one spot: only their own noise averages out."""
    return assumed.point_noise_mm**2 / settings.points + assumed.model_error_mm**2 + assumed.offset_sd_mm**2


def _thinned(points_mm: Floats) -> Floats:
    """At most some hundreds of the points, which suffice to tell what is within reach."""
    return points_mm[:: max(1, len(points_mm) // 200)]


def _untouched(point_ct_mm: Floats, measured_ct: Floats) -> bool:
    return float(np.linalg.norm(measured_ct - point_ct_mm, axis=1).min()) > MENTIONED_ABOVE_MM


def _after_surface(
    uncertainty: PoseUncertainty,
    T_reference_ct: Transform,
    feet_ct: Floats,
    normals_ct: Floats,
    variance_mm2: float,
    on_skin: bool,
) -> Floats:
    """Covariances ``(k, 13, 13)`` after one measurement along each normal (Sherman-Morrison formula)."""
    normals = T_reference_ct.rotate(normals_ct) if len(normals_ct) else normals_ct
    feet = T_reference_ct.apply(feet_ct) if len(feet_ct) else feet_ct
    rows = np.einsum("ka,kai->ki", normals, joint_jacobian(feet, uncertainty.pivot_reference_mm, on_skin=on_skin))
    gains = rows @ uncertainty.joint
    spread = variance_mm2 + np.einsum("ki,ki->k", gains, rows)
    reduced: Floats = uncertainty.joint - gains[:, :, None] * gains[:, None, :] / spread[:, None, None]
    return reduced


def _after_landmark(
    uncertainty: PoseUncertainty,
    T_reference_ct: Transform,
    landmarks_ct: Mapping[str, Floats],
    assumed: SurfaceFitSettings,
    on_skin: Collection[str],
) -> Floats:
    """Covariances ``(k, 13, 13)`` after a touch of each landmark (Woodbury formula)."""
    if not landmarks_ct:
        return np.empty((0, JOINT, JOINT))
    points, pivot_mm = T_reference_ct.apply(np.array(list(landmarks_ct.values()))), uncertainty.pivot_reference_mm
    jacobian = joint_jacobian(points, pivot_mm)
    skin = np.array([name in on_skin for name in landmarks_ct])
    jacobian[skin] = joint_jacobian(points[skin], pivot_mm, on_skin=True)
    gains = jacobian @ uncertainty.joint
    fle_mm = float(np.mean(assumed.landmark_fle_rms_mm))
    spread = gains @ jacobian.transpose(0, 2, 1) + isotropic_mm2(fle_mm)
    reduced: Floats = uncertainty.joint - gains.transpose(0, 2, 1) @ np.linalg.solve(spread, gains)
    return reduced


def _p95_mm(covariances: Floats, targets_reference: Floats, pivot_mm: Floats) -> Floats:
    """Expected 95 % error ``(k, t)`` under covariances ``(k, 13, 13)`` at targets ``(t, 3)``."""
    jacobian = joint_jacobian(targets_reference, pivot_mm)
    at_targets = np.einsum("tai,kij,tbj->ktab", jacobian, covariances, jacobian, optimize=True)
    quantiles: Floats = length_quantile_mm(at_targets.reshape(-1, 3, 3), PROBABILITY).reshape(at_targets.shape[:2])
    return quantiles
