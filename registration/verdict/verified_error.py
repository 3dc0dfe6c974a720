"""The error to expect once touches have tested a registration: what they say about the pose, taken in.

A touch on bone sees what no residual on the skin shows. Where it agrees, less is left open; where it does not, the
registration is off by what it found, and the pose in use stays as it is: so the mean error that the touches speak for
is added to what remains in doubt.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from registration.uncertainty.expected_error import PoseUncertainty
from registration.uncertainty.perturbation import JOINT, joint_jacobian
from registration.verdict.verification import Verification


def after_touches(uncertainty: PoseUncertainty, touches: Iterable[Verification]) -> PoseUncertainty:
    """What is left open, and what was found to be off, together (Kalman's update of all unknowns)."""
    covariance, mean, tested = uncertainty.joint.copy(), np.zeros(JOINT), False
    for touch in touches:
        if touch.point_reference_mm is None or touch.own_rms_mm is None or touch.kind == "repeat":
            continue
        place = (touch.point_reference_mm - touch.offset_reference_mm)[None, :]
        rows = joint_jacobian(place, uncertainty.pivot_reference_mm, on_skin=touch.on_skin)[0]
        own_mm2 = touch.own_rms_mm**2 / 3.0 * np.eye(3)
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
