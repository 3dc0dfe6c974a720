"""Maximum-likelihood pose of landmarks with anisotropic localisation errors.

The problem is that of Balachandran and Fitzpatrick, "Iterative solution for rigid-body point-based registration with
anisotropic weighting", SPIE Medical Imaging 7261, 2009. The weights depend on the pose, since part of the error is
given in ct. Gauss-Newton on the errors-in-variables cost accounts for that exactly: it moves the landmarks in ct by the
part of the residual that their own error explains, which gives the gradient of the true cost.
"""

from __future__ import annotations

import numpy as np

from geometry import Transform
from geometry.points import Floats
from registration.errors import LandmarksRefusedError
from registration.uncertainty.localisation_error import LocalisationError
from registration.uncertainty.perturbation import motion_jacobian, moved

MAXIMUM_ITERATIONS = 200
# Far above the rounding of coordinates of some 1,000 mm in double precision (1e-13 mm).
STEP_TOLERANCE_MM = 1e-10


def fit_anisotropic(ct_mm: Floats, reference_mm: Floats, error: LocalisationError, initial: Transform) -> Transform:
    """``T_reference_ct`` from `initial` that minimises ``sum r' (R C_ct R' + C_reference)^-1 r`` over pairs ``(n, 3)``.

    Raises:
        LandmarksRefusedError: no convergence, which only happens with pairs that contradict one another.
    """
    pose, damping = initial, 0.0
    cost = _cost(ct_mm, reference_mm, error, pose)
    for _ in range(MAXIMUM_ITERATIONS):
        hessian, gradient, pivot_mm, reach_mm = _normal_equations(ct_mm, reference_mm, error, pose)
        # Levenberg-Marquardt: damping scaled by the diagonal does not depend on the units of rotation and translation.
        damped = hessian + damping * np.diag(np.diag(hessian))
        motion = np.asarray(np.linalg.solve(damped, gradient), dtype=np.float64)
        step_mm = float(np.linalg.norm(motion[:3]) * reach_mm + np.linalg.norm(motion[3:]))
        if step_mm < STEP_TOLERANCE_MM:
            return pose
        trial = moved(pose, motion, pivot_mm)
        trial_cost = _cost(ct_mm, reference_mm, error, trial)
        # Near convergence the cost changes by less than its rounding error: such a step is accepted.
        if trial_cost <= cost * (1.0 + 1e-12):
            pose, cost, damping = trial, trial_cost, damping / 10.0 if damping > 1e-6 else 0.0
        else:
            damping = max(10.0 * damping, 1e-3)
    raise LandmarksRefusedError(
        f"landmarks whose pose still moves by {step_mm:.2g} mm after {MAXIMUM_ITERATIONS} steps",
        "pairs that agree within the stated localisation errors",
        "check the landmarks one by one, and the stated errors",
    )


def _normal_equations(
    ct_mm: Floats, reference_mm: Floats, error: LocalisationError, pose: Transform
) -> tuple[Floats, Floats, Floats, float]:
    """Hessian ``(6, 6)`` and negative gradient ``(6,)`` of half the cost, pivot ``(3,)``, largest arm in mm."""
    information = error.information(pose)
    mapped_mm = pose.apply(ct_mm)
    residuals_mm = reference_mm - mapped_mm
    pulls = np.einsum("nij,nj->ni", information, residuals_mm)
    # Most likely true positions of the landmarks, mapped: their own error in ct is removed, p = x + C_ct R' W r.
    rotation = pose.rotation_matrix
    corrected_mm = mapped_mm + np.einsum("nij,nj->ni", rotation @ error.covariance_ct_mm2 @ rotation.T, pulls)
    pivot_mm = mapped_mm.mean(axis=0)
    jacobian = motion_jacobian(corrected_mm, pivot_mm)
    transposed = jacobian.transpose(0, 2, 1)
    hessian = (transposed @ information @ jacobian).sum(axis=0)
    gradient = np.einsum("nij,nj->i", transposed, pulls)
    return hessian, gradient, pivot_mm, float(np.abs(mapped_mm - pivot_mm).max())


def _cost(ct_mm: Floats, reference_mm: Floats, error: LocalisationError, pose: Transform) -> float:
    residuals_mm = reference_mm - pose.apply(ct_mm)
    return float(np.einsum("ni,nij,nj->", residuals_mm, error.information(pose), residuals_mm))
