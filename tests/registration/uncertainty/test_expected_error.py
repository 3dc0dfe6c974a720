"""Expected TRE: the closed form, many simulated registrations, and the quantile of an error's length."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from scipy.spatial.transform import Rotation

from geometry import Transform
from geometry.errors import FrameMismatchError, InvalidPointsError
from registration import expected_tre, register_landmarks
from registration.errors import InvalidCovarianceError
from registration.uncertainty.expected_error import (
    PoseUncertainty,
    length_quantile_mm,
    noise_inflation,
    target_errors_mm,
)
from registration.uncertainty.perturbation import motion_jacobian, moved
from tests.geometry.strategies import transforms
from tests.registration.landmarks.harness import CT_MM
from tests.registration.shapes import T_TRUE

TARGETS_MM = np.array([[0, 0, 0], [60, 40, -30], [-100, 80, 20], [20, 150, 100], [250, -40, 10]], dtype=float)


def fitzpatrick_west_maurer_mm(points: np.ndarray, fle_rms_mm: float, targets: np.ndarray) -> np.ndarray:
    """TRE^2 = FLE^2 / N (1 + 1/3 sum_k d_k^2 / f_k^2), d and f being distances from the principal axes."""
    centre = points.mean(axis=0)
    axes = np.linalg.svd(points - centre)[2]

    def distances_squared(x: np.ndarray) -> np.ndarray:
        along = (x - centre) @ axes.T
        return np.sum(along**2, axis=1, keepdims=True) - along**2

    f = distances_squared(points).mean(axis=0)
    return fle_rms_mm * np.sqrt((1.0 + np.sum(distances_squared(targets) / f, axis=1) / 3.0) / len(points))


def test_equals_the_closed_form_of_fitzpatrick_west_and_maurer() -> None:
    rng = np.random.default_rng(0)
    for count in (3, 4, 6, 20):
        points = rng.uniform(-100.0, 100.0, (count, 3))
        registration = register_landmarks(points, T_TRUE.apply(points), fle_rms_mm=1.3)
        expected = expected_tre(registration.T_reference_ct, registration.uncertainty, TARGETS_MM)
        # Both are the same first-order expression; only rounding is between them.
        np.testing.assert_allclose(expected.rms_mm, fitzpatrick_west_maurer_mm(points, 1.3, TARGETS_MM), rtol=1e-9)


@pytest.mark.parametrize("heteroscedastic", [False, True])
def test_landmarks_keep_their_promise_over_many_registrations(heteroscedastic: bool) -> None:
    rng = np.random.default_rng(1)
    count = 1000
    fle = rng.uniform(0.3, 2.0, len(CT_MM)) if heteroscedastic else np.full(len(CT_MM), 0.7)
    touched_true = T_TRUE.apply(CT_MM)
    squared, within = np.zeros(len(TARGETS_MM)), np.zeros(len(TARGETS_MM))
    for _ in range(count):
        noise = fle[:, None] / np.sqrt(3.0) * rng.normal(size=CT_MM.shape)
        registration = register_landmarks(CT_MM, touched_true + noise, fle_rms_mm=fle)
        expected = expected_tre(registration.T_reference_ct, registration.uncertainty, TARGETS_MM)
        errors_mm = target_errors_mm(registration.T_reference_ct, T_TRUE, TARGETS_MM)
        squared += (errors_mm / expected.rms_mm) ** 2
        within += errors_mm < expected.p95_mm
    # 1,000 draws: the RMS is known to 2 %, the coverage to 0.7 %. One registration in 20 is inflated by chance.
    np.testing.assert_allclose(np.sqrt(squared / count), 1.0, atol=0.07)
    np.testing.assert_allclose(within / count, 0.95, atol=0.02)


@given(transforms("reference", "ct"))
def test_the_promise_does_not_depend_on_where_the_frames_are(T_reference_ct: Transform) -> None:
    here = register_landmarks(CT_MM, CT_MM)
    there = register_landmarks(CT_MM, T_reference_ct.apply(CT_MM))
    a = expected_tre(here.T_reference_ct, here.uncertainty, TARGETS_MM)
    b = expected_tre(there.T_reference_ct, there.uncertainty, TARGETS_MM)
    np.testing.assert_allclose(b.rms_mm, a.rms_mm, rtol=1e-9)
    np.testing.assert_allclose(b.p95_mm, a.p95_mm, rtol=1e-9)
    turn = T_reference_ct.rotation_matrix
    np.testing.assert_allclose(b.covariance_reference_mm2, turn @ a.covariance_reference_mm2 @ turn.T, atol=1e-9)


def test_covariance_of_a_target_by_hand() -> None:
    # 0.01 rad about z through (100, 0, 0) and 0.3 mm along x: a target 200 mm further along x moves 2 mm along y.
    covariance = np.diag([0.0, 0.0, 0.01**2, 0.3**2, 0.0, 0.0])
    uncertainty = PoseUncertainty(covariance, np.array([100.0, 0.0, 0.0]))
    expected = expected_tre(
        Transform(np.eye(4), "reference", "ct"), uncertainty, [[300.0, 0.0, 0.0], [100.0, 0.0, 0.0]]
    )
    np.testing.assert_allclose(expected.covariance_reference_mm2[0], np.diag([0.09, 4.0, 0.0]), atol=1e-12)
    np.testing.assert_allclose(expected.rms_mm, [np.sqrt(4.09), 0.3], atol=1e-12)
    # Along one line 95 of 100 normal errors lie within 1.96 standard deviations.
    assert expected.p95_mm[1] == pytest.approx(1.959964 * 0.3, abs=1e-6)


def test_the_quantile_of_a_length_covers_what_it_says() -> None:
    rng = np.random.default_rng(2)
    normal_squared = rng.normal(size=(400_000, 3)) ** 2
    for b in (0.0, 0.05, 0.2, 0.5, 1.0):
        for c in (0.0, 0.05, 0.2, 0.5, 1.0):
            quantile = length_quantile_mm(np.diag([1.0, b, c])[None], 0.95)[0]
            coverage = np.mean(normal_squared @ [1.0, b, c] < quantile**2)
            # Approximation 0.2 %, and three times the 0.035 % to which 400,000 draws know it.
            assert coverage == pytest.approx(0.95, abs=0.003)


def test_no_uncertainty_means_no_expected_error() -> None:
    uncertainty = PoseUncertainty(np.zeros((6, 6)), np.zeros(3))
    expected = expected_tre(T_TRUE, uncertainty, TARGETS_MM)
    np.testing.assert_array_equal(expected.rms_mm, 0.0)
    np.testing.assert_array_equal(expected.p95_mm, 0.0)


@given(transforms("reference", "ct"))
def test_the_jacobian_is_the_derivative_of_the_motion(T_reference_ct: Transform) -> None:
    pivot, points = np.array([10.0, -20.0, 30.0]), T_reference_ct.apply(TARGETS_MM)
    motion = np.array([3e-6, -2e-6, 1e-6, 2e-4, 1e-4, -3e-4])
    shift = moved(T_reference_ct, motion, pivot).apply(TARGETS_MM) - points
    # Second order: (3.7e-6 rad)^2 times 5 m is 7e-8 mm.
    np.testing.assert_allclose(shift, motion_jacobian(points, pivot) @ motion, atol=1e-7)


def test_true_error_by_hand() -> None:
    turned = Transform.from_rotation(Rotation.from_euler("z", np.pi / 2), [0, 0, 0], "reference", "ct")
    still = Transform(np.eye(4), "reference", "ct")
    np.testing.assert_allclose(target_errors_mm(turned, still, [[1, 0, 0], [0, 0, 9]]), [np.sqrt(2.0), 0.0], atol=1e-12)
    with pytest.raises(FrameMismatchError):
        target_errors_mm(turned, still.inverse(), [[1, 0, 0]])


def test_inflation_needs_evidence() -> None:
    assert noise_inflation(0.0, 12.0) == 1.0
    assert noise_inflation(20.0, 12.0) == 1.0  # below 21.03, the 95 % quantile for 12 degrees of freedom
    assert noise_inflation(24.0, 12.0) == pytest.approx(2.0)
    assert noise_inflation(100.0, 0.0) == 1.0  # nothing left over to judge by


@pytest.mark.parametrize(
    "covariance",
    [np.eye(3), np.full((6, 6), np.nan), -np.eye(6), np.eye(6) + np.triu(np.ones((6, 6)), 1)],
)
def test_what_is_no_covariance_is_refused(covariance: np.ndarray) -> None:
    with pytest.raises(InvalidCovarianceError):
        PoseUncertainty(covariance, np.zeros(3))


def test_targets_that_are_no_points_are_refused() -> None:
    with pytest.raises(InvalidPointsError):
        expected_tre(T_TRUE, PoseUncertainty(np.eye(6), np.zeros(3)), [[np.nan, 0.0, 0.0]])
