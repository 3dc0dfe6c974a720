"""Covariance of a surface registration, and the motion that the swept surface constrains least."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geometry.points import Floats, read_only
from registration.surface.icp import (
    Evidence,
    IcpOutcome,
    landmark_prediction_mm,
    landmark_residuals_mm,
    mean_gram,
    only_of_pose,
)
from registration.uncertainty.expected_error import PoseUncertainty, noise_inflation
from registration.uncertainty.perturbation import JOINT, MOTION, SCALE, SKIN
from registration.uncertainty.shared_errors import ScaleEstimate, inverse_of_free, joint_of, scale_estimate


@dataclass(frozen=True, eq=False)
class WeakestDirection:
    """The motion that the swept surface constrains least, such as sliding along a cylinder or turning about a sphere.

    Attributes:
        motion: one standard deviation of this motion from the surface alone, ``(6,)``: rotation vector in rad and
            translation in mm about `pivot_reference_mm`, in the axes of reference.
        pivot_reference_mm: centroid of the swept points, ``(3,)``.
        surface_sd_mm: its standard deviation, RMS over the swept points, from the surface alone; limited by the prior
            of the initial pose.
        combined_sd_mm: the same with the landmarks included.
        sd_mm: standard deviations ``(6,)`` from the surface along six independent motions, descending. Two large ones
            indicate a cylinder, three a plane or a sphere.
        description: the motion in words.
    """

    motion: Floats
    pivot_reference_mm: Floats
    surface_sd_mm: float
    combined_sd_mm: float
    sd_mm: Floats
    description: str


def combined_uncertainty(
    evidence: Evidence, outcome: IcpOutcome
) -> tuple[PoseUncertainty, float, ScaleEstimate | None]:
    """Uncertainty of the pose, noise inflation of the surface points, and the estimated scale (None if undetermined).

    The variances of surface and landmarks are inflated by their own residuals. The solution was weighted with the
    stated variances, so the covariance is the sandwich ``H^-1 M H^-1``, M being the gradient's covariance with the
    inflated ones.
    """
    surface, marks, prior = outcome.surface_information, outcome.landmark_information, evidence.prior_information
    inverse = inverse_of_free(surface + marks + prior, evidence.free)
    surface_factor = _surface_inflation(evidence, outcome, float(np.trace(inverse @ surface)))
    marks_factor = _landmark_inflation(evidence, outcome, float(np.trace(inverse @ marks)))
    # Rows of unknowns that take no part are zero in the inverse, and so in the covariance.
    covariance = inverse @ (surface_factor * surface + marks_factor * marks + prior) @ inverse
    # The pose in use does not include the estimated scale, skin and slide: these estimates are errors of it.
    joint = joint_of(covariance + np.outer(outcome.shared, outcome.shared))
    prior_scale = prior[SCALE, SCALE]
    scale_sd = float(prior_scale**-0.5) if prior_scale > 0.0 else 0.0
    inflation = max(surface_factor, marks_factor)
    scale = scale_estimate(float(outcome.shared[SCALE]), float(inverse[SCALE, SCALE]), scale_sd, inflation)
    return PoseUncertainty.from_joint(joint, evidence.pivot_reference), surface_factor, scale


def weakest_direction(
    evidence: Evidence, outcome: IcpOutcome, uncertainty: PoseUncertainty, inflation: float
) -> WeakestDirection:
    """The motion with the largest variance from the surface, measured by how far it moves the swept points."""
    surface = only_of_pose(outcome.surface_information, evidence)
    surface_covariance = np.linalg.inv(surface / inflation + evidence.prior_information[MOTION, MOTION])
    # The small multiple of the identity regularises points on a line, which a rotation about the line does not move.
    factor = np.linalg.cholesky(mean_gram(evidence) + 1e-6 * np.eye(6))
    variances, motions = np.linalg.eigh(factor.T @ surface_covariance @ factor)
    weakest = motions[:, -1]
    surface_sd_mm = float(np.sqrt(variances[-1]))
    # Relative to the swept surface: a motion of the skin itself is not a weakness of the fit.
    follow = np.zeros((6, JOINT))
    follow[:, MOTION] = np.eye(6)
    if evidence.surface_on_skin:
        follow[:, SKIN] = np.eye(6)
    combined = follow @ uncertainty.joint @ follow.T
    combined_sd_mm = float(np.sqrt(weakest @ factor.T @ combined @ factor @ weakest))
    motion = surface_sd_mm * np.linalg.solve(factor.T, weakest)
    return WeakestDirection(
        motion=read_only(motion),
        pivot_reference_mm=read_only(evidence.pivot_reference),
        surface_sd_mm=surface_sd_mm,
        combined_sd_mm=combined_sd_mm,
        sd_mm=read_only(np.sqrt(np.maximum(variances[::-1], 0.0))),
        description=_describe(motion, mean_gram(evidence), surface_sd_mm, combined_sd_mm),
    )


def _surface_inflation(evidence: Evidence, outcome: IcpOutcome, parameters: float) -> float:
    # Points that share a patch count as one observation.
    independent = outcome.robust_weights / evidence.counts
    chi_square = float(independent @ ((outcome.residuals_mm - outcome.shared_mm) / evidence.noise_sd_mm) ** 2)
    return noise_inflation(chi_square, float(independent.sum()) - parameters)


def _landmark_inflation(evidence: Evidence, outcome: IcpOutcome, parameters: float) -> float:
    pose = outcome.T_reference_ct
    residuals_mm = landmark_residuals_mm(evidence, pose) - landmark_prediction_mm(evidence, pose, outcome.shared)
    information = evidence.landmark_error.information(pose)
    chi_square = float(np.einsum("nk,nkl,nl->", residuals_mm, information, residuals_mm))
    return noise_inflation(chi_square, 3.0 * len(residuals_mm) - parameters)


def _describe(motion: Floats, gram: Floats, surface_sd_mm: float, combined_sd_mm: float) -> str:
    turning_mm2 = motion[:3] @ gram[:3, :3] @ motion[:3]
    shifting_mm2 = motion[3:] @ motion[3:]
    kind, vector = ("turning about", motion[:3]) if turning_mm2 > shifting_mm2 else ("sliding along", motion[3:])
    x, y, z = vector / np.linalg.norm(vector)
    return (
        f"{kind} ({x:.2f}, {y:.2f}, {z:.2f}) in reference: the surface alone leaves {surface_sd_mm:.2g} mm, "
        f"all evidence together {combined_sd_mm:.2g} mm"
    )
