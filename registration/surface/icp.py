"""The solver of surface registration: Gauss-Newton on robustly weighted distances, with landmarks in the same cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geometry import Transform
from geometry.points import Floats
from registration.distance.closest_point import DistanceField, SurfaceDistance
from registration.errors import SurfacePointsRefusedError
from registration.uncertainty.localisation_error import LocalisationError
from registration.uncertainty.perturbation import MOTION, SCALE, motion_jacobian, moved
from registration.uncertainty.shared_errors import (
    OFFSET,
    UNKNOWNS,
    inverse_of_free,
    landmark_rows,
    surface_rows,
)

# Factor from median absolute deviation to standard deviation for normal errors.
MAD_TO_SD = 1.4826
# Steps that go round come back within so many. Steps that creep, each nine tenths of the last, have 1.3 times as far to
# go as they came in so many.
SETTLED_STEPS = 6


@dataclass(frozen=True, kw_only=True)
class IcpSettings:
    """Settings of the iteration.

    Attributes:
        maximum_iterations: limit; a result that needs more is returned as not converged.
        step_tolerance_mm: converged when a step moves the points by less than this (RMS).
        settled_sd: also converged when the solutions of the last `SETTLED_STEPS` steps lie within this many standard
            deviations of the fit of the end. An edge between facets is a kink in the cost of points that lie off
            the surface by an offset: about it, steps go round for ever, by some 0.003 mm on a finely meshed skin.
        maximum_distance_mm: points farther from the surface than this have no weight.
        tukey_cutoff: residuals beyond this many robust standard deviations have no weight; 4.685 gives 95 % efficiency.
        annealing_start: factor by which the first cutoff is wider, so that a poor initial pose keeps its inliers.
        annealing_rate: factor on that width per iteration.
        minimum_points: fewer points within `maximum_distance_mm` of the surface are refused.
    """

    maximum_iterations: int = 60
    step_tolerance_mm: float = 1e-3
    settled_sd: float = 0.05
    maximum_distance_mm: float = 30.0
    tukey_cutoff: float = 4.685
    annealing_start: float = 2.0
    annealing_rate: float = 0.7
    minimum_points: int = 30


@dataclass(frozen=True, eq=False)
class Evidence:
    """The measurements and priors of one fit, in mm.

    Attributes:
        points_reference: swept points ``(n, 3)``.
        counts: effective number of points in each one's patch of the surface, ``(n,)`` (`neighbour_counts`).
        weights: information of each point along its normal, ``(n,)``, in 1/mm^2.
        point_noise_mm: standard deviation of each point's own error, ``(n,)``.
        noise_sd_mm: the same including the surface's error, ``(n,)``.
        trend_radius_mm: radius of the disc over which the surface's normals are averaged for the information.
        landmarks_ct, landmarks_reference: pairs ``(m, 3)``; m may be 0.
        landmark_error: localisation error of these pairs.
        on_skin: which of them lie on the skin, ``(m,)`` bool.
        surface_on_skin: whether the swept surface is the skin.
        prior_information: ``(20, 20)``: a weak one of the initial pose, which keeps the equations regular, and that of
            the shared errors (`shared_errors.py`).
        free: indices of the unknowns that take part in the fit.
        pivot_reference: centroid ``(3,)`` of the swept points; motions are about it.
    """

    points_reference: Floats
    counts: Floats
    weights: Floats
    point_noise_mm: Floats
    noise_sd_mm: Floats
    trend_radius_mm: float
    landmarks_ct: Floats
    landmarks_reference: Floats
    landmark_error: LocalisationError
    on_skin: NDArray[np.bool_]
    surface_on_skin: bool
    prior_information: Floats
    free: Floats
    pivot_reference: Floats

    @property
    def arms_mm(self) -> Floats:
        """Vectors from the pivot to each swept point, ``(n, 3)``."""
        return self.points_reference - self.pivot_reference


@dataclass(frozen=True, eq=False)
class IcpOutcome:
    """Result of the iteration.

    Attributes:
        T_reference_ct: the pose.
        residuals_mm: signed distances ``(n,)`` of the swept points, positive outside.
        shared: estimates ``(20,)`` of the unknowns other than the pose; the first six, the motion, are 0.
        shared_mm: the part ``(n,)`` of the residuals that these explain.
        robust_weights: Tukey weights ``(n,)``, 0 to 1.
        surface_information, landmark_information: Fisher information ``(20, 20)`` of swept points and of landmarks.
        iterations, converged, last_step_mm: how the iteration ended.
        settling_sd: how far from the end the fit was during the last `SETTLED_STEPS` steps, in its standard deviations.
    """

    T_reference_ct: Transform
    residuals_mm: Floats
    shared: Floats
    shared_mm: Floats
    robust_weights: Floats
    surface_information: Floats
    landmark_information: Floats
    iterations: int
    converged: bool
    last_step_mm: float
    settling_sd: float

    @property
    def offset_mm(self) -> float:
        """The estimated offset in mm that all points share, positive outside."""
        return float(self.shared[OFFSET])


def iterate(evidence: Evidence, field: DistanceField, initial: Transform, settings: IcpSettings) -> IcpOutcome:
    """Iterates from `initial` (``T_reference_ct``) until the steps are negligible (see the tolerances in `settings`).

    Raises:
        SurfacePointsRefusedError: too few points near the surface, initially or in a later iteration.
    """
    gram = mean_gram(evidence)
    pose, shared, step_mm, settling_sd, converged = initial, np.zeros(UNKNOWNS), np.inf, np.inf, False
    steps: list[Floats] = []
    while len(steps) < settings.maximum_iterations and not converged:
        widening = max(1.0, settings.annealing_start * settings.annealing_rate ** len(steps))
        distance = _distance(evidence, field, pose)
        step, information = _step(evidence, distance, pose, shared, widening, settings)
        pose, shared = moved(pose, step[MOTION], evidence.pivot_reference), shared + step
        shared[MOTION] = 0.0
        steps.append(step)
        step_mm = float(np.sqrt(step[MOTION] @ gram @ step[MOTION]))
        since = np.cumsum(steps[: -SETTLED_STEPS - 1 : -1], axis=0)
        settling_sd = float(np.sqrt(np.einsum("ni,ij,nj->n", since, information, since).max()))
        settled = len(steps) > SETTLED_STEPS and settling_sd < settings.settled_sd
        converged = widening == 1.0 and (step_mm < settings.step_tolerance_mm or settled)
    distance = _distance(evidence, field, pose)
    shared_mm = _surface_rows(evidence, pose, distance) @ shared
    robust = _robust_weights(distance, shared_mm, 1.0, evidence, settings)
    return IcpOutcome(
        T_reference_ct=pose,
        residuals_mm=distance.signed_mm,
        shared=shared,
        shared_mm=shared_mm,
        robust_weights=robust,
        surface_information=_surface_information(evidence, field, pose, distance, evidence.weights * robust),
        landmark_information=landmark_equations(evidence, pose)[0],
        iterations=len(steps),
        converged=converged,
        last_step_mm=step_mm,
        settling_sd=settling_sd,
    )


def mean_gram(evidence: Evidence) -> Floats:
    """Matrix ``G`` (6, 6) for which a motion xi moves the swept points by ``sqrt(xi' G xi)`` mm RMS."""
    jacobian = motion_jacobian(evidence.points_reference, evidence.pivot_reference)
    return np.einsum("nki,nkj->ij", jacobian, jacobian) / len(jacobian)


def landmark_residuals_mm(evidence: Evidence, pose: Transform) -> Floats:
    """Touched minus mapped landmarks, ``(m, 3)`` in reference."""
    return evidence.landmarks_reference - pose.apply(evidence.landmarks_ct)


def landmark_prediction_mm(evidence: Evidence, pose: Transform, shared: Floats) -> Floats:
    """The part ``(m, 3)`` of the landmarks' residuals that the unknowns ``(20,)`` other than the pose explain."""
    predicted: Floats = _landmark_rows(evidence, pose) @ shared
    return predicted


def only_of_pose(information: Floats, evidence: Evidence) -> Floats:
    """Marginal information ``(6, 6)`` about the pose from that about all unknowns ``(20, 20)``.

    The Schur complement over offset and scale, each with its prior: points that share an unknown offset say nothing
    about a motion with the same effect. Where the surface is skin, this is the pose relative to the skin.
    """
    others = evidence.free[np.isin(evidence.free, (SCALE, OFFSET))]
    if not len(others):
        return information[MOTION, MOTION]
    held = information[np.ix_(others, others)] + evidence.prior_information[np.ix_(others, others)]
    mixed = information[MOTION, :][:, others]
    reduced: Floats = information[MOTION, MOTION] - mixed @ np.linalg.solve(held, mixed.T)
    return reduced


def _step(
    evidence: Evidence,
    distance: SurfaceDistance,
    pose: Transform,
    shared: Floats,
    widening: float,
    settings: IcpSettings,
) -> tuple[Floats, Floats]:
    """The step ``(20,)`` that minimises the cost linearised at `pose`, and the information ``(20, 20)`` there."""
    rows = _surface_rows(evidence, pose, distance)
    robust = _robust_weights(distance, rows @ shared, widening, evidence, settings)
    information, gradient = surface_equations(rows, distance.signed_mm, evidence.weights * robust)
    marks, pull = landmark_equations(evidence, pose)
    known = information + marks + evidence.prior_information
    # The initial pose's weak information only damps the step (Levenberg) in undetermined directions: no gradient.
    return inverse_of_free(known, evidence.free) @ (gradient + pull) - shared, known


def surface_equations(rows: Floats, residuals_mm: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Information ``(20, 20)`` and gradient ``(20,)`` of weighted distances."""
    weighted = weights[:, None] * rows
    return rows.T @ weighted, weighted.T @ residuals_mm


def _landmark_rows(evidence: Evidence, pose: Transform) -> Floats:
    return landmark_rows(pose.apply(evidence.landmarks_ct), evidence.pivot_reference, evidence.on_skin)


def landmark_equations(evidence: Evidence, pose: Transform) -> tuple[Floats, Floats]:
    """Information ``(20, 20)`` and gradient ``(20,)`` of the landmarks; zero without any."""
    if not len(evidence.landmarks_ct):
        return np.zeros((UNKNOWNS, UNKNOWNS)), np.zeros(UNKNOWNS)
    rows = _landmark_rows(evidence, pose)
    weighted = evidence.landmark_error.information(pose) @ rows
    information = np.einsum("nki,nkj->ij", rows, weighted)
    return information, np.einsum("nki,nk->i", weighted, landmark_residuals_mm(evidence, pose))


def _distance(evidence: Evidence, field: DistanceField, pose: Transform) -> SurfaceDistance:
    return field.distance(pose.inverse().apply(evidence.points_reference))


def surface_jacobian(evidence: Evidence, pose: Transform, field: DistanceField) -> Floats:
    """Jacobian ``(n, 20)`` of the swept points' distances at `pose` (`surface_rows`)."""
    return _surface_rows(evidence, pose, _distance(evidence, field, pose))


def _surface_rows(evidence: Evidence, pose: Transform, distance: SurfaceDistance) -> Floats:
    """Jacobian ``(n, 20)`` of the points' distances by the unknowns, positive where they shrink."""
    normals = pose.rotate(distance.gradient)
    return surface_rows(
        evidence.arms_mm, np.cross(evidence.arms_mm, normals), normals, on_skin=evidence.surface_on_skin
    )


def _surface_information(
    evidence: Evidence, field: DistanceField, pose: Transform, distance: SurfaceDistance, weights: Floats
) -> Floats:
    """Information ``(20, 20)`` of the swept points, from normals averaged over a disc.

    Facets and ripples tilt single normals, so that even a sphere would seem to resist rotation. Texture as small as the
    surface's own error is as likely error as shape, and must not count as information.
    """
    points_ct = pose.inverse().apply(evidence.points_reference)
    feet_ct = points_ct - distance.signed_mm[:, None] * distance.gradient
    normals_ct, moments_ct = np.hsplit(field.mean_normal_lines(feet_ct, evidence.trend_radius_mm), 2)
    normals = pose.rotate(normals_ct)
    # Moments about ct's origin, rotated to reference and moved to the pivot.
    moments = pose.rotate(moments_ct) + np.cross(pose.translation_mm - evidence.pivot_reference, normals)
    rows = surface_rows(evidence.arms_mm, moments, normals, on_skin=evidence.surface_on_skin)
    return surface_equations(rows, distance.signed_mm, weights)[0]


def _robust_weights(
    distance: SurfaceDistance, shared_mm: Floats, widening: float, evidence: Evidence, settings: IcpSettings
) -> NDArray[np.float64]:
    near = np.abs(distance.signed_mm) <= settings.maximum_distance_mm
    # In standard deviations, since each point has its own.
    absolute = np.abs(distance.signed_mm - shared_mm) / evidence.noise_sd_mm
    if np.count_nonzero(near) < settings.minimum_points:
        raise SurfacePointsRefusedError(
            f"{np.count_nonzero(near)} of {len(near)} points within {settings.maximum_distance_mm:g} mm of the surface",
            f"at least {settings.minimum_points} points that near",
            "check the landmark registration and that the right surface was swept",
        )
    # Deviations from the estimated offset, not from the median: an offset beyond the prior must show as residuals.
    scale = max(MAD_TO_SD * float(np.median(absolute[near])), 1.0)
    cutoff = settings.tukey_cutoff * widening * scale
    return np.where(near, np.maximum(0.0, 1.0 - (absolute / cutoff) ** 2) ** 2, 0.0)
