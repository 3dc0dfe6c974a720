"""Localisation error (FLE) of landmarks as covariances, for the CT side and the patient side.

FLE is rarely isotropic: thick slices blur the CT along one axis, a tracking camera is worse along its line of sight,
and skin yields along its normal. The covariance of a residual is the sum of both sides', the CT's rotated to reference.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from geometry import Transform
from geometry.points import Floats, read_only
from registration.errors import InvalidCovarianceError, LandmarksRefusedError

# Standard deviations with a larger ratio than this are a mistake in units, and make the equations ill-conditioned.
MAXIMUM_SD_RATIO = 1e5


@dataclass(frozen=True, eq=False)
class LocalisationError:
    """Covariances of the localisation errors of n landmarks, each side in its own frame.

    Attributes:
        covariance_ct_mm2: ``(n, 3, 3)`` in the axes of ct; zero where the position in the CT is exact.
        covariance_reference_mm2: ``(n, 3, 3)`` in the axes of reference; zero where the touched position is exact.

    Raises:
        InvalidCovarianceError: wrong shapes, not finite, not symmetric, a negative variance, or a landmark without
            error along some axis on both sides: the sum of both could then be singular for some pose.
    """

    covariance_ct_mm2: Floats
    covariance_reference_mm2: Floats

    def __post_init__(self) -> None:
        ct, reference = (
            _checked(covariance, side)
            for covariance, side in ((self.covariance_ct_mm2, "ct"), (self.covariance_reference_mm2, "reference"))
        )
        if ct.shape != reference.shape:
            raise InvalidCovarianceError(
                f"localisation errors of {len(ct)} landmarks in ct and {len(reference)} in reference",
                "the same number of both",
                "state both sides of each landmark, zero for one that is exact",
            )
        variances = np.stack([np.linalg.eigvalsh(ct), np.linalg.eigvalsh(reference)])
        # For any rotation, the smallest variance of the sum is at least the larger of the two sides' smallest ones.
        exact = variances[:, :, 0].max(axis=0) <= variances[:, :, 2].max(axis=0, initial=0.0) / MAXIMUM_SD_RATIO**2
        if exact.any():
            raise InvalidCovarianceError(
                f"a localisation error of landmark {int(np.flatnonzero(exact)[0]) + 1} that vanishes along an axis",
                f"variances above zero along all axes on at least one side, with ratios below {MAXIMUM_SD_RATIO:g}^2",
                "state how precisely the landmark is localised along its best axis",
            )
        object.__setattr__(self, "covariance_ct_mm2", read_only(ct))
        object.__setattr__(self, "covariance_reference_mm2", read_only(reference))

    @classmethod
    def isotropic(cls, fle_rms_mm: float | ArrayLike, count: int) -> LocalisationError:
        """Makes an error that is the same along all axes.

        Args:
            fle_rms_mm: RMS length of the 3-D error, both sides together: one number, or one per landmark.
            count: number of landmarks.

        Raises:
            LandmarksRefusedError: not one or `count` positive numbers.
        """
        variances_mm2 = fle_sd_mm(fle_rms_mm, count) ** 2
        return cls(np.zeros((count, 3, 3)), variances_mm2[:, None, None] * np.eye(3))

    @classmethod
    def from_covariances(
        cls, covariance_ct_mm2: ArrayLike | None, covariance_reference_mm2: ArrayLike | None, count: int
    ) -> LocalisationError:
        """Makes the error from covariances in mm^2, ``(3, 3)`` for all landmarks or ``(count, 3, 3)``.

        Args:
            covariance_ct_mm2, covariance_reference_mm2: in the axes of their frame; None for a side that is exact.
            count: number of landmarks.

        Raises:
            InvalidCovarianceError: as for the class.
        """
        sides = []
        for covariance_mm2 in (covariance_ct_mm2, covariance_reference_mm2):
            matrix = np.zeros((3, 3)) if covariance_mm2 is None else _numbers(covariance_mm2)
            if matrix.shape not in {(3, 3), (count, 3, 3)}:
                raise _shape_refused(matrix, f"(3, 3), or ({count}, 3, 3) for {count} landmarks")
            sides.append(np.broadcast_to(matrix, (count, 3, 3)))
        return cls(*sides)

    def __len__(self) -> int:
        return len(self.covariance_ct_mm2)

    def covariance(self, T_reference_ct: Transform) -> Floats:
        """Covariance ``R C_ct R' + C_reference`` of touched minus mapped positions, ``(n, 3, 3)`` in mm^2."""
        rotation = T_reference_ct.rotation_matrix
        covariance_mm2: Floats = rotation @ self.covariance_ct_mm2 @ rotation.T + self.covariance_reference_mm2
        return covariance_mm2

    def information(self, T_reference_ct: Transform) -> Floats:
        """Inverse of `covariance`, ``(n, 3, 3)`` in 1/mm^2: the weight of the squared residuals."""
        information = np.asarray(np.linalg.inv(self.covariance(T_reference_ct)), dtype=np.float64)
        return (information + information.transpose(0, 2, 1)) / 2.0

    @property
    def is_isotropic(self) -> bool:
        """Whether each landmark's error is the same along all axes, up to rounding."""
        return bool(
            all(
                (np.abs(matrices - _mean_variance(matrices)[:, None, None] * np.eye(3)).max(axis=(1, 2)) <= limit).all()
                for matrices, limit in ((side, 1e-12 * self.mean_sd_mm**2) for side in self._sides())
            )
        )

    @property
    def mean_sd_mm(self) -> Floats:
        """Standard deviation along one axis in mm, ``(n,)``: root mean square over the axes, both sides together."""
        ct, reference = self._sides()
        return np.sqrt(_mean_variance(ct) + _mean_variance(reference))

    @property
    def largest_sd_mm(self) -> Floats:
        """Upper bound of the standard deviation in mm, ``(n,)``: the worst axes of both sides taken as parallel."""
        ct, reference = (np.linalg.eigvalsh(side)[:, 2] for side in self._sides())
        return np.sqrt(np.maximum(ct + reference, 0.0))

    def _sides(self) -> tuple[Floats, Floats]:
        return self.covariance_ct_mm2, self.covariance_reference_mm2

    def subset(self, chosen: ArrayLike) -> LocalisationError:
        """The errors of the landmarks that an index array or a mask selects."""
        index = np.asarray(chosen)
        return LocalisationError(self.covariance_ct_mm2[index], self.covariance_reference_mm2[index])


def fle_sd_mm(fle_rms_mm: float | ArrayLike, count: int) -> Floats:
    """Standard deviation ``(count,)`` along each axis of errors whose 3-D RMS length is `fle_rms_mm`.

    Raises:
        LandmarksRefusedError: not one or `count` positive numbers.
    """
    try:
        rms_mm = np.asarray(fle_rms_mm, dtype=np.float64)
    except (TypeError, ValueError):
        rms_mm = np.asarray(np.nan)
    if rms_mm.shape not in {(), (count,)} or not np.isfinite(rms_mm).all() or (rms_mm <= 0).any():
        raise LandmarksRefusedError(
            f"a localisation error of {fle_rms_mm!r} for {count} landmarks",
            f"one positive number in mm, or {count}",
            "state how precisely each landmark can be touched",
        )
    return np.broadcast_to(rms_mm / np.sqrt(3.0), (count,))


def isotropic_mm2(rms_mm: float) -> Floats:
    """Covariance ``(3, 3)`` in mm^2 of an isotropic 3-D error whose RMS length is `rms_mm`."""
    return rms_mm**2 / 3.0 * np.eye(3)


def _mean_variance(matrices: Floats) -> Floats:
    return np.asarray(np.trace(matrices, axis1=1, axis2=2) / 3.0, dtype=np.float64)


def _checked(covariance_mm2: ArrayLike, side: str) -> Floats:
    """A symmetric copy ``(n, 3, 3)``."""
    matrices = _numbers(covariance_mm2)
    if matrices.ndim != 3 or matrices.shape[1:] != (3, 3):
        raise _shape_refused(matrices, "(n, 3, 3)")
    largest = np.abs(matrices).max(axis=(1, 2), initial=0.0)
    asymmetry = np.abs(matrices - matrices.transpose(0, 2, 1)).max(axis=(1, 2), initial=0.0)
    symmetric = (matrices + matrices.transpose(0, 2, 1)) / 2.0
    # Rounding of a product such as R C R' leaves 1e-16 of the largest entry; digits typed into a file leave more.
    negative = np.linalg.eigvalsh(symmetric)[:, 0] < -1e-9 * largest
    bad = (asymmetry > 1e-6 * largest) | negative
    if bad.any():
        raise InvalidCovarianceError(
            f"a localisation error of landmark {int(np.flatnonzero(bad)[0]) + 1} in {side} with a negative variance or "
            f"without symmetry",
            "symmetric (3, 3) matrices without negative eigenvalues, in mm^2",
            "pass covariances, not standard deviations or directions",
        )
    return symmetric


def _numbers(covariance_mm2: ArrayLike) -> Floats:
    try:
        array = np.array(covariance_mm2, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.array(np.nan)
    if not np.isfinite(array).all():
        raise InvalidCovarianceError(
            "localisation errors that are not finite numbers",
            "finite covariances in mm^2",
            "pass None for a side that is exact",
        )
    return array


def _shape_refused(array: Floats, allowed: str) -> InvalidCovarianceError:
    return InvalidCovarianceError(
        f"localisation errors of shape {array.shape}", allowed, "pass one covariance for each landmark"
    )
