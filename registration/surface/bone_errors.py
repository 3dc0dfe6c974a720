"""The errors that a whole ultrasound sweep shares, estimated beside the pose, and what of them stays in the pose.

At the pose that was found, the distances of the points are linear in a small motion of the pose, in the offset that all
points share, and in the shared errors of `bone_sweep.py`, each with its prior. Their joint covariance is the inverse of
the joint information: what the sweep cannot tell of a shared error stays in the pose's covariance, whole.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geometry.points import Floats
from registration.distance.closest_point import DistanceField
from registration.surface.bone_sweep import LAG, SHARED, SOUND, BoneSweep, SweepErrors
from registration.surface.evidence import neighbour_counts, point_weights
from registration.surface.refine import SurfaceRegistration
from registration.uncertainty.perturbation import motion_jacobian

# A motion (6), the offset, then the shared errors.
_OFFSET, _ERRORS = 6, slice(7, 7 + SHARED)
# Bone that is met at less than some 10 degrees, or from behind, sends no echo back.
_LEAST_FACING = 0.15
# How far in front of a point bone throws a shadow on it, and how deep in bone that must be to count.
_SHADOW_MM, _SHADOW_STEP_MM, _DEEP_IN_BONE_MM = (4.0, 24.0), 4.0, 1.5


@dataclass(frozen=True)
class Told:
    """One shared error as the sweep alone tells it, without its prior.

    Attributes:
        value: its estimate.
        sd: standard deviation of the estimate.
        prior_sd: standard deviation that was stated.
    """

    value: float
    sd: float
    prior_sd: float

    @property
    def excess(self) -> float:
        """How many standard deviations it is from what was stated."""
        return abs(self.value) / math.hypot(self.sd, self.prior_sd)


@dataclass(frozen=True, eq=False)
class SharedEstimate:
    """The shared errors of a sweep at one pose.

    Attributes:
        errors: their estimates ``(12,)``, the priors included.
        added: covariance ``(6, 6)`` that they add to the pose's, about its pivot.
        lag, sound: as the sweep alone tells them; None where it tells nothing.
    """

    errors: Floats
    added: Floats
    lag: Told | None
    sound: Told | None


def estimate_shared(
    sweep: BoneSweep,
    found: SurfaceRegistration,
    field: DistanceField,
    assumed: SweepErrors,
    before: Floats,
) -> SharedEstimate:
    """Estimates the shared errors at the pose that was found from the sweep.

    Args:
        sweep: corrected by `before`, as it was registered.
        found: its registration.
        field: distance to the surface.
        assumed: errors of the sweep.
        before: the shared errors ``(12,)`` that are corrected already.
    """
    pose, points = found.T_reference_ct, sweep.bone.points_reference_mm
    normals = pose.rotate(field.distance(pose.inverse().apply(points)).gradient)
    noise_mm = sweep.bone.sd_along_mm(normals)
    counts = neighbour_counts(points, assumed.correlation_length_mm, noise_mm)
    weights = np.where(found.inlier, point_weights(counts, noise_mm, assumed.model_error_mm), 0.0)
    weights = weights / found.noise_inflation
    pivot = found.uncertainty.pivot_reference_mm
    rows = np.zeros((len(points), _ERRORS.stop))
    # The distance of a point that was moved by an error e grows by n.e; a motion of the pose takes n.motion off it.
    rows[:, :_OFFSET] = np.einsum("ni,nij->nj", normals, motion_jacobian(points, pivot))
    rows[:, _OFFSET] = 1.0
    rows[:, _ERRORS] = np.einsum("ni,nij->nj", normals, sweep.moved)
    information = rows.T @ (weights[:, None] * rows)
    # At the pose of the fit its own unknowns are at rest; the errors corrected before are part of what was measured.
    told = rows.T @ (weights * (found.residuals_mm + rows[:, _ERRORS] @ before))
    prior = np.zeros_like(information)
    prior[_OFFSET, _OFFSET] = assumed.offset_sd_mm**-2.0
    without = np.linalg.inv((information + prior)[: _OFFSET + 1, : _OFFSET + 1])
    prior[_ERRORS, _ERRORS] = np.linalg.inv(sweep.prior)
    covariance = np.linalg.inv(information + prior)
    errors = (covariance @ told)[_ERRORS]
    added = covariance[:_OFFSET, :_OFFSET] - without[:_OFFSET, :_OFFSET]
    known = np.diag(covariance)[_ERRORS]
    lag, sound = (_alone(errors[k], known[k], sweep.prior[k, k]) for k in (LAG, SOUND))
    return SharedEstimate(errors, (added + added.T) / 2.0, lag, sound)


def _alone(mean: float, variance: float, prior: float) -> Told | None:
    """Takes the prior off a posterior."""
    told = 1.0 / variance - 1.0 / prior
    if told * prior < 1e-6:
        return None
    return Told(float(mean / (variance * told)), math.sqrt(1.0 / told), math.sqrt(prior))


def seen_by_beams(sweep: BoneSweep, found: SurfaceRegistration, field: DistanceField) -> NDArray[np.bool_]:
    """Which points ``(n,)`` may be bone at this pose: on a side that faces the probe, and not in the shadow of bone.

    What lies deeper than the first bone on its beam is an echo that went to and fro, or soft tissue beside the shadow.
    """
    T_ct_reference = found.T_reference_ct.inverse()
    points, beams = T_ct_reference.apply(sweep.bone.points_reference_mm), T_ct_reference.rotate(sweep.beams)
    facing = -np.einsum("ni,ni->n", field.distance(points).gradient, beams)
    before_mm = np.arange(_SHADOW_MM[0], _SHADOW_MM[1], _SHADOW_STEP_MM)
    passed = points[:, None] - before_mm[:, None] * beams[:, None]
    inside_mm = field.distance(passed.reshape(-1, 3)).signed_mm.reshape(len(points), -1)
    return np.asarray((facing > _LEAST_FACING) & (inside_mm > -_DEEP_IN_BONE_MM).all(axis=1))
