"""The iteration of surface registration: Gauss-Newton on robustly weighted distances, landmarks in the same cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geometry import Transform
from geometry.points import Floats
from registration.closest_point import DistanceField, SurfaceDistance
from registration.errors import SurfacePointsRefusedError
from registration.localisation_error import LocalisationError
from registration.perturbation import motion_jacobian, moved

# Median absolute deviation to standard deviation, for normal errors.
MAD_TO_SD = 1.4826


@dataclass(frozen=True, kw_only=True)
class IcpSettings:
    """How the iteration goes.

    Attributes:
        maximum_iterations: the result says so if they did not suffice.
        step_tolerance_mm: converged when a step moves the points by less than this (RMS).
        maximum_distance_mm: points farther from the surface than this take no part.
        tukey_cutoff: residuals beyond this many robust standard deviations weigh nothing; 4.685 keeps 95 % efficiency.
        annealing_start: the first cutoff is this many times wider, so that a poor start keeps its true points.
        annealing_rate: factor per iteration on the way down.
        minimum_points: fewer points within `maximum_distance_mm` of the surface are refused.
    """

    maximum_iterations: int = 60
    step_tolerance_mm: float = 1e-3
    maximum_distance_mm: float = 30.0
    tukey_cutoff: float = 4.685
    annealing_start: float = 2.0
    annealing_rate: float = 0.7
    minimum_points: int = 30


@dataclass(frozen=True, eq=False)
class Evidence:
    """Everything that speaks about the pose, in mm.

    Attributes:
        points_reference: swept points ``(n, 3)``.
        counts: how many like it share each one's patch of the surface, ``(n,)``.
        weights: information of each along its normal, ``(n,)``, in 1/mm^2.
        noise_sd_mm: of each single point's distance, ``(n,)``.
        offset_sd_mm: of an offset that all points share; 0 if there is none.
        trend_radius_mm: of the disc over which the surface's normals are averaged before they count as evidence.
        landmarks_ct, landmarks_reference: pairs ``(m, 3)``; m may be 0.
        landmark_error: of these pairs.
        initial_information: of the initial pose, ``(6, 6)``: weak, so that no direction is without any.
        pivot_reference: centroid of the points ``(3,)``: motions are about it.
    """

    points_reference: Floats
    counts: Floats
    weights: Floats
    noise_sd_mm: Floats
    offset_sd_mm: float
    trend_radius_mm: float
    landmarks_ct: Floats
    landmarks_reference: Floats
    landmark_error: LocalisationError
    initial_information: Floats
    pivot_reference: Floats


@dataclass(frozen=True, eq=False)
class IcpOutcome:
    """The pose, and what the points say at it.

    Attributes:
        T_reference_ct: the pose.
        residuals_mm: signed distances ``(n,)``.
        offset_mm: the estimated part of them that all points share.
        robust_weights: Tukey's, ``(n,)``, 0 to 1.
        surface_information, landmark_information: ``(6, 6)`` each, about the evidence's pivot.
        iterations, converged, last_step_mm: how the iteration ended.
    """

    T_reference_ct: Transform
    residuals_mm: Floats
    offset_mm: float
    robust_weights: Floats
    surface_information: Floats
    landmark_information: Floats
    iterations: int
    converged: bool
    last_step_mm: float


def iterate(evidence: Evidence, field: DistanceField, initial: Transform, settings: IcpSettings) -> IcpOutcome:
    """Iterates from `initial` until the points stop moving.

    Raises:
        SurfacePointsRefusedError: too few points near the surface, at the start or on the way.
    """
    gram = mean_gram(evidence)
    pose, offset_mm, step_mm, widening, iteration = initial, 0.0, np.inf, settings.annealing_start, 0
    while iteration < settings.maximum_iterations and (widening > 1.0 or step_mm >= settings.step_tolerance_mm):
        widening = max(1.0, settings.annealing_start * settings.annealing_rate**iteration)
        motion, offset_mm = _step(evidence, field, pose, offset_mm, widening, settings)
        pose = moved(pose, motion, evidence.pivot_reference)
        step_mm = float(np.sqrt(motion @ gram @ motion))
        iteration += 1
    distance = _distance(evidence, field, pose)
    robust = _robust_weights(distance, offset_mm, 1.0, evidence, settings)
    return IcpOutcome(
        T_reference_ct=pose,
        residuals_mm=distance.signed_mm,
        offset_mm=_common_offset_mm(evidence, distance, evidence.weights * robust),
        robust_weights=robust,
        surface_information=_surface_information(evidence, field, pose, distance, evidence.weights * robust),
        landmark_information=_landmark_information(evidence, pose),
        iterations=iteration,
        converged=step_mm < settings.step_tolerance_mm,
        last_step_mm=step_mm,
    )


def mean_gram(evidence: Evidence) -> Floats:
    """``G`` (6, 6): a motion xi moves the swept points by ``sqrt(xi' G xi)`` mm RMS. Makes rad and mm comparable."""
    jacobian = motion_jacobian(evidence.points_reference, evidence.pivot_reference)
    return np.einsum("nki,nkj->ij", jacobian, jacobian) / len(jacobian)


def landmark_residuals_mm(evidence: Evidence, pose: Transform) -> Floats:
    """Touched minus mapped landmarks, ``(m, 3)``."""
    return evidence.landmarks_reference - pose.apply(evidence.landmarks_ct)


def _step(
    evidence: Evidence, field: DistanceField, pose: Transform, offset_mm: float, widening: float, settings: IcpSettings
) -> tuple[Floats, float]:
    """The motion ``(6,)`` that minimises the cost linearised at `pose`, and the common offset at `pose`."""
    distance = _distance(evidence, field, pose)
    weights = evidence.weights * _robust_weights(distance, offset_mm, widening, evidence, settings)
    offset_mm = _common_offset_mm(evidence, distance, weights)
    jacobian = _surface_jacobian(evidence, pose, distance)
    # The initial pose's weak information damps the step (Levenberg) where nothing else speaks; it pulls nowhere.
    surface = _information(jacobian, weights, evidence.offset_sd_mm)
    matrix = surface + _landmark_information(evidence, pose) + evidence.initial_information
    gradient = jacobian.T @ (weights * (distance.signed_mm - offset_mm))
    if len(evidence.landmarks_ct):
        motions = motion_jacobian(pose.apply(evidence.landmarks_ct), evidence.pivot_reference)
        residuals_mm = landmark_residuals_mm(evidence, pose)
        pulls = np.einsum("nkl,nl->nk", evidence.landmark_error.information(pose), residuals_mm)
        gradient = gradient + np.einsum("nki,nk->i", motions, pulls)
    return np.asarray(np.linalg.solve(matrix, gradient), dtype=np.float64), offset_mm


def _common_offset_mm(evidence: Evidence, distance: SurfaceDistance, weights: Floats) -> float:
    """The offset shared by all points at this pose: their weighted mean, drawn towards 0 as far as it is known to be.

    With this value put into the gradient, and its share taken out of the information, the pose is the one that a
    solver with the offset as a seventh unknown would find (Schur complement).
    """
    if evidence.offset_sd_mm == 0.0:
        return 0.0
    return float(weights @ distance.signed_mm / (weights.sum() + evidence.offset_sd_mm**-2))


def _distance(evidence: Evidence, field: DistanceField, pose: Transform) -> SurfaceDistance:
    return field.distance(pose.inverse().apply(evidence.points_reference))


def _surface_jacobian(evidence: Evidence, pose: Transform, distance: SurfaceDistance) -> Floats:
    """``(n, 6)``: how much closer each point comes to the surface when the surface makes a small motion."""
    normals = pose.rotate(distance.gradient)
    return np.hstack([np.cross(evidence.points_reference - evidence.pivot_reference, normals), normals])


def _surface_information(
    evidence: Evidence, field: DistanceField, pose: Transform, distance: SurfaceDistance, weights: Floats
) -> Floats:
    """What the points really tell, ``(6, 6)``: by the surface's trend, not by its texture.

    Facets and ripples tilt the normals, so that even a sphere seems to resist turning. On the scale of the surface's
    own error its texture is as likely error as shape: no evidence may be drawn from it.
    """
    points_ct = pose.inverse().apply(evidence.points_reference)
    feet_ct = points_ct - distance.signed_mm[:, None] * distance.gradient
    normals_ct, moments_ct = np.hsplit(field.mean_normal_lines(feet_ct, evidence.trend_radius_mm), 2)
    normals = pose.rotate(normals_ct)
    # A moment about ct's origin, seen from the pivot: its line moves with the pose.
    moments = pose.rotate(moments_ct) + np.cross(pose.translation_mm - evidence.pivot_reference, normals)
    return _information(np.hstack([moments, normals]), weights, evidence.offset_sd_mm)


def _robust_weights(
    distance: SurfaceDistance, offset_mm: float, widening: float, evidence: Evidence, settings: IcpSettings
) -> NDArray[np.float64]:
    near = np.abs(distance.signed_mm) <= settings.maximum_distance_mm
    # In standard deviations, since each point has its own.
    absolute = np.abs(distance.signed_mm - offset_mm) / evidence.noise_sd_mm
    if np.count_nonzero(near) < settings.minimum_points:
        raise SurfacePointsRefusedError(
            f"{np.count_nonzero(near)} of {len(near)} points within {settings.maximum_distance_mm:g} mm of the surface",
            f"at least {settings.minimum_points}",
            "check the landmark registration and that the right surface was swept",
        )
    # Deviation from the offset that was allowed for, not from the median: any other is an error to be seen.
    scale = max(MAD_TO_SD * float(np.median(absolute[near])), 1.0)
    cutoff = settings.tukey_cutoff * widening * scale
    return np.where(near, np.maximum(0.0, 1.0 - (absolute / cutoff) ** 2) ** 2, 0.0)


def _information(jacobian: Floats, weights: Floats, offset_sd_mm: float) -> Floats:
    """What points say about the pose, ``(6, 6)``, once they have said what they must about their common offset."""
    information: Floats = jacobian.T @ (weights[:, None] * jacobian)
    if offset_sd_mm == 0.0:
        return information
    shared = jacobian.T @ weights
    return information - np.outer(shared, shared) / (weights.sum() + offset_sd_mm**-2)


def _landmark_information(evidence: Evidence, pose: Transform) -> Floats:
    motions = motion_jacobian(pose.apply(evidence.landmarks_ct), evidence.pivot_reference)
    information: Floats = np.einsum("nki,nkl,nlj->ij", motions, evidence.landmark_error.information(pose), motions)
    return information
