"""How well a place in a placed ultrasound image is known: calibration, tracking, time and registration together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.ultrasound_probe.image_map import ImageToProbe
from geometry import Transform
from geometry.points import Floats
from registration.record.accepted import RegistrationUncertainty
from registration.uncertainty.expected_error import length_quantile_mm


@dataclass(frozen=True, kw_only=True, eq=False)
class PlaceErrors:
    """What is not known of one placed image; the parts are independent.

    Attributes:
        image_map: from pixels to the probe, with its covariance.
        T_reference_probe: the pose that the image was placed with.
        tracking: covariance ``(6, 6)`` of the probe's motion by noise (`timeline.tip_error.tracking_motion`).
        twist: the probe's speed, ``(6,)``: rad/s and mm/s of its origin, along the axes of ``reference``.
        time_sd_s: standard deviation of the instant that the image shows, against the poses' clock.
        registration: how well that is known; None where the image is placed in ``reference`` only.
    """

    image_map: ImageToProbe
    T_reference_probe: Transform
    tracking: Floats
    twist: Floats
    time_sd_s: float
    registration: RegistrationUncertainty | None

    def at(self, points_px: Floats) -> Floats:
        """Covariances ``(n, 3, 3)`` in mm^2 of the errors of points ``(n, 2)``, along the axes of ``reference``."""
        turn = self.T_reference_probe.rotation_matrix
        levers_mm = self.image_map.to_probe_mm(points_px) @ turn.T
        jacobian = np.concatenate([-_crossed(levers_mm), np.tile(np.eye(3), (len(levers_mm), 1, 1))], axis=2)
        moved = jacobian @ self.tracking @ jacobian.transpose(0, 2, 1)
        speeds_mm_s = jacobian @ self.twist
        late = self.time_sd_s**2 * np.einsum("ni,nj->nij", speeds_mm_s, speeds_mm_s)
        covariances: Floats = turn @ self.image_map.point_covariances_mm2(points_px) @ turn.T + moved + late
        if self.registration is not None:
            places_mm = levers_mm + self.T_reference_probe.translation_mm
            covariances = covariances + np.stack([self.registration.at(place) for place in places_mm])
        return covariances

    def p95_mm(self, points_px: Floats) -> Floats:
        """The length ``(n,)`` in mm that 95 of 100 errors of each point keep to."""
        return length_quantile_mm(self.at(points_px), 0.95)


def _crossed(vectors: Floats) -> Floats:
    """The matrices ``(n, 3, 3)`` of the cross product with each vector ``(n, 3)``, on its left."""
    matrices = np.zeros((len(vectors), 3, 3))
    x, y, z = vectors.T
    matrices[:, 0, 1], matrices[:, 0, 2], matrices[:, 1, 2] = -z, y, -x
    return matrices - matrices.transpose(0, 2, 1)
