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
        own_tracking: the same by the noise of the probe's marker alone, without that of the reference; None if unknown.
        twist: the probe's speed, ``(6,)``: rad/s and mm/s of its origin, along the axes of ``reference``.
        time_sd_s: standard deviation of the instant that the image shows, against the poses' clock.
        registration: how well that is known; None where the image is placed in ``reference`` only.
    """

    image_map: ImageToProbe
    T_reference_probe: Transform
    tracking: Floats
    own_tracking: Floats | None
    twist: Floats
    time_sd_s: float
    registration: RegistrationUncertainty | None

    def at(self, points_px: Floats) -> Floats:
        """Covariances ``(n, 3, 3)`` in mm^2 of the errors of points ``(n, 2)``, along the axes of ``reference``."""
        covariances = self._moved(points_px, self.tracking, np.zeros(3))
        if self.registration is not None:
            places_mm = self._levers_mm(points_px) + self.T_reference_probe.translation_mm
            covariances = covariances + np.stack([self.registration.at(place) for place in places_mm])
        return covariances

    def beside_tip(self, points_px: Floats, velocity_mm_s: Floats) -> Floats | None:
        """Covariances ``(n, 3, 3)`` in mm^2 of the way from a tip to points ``(n, 2)``, without what the tip adds.

        Both were seen at one instant by one camera: what the reference's marker or the registration is off moves both
        alike, and a wrong instant counts by how fast the points move against the tip.

        Args:
            velocity_mm_s: of the tip, ``(3,)`` along the axes of ``reference``.

        Returns:
            None where it is not known how well the probe's marker alone was seen.
        """
        return None if self.own_tracking is None else self._moved(points_px, self.own_tracking, velocity_mm_s)

    def _levers_mm(self, points_px: Floats) -> Floats:
        """From the probe's origin to points, ``(n, 3)`` along the axes of ``reference``."""
        levers: Floats = self.image_map.to_probe_mm(points_px) @ self.T_reference_probe.rotation_matrix.T
        return levers

    def _moved(self, points_px: Floats, tracking: Floats, velocity_mm_s: Floats) -> Floats:
        """By the image's map, by this noise of tracking, and by the instant, beside what moves at a velocity."""
        turn, levers_mm = self.T_reference_probe.rotation_matrix, self._levers_mm(points_px)
        jacobian = np.concatenate([-_crossed(levers_mm), np.tile(np.eye(3), (len(levers_mm), 1, 1))], axis=2)
        moved = jacobian @ tracking @ jacobian.transpose(0, 2, 1)
        speeds_mm_s = jacobian @ self.twist - velocity_mm_s
        late = self.time_sd_s**2 * np.einsum("ni,nj->nij", speeds_mm_s, speeds_mm_s)
        covariances: Floats = turn @ self.image_map.point_covariances_mm2(points_px) @ turn.T + moved + late
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
