"""Registration of swept points to a surface of the CT: robust point-to-plane ICP with the covariance of the pose.

Chen and Medioni, "Object modelling by registration of multiple range images", IVC 10(3), 1992, with exact closest
points on the triangles, Tukey weights with a scale estimated from the residuals, and landmarks in the same cost, since
a smooth torso alone does not determine the pose. The covariance accounts for correlated points (`evidence.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geometry import Surface, Transform
from geometry.errors import FrameMismatchError, InvalidPointsError
from geometry.frames import CT, REFERENCE
from geometry.points import Floats, as_points, read_only
from registration.distance.closest_point import DistanceField, ExactDistance
from registration.errors import LandmarksRefusedError, SurfacePointsRefusedError
from registration.landmarks.fit import checked_landmarks
from registration.surface.evidence import neighbour_counts, point_weights
from registration.surface.icp import (
    SETTLED_STEPS,
    Evidence,
    IcpOutcome,
    IcpSettings,
    iterate,
    landmark_residuals_mm,
)
from registration.surface.pose_evidence import WeakestDirection, combined_uncertainty, weakest_direction
from registration.surface.residual_field import ResidualField, estimate_field
from registration.uncertainty.drift import OrderTrend, order_trend
from registration.uncertainty.expected_error import PoseUncertainty
from registration.uncertainty.localisation_error import LocalisationError
from registration.uncertainty.perturbation import MOTION
from registration.uncertainty.shared_errors import (
    ScaleEstimate,
    SharedErrors,
    inverse_of_free,
    landmark_rows,
    reach_of,
    shared_information,
)


@dataclass(frozen=True, kw_only=True)
class SurfaceFitSettings(IcpSettings):
    """Stated errors of a surface registration, in addition to the settings of the iteration.

    Attributes:
        point_noise_mm: standard deviation along the normal of each point's own error: tracker and stylus.
        model_error_mm: standard deviation of the surface's error, shared by neighbouring points: segmentation, skin.
        offset_sd_mm: standard deviation of an offset that all points share: skin pressed in by the stylus, or a
            segmentation that is too large everywhere. The offset is estimated together with the pose, and its remaining
            uncertainty is part of the pose's. 0 where no offset is possible; about 1 mm for swept skin.
        correlation_length_mm: side of the square patch within which the model error is taken as constant. For an error
            correlated as ``exp(-d^2 / 2 l^2)`` it is ``sqrt(2 pi) l``.
        trend_radius_mm: radius of the disc over which normals are averaged for the covariance. Large enough to average
            out the slopes of the model error, which would otherwise seem to constrain a smooth body.
        landmark_fle_rms_mm: FLE, RMS length of the landmarks' 3-D error; one number, or one per landmark.
        initial_sd_mm, initial_sd_rad: standard deviations of the initial pose. They bound the uncertainty of motions
            that no measurement constrains.
        minimum_inlier_fraction: with a smaller share of inliers, the result is returned as not converged.
    """

    point_noise_mm: float = 0.4
    model_error_mm: float = 0.5
    offset_sd_mm: float = 0.0
    correlation_length_mm: float = 15.0
    trend_radius_mm: float = 20.0
    landmark_fle_rms_mm: float | tuple[float, ...] = 0.7
    initial_sd_mm: float = 50.0
    initial_sd_rad: float = 0.5
    minimum_inlier_fraction: float = 0.5


@dataclass(frozen=True, eq=False)
class SurfaceRegistration:
    """A pose from a swept surface and, if given, landmarks.

    Attributes:
        T_reference_ct: maps ct to reference.
        residuals_mm: signed distance of each point to the surface, ``(n,)``, positive outside.
        inlier: which points have a weight above zero, ``(n,)`` bool.
        offset_mm: estimated offset that all points share, positive outside; 0 unless `offset_sd_mm` allows for one.
        residual_rms_mm, residual_p95_mm: RMS and 95 % quantile of the inliers' distances from that offset. Not the
            accuracy at a target.
        landmark_fre_rms_mm: RMS distance of the landmarks under this pose; None without landmarks.
        iterations: number of iterations of the solver.
        converged: whether the pose may be used; `reason` says why or why not.
        reason: the reason in words.
        weakest_direction: the motion that the surface constrains least.
        uncertainty: covariance of the pose.
        noise_inflation: factor on the stated variance of the surface points, from their residuals; 1 where they agree.
        residual_field: the surface's error as estimated from the residuals, where it is larger, or correlated over a
            longer distance, than stated: then weights and covariance are based on it. None where the stated one holds.
        scale: scale between CT and patient as the measurements alone give it; None where it was taken as known, or
            where they do not determine it.
        trend: trend of the landmarks' residuals with the order of the touches; None if there is none.
    """

    T_reference_ct: Transform
    residuals_mm: Floats
    inlier: NDArray[np.bool_]
    offset_mm: float
    residual_rms_mm: float
    residual_p95_mm: float
    landmark_fre_rms_mm: float | None
    iterations: int
    converged: bool
    reason: str
    weakest_direction: WeakestDirection
    uncertainty: PoseUncertainty
    noise_inflation: float
    residual_field: ResidualField | None = None
    scale: ScaleEstimate | None = None
    trend: OrderTrend | None = None


def refine_on_surface(
    points_reference: ArrayLike,
    surface_ct: Surface | DistanceField,
    initial: Transform,
    landmarks: tuple[ArrayLike, ArrayLike] | None = None,
    settings: SurfaceFitSettings | None = None,
    *,
    point_noise_mm: ArrayLike | None = None,
    landmark_error: LocalisationError | None = None,
    shared: SharedErrors | None = None,
    touch_order: tuple[int, ...] = (),
) -> SurfaceRegistration:
    """Refines `initial` (``T_reference_ct``) by swept points on the surface and by landmarks, in one cost.

    Args:
        points_reference: swept points ``(n, 3)`` in reference, in mm.
        surface_ct: surface in ct with outward winding, which may be open; or a distance field built from such a
            surface, such as a `DistanceGrid` for speed.
        initial: pose to start from.
        landmarks: ``(points_ct, points_reference)``, each ``(m, 3)`` in mm, any m >= 1.
        settings: stated errors, and settings of the iteration.
        point_noise_mm: standard deviation of each point ``(n,)``, in place of the settings'.
        landmark_error: localisation errors of the landmarks, in place of the settings' isotropic one.
        shared: priors of the errors that landmarks and points share; none if left out.
        touch_order: the place in which each landmark was touched, counted from 0, before the sweep; unknown if left
            out.

    Raises:
        SurfacePointsRefusedError: too few points, an empty surface, no point near the surface under `initial`, a noise
            that is not positive.
        LandmarksRefusedError: landmarks that do not pair up, or an error for another number of them.
        FrameMismatchError: another frame than ct and reference.
    """
    settings = settings or SurfaceFitSettings()
    field = _checked_field(surface_ct, initial)
    points_mm = checked_points(points_reference, settings)
    noise_mm = _checked_noise(point_noise_mm, len(points_mm), settings)
    pairs = _checked_pairs(landmarks, landmark_error, settings)
    evidence = _evidence(points_mm, noise_mm, pairs, settings, shared or SharedErrors())
    outcome = iterate(evidence, field, initial, settings)
    found = estimate_field(evidence, outcome, field, settings.model_error_mm, settings.correlation_length_mm)
    if found is not None:
        # With a larger surface error the points weigh less against the landmarks, so the pose must be fitted again.
        told = replace(settings, model_error_mm=found.model_error_mm, correlation_length_mm=found.correlation_length_mm)
        evidence = _evidence(points_mm, noise_mm, pairs, told, shared or SharedErrors())
        outcome = iterate(evidence, field, outcome.T_reference_ct, told)
    return replace(_result(evidence, outcome, settings, found), trend=_trend(evidence, outcome, touch_order))


def _checked_field(surface_ct: Surface | DistanceField, initial: Transform) -> DistanceField:
    frame = surface_ct.frame
    if (initial.to_frame, initial.from_frame, frame) != (REFERENCE, CT, CT):
        raise FrameMismatchError(
            f"the initial pose {initial} for a surface in '{frame}'",
            f"T_{REFERENCE}_{CT} and a surface in '{CT}'",
            "invert the pose, or map the surface to ct",
        )
    return distance_to(surface_ct)


def distance_to(surface_ct: Surface | DistanceField) -> DistanceField:
    """The exact distance to a surface, or the field itself where one is given.

    Raises:
        SurfacePointsRefusedError: a surface without triangles.
    """
    if not isinstance(surface_ct, Surface):
        return surface_ct
    check_triangles(surface_ct)
    return ExactDistance(surface_ct)


def check_triangles(surface: Surface) -> None:
    """Raises `SurfacePointsRefusedError` for a surface without triangles."""
    if not len(surface.triangles):
        raise SurfacePointsRefusedError(
            f"the surface '{surface.name}' without triangles", "at least one triangle", "check its segmentation"
        )


def checked_points(points_reference: ArrayLike, settings: IcpSettings) -> Floats:
    """Swept points as a finite ``(n, 3)`` array.

    Raises:
        SurfacePointsRefusedError: fewer than `minimum_points`, another shape, or not finite.
    """
    try:
        return as_points(points_reference, "swept points", settings.minimum_points)
    except InvalidPointsError as error:
        raise SurfacePointsRefusedError(error.came, error.allowed, error.action) from error


def _checked_noise(point_noise_mm: ArrayLike | None, count: int, settings: SurfaceFitSettings) -> Floats:
    if point_noise_mm is None:
        return np.full(count, settings.point_noise_mm)
    noise_mm = np.asarray(point_noise_mm, dtype=np.float64)
    if noise_mm.shape != (count,) or not np.isfinite(noise_mm).all() or (noise_mm <= 0.0).any():
        raise SurfacePointsRefusedError(
            f"noise of shape {noise_mm.shape} for {count} points, of a wrong shape or not positive",
            "one positive standard deviation in mm for each point",
            "state how precisely each point was measured",
        )
    return noise_mm


_Pairs = tuple[Floats, Floats, LocalisationError]


def _evidence(
    points_mm: Floats, noise_mm: Floats, pairs: _Pairs, settings: SurfaceFitSettings, shared: SharedErrors
) -> Evidence:
    counts = neighbour_counts(points_mm, settings.correlation_length_mm, noise_mm)
    marks_ct, marks_reference, error = pairs
    on_skin, pivot_mm = shared.skin_mask(len(marks_ct)), points_mm.mean(axis=0)
    skin_mm = np.vstack([marks_reference[on_skin], points_mm[: len(points_mm) * shared.surface_on_skin]])
    reach_mm = reach_of(skin_mm, pivot_mm)
    prior, free = shared_information(shared, settings.offset_sd_mm, reach_mm)
    initial_sd = np.repeat([settings.initial_sd_rad, settings.initial_sd_mm], 3)
    prior[MOTION, MOTION] = np.diag(initial_sd**-2.0)
    return Evidence(
        points_reference=points_mm,
        counts=counts,
        weights=point_weights(counts, noise_mm, settings.model_error_mm),
        point_noise_mm=noise_mm,
        noise_sd_mm=np.hypot(noise_mm, settings.model_error_mm),
        trend_radius_mm=settings.trend_radius_mm,
        landmarks_ct=marks_ct,
        landmarks_reference=marks_reference,
        landmark_error=error,
        on_skin=on_skin,
        surface_on_skin=shared.surface_on_skin,
        prior_information=prior,
        free=free,
        pivot_reference=pivot_mm,
    )


def _checked_pairs(
    landmarks: tuple[ArrayLike, ArrayLike] | None, error: LocalisationError | None, settings: SurfaceFitSettings
) -> _Pairs:
    if landmarks is None:
        return np.empty((0, 3)), np.empty((0, 3)), LocalisationError(np.empty((0, 3, 3)), np.empty((0, 3, 3)))
    marks_ct, marks_reference, _ = checked_landmarks(*landmarks, names=None)
    error = error or LocalisationError.isotropic(settings.landmark_fle_rms_mm, len(marks_ct))
    if len(error) != len(marks_ct):
        raise LandmarksRefusedError(
            f"localisation errors of {len(error)} landmarks for {len(marks_ct)} landmarks",
            "one for each landmark",
            "state them in the landmarks' order",
        )
    return marks_ct, marks_reference, error


def _result(
    evidence: Evidence, outcome: IcpOutcome, settings: SurfaceFitSettings, found: ResidualField | None
) -> SurfaceRegistration:
    inlier = outcome.robust_weights > 0.0
    inlier_mm = np.abs(outcome.residuals_mm[inlier] - outcome.offset_mm)
    uncertainty, inflation, scale = combined_uncertainty(evidence, outcome)
    # The residuals exceed the stated error by the estimated field's excess, or by what remains with that field.
    exceeded = 1.0 if found is None else found.variance_factor
    marks_mm = landmark_residuals_mm(evidence, outcome.T_reference_ct)
    converged, reason = _verdict(float(inlier.mean()), outcome, settings)
    return SurfaceRegistration(
        T_reference_ct=outcome.T_reference_ct,
        residuals_mm=read_only(outcome.residuals_mm),
        inlier=read_only(inlier),
        offset_mm=outcome.offset_mm,
        residual_rms_mm=float(np.sqrt(np.mean(inlier_mm**2))),
        residual_p95_mm=float(np.percentile(inlier_mm, 95)),
        landmark_fre_rms_mm=float(np.sqrt(np.mean(np.sum(marks_mm**2, axis=1)))) if len(marks_mm) else None,
        iterations=outcome.iterations,
        converged=converged,
        reason=reason,
        weakest_direction=weakest_direction(evidence, outcome, uncertainty, inflation),
        uncertainty=uncertainty,
        noise_inflation=max(inflation, exceeded),
        residual_field=found,
        scale=scale,
    )


def _trend(evidence: Evidence, outcome: IcpOutcome, touch_order: tuple[int, ...]) -> OrderTrend | None:
    if len(touch_order) != len(evidence.landmarks_ct) or not touch_order:
        return None
    pose, known = outcome.T_reference_ct, outcome.surface_information + outcome.landmark_information
    mapped_mm = pose.apply(evidence.landmarks_ct)
    rows = landmark_rows(mapped_mm, evidence.pivot_reference, evidence.on_skin)
    left_mm = landmark_residuals_mm(evidence, pose) - rows @ outcome.shared
    covariance = inverse_of_free(known + evidence.prior_information, evidence.free)
    return order_trend(rows, evidence.landmark_error.information(pose), left_mm, covariance, touch_order)


def _verdict(inlier_fraction: float, outcome: IcpOutcome, settings: SurfaceFitSettings) -> tuple[bool, str]:
    if not outcome.converged:
        return False, (
            f"still moving by {outcome.last_step_mm:.2g} mm after {outcome.iterations} iterations, in the last "
            f"{SETTLED_STEPS} by {outcome.settling_sd:.2g} standard deviations of the fit"
        )
    if inlier_fraction < settings.minimum_inlier_fraction:
        return False, (
            f"only {inlier_fraction:.0%} of the points lie on the surface, "
            f"{settings.minimum_inlier_fraction:.0%} are needed: check the landmarks and what was swept"
        )
    return True, f"converged in {outcome.iterations} iterations, {inlier_fraction:.0%} of the points on the surface"
