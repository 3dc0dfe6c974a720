"""The pivot equation ``R_i t + p_i = c`` as weighted least squares, in which no direction need count like another.

A tracker is several times worse in depth than across, so a residual of a millimetre means little along one axis and
much along another. A `Metric` says so: residuals are compared after it whitened them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geometry.points import Floats

# Singular minimal samples must not stop a whole batch of them; 1e-9 of a pose moves no other by more than 1e-6 mm.
_RIDGE = 1e-9


@dataclass(frozen=True, eq=False)
class Metric:
    """What a residual counts for, by its direction.

    Attributes:
        whitening: ``(3, 3)``; ``whitening @ residual`` has unit covariance.
    """

    whitening: Floats

    @classmethod
    def of(cls, covariance_mm2: Floats) -> Metric:
        """For residuals of this covariance, ``(3, 3)`` in mm^2."""
        return cls(np.linalg.inv(np.linalg.cholesky(covariance_mm2)))

    @classmethod
    def isotropic(cls, sd_mm: float = 1.0) -> Metric:
        """For residuals of the same standard deviation along all axes."""
        return cls(np.eye(3) / sd_mm)

    @property
    def weight(self) -> Floats:
        """The inverse of the residuals' covariance, ``(3, 3)``."""
        return np.asarray(self.whitening.T @ self.whitening)

    def whitened(self, residuals_mm: Floats) -> Floats:
        """Residuals without unit, ``(n, 3)``."""
        return residuals_mm @ self.whitening.T


class Equations:
    """The equations of a set of poses, for one solution after another with other weights.

    Whatever the weights and the metric, the normal equations are sums over the same products of the poses' entries.
    """

    def __init__(self, rotations: Floats, translations_mm: Floats) -> None:
        """Takes rotations ``(n, 3, 3)`` and translations ``(n, 3)``."""
        count = len(rotations)
        self.rotations, self.translations_mm = rotations, translations_mm
        self._entries = np.hstack([rotations.reshape(count, 9), translations_mm, np.ones((count, 1))])

    def normal(self, weights: Floats, metric: Metric) -> tuple[Floats, Floats]:
        """The normal matrix ``(6, 6)`` and the right side ``(6,)``."""
        sums = (self._entries * weights[:, None]).T @ self._entries
        both = np.einsum("iajb,ij->ab", sums[:9, :9].reshape(3, 3, 3, 3), metric.weight)
        mixed = sums[:9, 12].reshape(3, 3).T @ metric.weight
        back = np.einsum("iaj,ij->a", sums[:9, 9:12].reshape(3, 3, 3), metric.weight)
        normal = np.block([[both, -mixed], [-mixed.T, sums[12, 12] * metric.weight]])
        return normal, np.concatenate([-back, metric.weight @ sums[9:12, 12]])

    def solve(self, weights: Floats, metric: Metric) -> Floats:
        """Returns ``(t, c)``, ``(6,)`` in mm: the tip in the marker's frame and the pivot in the tracker's."""
        # Least squares, not an inverse: too little tilt leaves it singular, and that is refused later, in words.
        return np.asarray(np.linalg.lstsq(*self.normal(weights, metric), rcond=1e-12)[0], np.float64)

    def residuals_mm(self, solution: Floats) -> Floats:
        """How far the tip of each pose lies from the pivot, ``(n, 3)`` along the tracker's axes."""
        return residuals_mm(self.rotations, self.translations_mm, solution)


def residuals_mm(rotations: Floats, translations_mm: Floats, solution: Floats) -> Floats:
    """How far the tip of each pose lies from the pivot, ``(n, 3)`` along the tracker's axes."""
    tips = (rotations.reshape(-1, 3) @ solution[:3]).reshape(-1, 3)
    return np.asarray(tips + translations_mm - solution[3:])


def solve_samples(rotations: Floats, translations_mm: Floats) -> Floats:
    """Solves ``(h, k)`` samples of `k` poses at once: ``(h, 6)``."""
    size = rotations.shape[1]
    turned = rotations.sum(axis=1)
    normal = np.broadcast_to((size + _RIDGE) * np.eye(6), (len(rotations), 6, 6)).copy()
    normal[:, 3:, :3], normal[:, :3, 3:] = -turned, -turned.transpose(0, 2, 1)
    back = (translations_mm[:, :, None, :] @ rotations)[:, :, 0, :]
    right = np.concatenate([-back.sum(axis=1), translations_mm.sum(axis=1)], axis=1)
    return np.linalg.solve(normal, right[:, :, None])[:, :, 0]


def independent_poses(left: Floats) -> float:
    """How many of the poses with these residuals, ``(n, 3)`` in the order of time, do not repeat their neighbours.

    With a correlation r between neighbours, ``n (1 - r) / (1 + r)`` of n poses are independent.
    """
    power = max(float(np.sum(left**2)), 1e-30)
    correlation = float(np.clip(np.sum(left[1:] * left[:-1]) / power, 0.0, 0.99))
    return len(left) * (1.0 - correlation) / (1.0 + correlation)


def covariance_mm2(equations: Equations, left_mm: Floats, metric: Metric) -> Floats:
    """Covariance of ``(t, c)``, ``(6, 6)`` in mm^2: the inverse normal matrix on both sides of the residuals' scatter.

    This is the sandwich estimator (White, Econometrica 48(4), 1980, with n / (n - 2) for six parameters and three
    equations per pose), because a tracker's error is neither isotropic nor equal in all poses. It is scaled up because
    poses that follow each other repeat one another: with a correlation r between neighbours, only n (1 - r) / (1 + r)
    of n poses are independent. A recorded pivot had r = 0.9; without this factor the covariance would have promised a
    fifth of the observed error.

    Args:
        left_mm: the residuals of `equations`, ``(n, 3)``, in the order of time.
    """
    count = len(left_mm)
    inverse = np.linalg.inv(equations.normal(np.ones(count), metric)[0])
    left, pulled = metric.whitened(left_mm), left_mm @ metric.weight
    gradients = np.hstack([np.einsum("nij,ni->nj", equations.rotations, pulled), -pulled])
    repetition = count / independent_poses(left)
    covariance: Floats = inverse @ (gradients.T @ gradients) @ inverse * (repetition * count / (count - 2.0))
    return covariance
