"""Expected error of a registration after verification touches.

A touch on bone measures what no residual on the skin can show. Where it agrees with the registration, the uncertainty
shrinks. Where it does not, the pose in use is not corrected: the estimated error of the pose is added to the remaining
covariance.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from registration.uncertainty.expected_error import PoseUncertainty
from registration.uncertainty.localisation_error import isotropic_mm2
from registration.uncertainty.perturbation import JOINT, joint_jacobian
from registration.verdict.verification import Verification


def after_touches(uncertainty: PoseUncertainty, touches: Iterable[Verification]) -> PoseUncertainty:
    """The uncertainty after the touches: a Kalman update of all unknowns, plus the square of the estimated error.

    Repeated touches of used landmarks, and touches from records without their own error, are left out. Returns
    `uncertainty` unchanged if no touch remains.
    """
    covariance, mean, tested = uncertainty.joint.copy(), np.zeros(JOINT), False
    for touch in touches:
        if touch.point_reference_mm is None or touch.own_rms_mm is None or touch.kind == "repeat":
            continue
        place = (touch.point_reference_mm - touch.offset_reference_mm)[None, :]
        rows = joint_jacobian(place, uncertainty.pivot_reference_mm, on_skin=touch.on_skin)[0]
        own_mm2 = isotropic_mm2(touch.own_rms_mm)
        offset = touch.offset_reference_mm
        if touch.kind == "surface":
            if touch.normal_reference is None:
                continue
            normal = touch.normal_reference[None, :]
            rows, offset, own_mm2 = normal @ rows, normal @ offset, np.array([[touch.own_rms_mm**2]])
        tested = True
        gain = covariance @ rows.T @ np.linalg.inv(rows @ covariance @ rows.T + own_mm2)
        mean = mean + gain @ (offset - rows @ mean)
        covariance = covariance - gain @ rows @ covariance
        covariance = (covariance + covariance.T) / 2.0
    if not tested:
        return uncertainty
    return PoseUncertainty.from_joint(
        covariance + np.outer(mean, mean), uncertainty.pivot_reference_mm, uncertainty.degrees
    )
