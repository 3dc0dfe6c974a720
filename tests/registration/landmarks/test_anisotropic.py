"""Landmarks whose errors differ along the axes: against another solver, and whether the expected error holds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.spatial.transform import Rotation
from scipy.stats import chi2

from geometry import Transform
from registration import expected_tre, register_landmarks
from registration.errors import LandmarksRefusedError
from registration.landmarks.anisotropic import fit_anisotropic
from registration.landmarks.rigid_fit import fit_rigid
from registration.uncertainty.localisation_error import LocalisationError
from tests.registration.landmarks.harness import CT_MM, draw, random_covariances
from tests.registration.shapes import T_TRUE

TARGETS_MM = np.array([[0, 0, 0], [60, 40, -30], [-100, 80, 20]], dtype=float)


def random_error(rng: np.random.Generator, count: int) -> LocalisationError:
    return LocalisationError(random_covariances(rng, count), random_covariances(rng, count))


def by_newton(ct: np.ndarray, touched: np.ndarray, error: LocalisationError, start: Transform) -> np.ndarray:
    """The minimum in another parametrisation (rotation vector and shift), by differences and damped Newton steps.

    Knows nothing of Jacobians or of moved landmarks: only the cost. Returns the mapped landmarks ``(n, 3)``.
    """
    centre, target = ct.mean(axis=0), touched.mean(axis=0)

    def residuals(x: np.ndarray) -> np.ndarray:
        turn = Rotation.from_rotvec(x[:3] / 100.0).as_matrix() @ start.rotation_matrix
        r = touched - target - (ct - centre) @ turn.T - x[3:]
        spread = error.covariance_reference_mm2 + turn @ error.covariance_ct_mm2 @ turn.T
        white: np.ndarray = np.linalg.solve(np.linalg.cholesky(spread), r[:, :, None])
        return white.ravel()

    def gradient(x: np.ndarray) -> np.ndarray:
        # Richardson's extrapolation of central differences: some 1e-11 of the cost's scale.
        def central(step: float) -> np.ndarray:
            return np.array(
                [residuals(x) @ (residuals(x + step * e) - residuals(x - step * e)) / step for e in np.eye(6)]
            )

        return (4.0 * central(5e-4) - central(1e-3)) / 3.0

    x = minimize(lambda x: float(residuals(x) @ residuals(x)), np.zeros(6), method="BFGS", jac=gradient).x
    for _ in range(4):
        hessian = np.array([(gradient(x + 1e-4 * e) - gradient(x - 1e-4 * e)) / 2e-4 for e in np.eye(6)])
        x = x - np.linalg.solve((hessian + hessian.T) / 2.0, gradient(x))
    turn = Rotation.from_rotvec(x[:3] / 100.0).as_matrix() @ start.rotation_matrix
    return target + (ct - centre) @ turn.T + x[3:]


def agreement_mm(cases: int, seed: int) -> np.ndarray:
    """Largest difference at a landmark between both solvers, per case, ``(cases,)``."""
    rng = np.random.default_rng(seed)
    differences = []
    for _ in range(cases):
        count = int(rng.integers(4, 10))
        ct = rng.uniform(-100.0, 100.0, (count, 3))
        error = random_error(rng, count)
        touched = T_TRUE.apply(ct) + draw(rng, error.covariance(T_TRUE))
        start = fit_rigid(ct, touched, np.ones(count))
        ours = fit_anisotropic(ct, touched, error, start).apply(ct)
        differences.append(np.abs(ours - by_newton(ct, touched, error, start)).max())
    return np.array(differences)


def test_agrees_with_a_solver_that_knows_only_the_cost() -> None:
    # Differences of the cost leave some 1e-8 mm to the other solver.
    assert agreement_mm(10, 0).max() < 1e-6


@pytest.mark.slow
def test_agrees_with_it_on_two_hundred_cases() -> None:
    differences_mm = agreement_mm(200, 1)
    print(f"\nanisotropic, 200 cases: median {np.median(differences_mm):.1e}, worst {differences_mm.max():.1e} mm")
    assert differences_mm.max() < 1e-6


def test_equal_errors_give_the_closed_form() -> None:
    rng = np.random.default_rng(2)
    for _ in range(1000):
        count = int(rng.integers(4, 12))
        ct = rng.uniform(-100.0, 100.0, (count, 3))
        touched = T_TRUE.apply(ct) + rng.normal(size=ct.shape)
        fle = rng.uniform(0.3, 2.0, count)
        closed = fit_rigid(ct, touched, fle**-2.0)
        # Iterated from a start some degrees off, to the minimum that the closed form knows.
        start = Transform.from_rotation(Rotation.from_rotvec([0.05, -0.03, 0.04]), [3, -2, 1], "reference", "reference")
        iterated = fit_anisotropic(ct, touched, LocalisationError.isotropic(fle, count), start @ closed)
        np.testing.assert_allclose(iterated.apply(ct), closed.apply(ct), atol=1e-9)


def test_a_landmark_known_along_one_axis_holds_it_along_that_axis_only() -> None:
    touched = CT_MM.copy()
    touched[0] += [0.5, 3.0, 0.0]
    loose = np.tile(0.25 * np.eye(3), (len(CT_MM), 1, 1))
    loose[0] = np.diag([1e-6, 100.0, 100.0])
    error = LocalisationError(np.zeros_like(loose), loose)
    made = register_landmarks(CT_MM, touched, localisation_error=error)
    assert abs(made.residuals_reference_mm[0, 0]) < 1e-3
    assert made.residuals_reference_mm[0, 1] > 2.5


def coverage(kind: str, cases: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Share of true errors within the 95 % ellipsoid, and below the 95 % length, per target."""
    rng = np.random.default_rng(seed)
    inside, below = np.zeros(len(TARGETS_MM)), np.zeros(len(TARGETS_MM))
    count = len(CT_MM)
    if kind == "equal":
        error = LocalisationError.isotropic(0.8, count)
    elif kind == "unequal":
        error = LocalisationError.isotropic(rng.uniform(0.3, 2.0, count), count)
    else:
        error = LocalisationError(random_covariances(rng, count, 0.5), random_covariances(rng, count))
    true = error.covariance(T_TRUE)
    limit = chi2.ppf(0.95, 3)
    for _ in range(cases):
        touched = T_TRUE.apply(CT_MM) + draw(rng, true)
        made = register_landmarks(CT_MM, touched, localisation_error=error)
        tre = expected_tre(made.T_reference_ct, made.uncertainty, TARGETS_MM)
        off = made.T_reference_ct.apply(TARGETS_MM) - T_TRUE.apply(TARGETS_MM)
        inside += np.einsum("ni,nij,nj->n", off, np.linalg.inv(tre.covariance_reference_mm2), off) < limit
        below += np.linalg.norm(off, axis=1) < tre.p95_mm
    return inside / cases, below / cases


@pytest.mark.parametrize("kind", ["equal", "unequal", "anisotropic"])
def test_the_ellipsoid_of_the_expected_error_holds_95_of_100(kind: str) -> None:
    inside, below = coverage(kind, 2000, 5)
    print(f"\n{kind}: within the 95 % ellipsoid {inside}, below the 95 % length {below}")
    # The range; 2,000 draws know a share of 95 % to 0.5 %.
    assert ((inside >= 0.93) & (inside <= 0.97)).all()
    assert ((below >= 0.93) & (below <= 0.97)).all()


def test_errors_for_another_number_of_landmarks_are_refused() -> None:
    with pytest.raises(LandmarksRefusedError, match="localisation errors of 5 landmarks for 6"):
        register_landmarks(CT_MM, CT_MM, localisation_error=LocalisationError.isotropic(1.0, 5))
