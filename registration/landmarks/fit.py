"""Rigid registration of paired landmarks by weighted least squares, with the covariance of the pose.

Isotropic errors use the closed form of `rigid_fit.py`, anisotropic ones the iteration of `anisotropic.py`. The pose has
no scale: both sides are in mm.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from geometry import Transform
from geometry.errors import InvalidPointsError
from geometry.points import Floats, as_points, read_only
from registration.errors import LandmarksRefusedError
from registration.landmarks.anisotropic import fit_anisotropic
from registration.landmarks.checks import LandmarkLimits, check_fit, check_pairs
from registration.landmarks.rigid_fit import fit_rigid
from registration.uncertainty.drift import OrderTrend, order_trend
from registration.uncertainty.expected_error import PoseUncertainty, noise_inflation
from registration.uncertainty.localisation_error import LocalisationError
from registration.uncertainty.perturbation import SCALE, motion_jacobian
from registration.uncertainty.shared_errors import (
    ScaleEstimate,
    SharedErrors,
    inverse_of_free,
    joint_of,
    landmark_rows,
    reach_of,
    scale_estimate,
    shared_information,
)


@dataclass(frozen=True, kw_only=True)
class LandmarkSettings(LandmarkLimits):
    """Stated error of the landmarks, in addition to the limits beyond which they are refused.

    Attributes:
        fle_rms_mm: fiducial localisation error: RMS length of the 3-D error of a pair, in the CT and on the patient
            together. One number, or one per landmark.
    """

    fle_rms_mm: float | tuple[float, ...] = 0.7


@dataclass(frozen=True, eq=False)
class LandmarkRegistration:
    """A pose from landmarks.

    Attributes:
        T_reference_ct: maps ct to reference.
        names: names of the n landmarks.
        residuals_reference_mm: touched minus mapped position, ``(n, 3)`` in reference.
        fre_rms_mm: FRE, RMS length of the residuals. Not the accuracy at a target: `expected_tre` estimates that.
        uncertainty: covariance of the pose.
        noise_inflation: factor on the stated variance, from the residuals; 1 where they agree with the stated FLE.
        chi_square: sum of squared residuals over their stated variances; ``3 n - 6`` is expected.
        scale: scale between CT and patient as the landmarks alone give it; None where it was taken as known, or where
            they do not determine it.
        trend: trend of the residuals with the order of the touches; None if there is none.
    """

    T_reference_ct: Transform
    names: tuple[str, ...]
    residuals_reference_mm: Floats
    fre_rms_mm: float
    uncertainty: PoseUncertainty
    noise_inflation: float
    chi_square: float
    scale: ScaleEstimate | None = None
    trend: OrderTrend | None = None


def register_landmarks(
    points_ct: ArrayLike,
    points_reference: ArrayLike,
    names: Sequence[str] | None = None,
    settings: LandmarkSettings | None = None,
    *,
    fle_rms_mm: float | ArrayLike | None = None,
    localisation_error: LocalisationError | None = None,
) -> LandmarkRegistration:
    """Registers landmarks picked in the CT to the same landmarks touched on the patient, both ``(n, 3)`` in mm.

    Args:
        points_ct, points_reference: the pairs, in the same order.
        names: one per landmark, for messages; ``1``, ``2``, ... if left out.
        settings: FLE, and limits beyond which landmarks are refused.
        fle_rms_mm: one number or ``(n,)``, in place of the settings'.
        localisation_error: covariances in place of either, for anisotropic errors.

    Raises:
        LandmarksRefusedError: fewer than three pairs, counts that differ, NaN, duplicates, landmarks nearly on a line,
            metres given for mm, pairs that cannot belong together (the worst one is named), a mirrored side.
    """
    settings = settings or LandmarkSettings()
    ct_mm, reference_mm, labels = checked_landmarks(points_ct, points_reference, names)
    error = stated_error(len(ct_mm), settings.fle_rms_mm if fle_rms_mm is None else fle_rms_mm, localisation_error)
    check_pairs(ct_mm, reference_mm, error.largest_sd_mm, labels, settings)
    registration = solve(ct_mm, reference_mm, labels, error)
    check_fit(ct_mm, reference_mm, error.mean_sd_mm, registration.chi_square, labels)
    return registration


def solve(
    ct_mm: Floats, reference_mm: Floats, names: tuple[str, ...], error: LocalisationError
) -> LandmarkRegistration:
    """The pose of pairs ``(n, 3)``, without any check of whether they agree."""
    weights = error.mean_sd_mm**-2.0
    T_reference_ct = fit_rigid(ct_mm, reference_mm, weights)
    if not error.is_isotropic:
        T_reference_ct = fit_anisotropic(ct_mm, reference_mm, error, T_reference_ct)
    information = error.information(T_reference_ct)
    mapped_mm = T_reference_ct.apply(ct_mm)
    residuals_mm = reference_mm - mapped_mm
    chi_square = float(np.einsum("ni,nij,nj->", residuals_mm, information, residuals_mm))
    degrees = 3.0 * len(ct_mm) - 6.0
    inflation = noise_inflation(chi_square, degrees)
    pivot_mm = weights @ mapped_mm / weights.sum()
    covariance = np.asarray(np.linalg.inv(landmark_information(mapped_mm, information, pivot_mm)), dtype=np.float64)
    return LandmarkRegistration(
        T_reference_ct=T_reference_ct,
        names=names,
        residuals_reference_mm=read_only(residuals_mm),
        fre_rms_mm=float(np.sqrt(np.mean(np.sum(residuals_mm**2, axis=1)))),
        uncertainty=PoseUncertainty(inflation * covariance, pivot_mm, degrees if inflation > 1.0 else math.inf),
        noise_inflation=inflation,
        chi_square=chi_square,
    )


def with_shared_errors(
    made: LandmarkRegistration,
    points_ct: Floats,
    error: LocalisationError,
    shared: SharedErrors,
    touch_order: tuple[int, ...] = (),
) -> LandmarkRegistration:
    """The same pose with the covariance that follows when landmarks ``(n, 3)`` share errors as well.

    Shared errors do not change the pose: a scale does not rotate it, and a motion of all skin leaves no residual.

    Args:
        made: the registration without shared errors.
        points_ct: its landmarks in ct.
        error: their localisation errors.
        shared: priors of the shared errors.
        touch_order: as for `refine_on_surface`.
    """
    pivot_mm, on_skin = made.uncertainty.pivot_reference_mm, shared.skin_mask(len(points_ct))
    mapped_mm = made.T_reference_ct.apply(points_ct)
    rows = landmark_rows(mapped_mm, pivot_mm, on_skin)
    weighted = error.information(made.T_reference_ct) @ rows
    told = np.einsum("nki,nkj->ij", rows, weighted)
    prior, free = shared_information(shared, 0.0, reach_of(mapped_mm[on_skin], pivot_mm))
    inverse = inverse_of_free(told + prior, free)
    means = inverse @ np.einsum("nki,nk->i", weighted, made.residuals_reference_mm)
    means[:SCALE] = 0.0
    covariance = inverse @ (made.noise_inflation * told + prior) @ inverse
    uncertainty = PoseUncertainty.from_joint(
        joint_of(covariance + np.outer(means, means)), pivot_mm, made.uncertainty.degrees
    )
    scale = scale_estimate(float(means[SCALE]), float(inverse[SCALE, SCALE]), shared.scale_sd, made.noise_inflation)
    trend = None
    if touch_order:
        left_mm = made.residuals_reference_mm - rows @ means
        trend = order_trend(rows, error.information(made.T_reference_ct), left_mm, inverse, touch_order)
    return replace(made, uncertainty=uncertainty, scale=scale, trend=trend)


def stated_error(
    count: int, fle_rms_mm: float | ArrayLike, localisation_error: LocalisationError | None
) -> LocalisationError:
    """The localisation error of `count` landmarks: the covariances if given, else from the RMS length.

    Raises:
        LandmarksRefusedError: errors of another number of landmarks.
    """
    if localisation_error is None:
        return LocalisationError.isotropic(fle_rms_mm, count)
    if len(localisation_error) != count:
        raise LandmarksRefusedError(
            f"localisation errors of {len(localisation_error)} landmarks for {count} landmarks",
            "one for each landmark, in the same order",
            "state how precisely each landmark can be touched",
        )
    return localisation_error


def landmark_information(points_reference: Floats, weights: Floats, pivot_mm: Floats) -> Floats:
    """Fisher information ``(6, 6)`` about the pose; its inverse is the covariance.

    Args:
        points_reference: mapped landmarks ``(n, 3)``.
        weights: information of each in 1/mm^2, ``(n,)`` if isotropic, else ``(n, 3, 3)``.
        pivot_mm: pivot of the motions, ``(3,)`` in reference.
    """
    jacobian = motion_jacobian(points_reference, pivot_mm)
    matrices = weights if weights.ndim == 3 else weights[:, None, None] * np.eye(3)
    return np.einsum("nki,nkl,nlj->ij", jacobian, matrices, jacobian, optimize=True)


def checked_landmarks(
    points_ct: ArrayLike, points_reference: ArrayLike, names: Sequence[str] | None
) -> tuple[Floats, Floats, tuple[str, ...]]:
    """Both sides as finite ``(n, 3)`` arrays, and one name for each pair.

    Raises:
        LandmarksRefusedError: not finite, another shape, or counts that differ.
    """
    try:
        ct_mm = as_points(points_ct, "landmarks in ct")
        reference_mm = as_points(points_reference, "landmarks in reference")
    except InvalidPointsError as error:
        raise LandmarksRefusedError(error.came, error.allowed, error.action) from error
    labels = tuple(str(name) for name in (range(1, len(ct_mm) + 1) if names is None else names))
    if not len(ct_mm) == len(reference_mm) == len(labels):
        raise LandmarksRefusedError(
            f"{len(ct_mm)} landmarks in ct, {len(reference_mm)} in reference, {len(labels)} names",
            "the same number of each, in the same order",
            "leave out landmarks that were not touched on both sides",
        )
    return ct_mm, reference_mm, labels
