"""Landmark registration: exact truth, independent solvers, equivariance, its promise of error, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from geometry import Transform
from registration import register_landmarks
from registration.errors import LandmarksRefusedError
from registration.landmarks.fit import LandmarkSettings
from registration.landmarks.rigid_fit import fit_rigid
from tests.geometry.strategies import transforms
from tests.registration.landmarks.harness import CT_MM, horn_quaternion
from tests.registration.shapes import T_TRUE
from tests.registration.trials.plus_recording import detect_landmarks, read_poses, read_result

NAMES = ("left clavicle", "right clavicle", "sternum", "left rib", "right rib", "xiphoid")


@given(transforms("reference", "ct"), st.integers(0, 2**32 - 1), st.integers(3, 12))
def test_recovers_the_pose_its_inverse_and_a_shifted_source(T: Transform, seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.uniform(-150.0, 150.0, (count, 3))
    spread = np.linalg.svd(points - points.mean(axis=0), compute_uv=False) / np.sqrt(count)
    assume(np.hypot(spread[1], spread[2]) > 15.0)
    shift = np.array([300.0, -200.0, 100.0])
    forward = register_landmarks(points, T.apply(points))
    backward = register_landmarks(T.apply(points), points)
    shifted = register_landmarks(points + shift, T.apply(points))
    # Coordinates up to 4 m in float64 (1e-12 relative), with a lever of ten times the spread.
    np.testing.assert_allclose(forward.T_reference_ct.matrix, T.matrix, atol=1e-8)
    np.testing.assert_allclose(backward.T_reference_ct.matrix, T.inverse().matrix, atol=1e-8)
    np.testing.assert_allclose(shifted.T_reference_ct.apply(points + shift), T.apply(points), atol=1e-8)
    assert forward.fre_rms_mm < 1e-9


@given(transforms("reference", "reference"), transforms("ct", "ct"), st.integers(0, 2**32 - 1))
def test_moving_either_side_moves_the_result_along(T_move_b: Transform, T_move_a: Transform, seed: int) -> None:
    touched = CT_MM + np.random.default_rng(seed).normal(size=CT_MM.shape)
    before = register_landmarks(CT_MM, touched)
    after = register_landmarks(T_move_a.apply(CT_MM), T_move_b.apply(touched))
    expected = T_move_b @ before.T_reference_ct @ T_move_a.inverse()
    np.testing.assert_allclose(after.T_reference_ct.matrix, expected.matrix, atol=1e-8)
    assert after.fre_rms_mm == pytest.approx(before.fre_rms_mm, abs=1e-9)


def test_agrees_with_horns_quaternion_on_a_thousand_weighted_cases() -> None:
    rng = np.random.default_rng(0)
    for _ in range(1000):
        count = rng.integers(3, 12)
        a = rng.uniform(-100.0, 100.0, (count, 3))
        # Any second set: noise, mirror images, unrelated points.
        b = (
            a * rng.choice([-1.0, 1.0], 3)
            + rng.normal(size=3) * 100.0
            + rng.uniform(0.0, 5.0) * rng.normal(size=a.shape)
        )
        weights = rng.uniform(0.2, 5.0, count)
        singular = np.linalg.svd((a - weights @ a / weights.sum()).T @ (weights[:, None] * b), compute_uv=False)
        if singular[1] - singular[2] < 1e-3 * singular[0]:
            continue  # two rotations fit equally well: nothing to agree on
        np.testing.assert_allclose(fit_rigid(a, b, weights).rotation_matrix, horn_quaternion(a, b, weights), atol=1e-9)


def test_agrees_with_a_numerical_optimiser() -> None:
    rng = np.random.default_rng(3)
    touched, fle = CT_MM + rng.normal(size=CT_MM.shape), rng.uniform(0.3, 2.0, len(CT_MM))

    def cost(x: np.ndarray) -> np.ndarray:
        mapped = Rotation.from_rotvec(x[:3]).apply(CT_MM) + x[3:]
        return ((touched - mapped) / fle[:, None]).ravel()

    x = least_squares(cost, np.zeros(6), xtol=1e-15, ftol=1e-15, gtol=1e-15).x
    pose = register_landmarks(CT_MM, touched, fle_rms_mm=fle).T_reference_ct
    # The optimiser's Jacobian is numerical: 1e-7 mm is its own limit.
    np.testing.assert_allclose(pose.apply(CT_MM), Rotation.from_rotvec(x[:3]).apply(CT_MM) + x[3:], atol=1e-6)


def test_residuals_and_fre_by_hand() -> None:
    # A square whose corners are pulled out by 1 mm along its diagonals: the pose stays, each residual is that pull.
    square = np.array([[50, 0, 0], [0, 50, 0], [-50, 0, 0], [0, -50, 0]], dtype=float)
    registration = register_landmarks(square, square * 1.02, names=["a", "b", "c", "d"])
    np.testing.assert_allclose(registration.residuals_reference_mm, square * 0.02, atol=1e-12)
    assert registration.fre_rms_mm == pytest.approx(1.0, abs=1e-12)
    assert registration.names == ("a", "b", "c", "d")


def test_a_precise_landmark_pulls_harder() -> None:
    touched = CT_MM + np.random.default_rng(0).normal(size=CT_MM.shape)
    fle = np.array([1e-3, 1.0, 1.0, 1.0, 1.0, 1.0])
    residuals = register_landmarks(CT_MM, touched, fle_rms_mm=fle).residuals_reference_mm
    # Weighed a million times more than the others, it is met to micrometres.
    assert np.linalg.norm(residuals[0]) < 1e-4


def test_noise_beyond_the_stated_fle_is_admitted_and_never_deflated() -> None:
    rng = np.random.default_rng(8)
    noise = rng.normal(size=CT_MM.shape)
    honest = register_landmarks(CT_MM, CT_MM + noise, fle_rms_mm=1.7)
    understated = register_landmarks(CT_MM, CT_MM + noise, fle_rms_mm=0.2)
    perfect = register_landmarks(CT_MM, CT_MM, fle_rms_mm=1.7)
    assert honest.noise_inflation == perfect.noise_inflation == 1.0
    # 18 residuals of variance 1, 6 parameters: the reduced chi-square recovers (1.7 / 0.2)^2 to some 40 %.
    assert understated.noise_inflation == pytest.approx((1.7 / 0.2) ** 2, rel=0.6)
    np.testing.assert_allclose(perfect.uncertainty.covariance, honest.uncertainty.covariance, rtol=0.05, atol=1e-5)


@pytest.mark.parametrize(
    ("ct", "reference", "message"),
    [
        (CT_MM[:2], CT_MM[:2], "2 landmarks"),
        (CT_MM, CT_MM[:5], "6 landmarks in ct, 5 in reference"),
        (CT_MM, np.where(np.arange(6)[:, None] == 3, np.nan, CT_MM), "NaN or infinity in row 3"),
        (CT_MM[:, :2], CT_MM[:, :2], "shape"),
        (CT_MM, CT_MM / 1000.0, "convert those in 'reference' from metres"),
        (CT_MM / 1000.0, CT_MM, "convert those in 'ct' from metres"),
        (CT_MM[[0, 1, 2, 2]], CT_MM[[0, 1, 2, 2]], r"'3' and '4' 0\.00 mm apart in ct"),
        (CT_MM, CT_MM[[0, 1, 2, 3, 4, 4]], r"'5' and '6' 0\.00 mm apart in reference"),
        (
            np.outer([0, 40, 90, 120], [1, 2, -1.0]),
            np.outer([0, 40, 90, 120], [1, 2, -1.0]),
            r"within 0\.0 mm RMS of one",
        ),
        (CT_MM, CT_MM * [-1.0, 1.0, 1.0], "mirror image"),
    ],
)
def test_refused(ct: np.ndarray, reference: np.ndarray, message: str) -> None:
    with pytest.raises(LandmarksRefusedError, match=message):
        register_landmarks(ct, reference)


def test_nearly_on_a_line_is_refused_with_the_number() -> None:
    line = np.array([[0, 0, 0], [0, 4, 100], [0, -4, 200], [3, 0, 300]], dtype=float)
    with pytest.raises(LandmarksRefusedError, match=r"within 2\.8 mm RMS.*at least 10 mm"):
        register_landmarks(line, line)


@pytest.mark.parametrize(("first", "second"), [(3, 4), (0, 2), (1, 5)])
def test_swapped_landmarks_are_named(first: int, second: int) -> None:
    touched = CT_MM + 0.3 * np.random.default_rng(0).normal(size=CT_MM.shape)
    touched[[first, second]] = touched[[second, first]]
    with pytest.raises(LandmarksRefusedError, match=f"'{NAMES[first]}' and '{NAMES[second]}' that fit once exchanged"):
        register_landmarks(CT_MM, touched, NAMES)


@pytest.mark.parametrize("wrong", range(6))
def test_a_landmark_touched_in_the_wrong_place_is_named(wrong: int) -> None:
    touched = CT_MM.copy()
    touched[wrong] += [35.0, -30.0, 25.0]
    with pytest.raises(LandmarksRefusedError, match=f"landmark '{NAMES[wrong]}'"):
        register_landmarks(CT_MM, touched, NAMES)


@pytest.mark.parametrize("order", [(1, 2, 0), (2, 0, 1)])
def test_three_landmarks_touched_in_another_order_are_told_the_order(order: tuple[int, ...]) -> None:
    three, names = CT_MM[[0, 2, 4]], ("a", "b", "c")
    touched = three[list(order)] + 0.3 * np.random.default_rng(0).normal(size=(3, 3))
    with pytest.raises(LandmarksRefusedError, match="in another order, and in no other") as refused:
        register_landmarks(three, touched, names)
    for name, planned in zip(names, order, strict=True):
        assert f"the point touched as '{name}' is '{names[planned]}'" in refused.value.came


def test_an_isosceles_triangle_in_another_order_fits_in_two_and_both_are_told() -> None:
    with pytest.raises(LandmarksRefusedError, match="fit in 2 other orders") as refused:
        register_landmarks(CT_MM[:3], CT_MM[[1, 2, 0]], NAMES[:3])
    assert f"the point touched as '{NAMES[0]}' is '{NAMES[1]}'" in refused.value.came
    assert "off their symmetry" in refused.value.action


def test_all_landmarks_touched_in_reverse_are_told_the_order() -> None:
    with pytest.raises(LandmarksRefusedError, match=f"the point touched as '{NAMES[0]}' is '{NAMES[5]}'"):
        register_landmarks(CT_MM, CT_MM[::-1], NAMES)


def test_of_three_landmarks_that_disagree_nobody_is_blamed() -> None:
    touched = CT_MM[:3] + [[0, 0, 0], [0, 0, 0], [35.0, -30.0, 25.0]]
    with pytest.raises(LandmarksRefusedError, match="3 landmarks cannot tell which is wrong") as refused:
        register_landmarks(CT_MM[:3], touched, NAMES[:3])
    assert all(f"'{name}'" in refused.value.came for name in NAMES[:3])


@pytest.mark.parametrize(("factor", "unit"), [(10.0, "centimetres"), (25.4, "inches"), (1000.0, "metres")])
@pytest.mark.parametrize("side", ["ct", "reference"])
def test_numbers_in_another_unit_are_named_by_it(factor: float, unit: str, side: str) -> None:
    # One landmark is touched 25 mm off: that must not hide the unit.
    touched = T_TRUE.apply(CT_MM) + [[25.0, 0, 0], *[[0, 0, 0]] * 5]
    ct, reference = (CT_MM / factor, touched) if side == "ct" else (CT_MM, touched / factor)
    with pytest.raises(LandmarksRefusedError, match=f"convert those in '{side}' from {unit} to millimetres"):
        register_landmarks(ct, reference)


@pytest.mark.parametrize("fle", [0.0, -1.0, np.nan, [1.0, 2.0], "a"])
def test_a_localisation_error_that_is_none_is_refused(fle: object) -> None:
    with pytest.raises(LandmarksRefusedError, match="localisation error"):
        register_landmarks(CT_MM, CT_MM, fle_rms_mm=fle)  # type: ignore[arg-type]


def test_results_cannot_be_changed_by_those_who_hold_them() -> None:
    registration = register_landmarks(CT_MM, CT_MM, settings=LandmarkSettings(fle_rms_mm=0.5))
    with pytest.raises(ValueError, match="read-only"):
        registration.residuals_reference_mm[0] = 0.0


def test_plus_phantom_registration(shared_data: Path) -> None:
    folder = shared_data / "tracking" / "pluslib" / "TestImages"
    theirs = read_result(folder)
    touched = np.array([landmark for landmark, _ in detect_landmarks(read_poses(folder))])
    ours = register_landmarks(theirs.landmarks_ct, touched)
    # PlusToolkit's own tolerance for this test: 0.1 mm and 0.2 degrees; and its mean error 0.198 mm beside ours.
    assert ours.T_reference_ct.translation_difference_mm(theirs.T_reference_ct) < 0.1
    assert np.rad2deg(ours.T_reference_ct.rotation_difference_rad(theirs.T_reference_ct)) < 0.2
    assert ours.fre_rms_mm == pytest.approx(theirs.fre_mm, abs=0.05)
